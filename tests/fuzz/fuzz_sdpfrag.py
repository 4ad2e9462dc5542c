"""SDP fragments of WHIP's PATCH."""

from __future__ import annotations

from signaling import sdpfrag
from tests.fuzz.targets import register


def fuzz_sdpfrag(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        fragment = sdpfrag.parse(text)
    except sdpfrag.FragmentError:
        return
    assert (fragment.ufrag is None) is (fragment.pwd is None)
    if fragment.ufrag is not None and fragment.pwd is not None:
        offer = sdpfrag.with_credentials(text, fragment.ufrag, fragment.pwd)
        assert sdpfrag.ufrag_of(offer) in (fragment.ufrag, None)


SEEDS = (
    b"a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    b"a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n",
    b"m=audio 9 X 0\na=mid:0\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\n",
)

register("sdpfrag", fuzz_sdpfrag, SEEDS)
