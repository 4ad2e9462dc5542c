"""Which codec can be sent as which."""

from __future__ import annotations

import pytest

from sfu.core.media import Codec, CodecName
from sfu.sdp.codecs import (
    H264Profile,
    choose_codecs,
    compatible,
    h264_profile,
    is_same,
    payload_type_map,
    red_payload_type,
)
from sfu.sdp.fmtp import answer_parameters, clean_parameters
from sfu.sdp.offer import read_offer
from tests.sfu.sdp.recorded import recorded


def h264(level_id: str | None, mode: int | None = 1, payload_type: int = 100) -> Codec:
    parameters = {} if level_id is None else {"profile-level-id": level_id}
    if mode is not None:
        parameters["packetization-mode"] = str(mode)
    return Codec(name=CodecName.H264, payload_type=payload_type, clock_rate=90000, parameters=parameters)


def codec(name: CodecName, payload_type: int = 96, **parameters: str) -> Codec:
    named = {key.replace("_", "-"): value for key, value in parameters.items()}
    return Codec(name=name, payload_type=payload_type, clock_rate=90000, parameters=named)


def red(inside: str, payload_type: int = 63) -> Codec:
    return Codec(name=CodecName.RED, payload_type=payload_type, clock_rate=48000, channels=2, parameters={"": inside})


def opus(payload_type: int = 111, channels: int = 2) -> Codec:
    return Codec(name=CodecName.OPUS, payload_type=payload_type, clock_rate=48000, channels=channels)


CB, B, M = H264Profile.CONSTRAINED_BASELINE, H264Profile.BASELINE, H264Profile.MAIN


@pytest.mark.parametrize(
    ("level_id", "profile"),
    [
        ("42e01f", CB),
        ("42E01F", CB),
        ("42c01e", CB),
        ("4d801f", CB),
        ("58c01f", CB),
        ("42001f", B),
        ("42a01e", B),
        ("58801f", B),
        ("4d001f", M),
        ("4d401f", M),
        ("640c1f", H264Profile.CONSTRAINED_HIGH),
        ("64001f", H264Profile.HIGH),
        ("f4001f", H264Profile.HIGH_444_PREDICTIVE),
        (None, B),
        ("42e0", None),
        ("xxxxxx", None),
        ("0x42e0", None),
        ("990000", None),
        ("", None),
    ],
)
def test_h264_profile(level_id: str | None, profile: H264Profile | None) -> None:
    assert h264_profile(h264(level_id)) is profile


@pytest.mark.parametrize(
    ("a", "b", "same", "decodes"),
    [
        (h264("42e01f"), h264("42e034"), True, True),
        (h264("42e01f"), h264("42e01f", 0), False, False),
        (h264("42e01f", 0), h264("42e01f", 1), False, True),
        (h264("42e01f", None), h264("42e01f", 0), True, True),
        (h264("42001f"), h264("42e01f"), False, True),
        (h264("42e01f"), h264("42001f"), False, True),
        (h264("42e01f"), h264("4d001f"), False, True),
        (h264("42e01f"), h264("640c1f"), False, True),
        (h264("4d001f"), h264("42e01f"), False, False),
        (h264("640c1f"), h264("64001f"), False, True),
        (h264("64001f"), h264("640c1f"), False, False),
        (h264("f4001f"), h264("64001f"), False, False),
        (h264("nonsense"), h264("nonsense"), False, False),
        (codec(CodecName.VP8), codec(CodecName.VP8, 120), True, True),
        (codec(CodecName.VP8), codec(CodecName.AV1), False, False),
        (codec(CodecName.VP9), codec(CodecName.VP9, profile_id="0"), True, True),
        (codec(CodecName.VP9, profile_id="2"), codec(CodecName.VP9), False, False),
        (codec(CodecName.VP9, profile_id="x"), codec(CodecName.VP9, profile_id="x"), False, False),
        (codec(CodecName.AV1), codec(CodecName.AV1, profile="0", level_idx="5"), True, True),
        (codec(CodecName.AV1, profile="1"), codec(CodecName.AV1), False, False),
        (opus(), opus(109), True, True),
        (opus(), opus(109, channels=1), False, False),
        (red("111/111"), red("109/109"), True, True),
        (red("111/111"), red("111/112"), False, False),
    ],
)
def test_identity_and_decodability(a: Codec, b: Codec, same: bool, decodes: bool) -> None:
    assert is_same(a, b) is is_same(b, a) is same
    assert compatible(a, b) is decodes


def test_h264_is_chosen_where_everybody_decodes_it() -> None:
    offered = read_offer(recorded("chromium_v_h264")).media[0].codecs
    assert [each.payload_type for each in choose_codecs(offered, [CodecName.H264])] == [
        108,  # 42e01f, mode 1
        102,  # 42001f, mode 1
        116,  # 4d001f, mode 1
        114,  # the same with mode 0
        104,
        39,
    ]


def test_names_order_the_choice() -> None:
    offered = read_offer(recorded("firefox_av")).media[1].codecs
    order = [CodecName.AV1, CodecName.H264, CodecName.VP8, CodecName.AV1]
    assert [each.name for each in choose_codecs(offered, order)] == [CodecName.AV1, CodecName.VP8]


def test_vp9_starts_with_profile_0() -> None:
    offered = [codec(CodecName.VP9, 100, profile_id="2"), codec(CodecName.VP9, 98, profile_id="0")]
    assert [each.payload_type for each in choose_codecs(offered, [CodecName.VP9])] == [98, 100]


def test_payload_types_between_browsers() -> None:
    chromium = read_offer(recorded("chromium_av"))
    firefox = read_offer(recorded("firefox_av"))
    video = payload_type_map(chromium.media[1].codecs, firefox.media[1].codecs)
    assert {sent: each.payload_type for sent, each in video.items()} == {96: 120, 98: 121, 45: 99}
    back = payload_type_map(firefox.media[1].codecs, chromium.media[1].codecs)
    assert {sent: each.payload_type for sent, each in back.items()} == {120: 96, 121: 98, 99: 45}
    audio = payload_type_map(chromium.media[0].codecs, firefox.media[0].codecs)
    assert {sent: each.payload_type for sent, each in audio.items()} == {111: 109}


def test_the_identical_h264_wins_over_one_that_decodes_it() -> None:
    subscriber = [h264("42e01f", payload_type=1), h264("42001f", payload_type=2), h264("4d001f", payload_type=3)]
    for number, level_id in [(1, "42e01f"), (2, "42001f"), (3, "4d001f")]:
        assert payload_type_map([h264(level_id, payload_type=9)], subscriber)[9].payload_type == number
    assert payload_type_map([h264("64001f", payload_type=9)], subscriber) == {}


def test_red_needs_the_same_payload_type_inside() -> None:
    assert payload_type_map([red("111/111")], [red("111/111", 70)])[63].payload_type == 70
    assert payload_type_map([red("111/111")], [red("109/109", 70)]) == {}


def test_red_is_chosen_only_beside_what_is_in_it() -> None:
    order = (CodecName.RED, CodecName.OPUS)
    assert choose_codecs([red("111/111"), opus()], order) == (red("111/111"), opus())
    assert choose_codecs([red("111/111")], order) == ()
    assert choose_codecs([red("109/109"), opus()], order) == (opus(),)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [("111/111", 111), ("111/111/111", 111), ("111", 111), ("111/112", None), ("", None), ("x/x", None)],
)
def test_what_is_in_red(inside: str, expected: int | None) -> None:
    assert red_payload_type(red(inside)) == expected


@pytest.mark.parametrize(
    ("parsed", "clean"),
    [
        ({"minptime": 10, " UseInBandFEC": 1}, {"minptime": "10", "useinbandfec": "1"}),
        ({"111/111": None}, {"": "111/111"}),
        ({"profile-level-id": "42e01f "}, {"profile-level-id": "42e01f"}),
        ({"x": "a=b", "y": "é", "z": "", "w": "v" * 65, "ü": "1"}, {}),
        ({"x": "1\r\na=evil"}, {}),
    ],
)
def test_clean_parameters(parsed: dict[str, str | int | None], clean: dict[str, str]) -> None:
    assert clean_parameters(parsed) == clean


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        (opus(), "minptime=10;useinbandfec=1"),
        (
            Codec(
                name=CodecName.OPUS,
                payload_type=109,
                clock_rate=48000,
                channels=2,
                parameters={"minptime": "20", "useinbandfec": "0", "usedtx": "1", "stereo": "1"},
            ),
            "minptime=20;useinbandfec=1;usedtx=1",
        ),
        (red("111/111"), "111/111"),
        (codec(CodecName.VP8, max_fs="12288", max_fr="60"), ""),
        (codec(CodecName.VP9, profile_id="0"), "profile-id=0"),
        (codec(CodecName.AV1, profile="0", tier="0", level_idx="5"), "level-idx=5;profile=0;tier=0"),
        (h264("42e01f"), "packetization-mode=1;profile-level-id=42e01f"),
    ],
)
def test_answer_parameters(offered: Codec, answered: str) -> None:
    assert answer_parameters(offered) == answered
