"""Statistics from the server's own view, as immutable snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sfu.core.drop import DropReason
from sfu.core.media import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationStats:
    """Uplink: what arrives from this peer. Rates in bits per second, times in seconds, loss 0..1."""

    id: str
    kind: Kind
    codec: str
    live: bool
    packets: int
    bytes: int
    lost: int
    repaired: int
    nacks_sent: int
    keyframe_requests: int
    fraction_lost: float
    jitter_s: float
    bitrate_bps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionStats:
    """Downlink: what is sent to this peer, and what its receiver reports say."""

    publication_id: str
    peer_id: str
    "who publishes it"
    kind: Kind
    packets: int
    bytes: int
    retransmitted: int
    nacks_received: int
    keyframe_requests: int
    lost: int
    fraction_lost: float
    own_fraction_lost: float
    "without what was lost on the publisher's way up"
    jitter_s: float
    bitrate_bps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStats:
    """``path`` is ``udp``, ``tcp`` or empty before there is one; a TURN relay looks like the client it stands for."""

    id: str
    state: str
    path: str
    rtt_s: float | None
    rtt_source: str
    remb_bps: int | None
    "what the peer says it can receive"
    rate_limit_bps: int | None
    "the most that we let it send"
    packets_received: int
    bytes_received: int
    packets_sent: int
    bytes_sent: int
    drops: Mapping[DropReason, int]
    publications: Sequence[PublicationStats]
    subscriptions: Sequence[SubscriptionStats]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomStats:
    id: str
    video_codec: str
    peers: Mapping[str, PeerStats]


@dataclass(frozen=True, slots=True, kw_only=True)
class SfuStats:
    """``drops`` are those that belong to no peer; ``dtls_failures`` are of peers that ended by them."""

    rooms: Mapping[str, RoomStats]
    drops: Mapping[DropReason, int]
    dtls_failures: Mapping[str, int]
    kernel_drops: int
    failures: int
    "mistakes of ours that the packet path survived; anything but 0 is a bug"
