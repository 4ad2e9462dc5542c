"""The one task of the consultation: fires timers by calling ``step``, and closes what is no longer needed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sfu import Peer, Room, SfuError

logger = logging.getLogger("signaling.consultation")


class Upkeep:
    def __init__(self, step: Callable[[], None], step_s: float) -> None:
        self._step = step
        self._step_s = step_s
        self._doomed: list[Peer | Room] = []
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Step soon instead of at the next interval."""
        self._wake.set()

    def close_later(self, thing: Peer | Room) -> None:
        self._doomed.append(thing)
        self._wake.set()

    async def run(self) -> None:
        """Ends when cancelled; what is being closed then is left to the SFU's own close."""
        async with asyncio.TaskGroup() as closing:
            while True:
                try:
                    async with asyncio.timeout(self._step_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()
                try:
                    self._step()
                except Exception:
                    # A mistake about one visit must not stop the timers, and the closing of rooms, of all the others.
                    logger.exception("a step of the consultation")
                doomed, self._doomed = self._doomed, []
                for thing in doomed:
                    closing.create_task(_close(thing))


async def _close(thing: Peer | Room) -> None:
    try:
        await thing.close()
    except SfuError as error:
        logger.warning("closing %s %s: %s", type(thing).__name__, thing.id, error)
    except Exception:
        logger.exception("closing %s %s", type(thing).__name__, thing.id)
