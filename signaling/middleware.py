"""What happens around every request: language, access log, foreign pages, errors, headers."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from signaling import keys, replies
from signaling.errors import AppError, Refused

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LANGUAGE_COOKIE: Final = "venterom_language"
FILE_PREFIXES: Final = ("/assets/", "/i18n/")
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
API_PREFIXES: Final = ("/api/", "/whip/", "/whep/")
"called by programs with a bearer token, from any origin, and answered in JSON"

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Designsystemet's symbols are data: addresses in its style sheet
        "connect-src 'self'",
        "media-src 'self' blob:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": (
        "camera=(self), microphone=(self), screen-wake-lock=(self), geolocation=(), payment=(), usb=()"
    ),
    "Referrer-Policy": "same-origin",  # with no-referrer a form is posted with "Origin: null" (Fetch §3.2)
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
HSTS: Final = "max-age=31536000"

access_logger = logging.getLogger("signaling.access")
logger = logging.getLogger("signaling")


def is_api(request: web.Request) -> bool:
    return request.path.startswith(API_PREFIXES)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """A signal rather than a middleware, so that no response goes without."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.app[keys.CONFIG].http.is_secure:
        response.headers.setdefault("Strict-Transport-Security", HSTS)


@web.middleware
async def log_access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Method, route, status, time. Neither address nor path nor query, which can hold names and tokens."""
    started = time.perf_counter()
    status = HTTPStatus.INTERNAL_SERVER_ERROR.value
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as error:
        status = error.status
        raise
    finally:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "-"
        took_ms = (time.perf_counter() - started) * 1000
        # A page loads a dozen files; whoever wants to see them turns DEBUG on.
        level = logging.DEBUG if route.startswith(FILE_PREFIXES) and status < 400 else logging.INFO
        access_logger.log(level, "%s %s %d %.1f ms", request.method, route, status, took_ms)


@web.middleware
async def choose_language(request: web.Request, handler: Handler) -> web.StreamResponse:
    request[keys.LANGUAGE] = request.app[keys.LANGUAGES].choose(
        request.cookies.get(LANGUAGE_COOKIE), request.headers.get("Accept-Language", "")
    )
    return await handler(request)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The one mapping from errors to HTTP."""
    try:
        return await handler(request)
    except Refused as error:
        return replies.error(request, status=error.status, code=error.code)
    except AppError as error:
        return replies.error(request, status=HTTPStatus.BAD_REQUEST, code=error.code)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return replies.error(request, status=error.status, code=_code_of(error), headers=_kept(error))
    except Exception:
        resource = request.match_info.route.resource
        logger.exception("%s %s failed", request.method, resource.canonical if resource else "-")
        return replies.error(request, status=HTTPStatus.INTERNAL_SERVER_ERROR, code="internal_error")


@web.middleware
async def refuse_foreign_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No other site's page may post a form, or open a WebSocket, in the visitor's name."""
    is_upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
    if not is_api(request) and (is_upgrade or request.method not in SAFE_METHODS):
        if not _is_own_origin(request):
            return replies.error(request, status=HTTPStatus.FORBIDDEN, code="foreign_origin")
    return await handler(request)


def _is_own_origin(request: web.Request) -> bool:
    origin = request.headers.get("Origin")
    if origin is None:
        return True  # no browser: they all send Origin with a POST and with a WebSocket
    # Behind a reverse proxy Host may be the proxy's own name for us; browsers know the public one.
    own_hosts = {request.host, urlsplit(request.app[keys.CONFIG].http.public_url).netloc}
    try:
        return urlsplit(origin).netloc in own_hosts - {""}
    except ValueError:
        return False


def _code_of(error: web.HTTPException) -> str:
    return HTTPStatus(error.status).phrase.lower().replace(" ", "_").replace("-", "_")


def _kept(error: web.HTTPException) -> dict[str, str]:
    return {name: error.headers[name] for name in ("Allow",) if name in error.headers}
