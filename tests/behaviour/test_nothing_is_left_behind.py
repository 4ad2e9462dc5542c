"""Peers come and go a hundred times: tasks, sockets, transports and memory are as before."""

from __future__ import annotations

import asyncio
import gc
import os

from sfu import Kind, Peer
from sfu.plane.python_plane import PythonPlane
from tests.peer.browser import House


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def visit(house: House, number: int) -> None:
    guest = await house.join(f"guest-{number}", tcp=number % 2 == 1)
    await house.settle()
    guest.endpoint.send_rtp([guest.audio().packet(), *guest.video().keyframe()])
    await house.until(lambda: guest.peer.stats().packets_received == 3)
    await guest.peer.close()
    await house.until(lambda: guest.dtls.is_ended)
    guest.close()
    house.browsers.remove(guest)
    await house.settle()


async def test_after_every_visit_all_is_as_before() -> None:
    async with House() as house:
        await house.join("host")
        plane = house.sfu.plane
        assert isinstance(plane, PythonPlane)
        await visit(house, 0)
        await visit(house, 1)
        await house.until(lambda: plane._tcp_paths == {})
        tasks, files = asyncio.all_tasks(), open_files()
        for number in range(2, 12):
            await visit(house, number)
        await house.until(lambda: open_files() == files)
        assert asyncio.all_tasks() == tasks
        assert len(plane._transports) == 1
        assert len(plane._streams) == 2 and plane._forwards == {}
        assert len(plane._paths._by_ufrag) == 1
        await house.until(lambda: plane._tcp_paths == {})
        (listener,) = plane._port._listeners.values()
        assert len(listener.udp.paths) == 1
        assert plane._packets.wants_repair | plane._packets.wants_feedback <= {
            *plane._streams.values(),
            *plane._transports.values(),
        }
        assert len(house.sfu._peers) == 1
        assert len([p for p in house.room.publications() if p.kind is Kind.VIDEO]) == 1


async def test_a_closed_peer_is_not_kept_alive() -> None:
    async with House() as house:
        await house.join("host")
        guest = await house.join("guest")
        await house.settle()
        await guest.peer.close()
        identity = id(guest.peer)
        guest.close()
        house.browsers.remove(guest)
        house.events.clear()
        del guest
        await asyncio.sleep(0)
        gc.collect()
        assert identity not in [id(each) for each in gc.get_objects() if isinstance(each, Peer)]
