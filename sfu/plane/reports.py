"""Sender and receiver reports: once a second and transport, and what is learnt from the peer's blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sfu.core import rtcp
from sfu.core.rtt import delay_since
from sfu.plane.state import Forward, Stream, Transport

MAX_COMPOUND_BYTES = 1200
"""With SRTCP's trailer still below every path's MTU; one sender's part is far smaller."""
MAX_BLOCKS = 31
"""Report blocks in one RR (RFC 3550 §6.4.2)."""


def compounds(transport: Transport, now: float, ntp_s: float) -> Iterator[bytes]:
    """What one peer is told: SRs for what it receives, report blocks for what it sends.

    A peer that only sends is told our time (XR RRTR, RFC 3611 §4.4): its answer is the only way to its RTT.
    """
    blocks = [block for stream in transport.streams.values() if (block := _block(stream, now)) is not None]
    senders = [s for f in transport.forwards.values() if (s := _sender_report(f, now)) is not None]
    parts = list(_receiver_reports(transport.ssrc, blocks))
    for sender, forward in senders:
        parts.append(sender + rtcp.build_sdes(forward.ssrc, forward.config.cname))
    if blocks and not senders:
        parts[-1] += rtcp.build_sdes(transport.ssrc, "venterom")
        parts[-1] += rtcp.build_xr_rrtr(transport.ssrc, int(ntp_s * (1 << 32)))
    compound = b""
    for part in parts:
        if compound and len(compound) + len(part) > MAX_COMPOUND_BYTES:
            yield compound
            compound = b""
        compound += part
    if compound:
        yield compound


def _receiver_reports(ssrc: int, blocks: Sequence[rtcp.ReportBlock]) -> Iterator[bytes]:
    for first in range(0, len(blocks), MAX_BLOCKS):
        yield rtcp.build_rr(ssrc, blocks[first : first + MAX_BLOCKS])


def _block(stream: Stream, now: float) -> rtcp.ReportBlock | None:
    data = stream.log.report()
    if data is None or stream.primary_ssrc is None:
        return None
    stream.fraction_lost = data.lost_before_repair
    fraction = data.fraction_lost
    if not stream.is_video:
        # An Opus encoder adds FEC by the loss it is told of; the loss that matters may be a subscriber's.
        fraction = stream.audio_loss.fraction_to_report(fraction, now)
    last_sr, delay = (0, 0) if stream.last_sr is None else (stream.last_sr[0], delay_since(stream.last_sr[1], now))
    return rtcp.ReportBlock(
        ssrc=stream.primary_ssrc,
        fraction_lost=fraction,
        lost=data.cumulative_lost,
        highest_sequence=data.extended_highest,
        jitter=data.jitter,
        last_sr=last_sr,
        delay_since_last_sr=delay,
    )


def _sender_report(forward: Forward, now: float) -> tuple[bytes, Forward] | None:
    if not forward.packets:
        return None
    times = forward.stream.clock.sr_for(now, forward.timestamps.offset)
    if times is None:
        return None
    ntp = times.ntp_seconds << 32 | times.ntp_fraction
    report = rtcp.build_sr(forward.ssrc, ntp, times.rtp_timestamp, forward.packets, forward.octets)
    return report, forward


def take_block(forward: Forward, block: rtcp.ReportBlock, now: float) -> None:
    """One report block about what we send: loss, and how much of it was lost before it reached us."""
    stream = forward.stream
    share = forward.loss.report(block.highest_sequence, block.lost)
    if share is not None:
        forward.own_fraction_lost = share.own_fraction_lost
        if not stream.is_video:
            stream.audio_loss.downlink(forward.config.forward, share.own_fraction_lost, now)
    forward.fraction_lost = block.fraction_lost / 256
    forward.lost = block.lost
    forward.jitter_s = block.jitter / stream.clock_rate
    forward.reported = True
