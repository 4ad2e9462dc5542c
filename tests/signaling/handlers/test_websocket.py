from __future__ import annotations

import dataclasses
from contextlib import suppress

import pytest
from aiohttp import web

from signaling import keys, messages
from signaling.errors import CloseCode
from signaling.handlers.websocket import HANDLERS
from signaling.messages import Role
from signaling.rules.rate import Rate, RateLimit
from tests.signaling.clinic import FIRST_OFFER, Client, Page, enter, open_page, raw, sign_in
from tests.signaling.handlers.test_pages import talking


def test_every_message_of_a_page_but_hello_has_a_handler_and_a_role() -> None:
    assert set(HANDLERS) == set(messages.FROM_PAGE.values()) - {messages.Hello}
    assert all(roles for _, roles in HANDLERS.values())


@pytest.mark.parametrize(
    ("text", "close_code"),
    [
        ("garbage", CloseCode.BAD_MESSAGE),
        ("[" * 50_000, CloseCode.BAD_MESSAGE),
        (raw(type="ping"), CloseCode.BAD_MESSAGE),
        (raw(type="hello", version=9, epoch=None), CloseCode.WRONG_VERSION),
        ("x" * (messages.MAX_MESSAGE_BYTES + 1), CloseCode.MESSAGE_TOO_BIG),
    ],
    ids=["garbage", "deep", "no hello", "version", "too big"],
)
async def test_whoever_does_not_speak_the_protocol_is_closed_by_name(
    client: Client, app: web.Application, text: str, close_code: CloseCode
) -> None:
    await enter(client)
    page = Page(await client.ws_connect("/demo/ws"))
    await page.socket.send_str(text)
    assert await page.close_code() == close_code
    assert sum(app[keys.COUNTERS].values()) == 1


async def test_megabytes_are_cut_off(client: Client, app: web.Application) -> None:
    await enter(client)
    page = await open_page(client)
    await page.expect(messages.NoCall)
    with suppress(ConnectionError):
        await page.socket.send_str("x" * 5_000_000)
    assert await page.close_code() in (CloseCode.MESSAGE_TOO_BIG, 1006)
    assert app[keys.COUNTERS] == {"websocket.too_big": 1}


@pytest.mark.parametrize("text", [raw(type="hello", version=1, epoch=None), raw(type="nonsense"), "{}"])
async def test_after_the_hello_too(client: Client, text: str) -> None:
    await enter(client)
    page = await open_page(client)
    await page.expect(messages.Welcome)
    await page.socket.send_str(text)
    assert await page.close_code() == CloseCode.BAD_MESSAGE


async def test_binary_is_no_message(client: Client, app: web.Application) -> None:
    await enter(client)
    page = await open_page(client)
    await page.socket.send_bytes(b"x")
    assert await page.close_code() == CloseCode.BAD_MESSAGE
    assert app[keys.COUNTERS]["websocket.binary"] == 1


async def test_a_patient_cannot_ring(client: Client) -> None:
    await enter(client)
    page = await open_page(client)
    await page.send(messages.Ring(visit="x"))
    assert await page.close_code() == CloseCode.NOT_ALLOWED


async def test_a_stranger_is_told_that_it_is_over(client: Client) -> None:
    for path in ("/demo", "/demo/desk", "/demo/guest"):
        assert await (await open_page(client, path)).close_code() == CloseCode.OVER


async def test_a_flood_of_messages_is_closed(client: Client, app: web.Application) -> None:
    app[keys.LIMITS].messages = Rate(burst=5, per_s=0.0)
    await enter(client)
    page = await open_page(client)
    for _ in range(5):
        await page.send(messages.Ping())
    assert await page.close_code() == CloseCode.TOO_MANY_MESSAGES


async def test_offers_are_bounded_for_a_participant_and_not_for_a_connection(
    client: Client, app: web.Application
) -> None:
    app[keys.LIMITS].negotiations = RateLimit(Rate(burst=2, per_s=0.0))
    await enter(client)
    offer = messages.Offer(epoch=1, id=1, revision=1, sdp=FIRST_OFFER)
    page = await open_page(client)
    for message in (offer, messages.Rejoin(epoch=1), offer):
        await page.send(message)
    assert await page.close_code() == CloseCode.TOO_MANY_MESSAGES
    page = await open_page(client)
    await page.send(offer)
    assert await page.close_code() == CloseCode.TOO_MANY_MESSAGES
    assert app[keys.COUNTERS]["websocket.too_many_offers"] == 2


async def test_a_refused_request_is_answered_and_the_window_stays(desk_client: Client) -> None:
    await sign_in(desk_client)
    async with await open_page(desk_client, "/demo/desk") as desk:
        await desk.send(messages.Ring(visit="x"))
        assert await desk.expect(messages.Refusal) == messages.Refusal(code="no_such_visit", of="ring")
        await desk.send(messages.Ping())
        await desk.expect(messages.Pong)


async def test_a_second_window_takes_over_with_a_reason(client: Client) -> None:
    await enter(client)
    first = await open_page(client)
    await first.expect(messages.Welcome)
    async with await open_page(client) as second:
        await second.expect(messages.NoCall)
        assert await first.close_code() == CloseCode.TAKEN_OVER


async def negotiate(page: Page) -> messages.Answer:
    wish = await page.expect(messages.Wish)
    await page.send(messages.Offer(epoch=wish.epoch, id=1, revision=wish.revision, sdp=FIRST_OFFER))
    answer = await page.expect(messages.Answer, id=1)
    await page.send(messages.Applied(epoch=wish.epoch, id=1))
    return answer


async def test_the_whole_way_of_a_consultation(client: Client, desk_client: Client) -> None:
    await sign_in(desk_client)
    async with await open_page(desk_client, "/demo/desk") as desk:
        await desk.expect(messages.NoCall)
        await enter(client)
        async with await open_page(client) as patient:
            assert (await patient.expect(messages.Welcome)).role is Role.PATIENT
            call = await talking(patient, desk)
            answers = [await negotiate(page) for page in (patient, desk)]
            assert not answers[0].publications, "nobody published before the patient"
            assert {each.kind.value for each in answers[1].publications.values()} == {"audio", "video"}
            await desk.send(messages.HangUp(call=call.id))
            ended = await patient.expect(messages.Call, state="ended")
            assert ended.reason == "hung_up_by_clinician"
            assert (await patient.expect(messages.Visit)).state.value == "ended"
            assert await patient.close_code() == CloseCode.OVER


async def test_a_dropped_websocket_does_not_drop_the_call(client: Client, desk_client: Client) -> None:
    await enter(client)
    await sign_in(desk_client)
    async with await open_page(desk_client, "/demo/desk") as desk:
        async with await open_page(client) as patient:
            await talking(patient, desk)
            wish = await patient.expect(messages.Wish)
            offer = messages.Offer(epoch=wish.epoch, id=1, revision=wish.revision, sdp=FIRST_OFFER)
            await patient.send(offer)
            first = await patient.expect(messages.Answer)
        async with await open_page(client, epoch=wish.epoch) as patient:
            call = await patient.expect(messages.Call)
            assert (call.state.value, call.epoch) == ("accepted", wish.epoch)
            await patient.expect(messages.Wish)
            await patient.send(offer)
            assert await patient.expect(messages.Answer) == first


async def test_a_reload_gets_a_new_peer_connection(client: Client, desk_client: Client) -> None:
    await enter(client)
    await sign_in(desk_client)
    async with await open_page(desk_client, "/demo/desk") as desk:
        async with await open_page(client) as patient:
            await talking(patient, desk)
            wish = await patient.expect(messages.Wish)
        async with await open_page(client) as patient:
            assert (await patient.expect(messages.Wish)).epoch == wish.epoch + 1


async def test_an_offer_of_a_replaced_peer_connection_is_passed_over(client: Client, desk_client: Client) -> None:
    await enter(client)
    await sign_in(desk_client)
    async with await open_page(desk_client, "/demo/desk") as desk, await open_page(client) as patient:
        await talking(patient, desk)
        wish = await patient.expect(messages.Wish)
        offer = messages.Offer(epoch=wish.epoch + 7, id=1, revision=1, sdp=FIRST_OFFER)
        await patient.send(offer)
        await patient.send(dataclasses.replace(offer, epoch=wish.epoch))
        assert (await patient.expect(messages.Answer)).epoch == wish.epoch


async def test_too_many_connections_from_one_address_are_refused(client: Client, app: web.Application) -> None:
    app[keys.LIMITS].connect._rate = Rate(burst=1, per_s=0.0)
    await (await open_page(client)).close_code()
    assert (await client.get("/demo/ws")).status == 429
