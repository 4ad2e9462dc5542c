from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.signaling.clinic import Client, make_app


@pytest.fixture
def app(tmp_path: Path) -> web.Application:
    return make_app(tmp_path)


@pytest.fixture
async def server(app: web.Application) -> AsyncIterator[TestServer]:
    server = TestServer(app, shutdown_timeout=1)
    async with server:
        yield server


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[Client]:
    """A patient's browser; its cookies are its own."""
    async with TestClient(server) as client:
        yield client


@pytest.fixture
async def desk_client(server: TestServer) -> AsyncIterator[Client]:
    async with TestClient(server) as client:
        yield client


@pytest.fixture
async def guest_client(server: TestServer) -> AsyncIterator[Client]:
    async with TestClient(server) as client:
        yield client
