from __future__ import annotations

import logging

import pytest
from aiohttp import web

from signaling import keys, middleware
from tests.signaling.clinic import API_TOKEN, PHONE, Client


async def test_every_answer_has_the_security_headers(client: Client) -> None:
    for path in ("/demo", "/nowhere", "/health/live", "/api/stats", "/whip/a/b", "/demo/ws"):
        response = await client.get(path)
        for name in middleware.HEADERS:
            assert name in response.headers, (path, name)


def test_the_policy_allows_no_inline_script_and_no_third_party() -> None:
    policy = middleware.CONTENT_SECURITY_POLICY
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy
    assert policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy


async def test_people_get_a_sentence_in_their_language_and_the_phone(client: Client) -> None:
    for language, sentence in (("nb", "Vi finner ikke den siden."), ("en", "We cannot find that page.")):
        response = await client.get("/nowhere", headers={"Accept-Language": language})
        text = await response.text()
        assert response.status == 404 and sentence in text and PHONE in text and f'lang="{language}"' in text


async def test_programs_get_problem_details(client: Client) -> None:
    response = await client.get("/api/nowhere")
    assert response.content_type == "application/problem+json"
    assert (await response.json(content_type=None))["code"] == "not_found"
    response = await client.get("/nowhere", headers={"Accept": "application/json"})
    assert (await response.json())["error"] == "not_found"


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://["])
async def test_a_foreign_page_can_neither_post_nor_open_a_websocket(client: Client, origin: str) -> None:
    headers = {"Origin": origin}
    assert (await client.post("/demo", data={"name": "Kari"}, headers=headers)).status == 403
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    assert (await client.get("/demo/ws", headers={**headers, **upgrade, **key})).status == 403


async def test_our_own_page_can(client: Client) -> None:
    origin = {"Origin": str(client.make_url("/"))[:-1]}
    assert (await client.post("/demo", data={"name": "Kari"}, headers=origin, allow_redirects=False)).status == 303


async def test_programs_may_come_from_anywhere(client: Client) -> None:
    headers = {"Origin": "https://elsewhere.example", "Authorization": f"Bearer {API_TOKEN}"}
    assert (await client.post("/api/rooms/a", headers=headers)).status == 201


async def test_a_fault_of_ours_is_logged_and_answered_with_a_sentence(
    app: web.Application, client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("planted")

    monkeypatch.setattr(app[keys.PAGES], "render", broken)
    with caplog.at_level(logging.ERROR):
        response = await client.get("/demo", headers={"Accept": "application/json", "Accept-Language": "en"})
    assert response.status == 500
    assert await response.json() == {"error": "internal_error", "text": "Something went wrong with us. Try again."}
    assert "GET /demo failed" in caplog.text


async def test_the_access_log_names_the_route_and_not_the_path(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "signaling.access"):
        await client.get("/i18n/xx.json?secret=1")
    (record,) = caplog.records
    assert "GET /i18n/{language}.json 404" in record.getMessage()
    assert "secret" not in record.getMessage()
