"""Files of the pages and the modules' translations, from memory, kept by browsers for ever."""

from __future__ import annotations

from aiohttp import hdrs, web

from signaling import keys

FOR_EVER = "public, max-age=31536000, immutable"


async def asset(request: web.Request) -> web.StreamResponse:
    assets = request.app[keys.ASSETS]
    found = assets.get(request.match_info["path"])
    if found is None or request.match_info["version"] != assets.version:
        raise web.HTTPNotFound
    return _file(request, found.content_type, found.plain, found.gzipped)


async def catalogue(request: web.Request) -> web.StreamResponse:
    language = request.app[keys.LANGUAGES].get(request.match_info["language"])
    if language is None:
        raise web.HTTPNotFound
    return _file(request, "application/json", language.json, None)


def _file(request: web.Request, content_type: str, plain: bytes, gzipped: bytes | None) -> web.Response:
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
    body = plain
    if gzipped is not None and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
        body = gzipped
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)
