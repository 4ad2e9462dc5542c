"""A track that a peer sends."""

from __future__ import annotations

import pytest

from sfu.core.media import Codec, CodecName, Kind
from sfu.plane.seam import StreamId
from sfu.publication import Publication

VP8 = Codec(name=CodecName.VP8, payload_type=96, clock_rate=90_000)
H264 = Codec(name=CodecName.H264, payload_type=102, clock_rate=90_000)


@pytest.mark.parametrize(("codecs", "expected"), [((), None), ((VP8,), CodecName.VP8), ((H264, VP8), CodecName.H264)])
def test_it_sends_the_first_of_the_answered_codecs(codecs: tuple[Codec, ...], expected: CodecName | None) -> None:
    publication = Publication(
        id="p",
        peer_id="a",
        kind=Kind.VIDEO,
        mid="1",
        stream=StreamId(1),
        codecs=codecs,
        encodable=frozenset({CodecName.VP8}),
        renegotiates=True,
    )
    assert publication.codec is expected
    assert publication.live
