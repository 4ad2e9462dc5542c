"""RTCP both ways: NACKs, keyframe requests, transport-cc, REMB, round trips and what is told upwards."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import pairwise

import pytest

from sfu.core import rtcp
from sfu.core.drop import DropReason
from sfu.core.keyframe import MAX_REPEATS, REPEAT_MIN_S
from sfu.core.media import Codec, CodecName, Kind
from sfu.core.rtt import compact_ntp
from sfu.plane.feedback import (
    FEEDBACK_S,
    MAX_NACKED_PER_S,
    MAX_REFERENCE_TIMES_PER_S,
    REPORT_S,
    TICK_S,
    Feedback,
)
from sfu.plane.reports import MAX_COMPOUND_BYTES
from sfu.plane.state import LOSSY
from tests.peer.call import VirtualCall
from tests.peer.virtual import OPUS, VirtualPeer, VirtualPlane


def block(ssrc: int, **fields: int) -> rtcp.ReportBlock:
    values = {"fraction_lost": 0, "lost": 0, "highest_sequence": 0, "jitter": 0, "last_sr": 0, "delay_since_last_sr": 0}
    return rtcp.ReportBlock(ssrc, **values | fields)


def ntp_of(lab: VirtualPlane) -> float:
    return lab.now + lab.plane._feedback.ntp_epoch_s


def measure_uplink_rtt(call: VirtualCall, rtt_s: float) -> None:
    """The publisher answers our reference time as if it had come ``rtt_s`` ago."""
    call.publisher.say(call.audio.packet())
    call.lab.advance(REPORT_S + TICK_S)
    reference = call.publisher.take_rtcp(rtcp.ReceiverReferenceTime)[-1]
    last = compact_ntp(ntp_of(call.lab) - rtt_s)
    call.publisher.report(rtcp.build_xr_dlrr(call.audio.ssrc, [(reference.ssrc, last, 0)]))


def asked_at(call: VirtualCall, seconds: float, each_tick: Callable[[], None] = lambda: None) -> list[float]:
    """When keyframe requests reached the publisher."""
    times = []
    for _ in range(round(seconds / TICK_S)):
        each_tick()
        call.lab.advance(TICK_S)
        times += [call.lab.now] * len(call.publisher.take_rtcp(rtcp.PictureLoss))
    return times


# NACK


def test_a_gap_is_asked_for_after_the_grace_for_reordering(call: VirtualCall) -> None:
    call.start()
    frame = call.video.frame(2)
    call.publisher.say(frame[1])
    call.lab.advance(TICK_S)
    assert call.publisher.take_rtcp(rtcp.Nack)[0].sequences == (frame[0].sequence,)


def test_what_came_late_by_itself_is_not_asked_for(call: VirtualCall) -> None:
    call.start()
    frame = call.video.frame(2)
    call.publisher.say([frame[1], frame[0]])
    call.lab.advance(1)
    assert call.publisher.take_rtcp(rtcp.Nack) == []


def test_a_nack_is_repeated_once_a_round_trip_until_it_is_given_up_for_a_keyframe(call: VirtualCall) -> None:
    measure_uplink_rtt(call, 0.2)
    call.start()
    call.publisher.take_rtcp(rtcp.PictureLoss)
    call.publisher.say(call.video.frame(100)[1:])
    times = nacked_at(call, 1.5)
    assert 4 <= len(times) <= 5
    assert all(0.2 <= b - a <= 0.26 for a, b in pairwise(times))
    assert call.publisher.take_rtcp(rtcp.PictureLoss) != []


def test_on_a_lossy_uplink_each_nack_is_sent_twice(call: VirtualCall) -> None:
    measure_uplink_rtt(call, 0.3)
    call.start()
    call.publisher.say([p for n, p in enumerate(call.video.frame(30)) if n % 3])
    call.lab.advance(REPORT_S)
    assert call.video_counters.fraction_lost > LOSSY
    lost, arrived = call.video.frame(2)
    call.publisher.say(arrived)
    call.lab.advance(0.25)
    asked = [nack for nack in call.publisher.take_rtcp(rtcp.Nack) if lost.sequence in nack.sequences]
    assert len(asked) == 2


def nacked_at(call: VirtualCall, seconds: float) -> list[float]:
    times = []
    for _ in range(round(seconds / TICK_S)):
        call.lab.advance(TICK_S)
        times += [call.lab.now] * len(call.publisher.take_rtcp(rtcp.Nack))
    return times


def test_nothing_is_asked_for_where_nack_was_not_negotiated(lab: VirtualPlane) -> None:
    publisher = lab.add_peer()
    plain = Codec(name=CodecName.VP8, payload_type=96, clock_rate=90_000)
    lab.add_stream(publisher, Kind.VIDEO, codecs=(plain,))
    source = publisher.video()
    publisher.say([source.keyframe(3)[0], *source.frame(1)])
    lab.advance(1)
    assert publisher.take_rtcp(rtcp.Nack) == []


# Keyframe requests


def test_many_requests_at_once_are_one_and_a_later_one_is_remembered(call: VirtualCall) -> None:
    call.start()
    call.lab.advance(1)
    call.publisher.take_rtcp(rtcp.PictureLoss)
    pli = rtcp.build_pli(1, call.video_forward.ssrc)
    for _ in range(10):
        call.subscriber.report(pli)
    first = asked_at(call, 0.1)
    assert len(first) == 1
    call.publisher.say(call.video.keyframe())
    call.subscriber.report(pli)
    later = asked_at(call, 0.5)
    assert len(later) == 1, "throttled, but not forgotten"
    assert 0.5 <= later[0] - first[0] <= 0.55
    call.publisher.say(call.video.keyframe())
    assert asked_at(call, 2) == []
    assert call.sent(call.video_forward).keyframe_requests == 11


def test_a_request_is_repeated_at_most_five_times(call: VirtualCall) -> None:
    call.start()
    call.lab.advance(1)
    call.publisher.take_rtcp(rtcp.PictureLoss)
    call.lab.plane.request_keyframe(call.video_stream)
    times = asked_at(call, 10)
    assert len(times) == 1 + MAX_REPEATS
    assert all(b - a >= REPEAT_MIN_S for a, b in pairwise(times))


def test_repeats_wait_for_a_round_trip_also_while_a_subscriber_waits(call: VirtualCall) -> None:
    measure_uplink_rtt(call, 0.8)
    times = asked_at(call, 4, lambda: call.publisher.say(call.video.frame(1)))
    assert 4 <= len(times) <= 6
    assert all(b - a >= 0.79 for a, b in pairwise(times))


def test_a_keyframe_that_has_come_ends_the_asking(call: VirtualCall) -> None:
    call.publisher.say(call.video.frame(1))
    assert len(asked_at(call, 0.1)) == 1
    call.publisher.say(call.video.keyframe())
    assert asked_at(call, 2, lambda: call.publisher.say(call.video.frame(1))) == []


def test_a_first_keyframe_needs_no_request(call: VirtualCall) -> None:
    call.start()
    assert asked_at(call, 1) == []


def test_a_full_intra_request_of_a_subscriber_goes_up_too(call: VirtualCall) -> None:
    call.start()
    call.lab.advance(1)
    call.subscriber.report(rtcp.build_fir(1, call.video_forward.ssrc, 1))
    assert len(asked_at(call, 0.1)) == 1


def test_a_publisher_that_understands_only_fir_is_asked_by_fir(lab: VirtualPlane) -> None:
    publisher, subscriber = lab.add_peer(), lab.add_peer()
    codec = Codec(name=CodecName.VP8, payload_type=96, clock_rate=90_000, feedback=frozenset({"ccm fir"}))
    lab.add_forward(lab.add_stream(publisher, Kind.VIDEO, codecs=(codec,)), subscriber, codec)
    source = publisher.video()
    publisher.say(source.frame(1))
    lab.advance(0.5)
    requests = publisher.take_rtcp(rtcp.FullIntraRequest)
    assert {ssrc for request in requests for ssrc, _ in request.requests} == {source.ssrc}
    numbers = [number for request in requests for _, number in request.requests]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) and len(numbers) >= 2


def test_audio_is_never_asked_for_a_keyframe(call: VirtualCall) -> None:
    call.publisher.say(call.audio.packet())
    call.subscriber.report(rtcp.build_pli(1, call.audio_forward.ssrc))
    assert asked_at(call, 1) == []


# Transport-cc


def test_arrivals_are_reported_in_batches_and_each_once(call: VirtualCall) -> None:
    for _ in range(3):
        call.publisher.say(call.audio.packet())
        call.lab.advance(TICK_S)
    call.lab.advance(2 * FEEDBACK_S)
    covered: list[int] = []
    counts = []
    for feedback in call.publisher.take_rtcp(rtcp.TransportCc):
        base, count = struct.unpack_from("!HH", feedback.packet, 12)
        covered += range(base, base + count)
        counts.append(feedback.packet[19])
    assert covered == [1, 2, 3]
    assert counts == list(range(len(counts)))
    call.lab.advance(1)
    assert call.publisher.take_rtcp(rtcp.TransportCc) == [], "nothing new has come"


# REMB


def test_a_cap_is_told_at_once_and_again_every_second(call: VirtualCall) -> None:
    call.start()
    call.lab.plane.limit_rate(call.publisher.transport, 300_000)
    call.lab.settle()
    (told,) = call.publisher.take_rtcp(rtcp.Remb)
    assert told.ssrcs == (call.video.ssrc,)
    assert 299_000 <= told.bps <= 300_000
    call.lab.plane.limit_rate(call.publisher.transport, 300_000)
    call.lab.settle()
    assert call.publisher.take_rtcp(rtcp.Remb) == [], "nothing has changed"
    call.lab.advance(3 * REPORT_S)
    assert len(call.publisher.take_rtcp(rtcp.Remb)) == 3


def test_a_publisher_of_audio_alone_gets_no_remb(lab: VirtualPlane) -> None:
    publisher = lab.add_peer()
    lab.add_stream(publisher, Kind.AUDIO)
    publisher.say(publisher.audio().packet())
    lab.plane.limit_rate(publisher.transport, 100_000)
    lab.advance(2)
    assert publisher.take_rtcp(rtcp.Remb) == []


# Round trips


def test_a_subscribers_round_trip_comes_from_its_receiver_reports(call: VirtualCall) -> None:
    call.start()
    publisher_ntp = int(5000.0 * 2**32)
    call.publisher.report(rtcp.build_sr(call.video.ssrc, publisher_ntp, call.video.timestamp, 1, 1))
    reports: list[rtcp.SenderReport] = []
    while not reports:
        call.lab.advance(TICK_S)
        reports = call.subscriber.take_rtcp(rtcp.SenderReport)
    report = reports[-1]
    call.lab.now += 0.15
    last = report.ntp >> 16 & 0xFFFFFFFF
    held = int(0.05 * 65536)
    call.subscriber.report(rtcp.build_rr(1, [block(call.video_forward.ssrc, last_sr=last, delay_since_last_sr=held)]))
    counters = call.lab.plane.counters().transports[call.subscriber.transport]
    assert counters.rtt_source == "rr"
    assert counters.rtt_s is not None and 0.09 <= counters.rtt_s <= 0.1 + TICK_S


def test_a_publishers_round_trip_comes_from_its_answer_to_our_reference_time(call: VirtualCall) -> None:
    measure_uplink_rtt(call, 0.12)
    counters = call.lab.plane.counters().transports[call.publisher.transport]
    assert counters.rtt_source == "xr"
    assert counters.rtt_s == pytest.approx(0.12, abs=0.001)


def test_a_peers_reference_time_is_answered_without_delay(call: VirtualCall) -> None:
    ntp = 0x1234_5678_9ABC_DEF0
    call.subscriber.report(rtcp.build_xr_rrtr(42, ntp))
    (answer,) = call.subscriber.take_rtcp(rtcp.DelaySinceLastRr)
    assert answer.entries == ((42, 0x5678_9ABC, 0),)


def test_reference_times_in_one_datagram_do_not_multiply_into_as_many_of_ours(call: VirtualCall) -> None:
    blocks = b"".join(struct.pack("!BBHQ", 4, 0, 2, number) for number in range(1, 116))
    call.subscriber.report(struct.pack("!BBHI", 0x80, 207, 1 + len(blocks) // 4, 77) + blocks)
    assert len(call.subscriber.take_rtcp(rtcp.DelaySinceLastRr)) == MAX_REFERENCE_TIMES_PER_S
    call.lab.advance(REPORT_S + TICK_S)
    call.subscriber.report(rtcp.build_xr_rrtr(77, 1 << 40))
    assert len(call.subscriber.take_rtcp(rtcp.DelaySinceLastRr)) == 1


def test_what_one_subscriber_asks_for_again_is_bounded_and_only_for_a_second(call: VirtualCall) -> None:
    (first, *_) = call.start()
    everything = struct.pack("!HH", first.sequence + 0x4000 & 0xFFFF, 0xFFFF) * 60
    nacks = rtcp.build_nack(1, call.video_forward.ssrc, [0])[:12] + everything
    nacks = nacks[:2] + struct.pack("!H", len(nacks) // 4 - 1) + nacks[4:]
    call.subscriber.report(nacks * 5)
    refused = 5 * 1020 - MAX_NACKED_PER_S
    assert call.subscriber.drops[DropReason.NACK_RATE_LIMITED] == refused
    call.subscriber.report(rtcp.build_nack(1, call.video_forward.ssrc, [first.sequence]))
    assert not call.received_rtx()
    call.lab.advance(REPORT_S + TICK_S)
    call.subscriber.report(rtcp.build_nack(1, call.video_forward.ssrc, [first.sequence]))
    assert len(call.received_rtx()) == 1


def test_a_mistake_in_whoever_listens_does_not_end_the_feedback(
    call: VirtualCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ticker is everybody's; what raises here is not."""

    def broken(_: object) -> None:
        raise RuntimeError("planted")

    feedback = call.lab.plane._feedback
    with monkeypatch.context() as patch:
        patch.setattr(call.lab.listener, "downlink_reported", broken)
        call.subscriber.report(rtcp.build_remb(1, 250_000, []))
        call.lab.now += REPORT_S
        feedback.tick(call.lab.now)
    assert feedback.failures == 1
    feedback.failures = 0
    call.subscriber.report(rtcp.build_remb(1, 260_000, []))
    call.lab.advance(REPORT_S)
    assert [report.remb_bps for report in call.lab.listener.reports] == [260_000]


def test_an_answer_to_somebody_elses_reference_time_says_nothing(call: VirtualCall) -> None:
    call.publisher.report(rtcp.build_xr_dlrr(1, [(99, compact_ntp(ntp_of(call.lab) - 0.1), 0)]))
    assert call.lab.plane.counters().transports[call.publisher.transport].rtt_s is None


# Upwards


def test_a_subscribers_feedback_goes_up_in_batches(call: VirtualCall) -> None:
    call.start()
    call.lab.advance(FEEDBACK_S)
    for bps in (500_000, 400_000):
        call.subscriber.report(
            rtcp.build_rr(1, [block(call.video_forward.ssrc, fraction_lost=64, jitter=900)]),
            rtcp.build_remb(1, bps, [call.video_forward.ssrc]),
        )
    assert call.lab.listener.reports == []
    call.lab.advance(FEEDBACK_S + TICK_S)
    (report,) = call.lab.listener.reports
    assert (report.transport, report.remb_bps) == (call.subscriber.transport, 400_000)
    (about,) = report.forwards
    assert (about.forward, about.fraction_lost, about.jitter_s) == (call.video_forward.forward, 0.25, 0.01)
    call.lab.advance(1)
    assert len(call.lab.listener.reports) == 1, "no news is not repeated"


def test_a_report_without_remb_says_so(call: VirtualCall) -> None:
    call.start()
    call.subscriber.report(rtcp.build_remb(1, 500_000, []))
    call.lab.advance(FEEDBACK_S + TICK_S)
    call.subscriber.report(rtcp.build_rr(1, [block(call.video_forward.ssrc)]))
    call.lab.advance(FEEDBACK_S + TICK_S)
    assert [report.remb_bps for report in call.lab.listener.reports] == [500_000, None]


def test_reports_about_what_we_do_not_send_are_ignored(call: VirtualCall) -> None:
    call.subscriber.report(
        rtcp.build_rr(1, [block(12345, fraction_lost=255)]), rtcp.build_nack(1, 12345, [1]), rtcp.build_pli(1, 12345)
    )
    call.lab.advance(1)
    assert call.lab.listener.reports == []
    assert call.publisher.take_rtcp(rtcp.PictureLoss) == []


# What is refused


def wrong_version(peer: VirtualPeer) -> bytes:
    assert peer.srtp_out is not None
    # The first packet's version is checked by libsrtp; that of the second is ours to see.
    second = bytearray(rtcp.build_rr(1))
    second[0] &= 0x3F
    return peer.srtp_out.protect_rtcp(rtcp.build_rr(1) + bytes(second))


def cut_off(peer: VirtualPeer) -> bytes:
    assert peer.srtp_out is not None
    return peer.srtp_out.protect_rtcp(rtcp.build_rr(1) + rtcp.build_pli(1, 2)[:8])


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (wrong_version, DropReason.RTCP_MALFORMED),
        (cut_off, DropReason.RTCP_MALFORMED),
        (lambda _: b"\x80\xc9\x00", DropReason.RTCP_MALFORMED),
        (lambda _: b"\x80\xc9" + bytes(40), DropReason.SRTP_AUTH_FAILED),
    ],
)
def test_refused_rtcp_is_counted_and_the_next_is_read(
    call: VirtualCall, make: Callable[[VirtualPeer], bytes], reason: DropReason
) -> None:
    call.subscriber.send(make(call.subscriber))
    call.lab.settle()
    assert call.subscriber.drops == {reason: 1}
    call.subscriber.report(rtcp.build_remb(1, 250_000, []))
    assert call.lab.plane.counters().transports[call.subscriber.transport].remb_bps == 250_000


def test_replayed_rtcp_is_counted(call: VirtualCall) -> None:
    assert call.subscriber.srtp_out is not None
    datagram = call.subscriber.srtp_out.protect_rtcp(rtcp.build_remb(1, 250_000, []))
    call.subscriber.send(datagram)
    call.subscriber.send(datagram)
    call.lab.settle()
    assert call.subscriber.drops == {DropReason.SRTP_REPLAYED: 1}


def test_a_tick_for_very_many_sources_ends(lab: VirtualPlane) -> None:
    """However many streams a transport has, what it is told of them fits our buffers and its datagrams."""
    publisher, subscriber = lab.add_peer(), lab.add_peer()
    assert publisher.srtp_out is not None
    for number in range(120):
        stream = lab.add_stream(publisher, Kind.AUDIO, mid=f"m{number}", codecs=(OPUS,))
        lab.add_forward(stream, subscriber)
        source = publisher.audio(f"m{number}")
        publisher.say(source.packet())
        publisher.report(rtcp.build_sr(source.ssrc, int(5000.0 * 2**32), source.timestamp, 1, 1))
    lab.deaf.update((publisher, subscriber))
    lab.advance(REPORT_S)
    for peer, kind in ((publisher, rtcp.ReceiverReport), (subscriber, rtcp.SenderReport)):
        sizes = []
        seen: set[int] = set()
        while datagram := receive(peer):
            sizes.append(len(datagram))
            assert peer.srtp_in is not None
            if not 192 <= datagram[1] <= 223:
                continue
            for packet in rtcp.parse_compound(peer.srtp_in.unprotect_rtcp(datagram)):
                if isinstance(packet, rtcp.ReceiverReport):
                    seen.update(each.ssrc for each in packet.blocks)
                elif isinstance(packet, rtcp.SenderReport):
                    seen.add(packet.ssrc)
        assert max(sizes) <= MAX_COMPOUND_BYTES + 32, kind
        assert len(seen) >= 120


def receive(peer: VirtualPeer) -> bytes:
    try:
        return peer.socket.recv(4096)
    except BlockingIOError:
        return b""


async def test_the_ticker_runs_on_its_own() -> None:
    with VirtualPlane() as lab:
        ticks: list[float] = []
        feedback = lab.plane._feedback

        class Counting(Feedback):
            def tick(self, now: float) -> None:
                ticks.append(now)
                if len(ticks) == 3:
                    raise EndOfTest

        feedback.__class__ = Counting
        with pytest.raises(EndOfTest):
            await feedback.run()
        assert len(ticks) == 3


class EndOfTest(Exception):
    pass
