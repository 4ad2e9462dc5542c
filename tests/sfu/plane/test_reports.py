"""Sender and receiver reports: the server's clock, lips in sync, and whose loss is told to whom."""

from __future__ import annotations

import pytest

from sfu.core import rtcp
from sfu.plane.feedback import REPORT_S, TICK_S
from tests.peer.call import VirtualCall
from tests.peer.virtual import VirtualPeer, VirtualPlane

PUBLISHER_NTP_S = 1_000_000.0
"the publisher's clock is years away from ours"


def sender_report(call: VirtualCall, ssrc: int, timestamp: int, *, delay_s: float = 0.0) -> None:
    """What the publisher's clock says now, or what it said ``delay_s`` ago."""
    ntp = PUBLISHER_NTP_S + call.lab.now - delay_s
    call.publisher.report(rtcp.build_sr(ssrc, int(ntp * 2**32), timestamp, 1, 100))


def reports_to(peer: VirtualPeer, lab: VirtualPlane, ssrc: int) -> list[rtcp.SenderReport]:
    """Sender reports about this SSRC in the next interval."""
    peer.take_rtcp(rtcp.SenderReport)
    lab.advance(REPORT_S + TICK_S)
    return [report for report in peer.take_rtcp(rtcp.SenderReport) if report.ssrc == ssrc]


def block_to(call: VirtualCall, ssrc: int) -> rtcp.ReportBlock:
    """The newest report block that the publisher gets about this source."""
    call.publisher.take_rtcp(rtcp.ReceiverReport)
    call.lab.advance(REPORT_S + TICK_S)
    blocks = [b for report in call.publisher.take_rtcp(rtcp.ReceiverReport) for b in report.blocks if b.ssrc == ssrc]
    return blocks[-1]


def test_no_sender_report_before_the_publishers_first(call: VirtualCall) -> None:
    call.start()
    call.publisher.say(call.audio.packet())
    assert reports_to(call.subscriber, call.lab, call.video_forward.ssrc) == []
    sender_report(call, call.audio.ssrc, call.audio.timestamp)
    assert reports_to(call.subscriber, call.lab, call.video_forward.ssrc) == [], "that was the audio's"
    sender_report(call, call.video.ssrc, call.video.timestamp)
    (report,) = reports_to(call.subscriber, call.lab, call.video_forward.ssrc)
    counters = call.sent(call.video_forward)
    assert report.packets == counters.packets
    assert 0 < report.octets < counters.bytes


def test_sender_reports_use_the_servers_clock(call: VirtualCall) -> None:
    call.start()
    sender_report(call, call.video.ssrc, call.video.timestamp)
    (report,) = reports_to(call.subscriber, call.lab, call.video_forward.ssrc)
    ours = call.lab.now + call.lab.plane._feedback.ntp_epoch_s
    assert report.ntp / 2**32 == pytest.approx(ours, abs=REPORT_S + 3 * TICK_S)


@pytest.mark.parametrize("delay_s", [0.0, 0.3])
def test_audio_and_video_keep_their_distance(call: VirtualCall, delay_s: float) -> None:
    """Both reports left the publisher at once, but the video's came later: neither stream may move."""
    video = call.start()[0]
    call.publisher.say(call.audio.packet())
    audio = call.received_audio()[0]
    audio_stamp, video_stamp = call.audio.timestamp - 960, call.video.timestamp - 3000
    sender_report(call, call.audio.ssrc, audio_stamp)
    call.lab.now += delay_s
    sender_report(call, call.video.ssrc, video_stamp, delay_s=delay_s)
    call.subscriber.take_rtcp(rtcp.SenderReport)
    call.lab.advance(REPORT_S + TICK_S)
    reports = {report.ssrc: report for report in call.subscriber.take_rtcp(rtcp.SenderReport)}
    audio_at = capture_time(reports[call.audio_forward.ssrc], audio.timestamp, 48_000)
    video_at = capture_time(reports[call.video_forward.ssrc], video.timestamp, 90_000)
    assert audio_at == pytest.approx(video_at, abs=0.001)


def capture_time(report: rtcp.SenderReport, timestamp: int, clock_rate: int) -> float:
    """When this timestamp was captured, as a receiver works it out (RFC 3550 §6.4.1)."""
    behind = (report.rtp_timestamp - timestamp) & 0xFFFFFFFF
    return report.ntp / 2**32 - behind / clock_rate


def test_a_new_source_has_no_report_before_its_own(call: VirtualCall) -> None:
    call.start()
    sender_report(call, call.video.ssrc, call.video.timestamp)
    assert reports_to(call.subscriber, call.lab, call.video_forward.ssrc) != []
    call.publisher.say(call.publisher.video().keyframe())
    assert reports_to(call.subscriber, call.lab, call.video_forward.ssrc) == []


def test_a_receiver_report_counts_what_came(call: VirtualCall) -> None:
    packets = [call.audio.packet() for _ in range(10)]
    call.publisher.say([p for p in packets if p is not packets[4]])
    block = block_to(call, call.audio.ssrc)
    assert (block.lost, block.fraction_lost, block.highest_sequence & 0xFFFF) == (1, 25, packets[-1].sequence)
    call.publisher.say([call.audio.packet() for _ in range(10)])
    assert block_to(call, call.audio.ssrc).fraction_lost == 0


def test_a_receiver_report_answers_the_last_sender_report(call: VirtualCall) -> None:
    call.publisher.say(call.audio.packet())
    call.lab.advance(TICK_S)
    sender_report(call, call.audio.ssrc, call.audio.timestamp)
    ntp = int((PUBLISHER_NTP_S + call.lab.now) * 2**32)
    at = call.lab.now
    block = block_to(call, call.audio.ssrc)
    assert block.last_sr == ntp >> 16 & 0xFFFFFFFF
    assert block.delay_since_last_sr / 65536 == pytest.approx(call.lab.now - at, abs=2 * TICK_S)


def test_an_audio_publisher_is_told_the_larger_of_uplink_and_worst_downlink_loss(call: VirtualCall) -> None:
    """Its Opus encoder adds FEC by it; our own numbers keep the two apart."""
    call.publisher.say([call.audio.packet() for _ in range(100)])
    call.received_audio()
    base = call.audio_forward.first_sequence
    call.subscriber.report(rtcp.build_rr(1, [report_block(call, base + 49, 0)]))
    call.subscriber.report(rtcp.build_rr(1, [report_block(call, base + 99, 10)]))
    assert block_to(call, call.audio.ssrc).fraction_lost == int(0.2 * 256)
    call.lab.advance(TICK_S)
    assert call.audio_counters.fraction_lost == 0.0
    assert call.sent(call.audio_forward).lost == 10
    packets = [call.audio.packet() for _ in range(100)]
    call.publisher.say(packets[:30] + packets[70:])
    assert block_to(call, call.audio.ssrc).fraction_lost == pytest.approx(0.4 * 256, abs=1)
    assert call.audio_counters.fraction_lost == pytest.approx(0.4)


def report_block(call: VirtualCall, highest: int, lost: int) -> rtcp.ReportBlock:
    return rtcp.ReportBlock(call.audio_forward.ssrc, 0, lost, highest, 0, 0, 0)


def test_the_uplinks_loss_is_not_held_against_a_subscribers_line(call: VirtualCall) -> None:
    packets = [call.audio.packet() for _ in range(100)]
    call.publisher.say(packets[:50] + packets[70:])
    base = call.audio_forward.first_sequence
    call.subscriber.report(rtcp.build_rr(1, [report_block(call, base + 99, 20)]))
    call.lab.advance(0.2)
    (about,) = call.lab.listener.reports[-1].forwards
    assert about.own_fraction_lost == 0.0


def test_a_video_publisher_is_told_its_own_uplink_only(call: VirtualCall) -> None:
    call.start()
    block = rtcp.ReportBlock(call.video_forward.ssrc, 255, 1, call.video_forward.first_sequence + 1, 0, 0, 0)
    call.subscriber.report(rtcp.build_rr(1, [block]))
    assert block_to(call, call.video.ssrc).fraction_lost == 0


def test_our_time_is_told_to_those_who_only_send(call: VirtualCall) -> None:
    call.publisher.say(call.audio.packet())
    sender_report(call, call.audio.ssrc, call.audio.timestamp)
    call.lab.advance(REPORT_S + TICK_S)
    assert call.publisher.take_rtcp(rtcp.ReceiverReferenceTime) != []
    assert call.subscriber.take_rtcp(rtcp.ReceiverReferenceTime) == []
    assert call.subscriber.take_rtcp(rtcp.SourceDescription)[-1].cnames == (
        (call.audio_forward.ssrc, call.audio_forward.cname),
    )


def test_a_peer_with_nothing_to_hear_is_told_nothing(lab: VirtualPlane) -> None:
    peer = lab.add_peer()
    lab.advance(3)
    assert peer.rtcp == []
