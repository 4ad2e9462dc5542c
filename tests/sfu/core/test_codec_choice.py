"""The room's one video codec."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sfu.core.codec_choice import room_codec, sent_codec
from sfu.core.media import CodecName

VP8, H264, VP9, AV1 = CodecName.VP8, CodecName.H264, CodecName.VP9, CodecName.AV1
PREFERENCE = (H264, VP8, VP9)
CODECS = st.frozensets(st.sampled_from([VP8, H264, VP9, AV1]))


def test_the_preferred_codec_wins_when_all_can() -> None:
    assert room_codec(PREFERENCE, [frozenset({H264, VP8})] * 2, [frozenset({H264, VP8})]) is H264


def test_one_who_cannot_decode_moves_the_room() -> None:
    assert room_codec(PREFERENCE, [frozenset({H264, VP8}), frozenset({VP8, VP9})], []) is VP8


def test_a_publisher_that_cannot_encode_counts_as_much() -> None:
    assert room_codec(PREFERENCE, [frozenset({H264, VP8})], [frozenset({VP8})]) is VP8


def test_without_a_common_codec_most_are_served() -> None:
    assert room_codec(PREFERENCE, [frozenset({VP9}), frozenset({VP8}), frozenset({VP8})], []) is VP8


def test_a_publisher_sends_its_own_best_when_it_lacks_the_rooms() -> None:
    assert sent_codec(H264, PREFERENCE, frozenset({VP9})) is VP9
    assert sent_codec(H264, PREFERENCE, frozenset()) is None


@given(st.lists(CODECS, max_size=6), st.lists(CODECS, max_size=6))
def test_whenever_a_codec_suits_all_such_a_one_is_chosen(
    decodable: list[frozenset[CodecName]], encodable: list[frozenset[CodecName]]
) -> None:
    common = set(PREFERENCE).intersection(*decodable, *encodable)
    chosen = room_codec(PREFERENCE, decodable, encodable)
    assert chosen in PREFERENCE
    if common:
        assert chosen == next(c for c in PREFERENCE if c in common)
