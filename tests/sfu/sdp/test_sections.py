"""The lines of a description, and their bounds."""

from __future__ import annotations

import pytest

from sfu.sdp.errors import OfferMalformed
from sfu.sdp.sections import (
    MAX_LINE_CHARACTERS,
    MAX_REPEATED,
    MAX_SDP_CHARACTERS,
    MAX_SECTION_LINES,
    MAX_SECTIONS,
    is_token,
    split_sections,
    text_for_parser,
)

SESSION = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


def test_each_m_line_begins_a_section() -> None:
    session, media = split_sections(SESSION + "a=ice-lite\r\nm=audio 9 X 0\r\na=mid:0\r\nm=video 9 X 96\r\na=mid:1\r\n")
    assert session.has_flag("ice-lite")
    assert [each.value("mid") for each in media] == ["0", "1"]


@pytest.mark.parametrize(
    "text",
    [
        "x" * (MAX_SDP_CHARACTERS + 1),
        SESSION + "a=" + "x" * MAX_LINE_CHARACTERS,
        SESSION + "m=audio 9 X 0\r\n" * (MAX_SECTIONS + 1),
        SESSION + "m=audio 9 X 0\r\n" + "a=x\r\n" * MAX_SECTION_LINES,
        SESSION + "m=audio 9 X 0\r\n" + "a=fmtp:0 x\r\n" * (MAX_REPEATED["fmtp"] + 1),
    ],
    ids=["text", "line", "sections", "lines of a section", "parameters"],
)
def test_every_size_is_bounded(text: str) -> None:
    with pytest.raises(OfferMalformed):
        split_sections(text)


def test_the_parser_is_spared_what_it_stumbles_over() -> None:
    session, media = split_sections(
        SESSION
        + "m=audio 9 UDP/TLS/RTP/SAVPF 0 111\r\na=candidate:1 1 udp 1 x.local 9 typ host\r\na=end-of-candidates\r\n"
        + "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\na=fmtp:0 x=1\r\n"
    )
    text = text_for_parser(session, media)
    assert "candidate" not in text
    assert "a=fmtp:111" in text
    assert "a=fmtp:0" not in text


@pytest.mark.parametrize(("text", "is_one"), [("0", True), ("a-b.c", True), ("", False), ("a b", False), ("å", False)])
def test_tokens(text: str, is_one: bool) -> None:
    assert is_token(text) is is_one
    assert not is_token("x" * 33)
