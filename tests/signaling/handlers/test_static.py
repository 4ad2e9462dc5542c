from __future__ import annotations

import re

import pytest
from aiohttp import web

from signaling import keys
from tests.signaling.clinic import Client


async def test_everything_a_page_loads_is_there_and_kept_for_ever(client: Client) -> None:
    text = await (await client.get("/demo")).text()
    paths = re.findall(r'(?:href|src)="(/assets/[^"]+)"', text) + re.findall(r'data-catalogue="([^"]+)"', text)
    assert len(paths) > 5
    for path in paths:
        response = await client.get(path)
        assert response.status == 200, path
        assert "immutable" in response.headers["Cache-Control"]


async def test_modules_are_javascript_to_the_browser(app: web.Application, client: Client) -> None:
    response = await client.get(app[keys.ASSETS].url("js/patient.js"))
    assert response.content_type == "text/javascript" and response.charset == "utf-8"


@pytest.mark.parametrize("accepted", ["gzip, br", "identity"])
async def test_files_are_the_same_with_and_without_gzip(app: web.Application, client: Client, accepted: str) -> None:
    path = app[keys.ASSETS].url("css/page.css")
    response = await client.get(path, headers={"Accept-Encoding": accepted})
    asset = app[keys.ASSETS].get("css/page.css")
    assert asset is not None and await response.read() == asset.plain
    assert response.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", ["/assets/0/js/patient.js", "/i18n/xx.json"])
async def test_another_version_or_language_is_not_there(client: Client, path: str) -> None:
    assert (await client.get(path)).status == 404


async def test_no_path_leads_out(app: web.Application, client: Client) -> None:
    version = app[keys.ASSETS].version
    for path in ("../templates/base.html", "%2e%2e/pyproject.toml", "js/%2e%2e/tsconfig.json"):
        assert (await client.get(f"/assets/{version}/{path}")).status == 404
