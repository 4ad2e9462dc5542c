"""A new source, or one that was paused, goes on where the subscriber is."""

from __future__ import annotations

import pytest

from sfu.core import rtcp
from sfu.core.drop import DropReason
from sfu.core.media import Kind
from sfu.plane.state import MAX_ENDED_FORWARDS
from tests.peer.call import VirtualCall
from tests.peer.rtp import VideoSource, picture_of


def test_a_new_ssrc_on_a_known_mid_is_spliced_at_a_keyframe(call: VirtualCall) -> None:
    before = call.start()[-1]
    call.lab.advance(1)
    call.publisher.take_rtcp(rtcp.PictureLoss)
    call.lab.now += 0.5
    successor = call.publisher.video(sequence=60_000, timestamp=4_000_000_000, picture_id=30_000)
    call.publisher.say(successor.frame(2))
    assert call.received_video() == []
    assert call.subscriber.drops == {DropReason.WAITING_FOR_KEYFRAME: 2}
    call.lab.advance(0.02)
    assert [p.media_ssrc for p in call.publisher.take_rtcp(rtcp.PictureLoss)] == [successor.ssrc]
    call.publisher.say(successor.keyframe(2))
    first, second = call.received_video()
    assert picture_of(first).keyframe
    assert [first.sequence, second.sequence] == [before.sequence + 1, before.sequence + 2]
    assert {first.ssrc, second.ssrc} == {call.video_forward.ssrc}
    passed = (first.timestamp - before.timestamp) & 0xFFFFFFFF
    assert passed == pytest.approx(1.52 * 90_000, abs=90)
    assert picture_of(first).picture_id == picture_of(before).picture_id + 1
    assert call.lab.listener.started[-1].ssrc == successor.ssrc


@pytest.mark.parametrize(("bits", "last"), [(7, 127), (7, 40), (15, 32_767), (15, 600)])
def test_picture_ids_go_on_in_the_new_sources_width(call: VirtualCall, bits: int, last: int) -> None:
    source = call.publisher.video(picture_id=last, picture_bits=bits, tl0=255)
    call.publisher.say(source.keyframe())
    call.received_video()
    successor = call.publisher.video(picture_id=3, picture_bits=bits, tl0=9)
    call.publisher.say(successor.keyframe())
    call.publisher.say(successor.frame())
    pictures = [picture_of(p) for p in call.received_video()]
    modulus = 1 << bits
    assert [p.picture_id for p in pictures] == [(last + 1) % modulus] * 2 + [(last + 2) % modulus] * 2
    assert [p.tl0 for p in pictures] == [0, 0, 1, 1]
    assert {p.bits for p in pictures} == {bits}


def test_picture_ids_are_left_alone_before_a_splice(call: VirtualCall) -> None:
    assert {picture_of(p).picture_id for p in call.start()} == {500}


@pytest.mark.parametrize("paused_s", [0.1, 8.0])
@pytest.mark.parametrize("probed", [False, True])
def test_pictures_go_on_after_a_pause_or_a_probe(call: VirtualCall, paused_s: float, probed: bool) -> None:
    """What came last may have been padding, or be older than what is kept for repairs."""
    before = picture_of(call.start()[-1])
    if probed:
        call.publisher.say([call.video.padding(), call.video.padding()])
    call.lab.advance(paused_s)
    call.publisher.say(call.publisher.video(picture_id=7).keyframe())
    assert picture_of(call.received_video()[0]).picture_id == before.picture_id + 1


def test_a_second_splice_goes_on_from_the_first(call: VirtualCall) -> None:
    before = call.start()[-1]
    for number in range(1, 4):
        call.lab.advance(0.2)
        call.publisher.say(call.publisher.video(picture_id=number * 5000).keyframe(1))
        (received,) = call.received_video()
        assert received.sequence == before.sequence + number
        assert picture_of(received).picture_id == picture_of(before).picture_id + number


def test_a_retired_ssrc_does_not_come_back(call: VirtualCall) -> None:
    call.start()
    successor = call.publisher.video()
    call.publisher.say(successor.keyframe())
    call.received_video()
    call.publisher.say(call.video.keyframe())
    assert call.received_video() == []
    assert call.publisher.drops == {DropReason.RTP_UNKNOWN_STREAM: 2}


def test_audio_is_spliced_at_its_first_packet(call: VirtualCall) -> None:
    call.publisher.say(call.audio.packet(b"before"))
    before = call.received_audio()[0]
    call.lab.now += 0.25
    call.publisher.say(call.publisher.audio(sequence=9, timestamp=3).packet(b"after"))
    (after,) = call.received_audio()
    assert (after.payload, after.sequence) == (b"after", before.sequence + 1)
    assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 12_000


def test_a_nack_for_a_packet_from_before_the_splice_is_not_answered_with_one_from_after(call: VirtualCall) -> None:
    before = call.start()[-1]
    successor = call.publisher.video(sequence=call.video.sequence - 1)
    call.publisher.say(successor.keyframe())
    call.subscriber.report(rtcp.build_nack(1, call.video_forward.ssrc, [before.sequence]))
    assert call.received_rtx() == []
    assert call.subscriber.drops == {DropReason.NACK_NOT_IN_HISTORY: 1}


def test_repairs_after_a_splice_are_rewritten_like_their_originals(call: VirtualCall) -> None:
    call.start()
    successor: VideoSource = call.publisher.video(picture_id=3, timestamp=77)
    call.publisher.say(successor.keyframe())
    received = call.received_video()
    call.subscriber.report(rtcp.build_nack(1, call.video_forward.ssrc, [received[0].sequence]))
    (repeated,) = call.received_rtx()
    assert repeated.payload[2:] == received[0].payload
    assert repeated.timestamp == received[0].timestamp


def test_an_ssrc_that_is_sent_again_goes_on_in_its_numbering(call: VirtualCall) -> None:
    """A place that a WHEP player holds: the publisher leaves, another comes, the answer cannot change any more."""
    before = call.start()[-1]
    old = call.video_forward
    call.subscriber.report(rtcp.build_nack(1, old.ssrc, [before.sequence]))
    repaired = call.received_rtx()[0]
    call.lab.plane.remove_stream(call.video_stream)
    call.lab.advance(2)
    publisher = call.lab.add_peer()
    stream = call.lab.add_stream(publisher, Kind.VIDEO)
    again = call.lab.add_forward(
        stream, call.subscriber, ssrc=old.ssrc, rtx_ssrc=old.rtx_ssrc, first_sequence=7, first_rtx_sequence=7
    )
    publisher.say(publisher.video(picture_id=3, timestamp=12).keyframe())
    received = [p for p in call.received_video() if p.ssrc == again.ssrc]
    assert [p.sequence for p in received] == [before.sequence + 1, before.sequence + 2]
    assert (received[0].timestamp - before.timestamp) & 0xFFFFFFFF == pytest.approx(2 * 90_000, rel=0.05)
    assert picture_of(received[0]).picture_id == picture_of(before).picture_id + 1
    call.subscriber.report(rtcp.build_nack(1, again.ssrc, [received[0].sequence]))
    assert call.received_rtx()[0].sequence == repaired.sequence + 1
    assert call.subscriber.drops == {}


def test_what_may_be_sent_again_is_bounded(call: VirtualCall) -> None:
    for _ in range(MAX_ENDED_FORWARDS + 10):
        forward = call.lab.add_forward(call.audio_stream, call.subscriber)
        call.lab.plane.remove_forward(forward.forward)
    assert len(call.lab.plane._transports[call.subscriber.transport].ended) == MAX_ENDED_FORWARDS
