"""Typed keys of everything that the application and a request carry."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from aiohttp import web

from sfu import Sfu
from signaling.assets import Assets
from signaling.config import Config
from signaling.first_run import Secrets
from signaling.i18n import Language, Languages
from signaling.limits import Limits
from signaling.pages import Pages
from signaling.service.consultation import Consultation
from signaling.service.desk_code import DeskCode
from signaling.service.stations import Stations

CONFIG = web.AppKey("config", Config)
SECRETS = web.AppKey("secrets", Secrets)
SFU = web.AppKey("sfu", Sfu)
CONSULTATION = web.AppKey("consultation", Consultation)
STATIONS = web.AppKey("stations", Stations)
DESK_CODE = web.AppKey("desk_code", DeskCode)
LANGUAGES = web.AppKey("languages", Languages)
PAGES = web.AppKey("pages", Pages)
ASSETS = web.AppKey("assets", Assets)
LIMITS = web.AppKey("limits", Limits)
CLOCK: web.AppKey[Callable[[], float]] = web.AppKey("clock", Callable[[], float])  # type: ignore[arg-type]
COUNTERS: web.AppKey[Counter[str]] = web.AppKey("counters", Counter)
"what was refused, by stable code: the codes are ours, so their number is bounded"
IS_READY = web.AppKey("is_ready", asyncio.Event)

LANGUAGE = web.RequestKey("language", Language)
