from __future__ import annotations

import json

from aiohttp import web

from sfu.aiortc_adapter import DtlsFailure
from signaling import keys
from tests.signaling.clinic import API_TOKEN, SDP, Client, open_page

AUTHORISED = {"Authorization": f"Bearer {API_TOKEN}"}


async def test_lives_and_is_ready(client: Client) -> None:
    assert (await client.get("/health/live")).status == 200
    assert (await client.get("/health/ready")).status == 200


async def test_a_stopping_server_lives_but_is_not_ready(app: web.Application, client: Client) -> None:
    app[keys.IS_READY].clear()
    assert (await client.get("/health/live")).status == 200
    assert (await client.get("/health/ready")).status == 503


async def test_stats_tell_of_rooms_and_of_what_was_refused(client: Client) -> None:
    await client.post("/api/rooms/gateway", headers=AUTHORISED)
    offer = (SDP / "pyav_whip_offer.sdp").read_bytes()
    headers = {**AUTHORISED, "Content-Type": "application/sdp"}
    assert (await client.post("/whip/gateway/camera", data=offer, headers=headers)).status == 201
    stats = json.loads(await (await client.get("/api/stats", headers=AUTHORISED)).text())
    kinds = {each["kind"] for each in stats["sfu"]["rooms"]["gateway"]["peers"]["camera"]["publications"]}
    assert kinds == {"audio", "video"}
    assert stats["signaling"] == {}


async def test_stats_name_why_handshakes_failed(app: web.Application, client: Client) -> None:
    app[keys.SFU].dtls_failures[DtlsFailure.FINGERPRINT] += 2
    stats = await (await client.get("/api/stats", headers=AUTHORISED)).json()
    assert stats["sfu"]["dtls_failures"] == {"dtls_fingerprint": 2}


async def test_garbage_is_counted_under_its_reason(app: web.Application, client: Client) -> None:
    await client.post("/demo", data={"name": "Kari"})
    page = await open_page(client)
    await page.socket.send_str("{")
    await page.close_code()
    assert app[keys.COUNTERS] == {"websocket.not_json": 1}
