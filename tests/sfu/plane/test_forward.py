"""The way of one packet: what is rewritten, what is kept, what is dropped and under which name."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from sfu.core import rtcp
from sfu.core.drop import DropReason
from sfu.core.media import Codec, CodecName, HeaderExtension, Kind
from sfu.plane.python_plane import MAX_PACKET_BYTES
from sfu.plane.seam import SrtpProfile
from sfu.plane.state import MAX_SSRCS, PROTECTED_PACKETS
from tests.peer.call import VirtualCall
from tests.peer.rtp import Rtp, original_of, picture_of
from tests.peer.virtual import (
    OPUS,
    RECEIVED_IDS,
    SENT_IDS,
    VIDEO_FEEDBACK,
    VP8,
    VirtualPeer,
    VirtualPlane,
    received_codec,
)

H264 = Codec(name=CodecName.H264, payload_type=102, clock_rate=90_000, rtx_payload_type=103, feedback=VIDEO_FEEDBACK)
IDR = bytes((0x65, 0x88)) + bytes(20)
SLICE = bytes((0x41, 0x9A)) + bytes(20)


def nack(call: VirtualCall, *sequences: int) -> None:
    call.subscriber.report(rtcp.build_nack(1, call.video_forward.ssrc, sequences))


def with_extension(packet: Rtp, extension: HeaderExtension, value: bytes) -> Rtp:
    return replace(packet, extensions={**packet.extensions, SENT_IDS[extension]: value})


# Rewriting


def test_payload_and_marker_arrive_unchanged_under_the_subscribers_own_names(call: VirtualCall) -> None:
    sent = call.video.keyframe(3)
    call.publisher.say(sent)
    received = call.received_video()
    assert [p.payload for p in received] == [p.payload for p in sent]
    assert [p.marker for p in received] == [False, False, True]
    first = call.video_forward.first_sequence
    assert [p.sequence for p in received] == [first, first + 1, first + 2]
    assert {p.ssrc for p in received} == {call.video_forward.ssrc}
    assert {p.payload_type for p in received} == {received_codec(VP8).payload_type}
    assert len({p.timestamp for p in received}) == 1


def test_gaps_and_disorder_of_the_publisher_are_the_subscribers_too(call: VirtualCall) -> None:
    call.start()
    packets = call.video.frame(5)
    call.publisher.say([packets[0], packets[3], packets[1], packets[4]])
    received = call.received_video()
    assert [p.payload for p in received] == [packets[i].payload for i in (0, 3, 1, 4)]
    assert [p.sequence - received[0].sequence for p in received] == [0, 3, 1, 4]


@pytest.mark.parametrize("profile", list(SrtpProfile))
def test_every_profile_carries_media(lab: VirtualPlane, profile: SrtpProfile) -> None:
    publisher, subscriber = lab.add_peer(profile=profile), lab.add_peer()
    lab.add_forward(lab.add_stream(publisher, Kind.AUDIO), subscriber)
    publisher.say(publisher.audio().packet(b"x"))
    assert [p.payload for p in subscriber.rtp] == [b"x"]


def test_csrcs_and_padding_behind_the_payload_are_not_taken_over(call: VirtualCall) -> None:
    call.publisher.say(call.audio.packet(b"opus", csrcs=(1, 2), padding=30))
    (received,) = call.received_audio()
    assert (received.payload, received.csrcs, received.padding) == (b"opus", (), 0)


@pytest.mark.parametrize("size", [1356, 1357, 1400, MAX_PACKET_BYTES - 16])
def test_packets_beyond_pylibsrtps_own_limit_are_forwarded(call: VirtualCall, size: int) -> None:
    packet = call.audio.packet()
    filler = secrets.token_bytes(size - len(replace(packet, payload=b"").write()))
    packet = replace(packet, payload=filler)
    assert len(packet.write()) == size
    call.publisher.say(packet)
    assert [p.payload for p in call.received_audio()] == [filler]


def test_one_byte_more_than_a_datagram_may_have_is_dropped_and_the_next_packet_goes_on(call: VirtualCall) -> None:
    packet = call.audio.packet()
    overhead = len(replace(packet, payload=b"").write())
    call.publisher.say(replace(packet, payload=bytes(MAX_PACKET_BYTES - 15 - overhead)))
    assert call.lab.drops[DropReason.OVERSIZED_DATAGRAM] == 1
    call.publisher.say(call.audio.packet(b"next"))
    assert [p.payload for p in call.received_audio()] == [b"next"]


# Extensions


def test_only_what_is_allowed_is_sent_and_under_the_subscribers_ids(call: VirtualCall) -> None:
    packet = call.audio.packet()
    for extension, value in (
        (HeaderExtension.AUDIO_LEVEL, b"\xa5"),
        (HeaderExtension.RID, b"hi"),
        (HeaderExtension.REPAIRED_RID, b"lo"),
        (HeaderExtension.ABS_SEND_TIME, b"\x01\x02\x03"),
    ):
        packet = with_extension(packet, extension, value)
    call.publisher.say(packet)
    (received,) = call.received_audio()
    stamped = received.extensions[RECEIVED_IDS[HeaderExtension.ABS_SEND_TIME]]
    assert received.extensions == {
        RECEIVED_IDS[HeaderExtension.MID]: call.audio_forward.mid.encode(),
        RECEIVED_IDS[HeaderExtension.AUDIO_LEVEL]: b"\xa5",
        RECEIVED_IDS[HeaderExtension.ABS_SEND_TIME]: stamped,
    }
    assert stamped != b"\x01\x02\x03"


def test_orientation_and_dependency_descriptor_are_copied(call: VirtualCall) -> None:
    first, second = call.video.keyframe(2)
    first = with_extension(first, HeaderExtension.DEPENDENCY_DESCRIPTOR, b"\x80\x01\x02")
    second = with_extension(second, HeaderExtension.VIDEO_ORIENTATION, b"\x03")
    call.publisher.say([first, second])
    received = call.received_video()
    orientation, descriptor = (
        RECEIVED_IDS[HeaderExtension.VIDEO_ORIENTATION],
        RECEIVED_IDS[HeaderExtension.DEPENDENCY_DESCRIPTOR],
    )
    assert [p.extensions.get(orientation) for p in received] == [None, b"\x03"]
    assert [p.extensions.get(descriptor) for p in received] == [b"\x80\x01\x02", None]


def test_abs_send_time_is_our_clock_at_sending_on_every_video_packet_and_retransmission(call: VirtualCall) -> None:
    stamp = RECEIVED_IDS[HeaderExtension.ABS_SEND_TIME]

    def now() -> int:
        return int(call.lab.now * 2**18) & 0xFFFFFF

    for packet in call.start():
        assert int.from_bytes(packet.extensions[stamp]) == now()
    call.lab.advance(0.04)
    call.publisher.say(call.video.frame(2))
    received = call.received_video()
    assert {int.from_bytes(p.extensions[stamp]) for p in received} == {now()}
    call.lab.advance(0.5)
    nack(call, received[0].sequence)
    (repeated,) = call.received_rtx()
    assert int.from_bytes(repeated.extensions[stamp]) == now()


def test_a_subscriber_without_extensions_gets_a_plain_header(lab: VirtualPlane) -> None:
    call = VirtualCall(lab, extensions={})
    received = call.start()
    assert [dict(p.extensions) for p in received] == [{}, {}]


def test_a_long_descriptor_needs_the_two_byte_form_and_is_left_out_where_it_was_not_negotiated(
    lab: VirtualPlane,
) -> None:
    call = VirtualCall(lab, extmap_allow_mixed=True)
    plain, forward = lab.add_peer(), RECEIVED_IDS[HeaderExtension.DEPENDENCY_DESCRIPTOR]
    lab.add_forward(call.video_stream, plain)
    first, second = call.video.keyframe(2)
    descriptor = secrets.token_bytes(30)
    extensions = {**first.extensions, SENT_IDS[HeaderExtension.DEPENDENCY_DESCRIPTOR]: descriptor}
    call.publisher.say([replace(first, extensions=extensions, is_two_byte=True), second])
    received = call.received_video()
    assert received[0].is_two_byte and received[0].extensions[forward] == descriptor
    assert not received[1].is_two_byte
    assert [p.is_two_byte or forward in p.extensions for p in plain.rtp] == [False, False]


# Which stream


def test_a_stream_is_found_by_mid_whatever_its_ssrc(lab: VirtualPlane) -> None:
    publisher, subscriber = lab.add_peer(), lab.add_peer()
    streams = {mid: lab.add_stream(publisher, Kind.AUDIO, mid=mid) for mid in ("a", "b")}
    forwards = {mid: lab.add_forward(stream, subscriber) for mid, stream in streams.items()}
    for mid in ("b", "a"):
        publisher.say(publisher.audio(mid).packet(mid.encode()))
    assert {p.ssrc: p.payload for p in subscriber.rtp} == {forwards[m].ssrc: m.encode() for m in forwards}
    assert [event.stream for event in lab.listener.started] == [streams["b"], streams["a"]]


def test_a_stream_is_found_by_the_ssrc_that_the_offer_named(lab: VirtualPlane) -> None:
    publisher, subscriber = lab.add_peer(), lab.add_peer()
    lab.add_stream(publisher, Kind.AUDIO, mid="a", ssrc=77)
    named = lab.add_forward(lab.add_stream(publisher, Kind.AUDIO, mid="b", ssrc=78), subscriber)
    publisher.say(publisher.audio(ssrc=78, extensions=dict).packet())
    assert [p.ssrc for p in subscriber.rtp] == [named.ssrc]


def test_a_stream_is_found_by_payload_type_only_where_one_m_line_uses_it(lab: VirtualPlane) -> None:
    publisher, subscriber = lab.add_peer(), lab.add_peer()
    lab.add_forward(lab.add_stream(publisher, Kind.AUDIO), subscriber)
    publisher.say(publisher.audio(extensions=dict).packet(b"one"))
    lab.add_stream(publisher, Kind.AUDIO, mid="other")
    publisher.say(publisher.audio(extensions=dict).packet(b"two"))
    assert [p.payload for p in subscriber.rtp] == [b"one"]
    assert publisher.drops[DropReason.RTP_UNKNOWN_STREAM] == 1


def test_an_unknown_mid_is_no_stream_even_if_the_payload_type_fits(call: VirtualCall) -> None:
    call.publisher.say(call.publisher.audio("nowhere").packet())
    assert call.received_audio() == []
    assert call.publisher.drops[DropReason.RTP_UNKNOWN_STREAM] == 1


def test_ssrcs_of_one_transport_are_bounded_and_known_ones_go_on(call: VirtualCall) -> None:
    call.publisher.say(call.audio.packet(b"before"))
    for ssrc in range(1, MAX_SSRCS + 20):
        call.publisher.say(call.publisher.audio("nowhere", ssrc=ssrc).packet())
    assert call.publisher.drops[DropReason.RTP_TOO_MANY_SSRC] == 20
    call.publisher.say(call.audio.packet(b"after"))
    assert [p.payload for p in call.received_audio()] == [b"before", b"after"]


def test_sources_of_rtcp_count_towards_the_same_bound(call: VirtualCall) -> None:
    """libsrtp keeps a stream for each SSRC that authenticates, whatever it is the source of."""
    call.publisher.say(call.audio.packet())
    for ssrc in range(1, MAX_SSRCS + 20):
        call.publisher.report(rtcp.build_rr(ssrc))
    assert call.publisher.drops[DropReason.RTP_TOO_MANY_SSRC] == 20


# Drops


def test_each_refused_packet_has_its_name(call: VirtualCall) -> None:
    publisher = call.publisher
    publisher.say(call.audio.packet())
    packet = call.audio.packet(payload_type=50)
    publisher.say(packet)
    assert publisher.drops == {DropReason.RTP_UNKNOWN_PAYLOAD_TYPE: 1}
    publisher.send(publisher.protect(call.audio.packet())[:-1] + b"?")
    publisher.send(b"\x80\x6f" + bytes(8))
    protected = publisher.protect(call.audio.packet())
    publisher.send(protected)
    publisher.send(protected)
    call.lab.settle()
    assert publisher.drops == {
        DropReason.RTP_UNKNOWN_PAYLOAD_TYPE: 1,
        DropReason.SRTP_AUTH_FAILED: 1,
        DropReason.RTP_MALFORMED: 1,
        DropReason.SRTP_REPLAYED: 1,
    }
    assert len(call.received_audio()) == 2


def test_a_duplicate_under_an_index_of_its_own_is_dropped_too(call: VirtualCall) -> None:
    """SRTP cannot see it: the publisher has sent it as a retransmission as well."""
    call.start()
    frame = call.video.frame(1)
    call.publisher.say(frame)
    call.publisher.say([call.video.rtx(frame[0]), call.video.rtx(frame[0])])
    assert len(call.received_video()) == 1
    assert call.publisher.drops[DropReason.RTP_DUPLICATE] == 2


def test_a_packet_before_the_keys_is_counted(lab: VirtualPlane) -> None:
    peer = lab.add_peer(connected=False)
    peer.check()
    peer.send(b"\x80\x6f" + bytes(40))
    peer.send(b"\x80\xc9" + bytes(40))
    lab.settle()
    assert peer.drops == {DropReason.NO_KEYS: 2}


def test_a_malformed_packet_inside_valid_srtp_is_counted(call: VirtualCall) -> None:
    packet = call.audio.packet()
    call.publisher.say(packet)
    whole = replace(call.audio.packet(), payload=b"", padding=4).write()
    assert call.publisher.srtp_out is not None
    call.publisher.send(call.publisher.srtp_out.protect(whole[:-1] + b"\xff"))
    call.lab.settle()
    assert call.publisher.drops == {DropReason.RTP_MALFORMED: 1}


def test_a_subscriber_that_has_not_negotiated_the_codec_gets_nothing_and_no_gap(lab: VirtualPlane) -> None:
    publisher, subscriber = lab.add_peer(), lab.add_peer()
    red = Codec(name=CodecName.RED, payload_type=63, clock_rate=48_000, channels=2)
    stream = lab.add_stream(publisher, Kind.AUDIO, codecs=(red, OPUS))
    lab.add_forward(stream, subscriber, OPUS)
    source = publisher.audio()
    publisher.say([source.packet(), source.packet(payload_type=63), source.packet(), source.packet(payload_type=50)])
    publisher.say(source.packet())
    assert subscriber.drops[DropReason.CODEC_NOT_NEGOTIATED] == 1
    assert publisher.drops[DropReason.RTP_UNKNOWN_PAYLOAD_TYPE] == 1
    sequences = [p.sequence for p in subscriber.rtp]
    assert sequences == [sequences[0], sequences[0] + 1, sequences[0] + 2]


def test_a_subscriber_without_a_path_is_counted_and_others_are_served(call: VirtualCall) -> None:
    absent = call.lab.add_peer(connected=False)
    call.lab.add_forward(call.audio_stream, absent)
    call.publisher.say(call.audio.packet(b"x"))
    assert [p.payload for p in call.received_audio()] == [b"x"]
    assert absent.drops == {DropReason.NO_PATH: 1}


# Keyframes and late joiners


def test_video_begins_with_a_keyframe(call: VirtualCall) -> None:
    call.publisher.say(call.video.frame(2))
    assert call.received_video() == []
    assert call.subscriber.drops == {DropReason.WAITING_FOR_KEYFRAME: 2}
    received = call.start()
    assert picture_of(received[0]).keyframe
    assert received[0].sequence == call.video_forward.first_sequence


def test_a_late_joiner_waits_for_a_keyframe_of_its_own_and_asks_for_it(call: VirtualCall) -> None:
    call.start()
    call.lab.advance(1)
    call.publisher.take_rtcp(rtcp.PictureLoss)
    late, forward = call.add_subscriber()
    call.publisher.say(call.video.frame(2))
    assert (len(call.received_video()), late.rtp) == (2, [])
    call.lab.advance(0.02)
    assert [p.media_ssrc for p in call.publisher.take_rtcp(rtcp.PictureLoss)] == [call.video.ssrc]
    call.publisher.say(call.video.keyframe(2))
    assert [p.sequence for p in late.rtp] == [forward.first_sequence, forward.first_sequence + 1]


def test_a_receiver_that_joins_late_authenticates_around_the_wrap_of_the_publishers_sequence(
    lab: VirtualPlane,
) -> None:
    """The publisher is at 65530; what a subscriber gets begins below 2^15 (RFC 3711 §3.3.1)."""
    publisher, subscriber = lab.add_peer(), lab.add_peer()
    stream = lab.add_stream(publisher, Kind.AUDIO)
    source = publisher.audio(sequence=65_530)
    publisher.say([source.packet() for _ in range(3)])
    forward = lab.add_forward(stream, subscriber, first_sequence=2**15 - 1)
    publisher.say([source.packet() for _ in range(3)])
    # The first three are lost on the way: the receiver begins with the fourth, behind the publisher's wrap.
    subscriber.rtp.clear()
    assert subscriber.keys is not None
    subscriber.set_keys(subscriber.keys)
    publisher.say([source.packet() for _ in range(3)])
    assert [p.sequence for p in subscriber.rtp] == [forward.first_sequence + n for n in (3, 4, 5)]


# RTX


def test_a_retransmission_is_unwrapped_and_forwarded_once_in_its_own_place(call: VirtualCall) -> None:
    call.start()
    frame = call.video.frame(4)
    call.publisher.say([frame[0], frame[2], frame[3]])
    call.publisher.say([call.video.rtx(frame[1]), call.video.rtx(frame[1])])
    received = call.received_video()
    assert [p.payload for p in received] == [frame[i].payload for i in (0, 2, 3, 1)]
    assert [p.sequence - received[0].sequence for p in received] == [0, 2, 3, 1]
    assert received[3].marker == frame[1].marker
    assert call.publisher.drops == {DropReason.RTP_DUPLICATE: 1}
    assert call.video_counters.repaired == 1


def test_empty_rtx_and_padding_count_for_transport_cc_only_and_leave_no_gap(call: VirtualCall) -> None:
    first = call.start()
    call.publisher.say(call.video.rtx(call.video.frame(1)[0]))
    call.publisher.say(call.video.padding())
    call.publisher.say(call.video.empty_rtx())
    call.publisher.say(call.video.frame(2))
    received = call.received_video()
    assert received[-1].sequence == first[-1].sequence + 3
    assert call.publisher.drops == {DropReason.PADDING_ONLY: 1, DropReason.RTX_EMPTY: 1}
    call.lab.advance(0.1)
    (feedback,) = call.publisher.take_rtcp(rtcp.TransportCc)
    assert int.from_bytes(feedback.packet[14:16]) == call.publisher.transport_sequence


def test_rtx_before_its_stream_or_of_another_payload_type_is_counted(lab: VirtualPlane) -> None:
    publisher = lab.add_peer()
    lab.add_stream(publisher, Kind.VIDEO)
    source = publisher.video()
    frame = source.frame(1)
    publisher.say(source.rtx(frame[0]))
    assert publisher.drops == {DropReason.RTX_UNKNOWN: 1}
    publisher.say(frame)
    publisher.say(replace(source.rtx(frame[0]), payload_type=50))
    assert publisher.drops[DropReason.RTX_UNKNOWN] == 2


def test_a_nack_is_answered_by_rtx_with_the_original_inside(call: VirtualCall) -> None:
    sent = call.video.keyframe(3)
    call.publisher.say(sent)
    received = call.received_video()
    nack(call, received[1].sequence, received[2].sequence)
    answers = call.received_rtx()
    assert [original_of(p) for p in answers] == [(p.sequence, p.payload) for p in received[1:]]
    assert {p.payload_type for p in answers} == {received_codec(VP8).rtx_payload_type}
    assert [p.sequence for p in answers] == [
        call.video_forward.first_rtx_sequence,
        call.video_forward.first_rtx_sequence + 1,
    ]
    assert [(p.timestamp, p.marker) for p in answers] == [(p.timestamp, p.marker) for p in received[1:]]
    assert {p.extensions[RECEIVED_IDS[HeaderExtension.MID]] for p in answers} == {call.video_forward.mid.encode()}
    counters = call.sent(call.video_forward)
    assert (counters.retransmitted, counters.nacks_received) == (2, 2)


@pytest.mark.parametrize("last", [0, 3, 255])
def test_a_packet_that_was_padded_is_retransmitted_whole(call: VirtualCall, last: int) -> None:
    """Its last byte, once the padding is cut off, is a byte of the picture and no length."""
    call.start()
    (packet,) = call.video.frame(1)
    payload = packet.payload[:20] + bytes((last,))
    call.publisher.say(replace(packet, payload=payload, padding=9))
    (sent,) = call.received_video()
    call.subscriber.report(rtcp.build_nack(1, sent.ssrc, [sent.sequence]))
    (again,) = call.received_rtx()
    assert original_of(again) == (sent.sequence, payload)


def test_a_retransmission_carries_what_its_packet_carried(call: VirtualCall) -> None:
    """A picture whose last packet was repaired must not be turned, nor AV1 lose its frame's dependencies."""
    first, last = call.video.keyframe(2)
    first = with_extension(first, HeaderExtension.DEPENDENCY_DESCRIPTOR, b"\x80\x01\x02")
    last = with_extension(last, HeaderExtension.VIDEO_ORIENTATION, b"\x01")
    call.publisher.say([first, last])
    received = call.received_video()
    nack(call, *(p.sequence for p in received))
    copied = {HeaderExtension.VIDEO_ORIENTATION, HeaderExtension.DEPENDENCY_DESCRIPTOR}
    for original, repeated in zip(received, call.received_rtx(), strict=True):
        for extension in copied:
            assert repeated.extensions.get(RECEIVED_IDS[extension]) == original.extensions.get(RECEIVED_IDS[extension])


def test_what_we_lack_is_not_answered_but_asked_for(call: VirtualCall) -> None:
    call.start()
    frame = call.video.frame(4)
    call.publisher.say([frame[0], frame[2], frame[3]])
    received = call.received_video()
    nack(call, received[0].sequence + 1)
    assert call.received_rtx() == []
    assert call.subscriber.drops[DropReason.NACK_NOT_IN_HISTORY] == 1
    call.lab.advance(0.02)
    (asked,) = call.publisher.take_rtcp(rtcp.Nack)
    assert (asked.media_ssrc, asked.sequences) == (call.video.ssrc, (frame[1].sequence,))


def test_a_sequence_number_never_sent_is_not_answered(call: VirtualCall) -> None:
    received = call.start()
    nack(call, received[-1].sequence + 1, received[0].sequence - 1)
    assert call.received_rtx() == []
    assert call.subscriber.drops[DropReason.NACK_NOT_IN_HISTORY] == 2


def test_a_nack_repeated_at_once_is_answered_once(call: VirtualCall) -> None:
    received = call.start()
    for _ in range(5):
        nack(call, received[0].sequence)
    assert len(call.received_rtx()) == 1
    assert call.subscriber.drops == {DropReason.NACK_RATE_LIMITED: 4}
    call.lab.advance(0.2)
    nack(call, received[0].sequence)
    assert len(call.received_rtx()) == 1


def test_retransmissions_stay_in_proportion_to_what_is_sent(call: VirtualCall) -> None:
    """A subscriber that asks for everything all the time must not multiply what it costs (RFC 4585 §7)."""
    big = [replace(p, payload=p.payload + bytes(1100)) for p in call.video.keyframe(150)]
    call.publisher.say(big)
    received = call.received_video()
    for _ in range(20):
        nack(call, *(p.sequence for p in received))
        call.lab.advance(0.2)
    answered = sum(len(p.payload) for p in call.received_rtx())
    assert answered <= 48_000 + sum(len(p.payload) for p in received)


def test_without_rtx_a_retransmission_is_the_identical_datagram(lab: VirtualPlane) -> None:
    call = VirtualCall(lab, rtx_ssrc=None)
    call.publisher.say(call.video.keyframe(2))
    sent, received = call.subscriber.raw[-2], call.received_video()[0]
    nack(call, received.sequence)
    assert list(call.subscriber.repeated) == [sent]
    assert call.sent(call.video_forward).retransmitted == 1


def test_without_rtx_only_the_newest_packets_are_kept(lab: VirtualPlane) -> None:
    call = VirtualCall(lab, rtx_ssrc=None)
    first = call.start()[0]
    call.publisher.say(call.video.frame(PROTECTED_PACKETS))
    nack(call, first.sequence)
    assert call.subscriber.drops == {DropReason.NACK_NOT_IN_HISTORY: 1}


# Codecs


def test_a_publisher_changes_codec_under_the_same_ssrc(call: VirtualCall) -> None:
    before = call.start()[-1]
    config = call.lab.plane._streams[call.video_stream].config
    call.lab.plane.set_stream(replace(config, codecs=(H264,)))
    call.lab.plane.set_forward_codecs(call.video_forward.forward, {102: received_codec(H264)})
    # One packet of the old codec was still under way.
    call.publisher.say(call.video.frame(1))
    call.publisher.say([replace(p, payload_type=102, payload=IDR) for p in call.video.frame(1)])
    (received,) = call.received_video()
    assert (received.payload, received.payload_type) == (IDR, received_codec(H264).payload_type)
    assert received.sequence == before.sequence + 1
    assert call.video_counters.packets >= 3


def test_picture_ids_are_rewritten_in_vp8_only(call: VirtualCall) -> None:
    """After a splice with VP8 the offset lives on; an H264 payload must not be touched by it."""
    call.start()
    source = call.publisher.video(picture_id=9)
    call.publisher.say(source.keyframe())
    assert picture_of(call.received_video()[-1]).picture_id == 501
    config = call.lab.plane._streams[call.video_stream].config
    call.lab.plane.set_stream(replace(config, codecs=(H264,)))
    call.lab.plane.set_forward_codecs(call.video_forward.forward, {102: received_codec(H264)})
    looks_like_vp8 = bytes((0xE5, 0x88, 0x81, 0x23, 0x10)) + bytes(20)
    call.publisher.say([replace(p, payload_type=102, payload=looks_like_vp8) for p in source.frame(1)])
    assert [p.payload for p in call.received_video()] == [looks_like_vp8]


def publish_h264(lab: VirtualPlane) -> tuple[VirtualPeer, VirtualPeer]:
    publisher, subscriber = lab.add_peer(), lab.add_peer()
    lab.add_forward(lab.add_stream(publisher, Kind.VIDEO, codecs=(H264,)), subscriber, H264)
    return publisher, subscriber


def test_h264_begins_with_its_idr(lab: VirtualPlane) -> None:
    publisher, subscriber = publish_h264(lab)
    source = publisher.video(payload_type=102)
    publisher.say([replace(source.frame(1)[0], payload=payload) for payload in (SLICE, IDR, SLICE)])
    assert [p.payload for p in subscriber.rtp] == [IDR, SLICE]
