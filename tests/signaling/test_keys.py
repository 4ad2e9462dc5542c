from __future__ import annotations

from aiohttp import web

from signaling import keys


def test_create_app_fills_every_key(app: web.Application) -> None:
    declared = [key for key in vars(keys).values() if isinstance(key, web.AppKey)]
    assert [key for key in declared if key not in app] == []
    assert len(declared) > 5
