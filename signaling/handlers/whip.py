"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep), and the bare rooms they can use."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web

from signaling import keys, replies, sdpfrag
from signaling.errors import Refused
from signaling.handlers.bearer import require_token
from signaling.messages import MAX_SDP_CHARS
from signaling.sdpfrag import Fragment, FragmentError
from signaling.service.stations import Station

SDP: Final = "application/sdp"
SDP_FRAGMENT: Final = "application/trickle-ice-sdpfrag"

CORS_PREFIXES: Final = ("/whip/", "/whep/")
CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, ETag, Link, Accept-Patch, Accept-Post",
}
PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Max-Age": "86400",
    "Accept-Post": SDP,
    "Accept-Patch": SDP_FRAGMENT,
}


async def add_cors(request: web.Request, response: web.StreamResponse) -> None:
    if request.path.startswith(CORS_PREFIXES):
        response.headers.update(CORS)


async def options(request: web.Request) -> web.StreamResponse:
    """RFC 9725 §4.2. Needs no token: a preflight carries none."""
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=PREFLIGHT)


async def create_room(request: web.Request) -> web.StreamResponse:
    require_token(request)
    room_id = request.match_info["room"]
    request.app[keys.STATIONS].create_room(room_id)
    location = f"/api/rooms/{room_id}"
    return web.json_response({"room": room_id}, status=HTTPStatus.CREATED, headers={"Location": location})


async def remove_room(request: web.Request) -> web.StreamResponse:
    require_token(request)
    await request.app[keys.STATIONS].remove_room(request.match_info["room"])
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def publish(request: web.Request) -> web.StreamResponse:
    require_token(request)
    offer = await _read(request, SDP, MAX_SDP_CHARS)
    room_id, peer_id = request.match_info["room"], request.match_info["peer"]
    return _created("whip", request, await request.app[keys.STATIONS].publish(room_id, peer_id, offer))


async def play(request: web.Request) -> web.StreamResponse:
    require_token(request)
    offer = await _read(request, SDP, MAX_SDP_CHARS)
    room_id, peer_id = request.match_info["room"], request.match_info["peer"]
    return _created("whep", request, await request.app[keys.STATIONS].play(room_id, peer_id, offer))


async def remove(request: web.Request) -> web.StreamResponse:
    require_token(request)
    stations = request.app[keys.STATIONS]
    await stations.remove(stations.station(request.match_info["resource"]))
    return web.Response(status=HTTPStatus.OK)


async def patch(request: web.Request) -> web.StreamResponse:
    """Trickle ICE and ICE restart (RFC 9725 §4.3)."""
    require_token(request)
    stations = request.app[keys.STATIONS]
    station = stations.station(request.match_info["resource"])
    if_match = request.headers.get(hdrs.IF_MATCH)
    if if_match is None:
        return replies.problem(status=HTTPStatus.PRECONDITION_REQUIRED, code="if_match_missing")
    fragment = await _read_fragment(request)
    is_restart = fragment.ufrag is not None and fragment.ufrag != sdpfrag.ufrag_of(station.offer)
    if if_match.strip() != station.etag and not (is_restart and if_match.strip() == "*"):
        return replies.problem(status=HTTPStatus.PRECONDITION_FAILED, code="if_match_stale")
    if not is_restart:
        for candidate in fragment.candidates:
            station.peer.add_candidate(candidate)
        return web.Response(status=HTTPStatus.NO_CONTENT)
    assert fragment.ufrag is not None and fragment.pwd is not None
    await stations.restart(station, fragment.ufrag, fragment.pwd)
    return web.Response(
        body=sdpfrag.from_answer(station.answer).encode(),
        content_type=SDP_FRAGMENT,
        headers={hdrs.ETAG: station.etag},
    )


def _created(kind: str, request: web.Request, station: Station) -> web.StreamResponse:
    room_id, peer_id = request.match_info["room"], request.match_info["peer"]
    return web.Response(
        body=station.answer.encode(),
        content_type=SDP,
        status=HTTPStatus.CREATED,
        headers={
            hdrs.LOCATION: f"/{kind}/{room_id}/{peer_id}/{station.id}",
            hdrs.ETAG: station.etag,
            "Accept-Patch": SDP_FRAGMENT,
        },
    )


async def _read_fragment(request: web.Request) -> Fragment:
    text = await _read(request, SDP_FRAGMENT, sdpfrag.MAX_FRAGMENT_CHARS)
    try:
        return sdpfrag.parse(text)
    except FragmentError as error:
        raise _BadRequest("bad_fragment", str(error)) from error


async def _read(request: web.Request, content_type: str, most: int) -> str:
    if request.content_type != content_type:
        raise _WrongType("wrong_content_type", content_type)
    if (request.content_length or 0) > most:
        raise _TooLarge("body_too_large")
    body = await request.content.read(most + 1) if request.body_exists else b""
    while len(body) <= most and not request.content.at_eof():
        body += await request.content.read(most + 1 - len(body))
    if len(body) > most:
        raise _TooLarge("body_too_large")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise _BadRequest("not_utf8") from None


class _BadRequest(Refused):
    status = HTTPStatus.BAD_REQUEST


class _WrongType(Refused):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class _TooLarge(Refused):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
