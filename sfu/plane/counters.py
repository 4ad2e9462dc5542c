"""The plane's state as an immutable snapshot."""

from __future__ import annotations

from collections.abc import Mapping

from sfu.core.drop import DropReason
from sfu.plane.seam import (
    ForwardCounters,
    ForwardId,
    PlaneCounters,
    StreamCounters,
    StreamId,
    TransportCounters,
    TransportId,
)
from sfu.plane.state import Forward, Stream, Transport


def snapshot(
    now: float,
    transports: Mapping[TransportId, Transport],
    streams: Mapping[StreamId, Stream],
    forwards: Mapping[ForwardId, Forward],
    drops: Mapping[DropReason, int],
    kernel_drops: int,
    failures: int,
) -> PlaneCounters:
    return PlaneCounters(
        at=now,
        transports={key: _transport(value) for key, value in transports.items()},
        streams={key: _stream(value) for key, value in streams.items()},
        forwards={key: _forward(value) for key, value in forwards.items()},
        drops=dict(drops),
        kernel_drops=kernel_drops,
        failures=failures,
    )


def _transport(transport: Transport) -> TransportCounters:
    return TransportCounters(
        protocol=None if transport.selected is None else transport.selected.protocol,
        state=transport.state,
        packets_received=transport.packets,
        bytes_received=transport.byte_count,
        packets_sent=transport.packets_sent,
        bytes_sent=transport.bytes_sent,
        rtt_s=transport.rtt.rtt_s,
        rtt_source=transport.rtt.source,
        remb_bps=transport.remb_bps,
        rate_limit_bps=transport.rate_limit_bps,
        drops=dict(transport.drops),
    )


def _stream(stream: Stream) -> StreamCounters:
    log = stream.log
    return StreamCounters(
        packets=stream.packets,
        bytes=stream.byte_count,
        lost=log.lost_count,
        repaired=log.repaired_count,
        nacks_sent=stream.nacks_sent,
        keyframe_requests=stream.keyframe_requests,
        fraction_lost=stream.fraction_lost,
        jitter_s=log.jitter_s,
        bitrate_bps=stream.rate.bps,
    )


def _forward(forward: Forward) -> ForwardCounters:
    return ForwardCounters(
        packets=forward.packets,
        bytes=forward.byte_count,
        retransmitted=forward.retransmitted,
        nacks_received=forward.nacks_received,
        keyframe_requests=forward.keyframe_requests,
        lost=forward.lost,
        fraction_lost=forward.fraction_lost,
        own_fraction_lost=forward.own_fraction_lost,
        jitter_s=forward.jitter_s,
        bitrate_bps=forward.rate.bps,
    )
