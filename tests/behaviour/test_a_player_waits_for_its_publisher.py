"""WHEP on a peer that publishes nothing yet: its only answer comes alive later, and again, without renegotiation."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sfu import Kind
from sfu.core.drop import DropReason
from sfu.events import WishChanged
from tests.peer.browser import Browser, House
from tests.peer.offers import FIREFOX


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with House() as house:
        yield house


async def play(house: House, publisher_id: str) -> Browser:
    player = house.add("player", FIREFOX, renegotiates=False)
    answer = await player.play(publisher_id)
    assert [line.direction for line in answer.lines.values()] == ["sendonly", "sendonly"]
    assert [len(line.ssrcs) for line in answer.lines.values()] == [1, 2]
    await player.connect()
    return player


async def plays(house: House, player: Browser, publisher: Browser, text: bytes) -> list[int]:
    """Audio and a keyframe; the sequence numbers under which the video came."""
    video = publisher.video()
    publisher.endpoint.send_rtp([publisher.audio().packet(text), *video.keyframe(3)])
    await house.until(lambda: len(player.endpoint.rtp) == 4)
    assert [p.payload for p in player.received("0")] == [text]
    return [p.sequence for p in player.received("1")]


async def test_the_lines_come_alive_when_the_publisher_comes(house: House) -> None:
    player = await play(house, "camera")
    assert player.publications == {}
    camera = await house.join("camera")
    assert len(await plays(house, player, camera, b"first")) == 3
    assert [event for event in house.seen(WishChanged) if event.peer_id == "player"] == []


async def test_the_publisher_may_leave_and_come_again(house: House) -> None:
    player = await play(house, "camera")
    camera = await house.join("camera")
    before = await plays(house, player, camera, b"first")
    for _ in range(6):
        await camera.peer.close()
        camera = await house.join("camera")
        after = await plays(house, player, camera, b"again")
        assert after == [before[-1] + 1, before[-1] + 2, before[-1] + 3]
        before = after
    drops = player.peer.stats().drops
    assert DropReason.SRTP_REPLAYED not in drops and DropReason.SRTP_TOO_OLD not in drops


async def test_only_the_one_who_was_asked_for_is_played(house: House) -> None:
    player = await play(house, "camera")
    other = await house.join("other")
    other.endpoint.send_rtp(other.audio().packet(b"not for you"))
    await house.until(lambda: other.peer.stats().packets_received == 1)
    camera = await house.join("camera")
    await plays(house, player, camera, b"for you")
    assert player.endpoint.rtp == []


async def test_forwarding_begins_without_a_word_of_the_player(house: House) -> None:
    camera = await house.join("camera")
    player = await play(house, "camera")
    assert player.publications == {"0": ("camera", Kind.AUDIO), "1": ("camera", Kind.VIDEO)}
    await plays(house, player, camera, b"x")
