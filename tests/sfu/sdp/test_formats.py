"""The codecs of recorded offers, as the SFU sees them."""

from __future__ import annotations

from sfu.core.media import CodecName, Kind
from sfu.sdp.offer import OfferedMedia, read_offer
from tests.sfu.sdp.recorded import recorded


def media(name: str, kind: Kind) -> OfferedMedia:
    return next(each for each in read_offer(recorded(name)).media if each.kind is kind)


def test_chromiums_video_codecs_each_with_its_rtx() -> None:
    codecs = media("chromium_av_addtrack_2video", Kind.VIDEO).codecs
    assert codecs[0].name is CodecName.VP8
    assert (codecs[0].payload_type, codecs[0].rtx_payload_type) == (96, 97)
    assert {c.name for c in codecs} == {CodecName.VP8, CodecName.H264, CodecName.AV1, CodecName.VP9}
    assert all(c.rtx_payload_type is not None and "nack" in c.feedback for c in codecs)


def test_payload_types_below_96_are_codecs_like_any_other() -> None:
    av1 = [c for c in media("chromium_av_addtrack_2video", Kind.VIDEO).codecs if c.name is CodecName.AV1]
    assert [(c.payload_type, c.rtx_payload_type) for c in av1] == [(45, 46)]


def test_red_is_audio_only() -> None:
    assert CodecName.RED in {c.name for c in media("chromium_av_addtrack_2video", Kind.AUDIO).codecs}
    assert CodecName.RED not in {c.name for c in media("chromium_av_addtrack_2video", Kind.VIDEO).codecs}


def test_firefox_has_no_h264_here() -> None:
    names = {c.name for c in media("firefox_av_recvonly", Kind.VIDEO).codecs}
    assert names == {CodecName.VP8, CodecName.VP9, CodecName.AV1}


def test_codecs_that_nobody_forwards_are_as_if_they_were_not_there() -> None:
    assert {c.name for c in media("firefox_av_recvonly", Kind.AUDIO).codecs} == {CodecName.OPUS}
