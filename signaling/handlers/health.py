"""Whether the server lives, whether it takes new visits, and its numbers for the operator."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from signaling import keys
from signaling.handlers.bearer import require_token


async def live(request: web.Request) -> web.StreamResponse:
    return web.json_response({"status": "ok"}, headers={"Cache-Control": "no-store"})


async def ready(request: web.Request) -> web.StreamResponse:
    is_ready = request.app[keys.IS_READY].is_set()
    return web.json_response(
        {"status": "ok" if is_ready else "stopping"},
        status=200 if is_ready else 503,
        headers={"Cache-Control": "no-store"},
    )


async def stats(request: web.Request) -> web.StreamResponse:
    """The SFU's snapshot and our own counters: ids and numbers, no names."""
    require_token(request)
    counters = request.app[keys.COUNTERS]
    body = {"sfu": _plain(request.app[keys.SFU].stats()), "signaling": dict(counters.items())}
    return web.json_response(body, headers={"Cache-Control": "no-store"})


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(item) for item in value]
    return value
