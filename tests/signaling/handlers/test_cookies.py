from __future__ import annotations

import time
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from signaling import keys
from signaling.rules import tokens
from tests.signaling.clinic import Client, enter, make_app, sign_in


async def test_cookies_are_closed_to_scripts_and_to_other_roles(client: Client) -> None:
    await enter(client)
    await sign_in(client)
    morsels = {cookie.key: cookie for cookie in client.session.cookie_jar}
    assert {name: morsel["path"] for name, morsel in morsels.items()} == {
        "venterom_patient": "/demo",
        "venterom_clinician": "/demo/desk",
    }
    assert all(morsel["httponly"] and morsel["samesite"] == "Lax" for morsel in morsels.values())


async def test_a_patient_s_cookie_does_not_open_the_desk(client: Client) -> None:
    await enter(client)
    (cookie,) = client.session.cookie_jar
    headers = {"Cookie": f"venterom_clinician={cookie.value}"}
    assert (await client.get("/demo/desk", headers=headers)).status == 401


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (f"abc:{int(time.time()) + 3600}", 200),
        (f"abc:{int(time.time()) - 1}", 401),
        ("abc:", 401),
        ("abc", 401),
    ],
    ids=["valid", "expired", "no time", "no colon"],
)
async def test_a_sign_in_outlives_a_restart_but_not_its_time(client: Client, value: str, status: int) -> None:
    signed = tokens.sign(b"k" * 32, "clinician", value)
    assert (await client.get("/demo/desk", headers={"Cookie": f"venterom_clinician={signed}"})).status == status


async def test_a_forged_cookie_is_nobody(client: Client, guest_client: Client) -> None:
    await enter(client)
    (cookie,) = client.session.cookie_jar
    forged = cookie.value[:-1] + ("0" if cookie.value[-1] != "0" else "1")
    text = await (await guest_client.get("/demo", headers={"Cookie": f"venterom_patient={forged}"})).text()
    assert 'data-waiting="no"' in text
    text = await (await guest_client.get("/demo", headers={"Cookie": f"venterom_patient={cookie.value}"})).text()
    assert 'data-waiting="yes"' in text


@pytest.fixture(params=["https://video.example.org", ""])
def public_app(request: pytest.FixtureRequest, tmp_path: Path) -> web.Application:
    return make_app(tmp_path, public_url=request.param)


async def test_cookies_are_secure_where_browsers_come_by_https(public_app: web.Application) -> None:
    """A reverse proxy may end TLS: then no request of ours is secure, and the cookie has to be all the same."""
    is_secure = public_app[keys.CONFIG].http.public_url != ""
    async with TestServer(public_app, shutdown_timeout=1) as server:
        async with TestClient[web.Request, None](server) as browser:
            response = await browser.post("/demo", data={"name": "Kari"}, allow_redirects=False)
    (cookie,) = response.headers.getall("Set-Cookie")
    assert ("; Secure" in cookie) is is_secure
    assert ("Strict-Transport-Security" in response.headers) is is_secure
