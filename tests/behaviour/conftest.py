"""A server and three clients, each client behind a line of its own that a test can make bad."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from tests.lab.browsers import Browsers
from tests.lab.emulator import SERVER_IPV4, Network
from tests.lab.fake_media import FakeMedia
from tests.lab.fixtures import ARTIFACTS_DIRECTORY, cast, media, priority, pytest_runtest_makereport
from tests.lab.server import HTTP_PORT, Server

__all__ = ["cast", "media", "priority", "pytest_runtest_makereport"]

CLIENTS = ("patient", "clinician", "guest")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def lines(priority: None) -> AsyncIterator[Network]:
    async with Network(CLIENTS) as network:
        yield network


@pytest_asyncio.fixture(loop_scope="session")
async def network(lines: Network) -> AsyncIterator[Network]:
    """Every line is perfect when a test begins."""
    await lines.heal()
    yield lines
    await lines.heal()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browsers(lines: Network, media: FakeMedia) -> AsyncIterator[Mapping[str, Browsers]]:
    """One set for each client, by its name."""
    origin = f"http://{SERVER_IPV4}:{HTTP_PORT}"
    sets = {name: Browsers(namespace, media, origin=origin) for name, namespace in lines.clients.items()}
    yield sets
    for one in sets.values():
        await one.close()


@pytest_asyncio.fixture(loop_scope="session")
async def server(lines: Network, tmp_path: Path) -> AsyncIterator[Server]:
    async with Server(lines.server, tmp_path) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def measured(request: pytest.FixtureRequest, network: Network) -> AsyncIterator[Callable[..., None]]:
    """Keep numbers beside the pass or fail: in a file of all runs, and in the test's report.

    With them goes how late packets were at worst: on a machine that is too busy no number means anything.
    """
    numbers: dict[str, float] = {}
    yield numbers.update
    numbers["lateness_s"] = await network.worst_lateness_s()
    text = ", ".join(f"{name} {value:.3g}" for name, value in numbers.items())
    request.node.user_properties.append(("measured", text))
    keep_line(f"{request.node.name}: {text}")


def keep_line(text: str) -> None:
    ARTIFACTS_DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (ARTIFACTS_DIRECTORY / "measured.txt").open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
