"""Everything has one owner, and the owner closes it, in the order of docs/closing.md. One test for each arrow there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sfu import Kind
from sfu.events import CloseReason, PeerClosed, PublicationRemoved
from tests.peer.browser import Browser, House


class Watched:
    """The plane with its commands written down, beside the room's events."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.order: list[str] = []
        self._plane = house.sfu.plane
        house.sfu.plane = self
        for event in (PeerClosed, PublicationRemoved):
            house.room.events.on(event, lambda each: self.order.append(type(each).__name__))

    def __getattr__(self, name: str) -> Any:
        command = getattr(self._plane, name)
        if name not in ("remove_forward", "remove_stream", "remove_transport", "send_dtls", "close"):
            return command

        def note(*arguments: Any) -> Any:
            self.order.append(name)
            return command(*arguments)

        return note

    def first(self, name: str) -> int:
        return self.order.index(name)

    def last(self, name: str) -> int:
        return len(self.order) - 1 - self.order[::-1].index(name)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with House() as house:
        yield house


@pytest.fixture
async def call(house: House) -> tuple[Browser, Browser]:
    first, second = await house.join("a"), await house.join("b")
    await house.settle()
    return first, second


async def test_subscriptions_before_publications(house: House, call: tuple[Browser, Browser]) -> None:
    watched = Watched(house)
    await call[0].peer.close()
    assert watched.order.count("remove_forward") == 2 == watched.order.count("remove_stream")
    assert watched.last("remove_forward") < watched.first("remove_stream")


async def test_publications_before_dtls(house: House, call: tuple[Browser, Browser]) -> None:
    watched = Watched(house)
    await call[0].peer.close()
    assert watched.last("PublicationRemoved") < watched.first("send_dtls")
    await house.until(lambda: call[0].dtls.is_ended)


async def test_dtls_before_the_transport(house: House, call: tuple[Browser, Browser]) -> None:
    watched = Watched(house)
    await call[0].peer.close()
    assert watched.last("send_dtls") < watched.first("remove_transport")


async def test_the_transport_before_the_event(house: House, call: tuple[Browser, Browser]) -> None:
    watched = Watched(house)
    await call[0].peer.close()
    assert watched.order[-2:] == ["remove_transport", "PeerClosed"]


async def test_a_peer_is_out_of_the_room_when_others_learn_of_it(house: House, call: tuple[Browser, Browser]) -> None:
    seen: list[bool] = []
    house.room.events.on(PublicationRemoved, lambda _: seen.append("a" in house.room.peers))
    await call[0].peer.close()
    assert seen == [False, False]


async def test_peers_before_their_room(house: House, call: tuple[Browser, Browser]) -> None:
    seen: list[bool] = []
    house.room.events.on(PeerClosed, lambda _: seen.append(house.sfu.room("room") is house.room))
    await house.room.close()
    assert seen == [True, True]
    assert house.sfu.room("room") is None


async def test_rooms_before_the_plane(house: House, call: tuple[Browser, Browser]) -> None:
    watched = Watched(house)
    await house.sfu.close()
    assert watched.last("PeerClosed") < watched.first("close") == len(watched.order) - 1


async def test_a_peer_in_its_handshake_is_closed_as_well(house: House) -> None:
    browser = house.add("a")
    browser.publish(Kind.AUDIO)
    await browser.negotiate()
    assert browser.answer is not None
    browser.endpoint.connect(browser.answer.address())
    await browser.check()
    before = asyncio.all_tasks()
    await browser.peer.close()
    assert house.seen(PeerClosed) == [PeerClosed(peer_id="a", reason=CloseReason.LEFT)]
    assert {task.get_name() for task in before - asyncio.all_tasks()} >= {"dtls-a"}


async def test_a_peer_that_leaves_closes_nobody_else(house: House, call: tuple[Browser, Browser]) -> None:
    first, second = call
    await first.peer.close()
    assert set(house.room.peers) == {"b"} and second.peer.is_connected
    third = await house.join("c")
    await house.settle()
    second.endpoint.send_rtp(second.audio().packet(b"still here"))
    mid = third.mid_of(second, Kind.AUDIO)
    await house.until(lambda: [p.payload for p in third.received(mid)] == [b"still here"])
