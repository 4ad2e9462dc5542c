"""What every test is held to: no blocking call on the event loop, no task left running.

pyproject.toml adds that a warning is an error, and a time limit.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Iterator

import pytest
from blockbuster import blockbuster_ctx

TURNS_TO_END = 10
"Turns of the loop in which a task that was told to end may do so."


@pytest.fixture(autouse=True)
def _no_blocking_call() -> Iterator[None]:
    """Our own code must not wait on the loop; a test's own may, and so may what it imports."""
    with blockbuster_ctx(["sfu", "signaling"]):
        yield


@pytest.fixture(autouse=True)
def _no_other_scheduler() -> Iterator[None]:
    """A library that gives itself real-time priority starves everything that is started after it."""
    yield
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        pytest.fail("the test process was given a real-time scheduler", pytrace=False)


@pytest.fixture(autouse=True)
def _no_leaked_task(request: pytest.FixtureRequest) -> None:
    # Only tests that have a loop. Asked for first, it is torn down last, after the fixtures that own tasks.
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("_watch_tasks")


@pytest.fixture
async def _watch_tasks() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    for _ in range(TURNS_TO_END):
        await asyncio.sleep(0)
    if leaked := asyncio.all_tasks() - before - {asyncio.current_task()}:
        names = ", ".join(repr(task.get_coro()) for task in leaked)
        pytest.fail(f"left running: {names}", pytrace=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What fails fast runs first; the sort keeps the order among equals."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
