from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sfu import PortInUse, SfuConfig
from signaling import keys, messages
from signaling.app import create_app, routes
from signaling.config import ClinicConfig, Config, PathsConfig
from signaling.errors import CloseCode
from tests.signaling.clinic import Client, enter, open_page


def test_secrets_are_made_when_none_are_given(tmp_path: Path) -> None:
    app = create_app(Config(paths=PathsConfig(var=tmp_path)))
    assert len(app[keys.SECRETS].session_key) == 32


def test_a_language_without_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'xx'"):
        create_app(Config(paths=PathsConfig(var=tmp_path), clinic=ClinicConfig(languages=("xx",))))


def test_addresses_follow_the_clinic_s_slug() -> None:
    paths = {route.path for route in routes("ous-hud")}
    assert {"/ous-hud", "/ous-hud/ws", "/ous-hud/desk", "/ous-hud/guest"} <= paths
    assert not any(path.startswith("/demo") for path in paths)


def test_a_taken_media_port_stops_the_start_by_name(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        media = SfuConfig(media_port=port, announced_addresses={"127.0.0.1": "127.0.0.1"})
        app = create_app(Config(media=media, paths=PathsConfig(var=tmp_path)))

        async def start() -> None:
            await web.AppRunner(app).setup()

        with pytest.raises(PortInUse, match=str(port)):
            asyncio.run(start())


async def test_stopping_tells_pages_that_the_server_goes(client: Client, server: TestServer) -> None:
    await enter(client)
    page = await open_page(client)
    await page.expect(messages.NoCall)
    await server.close()
    assert await page.close_code() == CloseCode.GOING_AWAY
