"""A room: who may come, who receives what, and what all are told."""

from __future__ import annotations

import pytest

from sfu import Kind
from sfu.core.media import CodecName
from sfu.errors import PeerExists, RoomFull
from sfu.events import CloseReason, PeerClosed, PublicationAdded, PublicationRemoved
from tests.peer.browser import House
from tests.peer.offers import CHROMIUM, FIREFOX, Formats


async def test_a_name_is_used_once_and_again_after_leaving(house: House) -> None:
    browser = await house.join("a")
    with pytest.raises(PeerExists):
        house.room.add_peer("a")
    await browser.peer.close()
    house.room.add_peer("a")


async def test_the_number_of_peers_is_bounded() -> None:
    async with House(max_peers_per_room=2) as house:
        house.add("a")
        house.add("b")
        with pytest.raises(RoomFull):
            house.room.add_peer("c")
        assert set(house.room.peers) == {"a", "b"}


async def test_peers_cannot_be_changed_from_outside(house: House) -> None:
    house.add("a")
    with pytest.raises(TypeError):
        house.room.peers["b"] = house.room.peers["a"]  # type: ignore[index]


async def test_publications_come_and_go_with_events(house: House) -> None:
    browser = await house.join("a")
    added = house.seen(PublicationAdded)
    assert [(event.peer_id, event.kind) for event in added] == [("a", Kind.AUDIO), ("a", Kind.VIDEO)]
    assert [p.kind for p in house.room.publications()] == [Kind.AUDIO, Kind.VIDEO]
    assert [p.kind for p in house.room.publications(Kind.VIDEO)] == [Kind.VIDEO]
    await browser.peer.close()
    removed = house.seen(PublicationRemoved)
    assert [event.publication_id for event in removed] == [event.publication_id for event in added]
    assert list(house.room.publications()) == []


async def test_a_closed_room_has_closed_everybody(house: House) -> None:
    for name in ("a", "b"):
        await house.join(name)
    await house.room.close()
    await house.room.close()
    assert [event.reason for event in house.seen(PeerClosed)] == [CloseReason.ROOM_CLOSED] * 2
    assert house.room.peers == {} and house.sfu.stats().rooms == {}


async def test_names_in_sdp_are_neutral(house: House) -> None:
    """A peer's id is the application's: it may hold a name, or what is no token."""
    browser = await house.join("Kari Nordmann <1>")
    name = house.room.stream_name(browser.peer.id)
    assert name.isascii() and "Kari" not in name
    assert house.room.stream_name("nobody here") == "nobody"


async def test_the_operators_order_decides_among_codecs() -> None:
    async with House(video_codecs=("H264", "VP8")) as house:
        await house.join("a", CHROMIUM)
        await house.join("b", CHROMIUM)
        seen = [house.room.video_codec]
        await house.join("c", FIREFOX)
        seen.append(house.room.video_codec)
        await house.room.peers["c"].close()
        seen.append(house.room.video_codec)
        assert seen == [CodecName.H264, CodecName.VP8, CodecName.H264]


async def test_red_needs_everybody(house: House) -> None:
    await house.join("a", CHROMIUM)
    assert house.room.sends_red()
    without = await house.join("b", Formats(red=None))
    assert not house.room.sends_red()
    await without.peer.close()
    assert house.room.sends_red()


async def test_rooms_know_nothing_of_each_other(house: House) -> None:
    await house.join("a")
    other = house.open_room("other")
    peer = other.add_peer("a")
    assert (peer.wish.audio, peer.wish.video) == (1, 1)
    assert list(other.publications()) == []
    await other.close()
    assert set(house.room.peers) == {"a"}
