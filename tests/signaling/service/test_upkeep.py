from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from sfu import Sfu, events
from signaling.service.upkeep import Upkeep


async def test_wakes_at_once_and_closes_what_is_left_to_it(sfu: Sfu) -> None:
    stepped = asyncio.Event()
    upkeep = Upkeep(stepped.set, step_s=60.0)
    task = asyncio.create_task(upkeep.run())
    room = sfu.create_room("room")
    closed = asyncio.Event()
    room.events.on(events.PeerClosed, lambda _: closed.set())
    room.add_peer("peer")
    upkeep.close_later(room)
    async with asyncio.timeout(5):
        await stepped.wait()
        await closed.wait()
    assert not room.peers
    stepped.clear()
    upkeep.wake()
    async with asyncio.timeout(5):
        await stepped.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_goes_on_after_a_mistake_of_a_step_or_of_a_handler(sfu: Sfu, caplog: pytest.LogCaptureFixture) -> None:
    stepped = asyncio.Event()
    mistakes = iter([RuntimeError("planted")])

    def step() -> None:
        for mistake in mistakes:
            raise mistake
        stepped.set()

    def broken(_: events.PeerClosed) -> None:
        raise RuntimeError("planted too")

    upkeep = Upkeep(step, step_s=0.01)
    task = asyncio.create_task(upkeep.run())
    room = sfu.create_room("room")
    room.events.on(events.PeerClosed, broken)
    room.add_peer("peer")
    upkeep.close_later(room)
    async with asyncio.timeout(5):
        while not {"planted", "planted too"} <= {str(r.exc_info[1]) for r in caplog.records if r.exc_info}:  # noqa: ASYNC110
            await asyncio.sleep(0)
        stepped.clear()
        await stepped.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_steps_by_itself(sfu: Sfu) -> None:
    stepped = asyncio.Event()
    task = asyncio.create_task(Upkeep(stepped.set, step_s=0.01).run())
    async with asyncio.timeout(5):
        await stepped.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
