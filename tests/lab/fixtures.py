"""What the browser and behaviour tests share: people in browsers, and what is kept when a test fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.lab.browsers import DESKTOP, BrowserKind, Browsers, Tab
from tests.lab.fake_media import FakeMedia, make_fake_media
from tests.lab.server import Server

ROOT = Path(__file__).parents[2]
MEDIA_DIRECTORY = ROOT / "var" / "test-media"
ARTIFACTS_DIRECTORY = ROOT / "var" / "test-artifacts"
_KEEP_TIMEOUT_S = 10.0
_PRIORITY = -10
_FAILED = pytest.StashKey[bool]()


class Cast:
    """The people of one test, each in a tab; closed after it, pictured first if it failed."""

    def __init__(self) -> None:
        self.tabs: list[Tab] = []
        self.servers: list[Server] = []

    async def join(
        self,
        browsers: Browsers,
        kind: BrowserKind,
        name: str,
        *,
        size: tuple[int, int] = DESKTOP,
        state: Path | None = None,
    ) -> Tab:
        tab = await browsers.open(kind, name, size=size, state=state)
        self.tabs.append(tab)
        return tab

    async def leave(self) -> None:
        for tab in self.tabs:
            await tab.close()
        self.tabs.clear()

    async def keep(self, directory: Path) -> None:
        """Screenshot, console and own report of each tab, and the servers' logs."""
        _empty(directory)
        for number, server in enumerate(self.servers):
            (directory / f"server{number or ''}.log").write_text(server.log, encoding="utf-8")
        for tab in self.tabs:
            lines = [*tab.console, *(f"uncaught: {error}" for error in tab.errors)]
            # A page that hangs or a browser that died must not hide the failure itself.
            try:
                async with asyncio.timeout(_KEEP_TIMEOUT_S):
                    lines.append(repr(await tab.report()))
                    await tab.page.screenshot(path=directory / f"{tab.name}.png")
            except Exception as error:
                lines.append(f"no picture or report: {error}")
            (directory / f"{tab.name}.log").write_text("\n".join(lines), encoding="utf-8")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture(scope="package")
def priority() -> Iterator[None]:
    """Server, browsers and this process before all other work of the machine: what is tested has time limits."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    yield
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, before)


@pytest.fixture(scope="session")
def media() -> FakeMedia:
    return make_fake_media(MEDIA_DIRECTORY)


@pytest_asyncio.fixture(loop_scope="session")
async def cast(request: pytest.FixtureRequest) -> AsyncIterator[Cast]:
    cast = Cast()
    yield cast
    try:
        if request.node.stash.get(_FAILED, True):
            await cast.keep(ARTIFACTS_DIRECTORY / artifact_name(request.node.nodeid))
    finally:
        await cast.leave()


def _empty(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)


def artifact_name(node_id: str) -> str:
    """A directory name for a test: letters, digits, hyphens and dots."""
    return re.sub(r"[^\w.-]+", "_", node_id.partition("tests/")[2] or node_id)
