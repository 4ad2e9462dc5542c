"""Format parameters: read as offered, repeated where they bind the sender."""

from __future__ import annotations

from sfu.core.media import Codec, CodecName
from sfu.sdp.fmtp import answer_parameters, clean_parameters


def opus(**parameters: str) -> Codec:
    return Codec(name=CodecName.OPUS, payload_type=111, clock_rate=48000, channels=2, parameters=parameters)


def test_keys_are_lower_case_and_values_text() -> None:
    assert clean_parameters({"MinPTime": 10, "useinbandfec": "1"}) == {"minptime": "10", "useinbandfec": "1"}


def test_a_bare_value_has_the_empty_key() -> None:
    assert clean_parameters({"111/111": None}) == {"": "111/111"}


def test_what_could_not_stand_in_an_answer_is_left_out() -> None:
    assert clean_parameters({"x": "a\r\nm=audio", "y y": "1", "z": "1" * 65}) == {}


def test_opus_is_always_asked_for_fec() -> None:
    assert answer_parameters(opus()) == "minptime=10;useinbandfec=1"
    assert answer_parameters(opus(minptime="20", useinbandfec="0", usedtx="1")) == "minptime=20;useinbandfec=1;usedtx=1"


def test_a_receivers_own_limits_do_not_bind_the_publisher() -> None:
    assert answer_parameters(opus(stereo="1", maxplaybackrate="16000")) == "minptime=10;useinbandfec=1"
    vp8 = Codec(name=CodecName.VP8, payload_type=96, clock_rate=90000, parameters={"max-fr": "60"})
    assert answer_parameters(vp8) == ""
