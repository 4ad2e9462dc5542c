"""The Python plane with real sockets and real SRTP on a clock that only the test moves.

Nothing runs by itself: ``settle`` reads every socket until all are empty, ``advance`` moves the clock in the plane's
own ticks. What takes a minute in life takes milliseconds here, and happens in the same order every time.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from sfu.core.drop import DropReason
from sfu.core.media import Codec, CodecName, HeaderExtension, Kind
from sfu.plane.feedback import TICK_S
from sfu.plane.python_plane import PythonPlane
from sfu.plane.seam import (
    DownlinkReport,
    ForwardConfig,
    ForwardId,
    IceCredentials,
    MediaAddress,
    PathChanged,
    SrtpKeys,
    SrtpProfile,
    StreamConfig,
    StreamId,
    StreamStarted,
    TransportId,
)
from sfu.plane.udp import UdpPort
from tests.peer import ice
from tests.peer.endpoint import Endpoint
from tests.peer.rtp import AudioSource, Rtp, VideoSource

START_S = 1000.0
VIDEO_FEEDBACK = frozenset({"nack", "nack pli", "ccm fir", "goog-remb"})
OPUS = Codec(name=CodecName.OPUS, payload_type=111, clock_rate=48_000, channels=2)
VP8 = Codec(name=CodecName.VP8, payload_type=96, clock_rate=90_000, rtx_payload_type=97, feedback=VIDEO_FEEDBACK)
SENT_IDS: Mapping[HeaderExtension, int] = {
    HeaderExtension.AUDIO_LEVEL: 1,
    HeaderExtension.ABS_SEND_TIME: 2,
    HeaderExtension.TRANSPORT_CC: 3,
    HeaderExtension.MID: 4,
    HeaderExtension.RID: 5,
    HeaderExtension.REPAIRED_RID: 6,
    HeaderExtension.VIDEO_ORIENTATION: 13,
    HeaderExtension.DEPENDENCY_DESCRIPTOR: 12,
}
"under which publishers send"
RECEIVED_IDS: Mapping[HeaderExtension, int] = {
    HeaderExtension.MID: 9,
    HeaderExtension.ABS_SEND_TIME: 10,
    HeaderExtension.AUDIO_LEVEL: 11,
    HeaderExtension.VIDEO_ORIENTATION: 7,
    HeaderExtension.DEPENDENCY_DESCRIPTOR: 8,
}
"under which subscribers receive"


def received_codec(codec: Codec) -> Codec:
    """The same codec under a subscriber's own payload types."""
    rtx = None if codec.rtx_payload_type is None else codec.rtx_payload_type + 24
    return Codec(
        name=codec.name,
        payload_type=codec.payload_type + (24 if codec.clock_rate == 90_000 else -2),
        clock_rate=codec.clock_rate,
        channels=codec.channels,
        parameters=codec.parameters,
        rtx_payload_type=rtx,
        feedback=codec.feedback,
    )


class RecordingListener:
    """What a plane told the control plane, in order."""

    def __init__(self) -> None:
        self.dtls: list[tuple[TransportId, bytes]] = []
        self.paths: list[PathChanged] = []
        self.started: list[StreamStarted] = []
        self.reports: list[DownlinkReport] = []
        self.addresses: list[Sequence[MediaAddress]] = []

    def dtls_received(self, transport: TransportId, datagram: bytes) -> None:
        self.dtls.append((transport, datagram))

    def path_changed(self, event: PathChanged) -> None:
        self.paths.append(event)

    def stream_started(self, event: StreamStarted) -> None:
        self.started.append(event)

    def downlink_reported(self, reports: Sequence[DownlinkReport]) -> None:
        self.reports += reports

    def addresses_changed(self, addresses: Sequence[MediaAddress]) -> None:
        self.addresses.append(addresses)


def new_keys(profile: SrtpProfile = SrtpProfile.AEAD_AES_256_GCM) -> SrtpKeys:
    size = {SrtpProfile.AEAD_AES_256_GCM: 44, SrtpProfile.AEAD_AES_128_GCM: 28, SrtpProfile.AES128_CM_SHA1_80: 30}
    return SrtpKeys(
        profile=profile, receive=secrets.token_bytes(size[profile]), send=secrets.token_bytes(size[profile])
    )


class VirtualPeer(Endpoint):
    """A transport of the plane and the endpoint at its other side."""

    def __init__(self, lab: VirtualPlane, transport: TransportId, credentials: IceCredentials) -> None:
        super().__init__()
        self.lab = lab
        self.transport = transport
        self.credentials = credentials
        self.connect(lab.address)
        self.keys: SrtpKeys | None = None
        self.transport_sequence = 0

    def check(self, *, nominate: bool = True, credentials: IceCredentials | None = None) -> bool:
        """Send a check; whether it was answered."""
        used = credentials or self.credentials
        request = ice.check(used, nominate=nominate)
        self.send(request)
        self.lab.settle()
        return self.accepts(request, used)

    def use_keys(self, keys: SrtpKeys) -> None:
        self.keys = keys
        self.set_keys(keys)
        self.lab.plane.set_srtp_keys(self.transport, keys)

    def say(self, packets: Rtp | Iterable[Rtp]) -> None:
        self.send_rtp(packets)
        self.lab.settle()

    def report(self, *packets: bytes) -> None:
        self.send_rtcp(*packets)
        self.lab.settle()

    @property
    def drops(self) -> Mapping[DropReason, int]:
        return self.lab.plane.counters().transports[self.transport].drops

    def extensions(self, mid: str) -> Mapping[int, bytes]:
        """What a browser puts on each packet: its mid, and the next transport-wide sequence number."""
        self.transport_sequence += 1
        return {
            SENT_IDS[HeaderExtension.MID]: mid.encode(),
            SENT_IDS[HeaderExtension.TRANSPORT_CC]: (self.transport_sequence & 0xFFFF).to_bytes(2),
        }

    def audio(self, mid: str = "0", **options: Any) -> AudioSource:
        defaults: dict[str, Any] = {"ssrc": secrets.randbits(31) | 1, "extensions": lambda: self.extensions(mid)}
        return AudioSource(**defaults | options)

    def video(self, mid: str = "1", **options: Any) -> VideoSource:
        defaults: dict[str, Any] = {
            "ssrc": secrets.randbits(31) | 1,
            "rtx_ssrc": secrets.randbits(31) | 1,
            "extensions": lambda: self.extensions(mid),
        }
        return VideoSource(**defaults | options)


class VirtualPlane:
    """``with VirtualPlane() as lab:`` then peers, streams and forwards."""

    def __init__(self) -> None:
        self.now = START_S
        self.listener = RecordingListener()
        self.plane = PythonPlane(self.listener, 0, {}, clock=self.clock)
        self.ports: list[UdpPort] = []
        self.port = self.open_port()
        self.address = self.port.socket.getsockname()
        self.peers: list[VirtualPeer] = []
        self.deaf: set[VirtualPeer] = set()
        "peers whose sockets ``settle`` leaves unread"
        self._ids = itertools.count(1)

    def clock(self) -> float:
        return self.now

    def open_port(self) -> UdpPort:
        """One more address of the media port."""
        port = UdpPort("127.0.0.1", 0, self.plane._packets.received, self.plane.udp_received, self.clock)
        self.ports.append(port)
        return port

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for peer in self.peers:
            peer.close()
        for port in self.ports:
            port.close()

    # Time

    def settle(self) -> None:
        """Carry datagrams until nothing is under way."""
        busy = True
        while busy:
            drained = [port._drain() for port in self.ports]
            read = [peer.read() for peer in self.peers if peer not in self.deaf]
            busy = any(drained) or any(read)

    def advance(self, seconds: float, *, step_s: float = TICK_S) -> None:
        """Let the plane's ticks pass, and carry what they send."""
        for _ in range(max(1, round(seconds / step_s))):
            self.now += step_s
            self.plane._feedback.tick(self.now)
            self.settle()
        assert self.plane._feedback.failures == 0

    # Peers, streams and forwards

    def add_peer(self, *, connected: bool = True, profile: SrtpProfile = SrtpProfile.AEAD_AES_256_GCM) -> VirtualPeer:
        transport, credentials = TransportId(next(self._ids)), ice.new_credentials()
        self.plane.add_transport(transport, credentials)
        peer = VirtualPeer(self, transport, credentials)
        self.peers.append(peer)
        if connected:
            assert peer.check()
            peer.use_keys(new_keys(profile))
            self.plane.set_receive_extensions(transport, SENT_IDS)
        return peer

    def add_stream(
        self, peer: VirtualPeer, kind: Kind, *, mid: str | None = None, codecs: Sequence[Codec] = (), **config: Any
    ) -> StreamId:
        stream = StreamId(next(self._ids))
        self.plane.set_stream(
            StreamConfig(
                stream=stream,
                transport=peer.transport,
                kind=kind,
                mid=mid or ("0" if kind is Kind.AUDIO else "1"),
                codecs=codecs or (OPUS if kind is Kind.AUDIO else VP8,),
                **config,
            )
        )
        return stream

    def add_forward(
        self, stream: StreamId, peer: VirtualPeer, codec: Codec | None = None, **config: Any
    ) -> ForwardConfig:
        """Forward under other payload types and ids than the publisher's; what ``config`` says goes before."""
        kind = self.plane._streams[stream].config.kind
        codec = codec or (OPUS if kind is Kind.AUDIO else VP8)
        usual = ForwardConfig(
            forward=ForwardId(next(self._ids)),
            stream=stream,
            transport=peer.transport,
            mid=f"r{stream}",
            ssrc=secrets.randbits(31) | 1,
            rtx_ssrc=secrets.randbits(31) | 1 if kind is Kind.VIDEO else None,
            payload_types={codec.payload_type: received_codec(codec)},
            extensions=RECEIVED_IDS,
            first_sequence=secrets.randbelow(1 << 15),
            first_rtx_sequence=secrets.randbelow(1 << 15),
            cname="publisher",
            repair=kind is Kind.VIDEO,
        )
        forward = replace(usual, **config)
        self.plane.add_forward(forward)
        return forward

    @property
    def drops(self) -> Mapping[DropReason, int]:
        """Those that belong to no transport."""
        return self.plane.counters().drops
