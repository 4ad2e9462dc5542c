from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import sdpfrag
from signaling.sdpfrag import FragmentError

TRICKLE = """a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
m=audio 9 RTP/AVP 0
a=mid:0
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0
a=end-of-candidates
"""


def test_reads_the_example_of_rfc_9725() -> None:
    fragment = sdpfrag.parse(TRICKLE.replace("\n", "\r\n"))
    assert (fragment.ufrag, fragment.pwd) == ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    assert fragment.candidates == ("candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0",)


def test_candidates_alone_are_a_fragment() -> None:
    assert sdpfrag.parse("m=audio 9 X 0\na=mid:0\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\n").ufrag is None


@pytest.mark.parametrize(
    "text",
    [
        "a=ice-ufrag:abcd\n",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\n",
        "a=ice-ufrag:abc\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\n",
        "a=ice-ufrag:ab cd\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\n",
        "v=0\n",
        "hello\n",
        "a=candidate:1\n" * (sdpfrag.MAX_CANDIDATES + 1),
        "a=x\n" * sdpfrag.MAX_FRAGMENT_CHARS,
    ],
)
def test_refuses_what_is_none(text: str) -> None:
    with pytest.raises(FragmentError):
        sdpfrag.parse(text)


def test_new_credentials_replace_every_old_one_and_drop_old_candidates() -> None:
    old = "a=ice-ufrag:old1\r\na=ice-pwd:old2\r\n"
    offer = f"v=0\r\nm=a\r\n{old}a=candidate:1\r\nm=b\r\n{old}"
    assert sdpfrag.with_credentials(offer, "new1", "new2") == (
        "v=0\r\nm=a\r\na=ice-ufrag:new1\r\na=ice-pwd:new2\r\nm=b\r\na=ice-ufrag:new1\r\na=ice-pwd:new2\r\n"
    )
    assert sdpfrag.ufrag_of(offer) == "old1"
    assert sdpfrag.ufrag_of("v=0\r\n") is None


def test_the_answer_s_fragment_can_be_parsed_again() -> None:
    first = "m=audio 9 X 0\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:efgh\r\na=candidate:1\r\n"
    answer = f"v=0\r\na=ice-lite\r\n{first}m=b\r\na=mid:1\r\n"
    text = sdpfrag.from_answer(answer)
    assert "a=mid:1" not in text
    assert sdpfrag.parse(text).candidates == ("candidate:1",)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        fragment = sdpfrag.parse(text)
    except FragmentError:
        return
    assert len(fragment.candidates) <= sdpfrag.MAX_CANDIDATES
