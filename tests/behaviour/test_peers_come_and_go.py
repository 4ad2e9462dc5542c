"""More than two in a room: who joins sees everybody, who leaves is missed by nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sfu import Kind
from sfu.core import rtcp
from sfu.events import PeerClosed
from tests.peer.browser import Browser, House
from tests.peer.offers import FIREFOX
from tests.peer.rtp import picture_of


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with House() as house:
        yield house


async def hears(house: House, listener: Browser, speaker: Browser, text: bytes) -> None:
    speaker.endpoint.send_rtp(speaker.source_audio.packet(text))  # type: ignore[attr-defined]
    mid = listener.mid_of(speaker, Kind.AUDIO)
    await house.until(lambda: [p.payload for p in listener.received(mid)] == [text])


async def enter(house: House, name: str, **options: object) -> Browser:
    browser = await house.join(name, **options)  # type: ignore[arg-type]
    browser.source_audio = browser.audio()  # type: ignore[attr-defined]
    await house.settle()
    return browser


async def test_a_third_peer_joins_in_the_middle_and_one_leaves(house: House) -> None:
    first, second = await enter(house, "a"), await enter(house, "b", formats=FIREFOX)
    await hears(house, second, first, b"1")
    third = await enter(house, "c")
    for speaker in (first, second, third):
        listeners = [each for each in (first, second, third) if each is not speaker]
        speaker.endpoint.send_rtp(speaker.source_audio.packet(b"all"))  # type: ignore[attr-defined]
        for listener in listeners:
            mid = listener.mid_of(speaker, Kind.AUDIO)
            await house.until(lambda: [p.payload for p in listener.received(mid)] == [b"all"])  # noqa: B023
        assert not any(p.payload == b"all" for p in speaker.endpoint.rtp), "nobody hears himself"
    await second.peer.close()
    await house.settle()
    await hears(house, third, first, b"2")
    await hears(house, first, third, b"3")
    assert set(first.publications.values()) == {("c", Kind.AUDIO), ("c", Kind.VIDEO)}


async def test_a_late_joiners_picture_begins_with_a_keyframe_that_is_asked_for(house: House) -> None:
    first, _second = await enter(house, "a"), await enter(house, "b")
    video = first.video()
    first.endpoint.send_rtp(video.keyframe())
    await house.until(lambda: len(_second.endpoint.rtp) == 2)
    first.endpoint.take_rtcp(rtcp.PictureLoss)
    third = await enter(house, "c")
    first.endpoint.send_rtp(video.frame(3))
    await house.until(lambda: any(isinstance(p, rtcp.PictureLoss) for p in first.endpoint.rtcp))
    mid = third.mid_of(first, Kind.VIDEO)
    assert third.received(mid) == []
    first.endpoint.send_rtp(video.keyframe())
    await house.until(lambda: len(third.endpoint.rtp) == 2)
    assert [picture_of(p).keyframe for p in third.received(mid)] == [True, False]


async def test_a_reload_takes_the_same_place_again(house: House) -> None:
    """The page comes back as a new peer; the other side goes on with what it has."""
    first, second = await enter(house, "a"), await enter(house, "b")
    first.dtls.ssl.shutdown()
    first.carry()
    await house.until(lambda: len(house.seen(PeerClosed)) == 1)
    again = await enter(house, "a")
    await hears(house, second, again, b"back")
    await hears(house, again, second, b"welcome")
    assert len(second.receiving(Kind.AUDIO)) == 1, "the line was used again"


async def test_somebody_who_only_listens(house: House) -> None:
    first = await enter(house, "a")
    guest = house.add("guest")
    await guest.join()
    await hears(house, guest, first, b"x")
    assert (first.peer.wish.audio, first.peer.wish.video) == (1, 1)
    assert first.publications == {}
