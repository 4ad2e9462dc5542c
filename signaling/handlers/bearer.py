"""The operator's bearer token (RFC 6750)."""

from __future__ import annotations

from aiohttp import hdrs, web

from signaling import keys
from signaling.errors import NotFound, Refused
from signaling.rules import tokens

MAX_HEADER_CHARS = 512


class WrongToken(Refused):
    status = 401


def require_token(request: web.Request) -> None:
    """Raises NotFound when the operator has turned the interface off, and WrongToken."""
    expected = request.app[keys.CONFIG].api.token
    if not expected:
        raise NotFound("api_is_off")
    given = request.headers.get(hdrs.AUTHORIZATION, "")
    scheme, _, token = given.partition(" ")
    if len(given) > MAX_HEADER_CHARS or scheme.lower() != "bearer":
        raise WrongToken("token_missing")
    if not tokens.is_same(token.strip(), expected.value):
        raise WrongToken("token_wrong")
