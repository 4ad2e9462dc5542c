"""A publication as sent to one peer: SSRCs and sequence numbers that no receiver misreads."""

from __future__ import annotations

from sfu.core.media import Codec, CodecName, HeaderExtension, Kind
from sfu.plane.seam import ForwardId, StreamId, TransportId
from sfu.publication import Publication
from sfu.subscription import Subscription

VP8 = Codec(name=CodecName.VP8, payload_type=96, clock_rate=90_000, rtx_payload_type=97, feedback=frozenset({"nack"}))
OPUS = Codec(name=CodecName.OPUS, payload_type=111, clock_rate=48_000)


def publication(stream: int = 1) -> Publication:
    return Publication(
        id=f"publication-{stream}",
        peer_id="a",
        kind=Kind.VIDEO,
        mid="1",
        stream=StreamId(stream),
        codecs=(VP8,),
        encodable=frozenset({CodecName.VP8}),
        renegotiates=True,
    )


def subscription(codec: Codec = VP8) -> Subscription:
    return Subscription(
        mid="3", kind=Kind.VIDEO, codecs=(codec,), extensions={HeaderExtension.MID: 4}, allow_mixed=True
    )


def test_a_forward_begins_below_half_of_the_sequence_space() -> None:
    """RFC 3711 §3.3.1: who joins just before the wrap and loses the first packets would guess the index wrong."""
    subject = subscription()
    subject.attach(publication())
    for number in range(300):
        config = subject.forward_config(ForwardId(number), TransportId(1), {96: VP8}, cname="c", has_rtx=True)
        assert 0 <= config.first_sequence < 2**15
        assert 0 <= config.first_rtx_sequence < 2**15


def test_it_carries_what_was_answered() -> None:
    subject = subscription()
    subject.attach(publication(9))
    config = subject.forward_config(ForwardId(5), TransportId(6), {96: VP8}, cname="c", has_rtx=True)
    assert (config.forward, config.stream, config.transport, config.mid) == (5, 9, 6, "3")
    assert (config.ssrc, config.rtx_ssrc) == (subject.ssrc, subject.rtx_ssrc)
    assert config.extensions == {HeaderExtension.MID: 4} and config.extmap_allow_mixed
    assert config.repair and config.cname == "c"


def test_without_rtx_or_nack_there_is_none() -> None:
    subject = subscription(OPUS)
    subject.attach(publication())
    config = subject.forward_config(ForwardId(5), TransportId(6), {111: OPUS}, cname="c", has_rtx=False)
    assert config.rtx_ssrc is None and not config.repair


def test_each_publication_gets_ssrcs_of_its_own() -> None:
    subject = subscription()
    seen: set[int] = set()
    for number in range(50):
        subject.attach(publication(number))
        seen |= {subject.ssrc, subject.rtx_ssrc}
    assert len(seen) == 100
    assert all(0 < ssrc <= 0xFFFFFFFF for ssrc in seen)
