"""WHIP and WHEP over HTTP, with the real SFU and recorded offers (RFC 9725)."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from signaling import keys
from tests.signaling.clinic import API_TOKEN, SDP, Client

AUTHORISED = {"Authorization": f"Bearer {API_TOKEN}"}
SDP_TYPE = {**AUTHORISED, "Content-Type": "application/sdp"}
FRAGMENT_TYPE = {**AUTHORISED, "Content-Type": "application/trickle-ice-sdpfrag"}
WHIP_OFFER = (SDP / "pyav_whip_offer.sdp").read_bytes()
BROWSER_OFFER = (SDP / "chromium_av.sdp").read_text().replace("a=sendrecv", "a=sendonly")
WHEP_OFFER = (SDP / "chromium_av_recvonly.sdp").read_bytes()
TRICKLE = "m=audio 9 X 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
RESTART = "a=ice-ufrag:new1\r\na=ice-pwd:0123456789abcdef012345\r\n"


@pytest.fixture
async def room(client: Client) -> Client:
    response = await client.post("/api/rooms/gateway", headers=AUTHORISED)
    assert (response.status, response.headers["Location"]) == (201, "/api/rooms/gateway")
    return client


async def publish(client: Client) -> Any:
    response = await client.post("/whip/gateway/camera", data=WHIP_OFFER, headers=SDP_TYPE)
    assert response.status == 201, await response.text()
    return response


async def test_publishing_gets_an_answer_a_resource_and_an_etag(room: Client) -> None:
    response = await publish(room)
    assert response.content_type == "application/sdp"
    assert response.headers["Location"].startswith("/whip/gateway/camera/")
    assert response.headers["ETag"].startswith('"')
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Location" in response.headers["Access-Control-Expose-Headers"]
    assert (await response.text()).count("a=recvonly") == 2


async def test_playing_what_is_published_and_what_is_not_yet(room: Client) -> None:
    await publish(room)
    for peer in ("camera", "nobody"):
        response = await room.post(f"/whep/gateway/{peer}", data=WHEP_OFFER, headers=SDP_TYPE)
        assert response.status == 201
        assert response.headers["Location"].startswith(f"/whep/gateway/{peer}/")
        assert (await response.text()).count("a=sendonly") == 2


async def test_deleting_ends_it_and_the_name_is_free_again(room: Client) -> None:
    location = (await publish(room)).headers["Location"]
    assert (await room.delete(location, headers=AUTHORISED)).status == 200
    assert (await room.delete(location, headers=AUTHORISED)).status == 404
    await publish(room)


async def test_trickle_needs_the_etag(room: Client) -> None:
    response = await publish(room)
    location, etag = response.headers["Location"], response.headers["ETag"]
    statuses = [
        (await room.patch(location, data=TRICKLE, headers={**FRAGMENT_TYPE, **match})).status
        for match in ({"If-Match": etag}, {}, {"If-Match": '"other"'}, {"If-Match": "*"})
    ]
    assert statuses == [204, 428, 412, 412]


async def test_a_publisher_is_asked_for_what_suits_whoever_comes_later(room: Client) -> None:
    """A browser offers RED too. It could not be asked to leave it when somebody comes who has none."""
    response = await room.post("/whip/gateway/camera", data=BROWSER_OFFER, headers=SDP_TYPE)
    answer = await response.text()
    assert "opus/48000" in answer and "red/48000" not in answer


async def test_an_ice_restart_does_not_change_what_is_published(app: web.Application, room: Client) -> None:
    """The client never hears of another codec, so it goes on with the first."""
    created = await room.post("/whip/gateway/camera", data=BROWSER_OFFER, headers=SDP_TYPE)
    gateway = app[keys.SFU].room("gateway")
    assert gateway is not None
    only_h264 = (SDP / "chromium_v_h264.sdp").read_text().replace("a=sendrecv", "a=recvonly")
    await gateway.add_peer("watcher").answer(only_h264)
    assert gateway.stats().video_codec == "H264"
    restart = {**FRAGMENT_TYPE, "If-Match": "*"}
    assert (await room.patch(created.headers["Location"], data=RESTART, headers=restart)).status == 200
    codecs = {each.codec for each in gateway.stats().peers["camera"].publications}
    assert codecs == {"OPUS", "VP8"}


@pytest.mark.parametrize("any_etag", [True, False])
async def test_ice_restart_gives_a_fragment_and_a_new_etag(room: Client, any_etag: bool) -> None:
    created = await publish(room)
    location, etag = created.headers["Location"], created.headers["ETag"]
    headers = {**FRAGMENT_TYPE, "If-Match": "*" if any_etag else etag}
    response = await room.patch(location, data=RESTART, headers=headers)
    fragment = await response.text()
    assert response.status == 200
    assert response.content_type == "application/trickle-ice-sdpfrag"
    assert response.headers["ETag"] != etag
    assert "a=ice-ufrag:" in fragment and "a=candidate:" in fragment
    old = {**FRAGMENT_TYPE, "If-Match": etag}
    assert (await room.patch(location, data=RESTART, headers=old)).status == 412


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "code"),
    [
        ("/whip/gateway/camera", AUTHORISED, b"v=0", 415, "wrong_content_type"),
        ("/whip/gateway/camera", SDP_TYPE, b"v=0" + b"x" * 64_000, 413, "body_too_large"),
        ("/whip/gateway/camera", SDP_TYPE, b"\xff", 400, "not_utf8"),
        ("/whip/gateway/camera", SDP_TYPE, b"hello", 422, None),
        ("/whip/nowhere/camera", SDP_TYPE, WHIP_OFFER, 404, "no_such_room"),
        ("/whip/gateway/a.b", SDP_TYPE, WHIP_OFFER, 409, "bad_id"),
        ("/whip/gateway/camera", {"Content-Type": "application/sdp"}, WHIP_OFFER, 401, "token_missing"),
    ],
)
async def test_refusals_are_problem_details(
    room: Client, path: str, headers: dict[str, str], body: bytes, status: int, code: str | None
) -> None:
    response = await room.post(path, data=body, headers=headers)
    problem = await response.json(content_type="application/problem+json")
    assert response.status == problem["status"] == status
    assert code in (None, problem["code"])
    assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_body_of_unknown_length_is_bounded_too(room: Client) -> None:
    async def endless() -> Any:
        for _ in range(20):
            yield b"x" * 10_000

    response = await room.post("/whip/gateway/camera", data=endless(), headers=SDP_TYPE)
    assert response.status == 413


async def test_a_bad_fragment_is_refused(room: Client) -> None:
    created = await publish(room)
    headers = {**FRAGMENT_TYPE, "If-Match": created.headers["ETag"]}
    response = await room.patch(created.headers["Location"], data="hello", headers=headers)
    assert response.status == 400


async def test_the_same_peer_twice_is_refused(room: Client) -> None:
    await publish(room)
    assert (await room.post("/whip/gateway/camera", data=WHIP_OFFER, headers=SDP_TYPE)).status == 409


async def test_preflight_needs_no_token_and_names_the_types(client: Client) -> None:
    for path in ("/whip/a/b", "/whep/a/b", "/whip/a/b/c"):
        response = await client.options(path, headers={"Origin": "https://elsewhere.example"})
        assert response.status == 204
        assert response.headers["Accept-Post"] == "application/sdp"
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
async def test_other_methods_are_not_allowed(client: Client, method: str) -> None:
    """RFC 9725 §4.1."""
    response = await client.request(method, "/whip/a/b", headers=AUTHORISED)
    assert response.status == 405 and "POST" in response.headers["Allow"]


async def test_a_room_is_removed_with_what_is_in_it(room: Client) -> None:
    location = (await publish(room)).headers["Location"]
    assert (await room.post("/api/rooms/gateway", headers=AUTHORISED)).status == 409
    assert (await room.delete("/api/rooms/gateway", headers=AUTHORISED)).status == 204
    assert (await room.delete(location, headers=AUTHORISED)).status == 404
    assert (await room.delete("/api/rooms/gateway", headers=AUTHORISED)).status == 404
