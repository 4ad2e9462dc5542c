"""One client: its socket, its secure transport, what it publishes and what it plays."""

from __future__ import annotations

import random
import select
import socket
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from sfu.core.media import Direction, Kind
from tests.bench import kernel, packets, sdp
from tests.bench.ice import CHECK_INTERVAL_S, CheckList, new_credentials
from tests.bench.outgoing import OutgoingStream, TransportSequence
from tests.bench.reception import IncomingStream
from tests.bench.srtp import DtlsSession, HandshakeFailed, Identity

CONNECT_TIMEOUT_S = 10.0
REPORT_INTERVAL_S = 1.0
SAMPLE_EVERY = 11
"one received packet in so many is decrypted; no multiple of a frame's packets"
REMB_BPS = 10_000_000
"far above what is sent: the generator measures cost, not adaptation"
_RECEIVE_BUFFER_BYTES = 1 << 20
_REPLY_TIMEOUT_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    bare: bool = False
    "no feedback, no abs-send-time, no reports, no loss"
    drop_every: int = 200
    "one received video packet in so many is treated as lost; 0: none"


@dataclass(slots=True)
class Received:
    """What one client got, beside its streams' own counts."""

    rtcp: dict[str, int] = field(default_factory=dict)
    undecryptable: int = 0
    foreign: int = 0
    "packets of an SSRC that no answer named, or without our mark"
    stun: int = 0
    dtls: int = 0
    lowest_remb_bps: int = 0
    send_failures: int = 0


class Client:
    """Publishes and plays over one transport; driven by ``Engine``."""

    def __init__(
        self, name: str, media: Sequence[tuple[Kind, Direction]], identity: Identity, options: ClientOptions
    ) -> None:
        self.name = name
        self.plays = ""
        "the name of the client whose publications it receives"
        self.options = options
        self._random = random.Random(name)
        self._identity = identity
        self._local = new_credentials(identity.fingerprint)
        self._version = 0
        self._media: list[sdp.OfferedMedia] = []
        for kind, direction in media:
            self.add_media(kind, direction)
        self.report_ssrc = next((item.ssrc for item in self._media if item.ssrc), 1)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        kernel.stamp_arrivals(self.socket)
        self.descriptor = self.socket.fileno()
        self.outgoing: dict[int, OutgoingStream] = {}
        self.video: OutgoingStream | None = None
        self.audio: OutgoingStream | None = None
        self.incoming: dict[int, IncomingStream] = {}
        self.rtx: dict[int, IncomingStream] = {}
        self.transport_sequence = TransportSequence()
        self.received = Received()
        self.delays_ns = array("q")
        self.until_sample = 1
        self.next_check_at = 0.0
        self.next_report_at = 0.0
        self.is_connected = False
        self.owes_nack = False

    # Negotiation

    def add_media(self, kind: Kind, direction: Direction) -> None:
        sends = direction is Direction.SENDONLY
        self._media.append(
            sdp.OfferedMedia(
                mid=str(len(self._media)),
                kind=kind,
                direction=direction,
                ssrc=self._random.getrandbits(31) | 1 if sends else 0,
                rtx_ssrc=self._random.getrandbits(31) | 1 if sends and kind is Kind.VIDEO else 0,
            )
        )

    def offers(self, kind: Kind) -> int:
        """How many m-lines of this kind are there for receiving."""
        return sum(item.kind is kind and item.direction is Direction.RECVONLY for item in self._media)

    def offer(self) -> str:
        self._version += 1
        return sdp.write_offer(
            self._media,
            self._local,
            cname=self.name.replace("/", "-"),
            version=self._version,
            bare=self.options.bare,
        )

    def apply(self, text: str) -> sdp.Answer:
        """Take an answer; streams that are already known go on."""
        answer = sdp.read_answer(text)
        for offered in self._media:
            answered = answer.media.get(offered.mid)
            if answered is None or answered.direction is Direction.INACTIVE:
                continue
            if offered.direction is Direction.SENDONLY and offered.ssrc not in self.outgoing:
                self._add_outgoing(offered, answered)
            elif offered.direction is Direction.RECVONLY and answered.ssrc:
                self._add_incoming(answered)
        return answer

    def _add_outgoing(self, offered: sdp.OfferedMedia, answered: sdp.AnsweredMedia) -> None:
        video = offered.kind is Kind.VIDEO
        stream = OutgoingStream(
            offered,
            answered,
            sdp.VP8 if video else sdp.OPUS,
            sdp.VP8_RTX if video else 0,
            self._random.getrandbits(15),
        )
        self.outgoing[stream.ssrc] = stream
        if video:
            self.video = stream
        else:
            self.audio = stream

    def _add_incoming(self, answered: sdp.AnsweredMedia) -> None:
        if answered.ssrc in self.incoming:
            return
        repaired = "nack" in answered.feedback
        stream = IncomingStream(
            answered.kind,
            answered.ssrc,
            repaired=repaired,
            drop_every=self.options.drop_every if repaired else 0,
        )
        self.incoming[stream.ssrc] = stream
        if answered.rtx_ssrc:
            self.rtx[answered.rtx_ssrc] = stream

    # Connecting

    def connect(self, answer: sdp.Answer) -> None:
        """ICE, then DTLS, waiting for each reply; raises HandshakeFailed."""
        self.socket.connect(answer.candidate)
        self.checks = CheckList(self._local, answer.credentials)
        self.dtls = DtlsSession(self._identity, is_server=not answer.is_dtls_server)
        give_up_at = time.monotonic() + CONNECT_TIMEOUT_S
        while True:
            self.socket.send(self.checks.next_check())
            reply = self._reply(_REPLY_TIMEOUT_S)
            if reply and self.checks.accepts(reply):
                break
            if time.monotonic() > give_up_at:
                raise HandshakeFailed(f"{self.name}: no answer to connectivity checks")
        self.next_check_at = time.monotonic() + CHECK_INTERVAL_S * self._random.uniform(0.3, 1.0)
        self._send_all(self.dtls.advance())
        while not self.dtls.is_connected:
            reply = self._reply(self.dtls.timeout_s() or _REPLY_TIMEOUT_S)
            if time.monotonic() > give_up_at:
                raise HandshakeFailed(f"{self.name}: DTLS did not finish")
            self._send_all(self.dtls.advance(reply) if reply else self.dtls.repeat())
        self.dtls.check_fingerprint(answer.credentials.fingerprint)
        self.rx, self.tx = self.dtls.srtp()
        self.next_report_at = time.monotonic() + REPORT_INTERVAL_S * self._random.random()
        self.is_connected = True

    def close(self) -> None:
        if self.is_connected:
            self._send_all(self.dtls.close())
        self.socket.close()

    def _reply(self, timeout_s: float) -> bytes:
        readable = select.poll()
        readable.register(self.descriptor, select.POLLIN)
        if not readable.poll(timeout_s * 1000):
            return b""
        try:
            return self.socket.recv(kernel.BUFFER_BYTES)
        except OSError:
            return b""

    def _send_all(self, datagrams: Sequence[bytes]) -> None:
        for datagram in datagrams:
            try:
                self.socket.send(datagram)
            except OSError:
                self.received.send_failures += 1

    # Control traffic

    def check(self, now: float) -> None:
        """Keep the path alive (RFC 7675 §5.1)."""
        self._send_all([self.checks.next_check()])
        self.next_check_at = now + CHECK_INTERVAL_S

    def report(self, now: float, outbox: kernel.Outbox) -> None:
        """One compound a second: SR of each publication, else RR; with REMB (RFC 3550 §6.1)."""
        self.next_report_at = now + REPORT_INTERVAL_S
        if self.options.bare:
            return
        blocks = [stream.report(now) for stream in self.incoming.values() if stream.first >= 0]
        compound = b"".join(stream.sender_report(time.time()) for stream in self.outgoing.values() if stream.number)
        if blocks or not compound:
            compound += packets.receiver_report(self.report_ssrc, blocks)
        compound += packets.source_description(self.report_ssrc, self.name[-16:])
        media = [stream.ssrc for stream in self.incoming.values()]
        if media:
            compound += packets.remb(self.report_ssrc, REMB_BPS, media)
        self.send_rtcp(compound, outbox)

    def ask_again(self, now: float, outbox: kernel.Outbox) -> None:
        """NACK what is missing (RFC 4585 §6.2.1)."""
        self.owes_nack = False
        for stream in self.incoming.values():
            if stream.waiting and (due := stream.nacks_due(now)):
                self.send_rtcp(packets.nack(self.report_ssrc, stream.ssrc, due), outbox)

    def send_rtcp(self, compound: bytes, outbox: kernel.Outbox) -> None:
        outbox.views[0][: len(compound)] = compound
        outbox.set_length(0, self.tx.protect_rtcp(outbox.pointers[0], len(compound)))
        self.received.send_failures += 1 - outbox.send(self.descriptor, 1)
