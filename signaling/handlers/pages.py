"""The pages of patients, clinicians and guests, and the forms on them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError

from signaling import keys, replies
from signaling.errors import AppError, Refused, TooMany
from signaling.handlers import cookies
from signaling.limits import caller_of
from signaling.messages import MAX_NAME_CHARS, Role
from signaling.middleware import LANGUAGE_COOKIE
from signaling.rules.rate import RateLimit

LANGUAGE_COOKIE_S = 31_536_000
MAX_TOKEN_CHARS = 100


async def front(request: web.Request) -> web.StreamResponse:
    raise web.HTTPSeeOther(f"/{request.app[keys.CONFIG].clinic.slug}")


async def patient(request: web.Request) -> web.StreamResponse:
    is_waiting = cookies.participant_of(request, Role.PATIENT) is not None
    return _page(request, "patient.html", is_waiting=is_waiting, error=None, name="")


async def enter(request: web.Request) -> web.StreamResponse:
    """The patient's name arrives: by form, or from the page's module, which wants JSON."""
    home = cookies.home(request, Role.PATIENT)
    if cookies.participant_of(request, Role.PATIENT) is not None:
        return _done(request, home)
    form = await _form(request)
    name = _text(form, "name")
    try:
        _limit(request, request.app[keys.LIMITS].enter)
        _check_name(name)
        participant = request.app[keys.CONSULTATION].enter(name)
    except Refused as error:
        return _form_error(request, "patient.html", error, is_waiting=False, name=name[:MAX_NAME_CHARS])
    response = _done(request, home)
    cookies.remember(request, response, participant)
    return response


async def desk(request: web.Request) -> web.StreamResponse:
    if cookies.participant_of(request, Role.CLINICIAN) is None:
        return _page(request, "sign_in.html", status=HTTPStatus.UNAUTHORIZED, error=None)
    return _page(request, "desk.html")


async def sign_in(request: web.Request) -> web.StreamResponse:
    form = await _form(request)
    try:
        _limit(request, request.app[keys.LIMITS].sign_in)
        if not request.app[keys.DESK_CODE].redeem(_text(form, "code")[:MAX_TOKEN_CHARS]):
            raise _Unauthorised("wrong_code")
        participant = request.app[keys.CONSULTATION].sign_in()
    except Refused as error:
        return _form_error(request, "sign_in.html", error)
    response = _done(request, cookies.home(request, Role.CLINICIAN))
    cookies.remember(request, response, participant)
    return response


async def sign_out(request: web.Request) -> web.StreamResponse:
    participant = cookies.participant_of(request, Role.CLINICIAN)
    if participant is not None:
        request.app[keys.CONSULTATION].sign_out(participant)
    response = _done(request, cookies.home(request, Role.CLINICIAN))
    cookies.forget(request, response, Role.CLINICIAN)
    return response


async def guest(request: web.Request) -> web.StreamResponse:
    """The link's token is in the fragment, which a browser keeps to itself; the page's module posts it."""
    is_in_call = cookies.participant_of(request, Role.GUEST) is not None
    return _page(request, "guest.html", is_in_call=is_in_call, error=None, name="")


async def join_as_guest(request: web.Request) -> web.StreamResponse:
    form = await _form(request)
    name = _text(form, "name")
    _limit(request, request.app[keys.LIMITS].guest)
    _check_name(name)
    participant = request.app[keys.CONSULTATION].join_as_guest(_text(form, "token")[:MAX_TOKEN_CHARS], name)
    response = _done(request, cookies.home(request, Role.GUEST))
    cookies.remember(request, response, participant)
    return response


async def choose_language(request: web.Request) -> web.StreamResponse:
    form = await _form(request)
    code, back = _text(form, "language"), _text(form, "back")
    # Only a path of our own: «//host» and «/\host» lead elsewhere.
    is_own_path = back.startswith("/") and not back.startswith(("//", "/\\"))
    response = web.HTTPSeeOther(back if is_own_path and back.isprintable() else "/")
    if request.app[keys.LANGUAGES].get(code) is not None:
        response.set_cookie(
            LANGUAGE_COOKIE,
            code,
            max_age=LANGUAGE_COOKIE_S,
            httponly=True,
            secure=request.app[keys.CONFIG].http.is_secure,
            samesite="Lax",
        )
    raise response


class _Unauthorised(Refused):
    status = HTTPStatus.UNAUTHORIZED


class _BadForm(Refused):
    status = HTTPStatus.BAD_REQUEST


class _Invalid(Refused):
    status = HTTPStatus.UNPROCESSABLE_ENTITY


def _page(request: web.Request, template: str, *, status: int = HTTPStatus.OK, **values: Any) -> web.StreamResponse:
    text = request.app[keys.PAGES].render(template, request[keys.LANGUAGE], path=request.path, **values)
    response = web.Response(text=text, content_type="text/html", status=status)
    # A page differs by cookie, and a shared computer's cache must not bring back somebody's page.
    response.headers["Cache-Control"] = "no-store"
    return response


def _form_error(request: web.Request, template: str, error: AppError, **values: Any) -> web.StreamResponse:
    status = error.status if isinstance(error, Refused) else HTTPStatus.BAD_REQUEST
    if replies.wants_json(request):
        return replies.error(request, status=status, code=error.code)
    text = replies.sentence(error.code, request[keys.LANGUAGE])
    return _page(request, template, status=status, error=text, **values)


def _done(request: web.Request, location: str) -> web.StreamResponse:
    if replies.wants_json(request):
        return web.json_response({"location": location}, status=HTTPStatus.CREATED)
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": location})


def _limit(request: web.Request, limit: RateLimit) -> None:
    loop_now = request.app[keys.CLOCK]()
    if not limit.allows(caller_of(request.remote), loop_now):
        raise TooMany("too_many_requests")


def _check_name(name: str) -> None:
    if not name:
        raise _Invalid("name_missing")
    if len(name) > MAX_NAME_CHARS:
        raise _Invalid("name_too_long")


async def _form(request: web.Request) -> Any:
    """What was posted. Raises Refused for what is no form: that is not our fault, and says too much for a log."""
    try:
        return await request.post()
    except (AssertionError, HttpProcessingError, LookupError, ValueError):
        raise _BadForm("bad_form") from None


def _text(form: Any, field: str) -> str:
    """A form field as one line of printable text; a file is none."""
    value = form.get(field, "")
    if not isinstance(value, str):
        return ""
    return " ".join("".join(char if char.isprintable() else " " for char in value).split())
