"""The seam between the control plane and a data plane: commands down, events and counters up.

No packet object, no Python callback per packet and no shared mutable state crosses it, so that a compiled plane can
stand behind it. All times are seconds of the plane's monotonic clock, all rates bits per second.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NewType, Protocol

from sfu.core.drop import DropReason
from sfu.core.media import Codec, HeaderExtension, Kind

TransportId = NewType("TransportId", int)
StreamId = NewType("StreamId", int)
ForwardId = NewType("ForwardId", int)


class PathProtocol(enum.StrEnum):
    UDP = "udp"
    TCP = "tcp"


class PathState(enum.StrEnum):
    """What the plane says of a transport's path; the limits are in ``docs/packet-path.md``."""

    CONNECTED = "connected"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    EXPIRED = "expired"


class SrtpProfile(enum.StrEnum):
    """DTLS-SRTP protection profiles (RFC 5764 §4.1.2, RFC 7714 §14.2)."""

    AEAD_AES_256_GCM = "SRTP_AEAD_AES_256_GCM"
    AEAD_AES_128_GCM = "SRTP_AEAD_AES_128_GCM"
    AES128_CM_SHA1_80 = "SRTP_AES128_CM_SHA1_80"


@dataclass(frozen=True, slots=True, kw_only=True)
class IceCredentials:
    """Our own ufrag and password (RFC 8445 §5.3)."""

    ufrag: str
    pwd: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SrtpKeys:
    """Master key followed by master salt, for each direction (RFC 3711 §8.2)."""

    profile: SrtpProfile
    receive: bytes = field(repr=False)
    send: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaAddress:
    """An address that the plane listens on, UDP and TCP, and what is announced in its place."""

    local: str
    announced: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamConfig:
    """A publication as the plane receives it: one m-line's media, whatever SSRCs it comes under."""

    stream: StreamId
    transport: TransportId
    kind: Kind
    mid: str
    codecs: Sequence[Codec]
    ssrc: int | None = None
    "the SSRC that the offer named, when it named one"
    rtx_ssrc: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardConfig:
    """A subscription as the plane sends it."""

    forward: ForwardId
    stream: StreamId
    transport: TransportId
    mid: str
    ssrc: int
    rtx_ssrc: int | None
    "None: retransmissions repeat the stored protected bytes"
    payload_types: Mapping[int, Codec]
    "publisher's payload type → the subscriber's codec; anything else is dropped as CODEC_NOT_NEGOTIATED"
    extensions: Mapping[HeaderExtension, int]
    "the subscriber's extension ids on this m-line"
    extmap_allow_mixed: bool = False
    first_sequence: int
    "random, below 2^15 (RFC 3711 §3.3.1: a receiver that joins near the wrap guesses the ROC wrong)"
    first_rtx_sequence: int
    cname: str
    repair: bool = True
    "the subscriber negotiated NACK for this m-line"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChanged:
    transport: TransportId
    state: PathState
    protocol: PathProtocol | None = None
    nominated: bool = False
    "False while the path is only the pair that carried DTLS before USE-CANDIDATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStarted:
    """The first packet of an SSRC on this stream arrived."""

    stream: StreamId
    ssrc: int
    payload_type: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardReport:
    """What a subscriber's receiver reports said about one forward, since the last batch."""

    forward: ForwardId
    fraction_lost: float
    "0..1, as the receiver counted"
    own_fraction_lost: float
    "0..1, the receiver's loss minus what never reached us from the publisher"
    jitter_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DownlinkReport:
    """One subscriber transport's feedback, batched: at most one a transport every 100 ms."""

    transport: TransportId
    at: float
    remb_bps: int | None
    "None: no REMB arrived since the last report"
    rtt_s: float | None
    "the shortest sample since the last report, not smoothed"
    forwards: Sequence[ForwardReport]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCounters:
    """Received from a publisher; counts since the stream was added."""

    packets: int
    bytes: int
    lost: int
    "RFC 3550 §6.4.1 cumulative number, repaired packets not counted as lost"
    repaired: int
    nacks_sent: int
    keyframe_requests: int
    fraction_lost: float
    "0..1 over the last report interval, before repair"
    jitter_s: float
    bitrate_bps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardCounters:
    """Sent to a subscriber; counts since the forward was added."""

    packets: int
    bytes: int
    retransmitted: int
    nacks_received: int
    keyframe_requests: int
    lost: int
    "as the receiver's last report said"
    fraction_lost: float
    own_fraction_lost: float
    "0..1: the receiver's loss minus what never reached us from the publisher"
    jitter_s: float
    bitrate_bps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportCounters:
    protocol: PathProtocol | None
    state: PathState | None
    packets_received: int
    bytes_received: int
    packets_sent: int
    bytes_sent: int
    rtt_s: float | None
    rtt_source: str
    "``rr``, ``xr`` or empty"
    remb_bps: int | None
    rate_limit_bps: int | None
    "the REMB that we send"
    drops: Mapping[DropReason, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneCounters:
    """An immutable snapshot of everything the plane counts."""

    at: float
    transports: Mapping[TransportId, TransportCounters]
    streams: Mapping[StreamId, StreamCounters]
    forwards: Mapping[ForwardId, ForwardCounters]
    drops: Mapping[DropReason, int]
    "drops that belong to no transport"
    kernel_drops: int
    failures: int
    "mistakes of ours that the plane survived; anything but 0 is a bug"


class PlaneListener(Protocol):
    """What a plane tells the control plane. Called on the event loop; must not raise."""

    def dtls_received(self, transport: TransportId, datagram: bytes) -> None: ...

    def path_changed(self, event: PathChanged) -> None: ...

    def stream_started(self, event: StreamStarted) -> None: ...

    def downlink_reported(self, reports: Sequence[DownlinkReport]) -> None: ...

    def addresses_changed(self, addresses: Sequence[MediaAddress]) -> None: ...


class DataPlane(Protocol):
    """Commands to a plane. Ids are chosen by the caller and never used again; an unknown id raises KeyError."""

    async def open(self) -> None:
        """Bind the media port on every address; raises PortInUse."""

    async def close(self) -> None: ...

    def addresses(self) -> Sequence[MediaAddress]: ...

    def add_transport(self, transport: TransportId, credentials: IceCredentials) -> None: ...

    def restart_ice(self, transport: TransportId, credentials: IceCredentials) -> None:
        """Accept these credentials beside the old ones until a path under them is nominated."""

    def remove_transport(self, transport: TransportId) -> None:
        """Removes its streams and forwards too; other transports' forwards of its streams end."""

    def send_dtls(self, transport: TransportId, datagram: bytes) -> None: ...

    def set_srtp_keys(self, transport: TransportId, keys: SrtpKeys) -> None: ...

    def set_receive_extensions(self, transport: TransportId, ids: Mapping[HeaderExtension, int]) -> None:
        """Header extension ids under which this peer sends (one table a BUNDLE group, RFC 9143 §9.2)."""

    def set_stream(self, config: StreamConfig) -> None:
        """Add a stream, or replace the codecs of one that exists; its counters go on."""

    def remove_stream(self, stream: StreamId) -> None: ...

    def expect_media(self, stream: StreamId, expected: bool) -> None:
        """False while the page says that the source is muted or off: silence is then no interruption."""

    def add_forward(self, config: ForwardConfig) -> None:
        """Start forwarding; video starts with a keyframe, which the plane asks for.

        An SSRC that this transport has sent before goes on in its numbering, whatever ``first_sequence`` says.
        """

    def set_forward_codecs(self, forward: ForwardId, payload_types: Mapping[int, Codec]) -> None:
        """The publisher changed its codec: the same SSRC goes on under the subscriber's other payload type."""

    def remove_forward(self, forward: ForwardId) -> None: ...

    def request_keyframe(self, stream: StreamId) -> None: ...

    def limit_rate(self, transport: TransportId, bps: int) -> None:
        """The most that this publisher may send, told it by REMB."""

    def counters(self) -> PlaneCounters: ...
