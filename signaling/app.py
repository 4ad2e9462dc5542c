"""The application's table of contents: what it is made of, how it starts, and where each route goes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from aiohttp import web

from sfu import Sfu
from signaling import assets, i18n, keys, middleware, paths
from signaling.config import Config
from signaling.first_run import Secrets, open_secrets
from signaling.handlers import health, pages, static, websocket, whip
from signaling.limits import Limits
from signaling.pages import Pages
from signaling.service.consultation import Consultation
from signaling.service.desk_code import DeskCode
from signaling.service.stations import Stations
from signaling.service.timers import Timers

MAX_BODY_BYTES: Final = 128_000
"of a form; WHIP has its own bound"


def create_app(config: Config, *, secrets: Secrets | None = None, timers: Timers | None = None) -> web.Application:
    """Everything is read and compiled here, so that serving touches no file.

    Raises AssetsMissing, ValueError for a language without catalogue, and OSError when the secrets cannot be
    kept. Starting the application raises PortInUse.
    """
    app = web.Application(
        middlewares=(
            middleware.log_access,
            middleware.choose_language,
            middleware.answer_errors,
            middleware.refuse_foreign_pages,
        ),
        client_max_size=MAX_BODY_BYTES,
    )
    clock = time.monotonic
    sfu = Sfu(config.media)
    web_root = paths.web_root()
    secrets = secrets or open_secrets(config.paths.var)
    app[keys.CONFIG] = config
    app[keys.SECRETS] = secrets
    app[keys.CLOCK] = clock
    app[keys.COUNTERS] = Counter()
    app[keys.IS_READY] = asyncio.Event()
    app[keys.LIMITS] = Limits()
    app[keys.DESK_CODE] = DeskCode(secrets.desk_code)
    app[keys.LANGUAGES] = i18n.load(web_root / "i18n", config.clinic.languages)
    app[keys.ASSETS] = assets.load(web_root, paths.npm_asset_root())
    app[keys.PAGES] = Pages(web_root / "templates", app[keys.LANGUAGES], app[keys.ASSETS], config)
    app[keys.SFU] = sfu
    app[keys.CONSULTATION] = Consultation(sfu, timers=timers or Timers(), clock=clock)
    app[keys.STATIONS] = Stations(sfu)
    app.add_routes(routes(config.clinic.slug))
    app.on_response_prepare.append(middleware.add_headers)
    app.on_response_prepare.append(whip.add_cors)
    app.cleanup_ctx.append(_media)
    app.cleanup_ctx.append(_consultation)
    app.on_shutdown.append(_say_goodbye)
    return app


def routes(slug: str) -> list[web.RouteDef]:
    return [
        web.get("/", pages.front),
        web.post("/language", pages.choose_language),
        # Patients
        web.get(f"/{slug}", pages.patient),
        web.post(f"/{slug}", pages.enter),
        web.get(f"/{slug}/ws", websocket.patient),
        # Clinicians
        web.get(f"/{slug}/desk", pages.desk),
        web.post(f"/{slug}/desk", pages.sign_in),
        web.post(f"/{slug}/desk/sign-out", pages.sign_out),
        web.get(f"/{slug}/desk/ws", websocket.desk),
        # Guests
        web.get(f"/{slug}/guest", pages.guest),
        web.post(f"/{slug}/guest", pages.join_as_guest),
        web.get(f"/{slug}/guest/ws", websocket.guest),
        # What pages load
        web.get("/assets/{version}/{path:.+}", static.asset),
        web.get("/i18n/{language}.json", static.catalogue),
        # Other WebRTC tools, by the operator's token
        web.post("/api/rooms/{room}", whip.create_room),
        web.delete("/api/rooms/{room}", whip.remove_room),
        web.post("/whip/{room}/{peer}", whip.publish),
        web.post("/whep/{room}/{peer}", whip.play),
        web.options("/{kind:whip|whep}/{room}/{peer}", whip.options),
        web.patch("/{kind:whip|whep}/{room}/{peer}/{resource}", whip.patch),
        web.delete("/{kind:whip|whep}/{room}/{peer}/{resource}", whip.remove),
        web.options("/{kind:whip|whep}/{room}/{peer}/{resource}", whip.options),
        # The operator
        web.get("/health/live", health.live),
        web.get("/health/ready", health.ready),
        web.get("/api/stats", health.stats),
    ]


async def _media(app: web.Application) -> AsyncIterator[None]:
    await app[keys.SFU].start()
    yield
    await app[keys.SFU].close()


async def _consultation(app: web.Application) -> AsyncIterator[None]:
    upkeep = asyncio.create_task(app[keys.CONSULTATION].run(), name="consultation")
    app[keys.IS_READY].set()
    yield
    upkeep.cancel()
    with suppress(asyncio.CancelledError):
        await upkeep


async def _say_goodbye(app: web.Application) -> None:
    """While connections are still open: pages learn that the server goes, and come back when it does."""
    app[keys.IS_READY].clear()
    await app[keys.CONSULTATION].close()
    await app[keys.STATIONS].close()
