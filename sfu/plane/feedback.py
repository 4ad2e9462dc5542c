"""RTCP both ways: what peers report about us, and what we report and ask for (RFC 3550 §6, RFC 4585, RFC 5104)."""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sfu.core import rtcp
from sfu.core.drop import DropReason
from sfu.core.report_clock import ntp_seconds
from sfu.core.rtt import compact_ntp, round_trip_s
from sfu.plane import reports, silence
from sfu.plane.forward import PacketPath
from sfu.plane.seam import DownlinkReport, ForwardReport, PlaneListener, TransportId
from sfu.plane.srtp import PacketBuffer, drop_reason, protect_rtcp, unprotect_rtcp
from sfu.plane.state import LOSSY, Forward, Path, Stream, Transport

log = logging.getLogger("sfu.plane")

TICK_S = 0.02
REPAIR_TICK_S = 0.005
"""While something is missing: how late a NACK may be because of us, small beside any round trip."""
FEEDBACK_S = 0.1
"""Transport-cc and reports upwards; libwebrtc sends its feedback every 50 to 250 ms."""
REPORT_S = 1.0
"""RFC 3550 §6.2 asks for no more often than this at our rates; browsers send reports for video as often."""
NTP_EPOCH_S = 2_208_988_800
"""1900 to 1970 (RFC 868)."""
DEFAULT_RTT_S = 0.1
"""Before the first measurement."""
MAX_NACKED_PER_S = 4000
"""Sequence numbers looked up for one subscriber: one datagram can name 5000, at a look-up each."""
MAX_REFERENCE_TIMES_PER_S = 20
"""Answered with a packet each, and a datagram has room for 120; browsers send one beside each report."""
S = TypeVar("S", Stream, Transport, set[Transport])
_SSRC = struct.Struct("!I")
_MIN_RTCP_BYTES = 8
"""Header and SSRC of the sender, which SRTCP leaves in the clear (RFC 3711 §3.4)."""


class Feedback:
    """Owned by the plane, which runs ``run``."""

    def __init__(
        self,
        packets: PacketPath,
        listener: PlaneListener,
        transports: Mapping[TransportId, Transport],
        clock: Callable[[], float],
    ) -> None:
        self._packets = packets
        self._listener = listener
        self._transports = transports
        self._clock = clock
        self._out = PacketBuffer(4096)
        # One wall-clock reading for the process: NTP times in our reports must not jump with the system clock.
        self.ntp_epoch_s = time.time() + NTP_EPOCH_S - clock()
        self._reported: set[Transport] = set()
        self.failures = 0
        "mistakes of ours that a tick survived"
        self._next_round_at = self._next_upwards_at = 0.0
        self._due: list[tuple[float, TransportId, Transport]] = []
        "a heap: whose turn it is to report; one entry a transport"
        self._handlers: dict[type, Callable[[Transport, Any, float], None]] = {
            rtcp.SenderReport: self._on_sender_report,
            rtcp.ReceiverReport: self._on_receiver_report,
            rtcp.Nack: self._on_nack,
            rtcp.PictureLoss: self._on_picture_loss,
            rtcp.FullIntraRequest: self._on_full_intra_request,
            rtcp.Remb: self._on_remb,
            rtcp.ReceiverReferenceTime: self._on_reference_time,
            rtcp.DelaySinceLastRr: self._on_delay_since_last_rr,
        }

    def add(self, transport: Transport, now: float) -> None:
        """Report to this transport from now on, until the plane no longer knows it.

        Spread over the interval by id, so that peers who came together do not report together.
        """
        heapq.heappush(self._due, (now + transport.id % 50 / 50 * REPORT_S, transport.id, transport))

    # Outwards.

    async def run(self) -> None:
        while True:
            await asyncio.sleep(REPAIR_TICK_S if self._packets.wants_repair else TICK_S)
            self.tick(self._clock())

    def tick(self, now: float) -> None:
        """Everything that is sent because time has passed."""
        if self._packets.wants_repair:
            for stream in list(self._packets.wants_repair):
                self._safely(self._repair, stream, now)
        if now < self._next_round_at:
            return
        self._next_round_at = now + TICK_S
        # Each transport keeps its own time: all at once would hold up the packets of everybody for milliseconds.
        for transport in list(self._packets.wants_feedback):
            if now >= transport.feedback_at:
                transport.feedback_at = now + FEEDBACK_S
                self._packets.wants_feedback.discard(transport)
                self._safely(self._send_transport_cc, transport, now)
        while self._due and self._due[0][0] <= now:
            _, number, transport = heapq.heappop(self._due)
            if self._transports.get(number) is transport:
                heapq.heappush(self._due, (now + REPORT_S, number, transport))
                self._safely(self._every_second, transport, now)
        if self._reported and now >= self._next_upwards_at:
            self._next_upwards_at = now + FEEDBACK_S
            reported, self._reported = self._reported, set()
            self._safely(self._report_upwards, reported, now)

    def _safely(self, step: Callable[[S, float], None], subject: S, now: float) -> None:
        """A mistake about one peer must not end the feedback, and the silence judgement, of all the others."""
        try:
            step(subject, now)
        except Exception:
            self.failures += 1
            if self.failures == 1:
                log.exception("! feedback: this and what follows it is counted, not logged")

    def send_remb(self, transport: Transport, now: float) -> None:
        """Tell a publisher the most that it may send."""
        ssrcs = [
            stream.primary_ssrc
            for stream in transport.streams.values()
            if stream.primary_ssrc is not None and stream.understands("goog-remb")
        ]
        if transport.rate_limit_bps is not None and ssrcs:
            self._send(transport, rtcp.build_remb(transport.ssrc, transport.rate_limit_bps, ssrcs))

    def _every_second(self, transport: Transport, now: float) -> None:
        silence.judge(transport, self._listener, now)
        transport.stun_tokens = transport.nacked = transport.reference_times = 0
        if transport.srtp_out is None:
            return
        for stream in transport.streams.values():
            stream.rate.sample(stream.byte_count, now)
            stream.history.release(now)
        for forward in transport.forwards.values():
            forward.rate.sample(forward.byte_count, now)
        for compound in reports.compounds(transport, now, now + self.ntp_epoch_s):
            self._send(transport, compound)
        self.send_remb(transport, now)

    def _repair(self, stream: Stream, now: float) -> None:
        """NACKs and keyframe requests of one stream."""
        transport, log_ = stream.transport, stream.log
        rtt_s = transport.rtt.rtt_s or DEFAULT_RTT_S
        ssrc = stream.primary_ssrc
        if ssrc is None:
            # Nothing has arrived that a request could name; the first packet asks.
            self._packets.wants_repair.discard(stream)
            return
        if stream.nack_again is not None:
            self._send(transport, stream.nack_again)
            stream.nack_again = None
        if lost := log_.nacks_due(now, rtt_s):
            stream.nacks_sent += len(lost)
            nack = rtcp.build_nack(transport.ssrc, ssrc, lost)
            self._send(transport, nack)
            if stream.fraction_lost > LOSSY:
                # A lost NACK costs a whole round trip; the sender ignores the second of two that arrive.
                stream.nack_again = nack
        if log_.keyframe_needed:
            log_.keyframe_needed = False
            stream.wants_keyframe = stream.keyframe_due = stream.is_video
        asked = False
        if stream.keyframe_due:
            stream.keyframe_due = False
            asked = stream.keyframes.request(now)
        if asked or (stream.wants_keyframe and stream.keyframes.due(now, rtt_s)):
            stream.keyframe_requests += 1
            self._ask_for_keyframe(stream, ssrc)
        if not log_.missing_count and stream.nack_again is None and stream.keyframes.next_due == math.inf:
            self._packets.wants_repair.discard(stream)

    def _ask_for_keyframe(self, stream: Stream, ssrc: int) -> None:
        transport = stream.transport
        if stream.understands("nack pli") or not stream.understands("ccm fir"):
            self._send(transport, rtcp.build_pli(transport.ssrc, ssrc))
        else:
            self._send(transport, rtcp.build_fir(transport.ssrc, ssrc, stream.keyframe_requests & 0xFF))

    def _send_transport_cc(self, transport: Transport, now: float) -> None:
        media = next((s.primary_ssrc for s in transport.streams.values() if s.primary_ssrc is not None), None)
        if transport.transport_cc is not None and media is not None:
            for packet in transport.transport_cc.build(transport.ssrc, media, now):
                self._send(transport, packet)

    def _report_upwards(self, reported: set[Transport], now: float) -> None:
        self._listener.downlink_reported([_downlink_report(transport, now) for transport in reported])

    def _send(self, transport: Transport, packet: bytes) -> None:
        path = transport.selected
        if path is None or transport.srtp_out is None:
            transport.drops[DropReason.NO_PATH] += 1
            return
        buffer = self._out
        buffer.data[: len(packet)] = packet
        buffer.size[0] = len(packet)
        if status := protect_rtcp(transport.srtp_out, buffer.cdata, buffer.size):
            transport.drops[drop_reason(status)] += 1
            return
        size = buffer.size[0]
        if refused := path.send(buffer.view[:size]):
            transport.drops[refused] += 1
            return
        transport.packets_sent += 1
        transport.bytes_sent += size

    # Inwards.

    def receive_rtcp(self, path: Path, size: int, now: float) -> None:
        """One SRTCP compound of ``size`` bytes in the receive buffer."""
        transport, buffer = path.transport, self._packets.received
        if transport.srtp_in is None:
            transport.drops[DropReason.NO_KEYS] += 1
            return
        if size < _MIN_RTCP_BYTES:
            transport.drops[DropReason.RTCP_MALFORMED] += 1
            return
        (ssrc,) = _SSRC.unpack_from(buffer.data, 4)
        if not transport.may_be_source(ssrc):
            transport.drops[DropReason.RTP_TOO_MANY_SSRC] += 1
            return
        buffer.size[0] = size
        if status := unprotect_rtcp(transport.srtp_in, buffer.cdata, buffer.size):
            transport.drops[drop_reason(status)] += 1
            return
        size = buffer.size[0]
        transport.seen_ssrcs.add(ssrc)
        transport.packets += 1
        transport.byte_count += size
        transport.last_packet_at = now
        try:
            compound = rtcp.parse_compound(buffer.view[:size])
        except rtcp.RtcpMalformed:
            transport.drops[DropReason.RTCP_MALFORMED] += 1
            return
        for packet in compound:
            handler = self._handlers.get(type(packet))
            if handler is not None:
                handler(transport, packet, now)

    def _on_sender_report(self, transport: Transport, packet: rtcp.SenderReport, now: float) -> None:
        ingress = transport.ingress.get(packet.ssrc)
        if ingress is not None and not ingress.is_rtx:
            ntp_s = ntp_seconds(packet.ntp >> 32, packet.ntp & 0xFFFFFFFF)
            ingress.stream.clock.on_sr(ntp_s, packet.rtp_timestamp, now)
            ingress.stream.last_sr = (packet.ntp >> 16 & 0xFFFFFFFF, now)
        self._on_blocks(transport, packet.blocks, now)

    def _on_receiver_report(self, transport: Transport, packet: rtcp.ReceiverReport, now: float) -> None:
        self._on_blocks(transport, packet.blocks, now)

    def _on_blocks(self, transport: Transport, blocks: tuple[rtcp.ReportBlock, ...], now: float) -> None:
        for block in blocks:
            forward = transport.forwards.get(block.ssrc)
            if forward is None:
                continue
            reports.take_block(forward, block, now)
            self._reported.add(transport)
            sample = round_trip_s(compact_ntp(now + self.ntp_epoch_s), block.last_sr, block.delay_since_last_sr)
            transport.rtt.add(sample, "rr", block.last_sr)

    def _on_nack(self, transport: Transport, packet: rtcp.Nack, now: float) -> None:
        forward = transport.forwards.get(packet.media_ssrc)
        if forward is None:
            return
        forward.nacks_received += len(packet.sequences)
        room = max(0, MAX_NACKED_PER_S - transport.nacked)
        transport.nacked += len(packet.sequences)
        if len(packet.sequences) > room:
            transport.drops[DropReason.NACK_RATE_LIMITED] += len(packet.sequences) - room
        for sequence in packet.sequences[:room]:
            if refused := self._packets.retransmit(forward, sequence, now):
                transport.drops[refused] += 1

    def _on_picture_loss(self, transport: Transport, packet: rtcp.PictureLoss, now: float) -> None:
        self._keyframe_wanted(transport.forwards.get(packet.media_ssrc))

    def _on_full_intra_request(self, transport: Transport, packet: rtcp.FullIntraRequest, now: float) -> None:
        for ssrc, _ in packet.requests:
            self._keyframe_wanted(transport.forwards.get(ssrc))

    def _keyframe_wanted(self, forward: Forward | None) -> None:
        if forward is not None and forward.stream.is_video:
            forward.keyframe_requests += 1
            self._packets.want_keyframe(forward.stream)

    def _on_remb(self, transport: Transport, packet: rtcp.Remb, now: float) -> None:
        transport.remb_bps = packet.bps
        transport.remb_changed = True
        self._reported.add(transport)

    def _on_reference_time(self, transport: Transport, packet: rtcp.ReceiverReferenceTime, now: float) -> None:
        transport.reference_times += 1
        if transport.reference_times > MAX_REFERENCE_TIMES_PER_S:
            return
        # The answer leaves at once, so the delay since the last RR is nothing (RFC 3611 §4.5).
        entry = (packet.ssrc, packet.ntp >> 16 & 0xFFFFFFFF, 0)
        self._send(transport, rtcp.build_xr_dlrr(transport.ssrc, [entry]))

    def _on_delay_since_last_rr(self, transport: Transport, packet: rtcp.DelaySinceLastRr, now: float) -> None:
        for ssrc, last, delay in packet.entries:
            if ssrc == transport.ssrc:
                transport.rtt.add(round_trip_s(compact_ntp(now + self.ntp_epoch_s), last, delay), "xr")


def _downlink_report(transport: Transport, now: float) -> DownlinkReport:
    forwards = []
    for forward in transport.forwards.values():
        if forward.reported:
            forward.reported = False
            forwards.append(
                ForwardReport(
                    forward=forward.config.forward,
                    fraction_lost=forward.fraction_lost,
                    own_fraction_lost=forward.own_fraction_lost,
                    jitter_s=forward.jitter_s,
                )
            )
    remb = transport.remb_bps if transport.remb_changed else None
    transport.remb_changed = False
    return DownlinkReport(
        transport=transport.id, at=now, remb_bps=remb, rtt_s=transport.rtt.take_shortest(), forwards=forwards
    )
