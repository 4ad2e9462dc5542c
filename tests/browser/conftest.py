"""One namespace for server and browsers, without a way out; the browsers stay open from test to test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.lab.browsers import Browsers
from tests.lab.emulator import SERVER_IPV4, SERVER_IPV6
from tests.lab.fake_media import FakeMedia
from tests.lab.fixtures import cast, media, priority, pytest_runtest_makereport
from tests.lab.netns import Namespace, require_privilege
from tests.lab.server import HTTP_PORT, Server

__all__ = ["cast", "media", "priority", "pytest_runtest_makereport"]

HOST = "127.0.0.1"


@pytest.fixture(scope="package")
def lab(priority: None) -> Iterator[Namespace]:
    require_privilege()
    namespace = Namespace("lab")
    namespace.add_nic(f"{SERVER_IPV4}/24", f"{SERVER_IPV6}/64", gateway="10.96.0.254")
    yield namespace
    namespace.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browsers(lab: Namespace, media: FakeMedia) -> AsyncIterator[Browsers]:
    browsers = Browsers(lab, media, origin=f"http://{HOST}:{HTTP_PORT}")
    yield browsers
    await browsers.close()


@pytest_asyncio.fixture(loop_scope="session")
async def server(request: pytest.FixtureRequest, lab: Namespace, tmp_path: Path) -> AsyncIterator[Server]:
    """A server of the test's own; a parameter names its video codecs."""
    codecs: tuple[str, ...] = getattr(request, "param", ())
    async with Server(lab, tmp_path, host=HOST, video_codecs=codecs) as server:
        yield server


class Firewall:
    """Drops what arrives, so that the sender sees nothing: a black hole, as real networks have them."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def drop(self, *matches: str) -> None:
        """Each match in the words of nft, such as ``udp dport 7882``."""
        self.lift()
        rules = [f"{match} counter drop" for match in matches]
        chain = ["type filter hook input priority 0", "policy accept", *rules]
        self._namespace.nft("\n".join(["table inet lab {", "chain input {", *chain, "}", "}", ""]))

    def lift(self) -> None:
        # Made empty first: deleting what is not there is an error.
        self._namespace.nft("table inet lab {}\ndelete table inet lab")


@pytest.fixture
def firewall(lab: Namespace) -> Iterator[Firewall]:
    firewall = Firewall(lab)
    yield firewall
    firewall.lift()
