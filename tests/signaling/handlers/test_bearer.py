from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.signaling.clinic import API_TOKEN, Client, make_app


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 401, "token_missing"),
        ("", 401, "token_missing"),
        (f"Basic {API_TOKEN}", 401, "token_missing"),
        ("Bearer wrong", 401, "token_wrong"),
        ("Bearer", 401, "token_wrong"),
        ("Bearer " + "x" * 600, 401, "token_missing"),
        (f"Bearer {API_TOKEN}", 200, None),
        (f"bearer {API_TOKEN}", 200, None),
    ],
)
async def test_only_the_operator_s_token_opens(
    client: Client, header: str | None, status: int, code: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = await client.get("/api/stats", headers=headers)
    assert response.status == status
    assert (await response.json(content_type=None)).get("code") == code


@pytest.fixture
def closed_app(tmp_path: Path) -> web.Application:
    return make_app(tmp_path, token="")


async def test_without_a_token_the_interface_is_off(closed_app: web.Application) -> None:
    async with TestClient(TestServer(closed_app)) as client:
        for path in ("/api/rooms/a", "/whip/a/b", "/whep/a/b"):
            response = await client.post(path, headers={"Authorization": "Bearer "})
            assert response.status == 404
            assert (await response.json(content_type=None))["code"] == "api_is_off"
