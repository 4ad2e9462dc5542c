"""A room sends one video codec that everybody decodes; who decodes none is refused by name, and hears all the same."""

from __future__ import annotations

from dataclasses import replace

from sfu import Kind
from sfu.events import PeerClosed, RefusalReason, SubscriptionRefused
from tests.peer.browser import Browser, House
from tests.peer.offers import CHROMIUM, FIREFOX, Formats

H264_ONLY = Formats(vp8=None, h264=102)
IDR = bytes((0x65, 0x88)) + bytes(30)


def answered(browser: Browser) -> list[str]:
    """Codecs of its own camera's line."""
    assert browser.answer is not None
    return [codec for codec in browser.answer.lines["1"].codecs if not codec.startswith("rtx")]


async def test_who_cannot_decode_what_is_sent_makes_the_publishers_change() -> None:
    async with House(video_codecs=("H264", "VP8")) as house:
        first, second = await house.join("a"), await house.join("b")
        await house.settle()
        assert (answered(first), answered(second)) == (["H264/102"], ["H264/102"])
        source = first.video()
        idr = [replace(p, payload_type=102, payload=IDR) for p in source.frame(1)]
        first.endpoint.send_rtp(idr)
        mid = second.mid_of(first, Kind.VIDEO)
        await house.until(lambda: len(second.endpoint.rtp) == 1)
        (before,) = second.received(mid)
        assert before.payload_type == 102

        third = await house.join("firefox", FIREFOX)
        await house.settle()
        assert (answered(first), answered(second), answered(third)) == (["VP8/96"], ["VP8/96"], ["VP8/120"])
        # What was under way in the old codec is not forwarded, and leaves no gap.
        late = [replace(p, payload_type=102, payload=IDR) for p in source.frame(1)]
        first.endpoint.send_rtp([*late, *source.keyframe(2)])
        await house.until(lambda: len(second.endpoint.rtp) == 2 and len(third.endpoint.rtp) == 2)
        after = second.received(mid)
        assert [p.payload_type for p in after] == [96, 96]
        assert [p.sequence for p in after] == [before.sequence + 1, before.sequence + 2]
        assert {p.payload_type for p in third.received(third.mid_of(first, Kind.VIDEO))} == {120}
        assert house.seen(PeerClosed) == [] and house.seen(SubscriptionRefused) == []


async def test_with_no_codec_in_common_the_picture_is_refused_and_sound_goes_on() -> None:
    async with House() as house:
        camera = house.add("camera", H264_ONLY, renegotiates=False)
        camera.publish(Kind.AUDIO, Kind.VIDEO)
        camera.apply(await camera.peer.answer(camera.offer()))
        await camera.connect()
        firefox = await house.join("firefox", FIREFOX)
        await house.settle()
        (refused,) = house.seen(SubscriptionRefused)
        (video,) = [p for p in camera.peer.stats().publications if p.kind is Kind.VIDEO]
        assert refused == SubscriptionRefused(
            peer_id="firefox", publication_id=video.id, reason=RefusalReason.NO_COMMON_CODEC
        )
        assert firefox.publications == {"2": ("camera", Kind.AUDIO)}
        camera.endpoint.send_rtp(camera.audio().packet(b"sound"))
        await house.until(lambda: [p.payload for p in firefox.received("2")] == [b"sound"])


async def test_a_second_unknown_picture_is_refused_too_though_no_line_is_free() -> None:
    async with House() as house:
        chromium = await house.join("chromium", CHROMIUM)
        firefox = await house.join("firefox", FIREFOX)
        await house.settle()
        camera = house.add("camera", H264_ONLY, renegotiates=False)
        camera.publish(Kind.AUDIO, Kind.VIDEO)
        camera.apply(await camera.peer.answer(camera.offer()))
        await camera.connect()
        await house.settle()
        assert [event.peer_id for event in house.seen(SubscriptionRefused)] == ["firefox"]
        assert chromium.mid_of("camera", Kind.VIDEO)
        assert firefox.publications[firefox.mid_of("camera", Kind.AUDIO)] == ("camera", Kind.AUDIO)


async def test_red_is_sent_while_everybody_has_it() -> None:
    async with House() as house:
        first, second = await house.join("a", CHROMIUM), await house.join("b", CHROMIUM)
        await house.settle()
        assert first.answer is not None
        assert list(first.answer.lines["0"].codecs) == ["red/63", "opus/111"]
        first.endpoint.send_rtp(first.audio().packet(b"\x6fredundant", payload_type=63))
        mid = second.mid_of(first, Kind.AUDIO)
        await house.until(lambda: [p.payload_type for p in second.received(mid)] == [63])
        await house.join("firefox", FIREFOX)
        await house.settle()
        assert list(first.answer.lines["0"].codecs) == ["opus/111"]
        await house.room.peers["firefox"].close()
        await house.settle()
        assert list(first.answer.lines["0"].codecs) == ["red/63", "opus/111"]
