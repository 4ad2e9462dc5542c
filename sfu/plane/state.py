"""What the Python plane remembers of transports, streams and forwards: data and look-ups, no packet is read here."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

from sfu.core.audio_loss import AudioLoss
from sfu.core.downlink_loss import DownlinkLoss
from sfu.core.drop import DropReason
from sfu.core.history import PacketHistory
from sfu.core.keyframe import KeyframeRequester
from sfu.core.media import Codec, Kind
from sfu.core.receive_log import ReceiveLog
from sfu.core.report_clock import PublisherClock, StreamClock
from sfu.core.retransmit import RetransmitLimiter
from sfu.core.rtp import ExtensionBlock, ExtensionReader
from sfu.core.rtt import RttEstimate
from sfu.core.sequence_map import SequenceMap
from sfu.core.silence import SilenceJudge
from sfu.core.timestamp_map import TimestampMap
from sfu.core.transport_cc import TransportCcReceiver
from sfu.plane.seam import (
    ForwardConfig,
    ForwardId,
    IceCredentials,
    PathProtocol,
    PathState,
    StreamConfig,
    TransportId,
)
from sfu.plane.srtp import SrtpContext
from sfu.plane.tcp import TcpConnection
from sfu.plane.udp import UdpPort

MAX_PATHS = 16
"""Validated (socket, protocol, remote) triples a transport: more than any browser's interfaces times ours."""
MAX_CREDENTIALS = 3
"""The nominated ufrag, the one of a restart in progress, and one that a second restart overtook."""
MAX_SSRCS = 128
"""SSRCs a transport; libsrtp keeps a stream for each that authenticates. 8 m-lines with simulcast and RTX are 48."""
MAX_RETIRED_SSRCS = 16
HISTORY_PACKETS = 512
"""3 s of 1.5 Mbit/s video: longer than any NACK is repeated."""
HISTORY_S = 3.0
PROTECTED_PACKETS = 256
MAX_ENDED_FORWARDS = 64
"""SSRCs that a transport may send again; libsrtp refuses what a forgotten one would repeat."""
LOSSY = 0.02
"""Loss from which NACKs and their answers are sent twice: one lost repair costs a round trip, seen as a freeze."""
# Every codec that the SFU forwards runs at one of these (RFC 7587 §4.1, RFC 7741 §4.1, RFC 6184 §5.1, …).
AUDIO_CLOCK_RATE = 48_000
VIDEO_CLOCK_RATE = 90_000


class Rate:
    """Bits a second, from byte counts read at intervals."""

    __slots__ = ("_at", "_bytes", "bps")

    def __init__(self) -> None:
        self._at: float | None = None
        self._bytes = 0
        self.bps = 0.0

    def sample(self, total_bytes: int, now: float) -> None:
        if self._at is not None and now > self._at:
            self.bps = (total_bytes - self._bytes) * 8 / (now - self._at)
        self._at, self._bytes = now, total_bytes


class Path:
    """A (socket, protocol, remote) triple on which an authenticated check arrived (RFC 8445 §7.3.1)."""

    __slots__ = ("address", "last_check_at", "port", "tcp", "transport", "ufrag")

    def __init__(
        self,
        transport: Transport,
        ufrag: str,
        port: UdpPort | None,
        tcp: TcpConnection | None,
        address: Any,
    ) -> None:
        self.transport = transport
        self.ufrag = ufrag
        self.port = port
        self.tcp = tcp
        self.address = address
        self.last_check_at = 0.0

    @property
    def protocol(self) -> PathProtocol:
        return PathProtocol.UDP if self.tcp is None else PathProtocol.TCP

    def send(self, packet: bytes | bytearray | memoryview) -> DropReason | None:
        """Send on exactly the socket and address that were asked (RFC 8445 §7.2.5.2.1)."""
        if self.port is not None:
            return self.port.send(packet, self.address)
        assert self.tcp is not None
        return None if self.tcp.send(packet) else DropReason.TCP_QUEUE_FULL


class Ingress:
    """One SSRC that a publisher sends."""

    __slots__ = ("is_rtx", "ssrc", "stream")

    def __init__(self, ssrc: int, stream: Stream, *, is_rtx: bool) -> None:
        self.ssrc = ssrc
        self.stream = stream
        self.is_rtx = is_rtx


class Stream:
    """A publication as received: at most one primary SSRC and its RTX at a time."""

    __slots__ = (
        "audio_loss",
        "byte_count",
        "clock",
        "clock_rate",
        "codecs",
        "config",
        "expected",
        "forwards",
        "fraction_lost",
        "history",
        "is_video",
        "keyframe_due",
        "keyframe_requests",
        "keyframes",
        "last_sr",
        "log",
        "nack_again",
        "nacks_sent",
        "newest",
        "packets",
        "primary_ssrc",
        "rate",
        "retired",
        "rtx_payload_types",
        "rtx_ssrc",
        "transport",
        "wants_keyframe",
    )

    def __init__(self, config: StreamConfig, transport: Transport) -> None:
        self.transport = transport
        self.is_video = config.kind is Kind.VIDEO
        self.clock_rate = VIDEO_CLOCK_RATE if self.is_video else AUDIO_CLOCK_RATE
        self.primary_ssrc: int | None = None
        self.rtx_ssrc: int | None = None
        self.retired: deque[int] = deque(maxlen=MAX_RETIRED_SSRCS)
        self.forwards: list[Forward] = []
        self.history = PacketHistory(HISTORY_PACKETS, HISTORY_S)
        self.keyframes = KeyframeRequester()
        self.wants_keyframe = self.keyframe_due = False
        # The history may have let go of it, or end with a padding-only packet, when a splice needs it.
        self.newest: bytes | None = None
        self.expected = True
        self.packets = self.byte_count = self.nacks_sent = 0
        self.rate = Rate()
        self.last_sr: tuple[int, float] | None = None
        self.fraction_lost = 0.0
        self.audio_loss: AudioLoss[ForwardId] = AudioLoss()
        self.keyframe_requests = 0
        self.nack_again: bytes | None = None
        self.configure(config)
        self.restart()

    def configure(self, config: StreamConfig) -> None:
        self.config = config
        self.codecs: dict[int, Codec] = {c.payload_type: c for c in config.codecs}
        self.rtx_payload_types = {
            c.rtx_payload_type: c.payload_type for c in config.codecs if c.rtx_payload_type is not None
        }

    def understands(self, feedback: str) -> bool:
        """Whether the publisher negotiated this ``a=rtcp-fb`` for what it sends here."""
        return any(feedback in codec.feedback for codec in self.config.codecs)

    def restart(self) -> None:
        """A new primary SSRC: sequence numbers and timestamps begin anew, what was received before is not repeated."""
        repair = self.understands("nack")
        self.log = ReceiveLog(self.clock_rate, repair=repair)
        self.clock = StreamClock(self.transport.clock, self.clock_rate)
        self.last_sr = None
        self.newest = None
        self.history.clear()


class Numbering(NamedTuple):
    """What an SSRC that may be sent again goes on from: under one key no index is used twice (RFC 3711 §9.1)."""

    sequence: SequenceMap
    timestamps: TimestampMap
    rtx_sequence: int
    loss: DownlinkLoss
    last_picture: tuple[int, int] | None


class Forward:
    """A subscription as sent."""

    __slots__ = (
        "block",
        "byte_count",
        "codecs",
        "config",
        "fraction_lost",
        "jitter_s",
        "keyframe_requests",
        "last_picture",
        "last_timestamp",
        "limiter",
        "loss",
        "lost",
        "nacks_received",
        "octets",
        "own_fraction_lost",
        "packets",
        "picture_id_offset",
        "protected",
        "rate",
        "reported",
        "retransmitted",
        "rtx_sequence",
        "sequence",
        "splice_next",
        "ssrc",
        "stream",
        "timestamps",
        "tl0_offset",
        "transport",
        "waiting",
    )

    def __init__(self, config: ForwardConfig, stream: Stream, transport: Transport) -> None:
        self.config = config
        self.stream = stream
        self.transport = transport
        self.ssrc = config.ssrc
        self.codecs = dict(config.payload_types)
        self.block = ExtensionBlock(config.extensions, config.mid, allow_mixed=config.extmap_allow_mixed)
        self.sequence = SequenceMap(config.first_sequence)
        self.timestamps = TimestampMap(stream.clock_rate)
        self.rtx_sequence = config.first_rtx_sequence
        self.limiter = RetransmitLimiter()
        # Without RTX a retransmission repeats the protected bytes: protecting again would reuse the nonce.
        self.protected: dict[int, tuple[int, bytes]] | None = {} if config.rtx_ssrc is None and config.repair else None
        self.waiting = stream.is_video
        self.splice_next = False
        self.last_timestamp = -1
        self.last_picture: tuple[int, int] | None = None
        self.picture_id_offset = self.tl0_offset = 0
        self.packets = self.byte_count = self.octets = self.retransmitted = 0
        self.nacks_received = self.keyframe_requests = self.lost = 0
        self.fraction_lost = self.own_fraction_lost = self.jitter_s = 0.0
        self.loss = DownlinkLoss(self.sequence)
        self.reported = False
        self.rate = Rate()

    def numbering(self) -> Numbering:
        return Numbering(self.sequence, self.timestamps, self.rtx_sequence, self.loss, self.last_picture)

    def go_on_from(self, numbering: Numbering) -> None:
        """Its SSRC was sent before: another source is spliced to it."""
        self.sequence, self.timestamps, self.rtx_sequence, self.loss, self.last_picture = numbering
        self.splice_next = True


class Transport:
    """One peer's end: its credentials, paths, keys, streams and forwards."""

    __slots__ = (
        "byte_count",
        "bytes_sent",
        "clock",
        "contexts",
        "credentials",
        "drops",
        "ended",
        "extensions",
        "feedback_at",
        "forwards",
        "id",
        "ingress",
        "judge",
        "last_packet_at",
        "nacked",
        "nominated",
        "packets",
        "packets_sent",
        "paths",
        "rate_limit_bps",
        "reference_times",
        "remb_bps",
        "remb_changed",
        "rtt",
        "seen_ssrcs",
        "selected",
        "srtp_in",
        "srtp_out",
        "ssrc",
        "state",
        "streams",
        "stun_tokens",
        "transport_cc",
    )

    def __init__(
        self, transport: TransportId, credentials: IceCredentials, ssrc: int, ntp_epoch_s: float, now: float
    ) -> None:
        self.id = transport
        self.credentials = [credentials]
        self.ssrc = ssrc
        self.paths: list[Path] = []
        self.selected: Path | None = None
        self.nominated = False
        self.contexts: tuple[SrtpContext, SrtpContext] | None = None
        self.srtp_in: Any = None
        self.srtp_out: Any = None
        self.extensions = ExtensionReader({})
        self.ingress: dict[int, Ingress] = {}
        self.seen_ssrcs: set[int] = set()
        self.streams: dict[str, Stream] = {}
        self.forwards: dict[int, Forward] = {}
        self.ended: dict[int, Numbering] = {}
        "by the SSRC of forwards that were removed"
        self.transport_cc: TransportCcReceiver | None = None
        self.clock = PublisherClock(ntp_epoch_s)
        self.rtt = RttEstimate()
        self.judge = SilenceJudge()
        self.state: PathState | None = None
        self.packets = self.byte_count = self.packets_sent = self.bytes_sent = 0
        self.last_packet_at = now
        self.drops: Counter[DropReason] = Counter()
        self.remb_bps: int | None = None
        self.remb_changed = False
        self.rate_limit_bps: int | None = None
        # Spread over the interval by id, so that peers who came together do not report together.
        self.feedback_at = now + transport % 5 * 0.02
        # What the peer asked for in the second that runs: each kind has its bound.
        self.stun_tokens = self.nacked = self.reference_times = 0

    def may_be_source(self, ssrc: int) -> bool:
        """Whether another packet of this SSRC, RTP or RTCP, may be looked at: libsrtp remembers each."""
        return ssrc in self.seen_ssrcs or len(self.seen_ssrcs) < MAX_SSRCS

    def stream_of(self, ssrc: int, mid: str | None, payload_type: int) -> Stream | None:
        """RFC 9143 §9.2: the SSRC as signalled, else the MID, else a payload type that only one m-line uses."""
        for stream in self.streams.values():
            if ssrc in (stream.config.ssrc, stream.config.rtx_ssrc):
                return stream
        if mid:
            return self.streams.get(mid)
        matching = [s for s in self.streams.values() if payload_type in s.codecs or payload_type in s.rtx_payload_types]
        return matching[0] if len(matching) == 1 else None
