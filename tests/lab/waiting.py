"""Wait for what must come true, instead of sleeping and hoping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Value = TypeVar("Value")
_EVERY_S = 0.1


async def wait_until(
    condition: Callable[[], Awaitable[Value | None]],
    timeout_s: float,
    what: str,
    *,
    every_s: float = _EVERY_S,
) -> Value:
    """Ask until the answer is true and return it; on time-out fail with ``what`` and the last answer."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = await condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s:g} s; the last answer was {answer!r}")
        await asyncio.sleep(every_s)


async def elapse(duration_s: float) -> None:
    """Let a measured stretch of a call go by. Not for waiting: a stretch has no condition to wait for."""
    await asyncio.sleep(duration_s)
