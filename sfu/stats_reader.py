"""From the plane's counters, by ids, to a peer's statistics, by names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfu.plane.seam import PlaneCounters
from sfu.publication import Publication
from sfu.stats import PeerStats, PublicationStats, SubscriptionStats
from sfu.subscription import Subscription

if TYPE_CHECKING:
    from sfu.peer import Peer


def peer_stats(peer: Peer, counters: PlaneCounters) -> PeerStats:
    transport = counters.transports[peer.transport]
    return PeerStats(
        id=peer.id,
        state=peer.state,
        path="" if transport.protocol is None else transport.protocol.value,
        rtt_s=transport.rtt_s,
        rtt_source=transport.rtt_source,
        remb_bps=transport.remb_bps,
        rate_limit_bps=transport.rate_limit_bps,
        packets_received=transport.packets_received,
        bytes_received=transport.bytes_received,
        packets_sent=transport.packets_sent,
        bytes_sent=transport.bytes_sent,
        drops={**transport.drops, **peer.drops},
        publications=[_publication(p, counters) for p in peer.negotiation.publications()],
        subscriptions=[
            stats for s in peer.negotiation.subscriptions() if (stats := _subscription(s, counters)) is not None
        ],
    )


def _publication(publication: Publication, counters: PlaneCounters) -> PublicationStats:
    stream = counters.streams[publication.stream]
    return PublicationStats(
        id=publication.id,
        kind=publication.kind,
        codec="" if publication.codec is None else publication.codec.value,
        live=publication.live,
        packets=stream.packets,
        bytes=stream.bytes,
        lost=stream.lost,
        repaired=stream.repaired,
        nacks_sent=stream.nacks_sent,
        keyframe_requests=stream.keyframe_requests,
        fraction_lost=stream.fraction_lost,
        jitter_s=stream.jitter_s,
        bitrate_bps=stream.bitrate_bps,
    )


def _subscription(subscription: Subscription, counters: PlaneCounters) -> SubscriptionStats | None:
    if subscription.publication is None or subscription.forward is None:
        return None
    forward = counters.forwards[subscription.forward]
    return SubscriptionStats(
        publication_id=subscription.publication.id,
        peer_id=subscription.publication.peer_id,
        kind=subscription.kind,
        packets=forward.packets,
        bytes=forward.bytes,
        retransmitted=forward.retransmitted,
        nacks_received=forward.nacks_received,
        keyframe_requests=forward.keyframe_requests,
        lost=forward.lost,
        fraction_lost=forward.fraction_lost,
        own_fraction_lost=forward.own_fraction_lost,
        jitter_s=forward.jitter_s,
        bitrate_bps=forward.bitrate_bps,
    )
