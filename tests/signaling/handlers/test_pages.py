from __future__ import annotations

import io

import pytest
from aiohttp import FormData

from signaling import messages
from tests.signaling.clinic import DESK_CODE, Client, Page, enter, open_page, sign_in


async def test_the_front_leads_to_the_clinic(client: Client) -> None:
    response = await client.get("/", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, "/demo")


async def test_a_name_begins_a_visit_without_any_script(client: Client) -> None:
    response = await client.post("/demo", data={"name": "  Kari \t Nordmann "}, allow_redirects=False)
    assert response.status == 303
    assert 'data-waiting="yes"' in await (await client.get("/demo")).text()


async def test_a_second_form_does_not_begin_a_second_visit(client: Client, desk_client: Client) -> None:
    await enter(client)
    await enter(client, "Ola")
    await sign_in(desk_client)
    async with await open_page(desk_client, "/demo/desk") as desk:
        assert [visit.name for visit in (await desk.expect(messages.Queue)).visits] == ["Kari"]


@pytest.mark.parametrize(
    ("name", "code"),
    [("", "name_missing"), ("   ", "name_missing"), ("\x00\x1f", "name_missing"), ("x" * 81, "name_too_long")],
)
async def test_a_name_that_will_not_do_is_explained(client: Client, name: str, code: str) -> None:
    as_json = await client.post("/demo", data={"name": name}, headers={"Accept": "application/json"})
    assert (as_json.status, (await as_json.json())["error"]) == (422, code)
    as_page = await client.post("/demo", data={"name": name})
    assert as_page.status == 422 and 'aria-invalid="true"' in await as_page.text()


async def test_an_uploaded_file_is_no_name(client: Client) -> None:
    form = FormData()
    form.add_field("name", io.BytesIO(b"Kari"), filename="name.txt")
    assert (await client.post("/demo", data=form)).status == 422


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"--a\r\nsecret\r\n\r\nx"),
        ("application/x-www-form-urlencoded; charset=none", b"name=secret"),
        ("application/x-www-form-urlencoded", b"name=secret\xff"),
    ],
)
@pytest.mark.parametrize("path", ["/demo", "/demo/desk", "/demo/guest", "/language"])
async def test_what_is_no_form_is_no_fault_of_ours_and_not_logged(
    client: Client, caplog: pytest.LogCaptureFixture, path: str, content_type: str, body: bytes
) -> None:
    response = await client.post(path, data=body, headers={"Content-Type": content_type})
    assert response.status == 400
    assert "secret" not in caplog.text and not [record for record in caplog.records if record.exc_info]


async def test_pages_stay_out_of_caches(client: Client) -> None:
    assert (await client.get("/demo")).headers["Cache-Control"] == "no-store"


async def test_the_desk_is_closed_without_the_code(client: Client) -> None:
    assert (await client.get("/demo/desk")).status == 401
    wrong = await client.post("/demo/desk", data={"code": "wrong"}, headers={"Accept-Language": "en"})
    assert wrong.status == 401 and "That code is not right" in await wrong.text()


async def test_the_code_opens_the_desk_once(client: Client, desk_client: Client) -> None:
    response = await desk_client.post("/demo/desk", data={"code": DESK_CODE})
    assert response.status == 200 and 'id="queue"' in await response.text()
    assert (await client.post("/demo/desk", data={"code": DESK_CODE})).status == 401


async def test_signing_out_closes_the_desk_and_its_window(desk_client: Client) -> None:
    await sign_in(desk_client)
    page = await open_page(desk_client, "/demo/desk")
    await page.expect(messages.NoCall)
    assert (await desk_client.post("/demo/desk/sign-out")).status == 401
    assert await page.close_code() == 4002


async def test_a_copy_of_the_cookie_opens_nothing_after_signing_out(client: Client, desk_client: Client) -> None:
    await sign_in(desk_client)
    (cookie,) = desk_client.session.cookie_jar
    copied = {"Cookie": f"{cookie.key}={cookie.value}"}
    assert (await client.get("/demo/desk", headers=copied)).status == 200
    await desk_client.post("/demo/desk/sign-out")
    assert (await client.get("/demo/desk", headers=copied)).status == 401


async def test_guessing_is_slowed_down(client: Client) -> None:
    statuses = [(await client.post("/demo/desk", data={"code": "x"})).status for _ in range(12)]
    assert statuses[0] == 401 and statuses[-1] == 429


async def test_a_guest_link_that_is_not_valid_is_explained(client: Client) -> None:
    response = await client.post(
        "/demo/guest", data={"token": "x", "name": "Tolk"}, headers={"Accept": "application/json"}
    )
    assert (response.status, (await response.json())["error"]) == (404, "guest_link_not_valid")


async def test_a_guest_joins_by_the_link(client: Client, desk_client: Client, guest_client: Client) -> None:
    await enter(client)
    await sign_in(desk_client)
    async with await open_page(client) as patient, await open_page(desk_client, "/demo/desk") as desk:
        call = await talking(patient, desk)
        await desk.send(messages.InviteGuest(call=call.id))
        token = (await desk.expect(messages.GuestLink)).token
        form = {"token": token, "name": "Tolk Ali"}
        response = await guest_client.post("/demo/guest", data=form, headers={"Accept": "application/json"})
        assert response.status == 201
        assert 'data-joined="yes"' in await (await guest_client.get("/demo/guest")).text()
        async with await open_page(guest_client, "/demo/guest") as guest:
            seen = await guest.expect(messages.Call)
            assert [each.name for each in seen.participants if each.role is messages.Role.GUEST] == ["Tolk Ali"]


async def talking(patient: Page, desk: Page) -> messages.Call:
    queue = await desk.expect(messages.Queue)
    while not queue.visits:
        queue = await desk.expect(messages.Queue)
    await desk.send(messages.Ring(visit=queue.visits[0].id))
    call = await patient.expect(messages.Call, state="offered")
    await patient.send(messages.Accept(call=call.id))
    return await desk.expect(messages.Call, state="accepted")


@pytest.mark.parametrize(
    ("back", "location"),
    [
        ("/demo/desk", "/demo/desk"),
        ("//elsewhere.example", "/"),
        ("/\\elsewhere.example", "/"),
        ("https://elsewhere.example", "/"),
        ("", "/"),
    ],
)
async def test_the_language_switch_leads_back_and_nowhere_else(client: Client, back: str, location: str) -> None:
    response = await client.post("/language", data={"language": "en", "back": back}, allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, location)
    assert '<html lang="en"' in await (await client.get("/demo", headers={"Accept-Language": "nb"})).text()


async def test_an_unknown_language_changes_nothing(client: Client) -> None:
    response = await client.post("/language", data={"language": "xx", "back": "/demo"}, allow_redirects=False)
    assert "Set-Cookie" not in response.headers
