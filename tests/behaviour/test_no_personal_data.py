"""No name, token, code or address reaches a log, whatever happens during a consultation."""

from __future__ import annotations

import logging

import pytest
from aiohttp import web

from signaling import keys, messages
from tests.signaling.clinic import API_TOKEN, DESK_CODE, FIRST_OFFER, Client, enter, open_page, raw, sign_in
from tests.signaling.conftest import app, client, desk_client, guest_client, server
from tests.signaling.handlers.test_pages import talking

__all__ = ["app", "client", "desk_client", "guest_client", "server"]

PATIENT = "Kanari Pasientsen"
GUEST = "Kanari Gjestesen"
WHIP_CANARY = "kanari-wrong-token"


async def consult(client: Client, desk_client: Client, guest_client: Client) -> str:
    """A whole consultation with mistakes in it; returns the guest's token."""
    await sign_in(desk_client)
    await desk_client.post("/demo/desk", data={"code": DESK_CODE + "?"})
    await enter(client, PATIENT)
    await client.get(f"/demo?name={PATIENT}")
    await client.get(f"/{PATIENT}")
    async with await open_page(desk_client, "/demo/desk") as desk, await open_page(client) as patient:
        call = await talking(patient, desk)
        wish = await patient.expect(messages.Wish)
        await patient.send(messages.Offer(epoch=wish.epoch, id=1, revision=wish.revision, sdp=FIRST_OFFER))
        await patient.expect(messages.Answer)
        await desk.send(messages.InviteGuest(call=call.id))
        token = (await desk.expect(messages.GuestLink)).token
        form = {"token": token, "name": GUEST}
        await guest_client.post("/demo/guest", data=form, headers={"Accept": "application/json"})
        await guest_client.post("/demo/guest", data=form)
        async with await open_page(guest_client, "/demo/guest") as guest:
            await guest.expect(messages.Call)
            await guest.socket.send_str(raw(type=PATIENT, name=PATIENT))
            await guest.close_code()
        await desk.send(messages.HangUp(call=call.id))
        await patient.expect(messages.Visit)
    wrong = {"Authorization": f"Bearer {WHIP_CANARY}"}
    await client.post(f"/whip/{WHIP_CANARY}/x", headers=wrong)
    await client.post("/api/rooms/a.b", headers={"Authorization": f"Bearer {API_TOKEN}"})
    return token


async def test_a_whole_consultation_leaves_no_personal_data_in_the_log(
    app: web.Application,
    client: Client,
    desk_client: Client,
    guest_client: Client,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with caplog.at_level(logging.DEBUG):
        token = await consult(client, desk_client, guest_client)
        monkeypatch.setattr(app[keys.CONSULTATION], "enter", broken)
        await client.post("/demo", data={"name": PATIENT})
    ours = [record for record in caplog.records if record.name.split(".")[0] in ("signaling", "sfu")]
    text = "\n".join(logging.Formatter("%(message)s %(exc_text)s").format(record) for record in ours)
    assert "is ready" in text and "planted" in text, "the log was read"
    cookies = [cookie.value for each in (client, desk_client, guest_client) for cookie in each.session.cookie_jar]
    canaries = [PATIENT, GUEST, "Kanari", token, DESK_CODE, API_TOKEN, WHIP_CANARY, "127.0.0.1", *cookies]
    assert [canary for canary in canaries if canary in text] == []


def broken(name: str) -> object:
    raise RuntimeError("planted")
