"""The SFU as a whole: its beginning, its end, and its rooms."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from sfu import Sfu, SfuConfig
from sfu.core.drop import DropReason
from sfu.errors import PortInUse, RoomExists, TooManyRooms
from sfu.events import CloseReason, PeerClosed
from sfu.plane.seam import DownlinkReport, PathChanged, PathState, TransportId
from tests.peer.browser import House

LOCAL = {"127.0.0.1": "127.0.0.1"}


async def test_a_taken_port_is_named_and_leaves_nothing_behind() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        sfu = Sfu(SfuConfig(media_port=port, announced_addresses=LOCAL))
        with pytest.raises(PortInUse) as caught:
            await sfu.start()
        assert caught.value.port == port
        await sfu.close()


async def test_it_ends_with_everything_in_it() -> None:
    before = asyncio.all_tasks()
    async with House() as house:
        await house.join("a")
        waiting = house.add("never connects")
        await waiting.negotiate()
        assert len(asyncio.all_tasks() - before) > 0
    assert asyncio.all_tasks() == before
    assert [event.reason for event in house.seen(PeerClosed)] == [CloseReason.ROOM_CLOSED] * 2
    assert house.sfu.room("room") is None


async def test_closing_twice_and_without_a_start_is_harmless() -> None:
    sfu = Sfu(SfuConfig(media_port=0, announced_addresses=LOCAL))
    await sfu.close()
    await sfu.start()
    await sfu.close()
    await sfu.close()


async def test_it_ends_while_a_peer_is_being_closed(house: House) -> None:
    """The closer is in the middle of a peer when the process is told to end."""
    browser = await house.join("a")
    browser.peer.room.close_soon(browser.peer, CloseReason.EXPIRED)
    while house.room.peers:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await house.sfu.close()
    assert [event.reason for event in house.seen(PeerClosed)] == [CloseReason.EXPIRED]


async def test_rooms_by_name(house: House) -> None:
    assert house.sfu.room("room") is house.room
    with pytest.raises(RoomExists):
        house.sfu.create_room("room")
    await house.room.close()
    assert house.sfu.room("room") is None
    house.sfu.create_room("room")


async def test_the_number_of_rooms_is_bounded() -> None:
    async with House(max_rooms=1) as house:
        with pytest.raises(TooManyRooms):
            house.sfu.create_room("second")


async def test_addresses_are_where_media_is_expected(house: House) -> None:
    (address,) = house.sfu.addresses()
    assert (address.local, address.announced) == ("127.0.0.1", "127.0.0.1")


async def test_stats_hold_rooms_peers_and_drops_of_strangers(house: House) -> None:
    browser = await house.join("a")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"", browser.endpoint.server)
        await house.until(lambda: house.sfu.stats().drops != {})
    stats = house.sfu.stats()
    assert stats.drops == {DropReason.EMPTY_DATAGRAM: 1}
    assert stats.kernel_drops == 0
    assert stats.rooms["room"].peers["a"].state == "connected"


async def test_events_about_transports_that_are_gone_are_ignored(house: House) -> None:
    gone = TransportId(999)
    house.sfu.dtls_received(gone, b"x")
    house.sfu.path_changed(PathChanged(transport=gone, state=PathState.LOST))
    house.sfu.downlink_reported([DownlinkReport(transport=gone, at=0, remb_bps=1, rtt_s=None, forwards=[])])
    assert house.events == []


async def test_a_handlers_mistake_does_not_keep_the_next_peer_from_being_closed(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await house.join("a"), await house.join("b")

    def fail(event: PeerClosed) -> None:
        if event.peer_id == "a":
            raise RuntimeError("a handler's mistake")

    house.room.events.on(PeerClosed, fail)
    with caplog.at_level(logging.ERROR, "sfu"):
        for browser in (first, second):
            house.room.close_soon(browser.peer, CloseReason.EXPIRED)
        await house.until(lambda: len(house.seen(PeerClosed)) == 2)
    assert house.room.peers == {}
    assert len(caplog.records) == 1
