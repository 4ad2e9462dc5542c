"""Chromium and Firefox of the system, driven by Playwright, inside a network namespace."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, async_playwright

from tests.lab.fake_media import FakeMedia
from tests.lab.netns import Namespace, require_command
from tests.lab.reports import Inbound, Report, Stretch, parse_report, stretch
from tests.lab.waiting import elapse, wait_until

PROBE = Path(__file__).with_name("page_probe.js").read_text(encoding="utf-8")
WATCH = Path(__file__).with_name("page_watch.js").read_text(encoding="utf-8")
DESKTOP = (1280, 800)
PHONE = (390, 844)
_MAX_CONSOLE_LINES = 1000
_LAUNCH_TIMEOUT_MS = 60_000
_ACTION_TIMEOUT_MS = 20_000


class BrowserKind(enum.StrEnum):
    CHROMIUM = "chromium"
    FIREFOX = "firefox"


_CHROMIUM_ARGUMENTS = (
    "--no-sandbox",  # we are root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)

_FIREFOX_PREFERENCES: Mapping[str, str | float | bool] = {
    # Fake camera and microphone, no question.
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    # Pages over plain HTTP on the laboratory's addresses.
    "media.devices.insecure.enabled": True,
    "media.getusermedia.insecure.enabled": True,
    "dom.securecontext.allowlist": "10.96.0.1",
    # OpenH264 is a download.
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-manager.url": "data:text/plain,",
    "media.gmp-gmpopenh264.enabled": False,
    # No calls home.
    "app.update.enabled": False,
    "app.update.disabledForTesting": True,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "",
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.http.speculative-parallel-limit": 0,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "extensions.update.enabled": False,
    "browser.region.update.enabled": False,
    "dom.push.connection.enabled": False,
    "geo.enabled": False,
    "network.trr.mode": 5,
}


class Tab:
    """A page in a context of its own: own cookies, own storage, as another person would have."""

    def __init__(self, name: str, kind: BrowserKind, context: BrowserContext, page: Page) -> None:
        self.name = name
        self.kind = kind
        self.context = context
        self.page = page
        self.console: list[str] = []
        self.errors: list[str] = []
        "uncaught exceptions"
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._note(self.errors, str(error)))

    async def report(self) -> Report:
        """What the newest peer connection of the page says of itself."""
        return parse_report(await self.page.evaluate("() => window.venteromProbe.report()"))

    async def videos(self) -> Sequence[Mapping[str, Any]]:
        """The page's ``<video>`` elements."""
        found: list[Mapping[str, Any]] = await self.page.evaluate("() => window.venteromProbe.videos()")
        return found

    async def watch(self, url: str, token: str) -> None:
        """Play what a WHEP address gives, in the page that is open: one of the same origin."""
        await self.page.evaluate(WATCH, {"url": url, "token": token})

    async def connected(self, timeout_s: float = 15.0) -> Report:
        async def check() -> Report | None:
            report = await self.report()
            return report if report.connection_state == "connected" and report.path else None

        return await wait_until(check, timeout_s, f"{self.name} connected")

    async def receives(self, *, videos: int = 1, audios: int = 1, frames: int = 20, timeout_s: float = 20.0) -> Report:
        """Wait until that many streams each have decoded ``frames`` more frames, or sound, than now."""
        before = {s.ssrc: s for s in (await self.report()).inbound}

        def moved(s: Inbound) -> bool:
            old = before.get(s.ssrc)
            if s.kind == "audio":
                return s.audio_energy > (old.audio_energy if old else 0.0)
            return s.frames_decoded - (old.frames_decoded if old else 0) >= frames

        last: list[str] = []

        async def check() -> Report | None:
            report = await self.report()
            last[:] = [f"{s.kind} {s.codec} {s.frames_decoded} {s.audio_energy:.4f}" for s in report.inbound]
            enough = sum(map(moved, report.videos)) >= videos and sum(map(moved, report.audios)) >= audios
            return report if enough else None

        try:
            return await wait_until(check, timeout_s, f"{self.name} receives {videos} video, {audios} audio")
        except AssertionError as error:
            raise AssertionError(f"{error}; received: {last}") from None

    async def measure(self, duration_s: float) -> tuple[Stretch, Stretch]:
        """Video and audio of the one peer that is received, over the time from now."""
        before = await self.report()
        await elapse(duration_s)
        return stretches(before, await self.report())

    async def close(self) -> None:
        await self.context.close()

    def _on_console(self, message: ConsoleMessage) -> None:
        self._note(self.console, f"{message.type}: {message.text}")

    @staticmethod
    def _note(lines: list[str], text: str) -> None:
        if len(lines) < _MAX_CONSOLE_LINES:
            lines.append(text)


class Browsers:
    """The browsers of one namespace, started when first asked for and used by all tests after that."""

    def __init__(self, namespace: Namespace, media: FakeMedia, *, origin: str) -> None:
        self._namespace = namespace
        self._media = media
        self._origin = origin
        "treated as secure although plain HTTP, so that pages may open a camera"
        self._playwright: Playwright | None = None
        self._running: dict[BrowserKind, Browser] = {}

    async def open(
        self,
        kind: BrowserKind,
        name: str,
        *,
        size: tuple[int, int] = DESKTOP,
        state: Path | None = None,
    ) -> Tab:
        """A new tab with the probe in it; ``state`` is another context's cookies and storage."""
        browser = await self._browser(kind)
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]}, locale="nb-NO", storage_state=state
        )
        context.set_default_timeout(_ACTION_TIMEOUT_MS)
        await context.add_init_script(PROBE)
        return Tab(name, kind, context, await context.new_page())

    async def close(self) -> None:
        for browser in self._running.values():
            await browser.close()
        if self._playwright is not None:
            await self._playwright.stop()

    async def _browser(self, kind: BrowserKind) -> Browser:
        if kind not in self._running:
            # Both the driver and what it launches must be inside: it reaches Firefox by a socket.
            if self._playwright is None:
                with self._namespace.entered():
                    self._playwright = await async_playwright().start()
            self._running[kind] = await self._launch(self._playwright, kind)
        return self._running[kind]

    async def _launch(self, playwright: Playwright, kind: BrowserKind) -> Browser:
        if kind is BrowserKind.FIREFOX:
            return await playwright.firefox.launch(
                channel="moz-firefox",  # stock Firefox over WebDriver BiDi
                executable_path=require_command("firefox-esr", "firefox-esr"),
                firefox_user_prefs=dict(_FIREFOX_PREFERENCES),
                timeout=_LAUNCH_TIMEOUT_MS,
            )
        return await playwright.chromium.launch(
            executable_path=require_command("chromium", "chromium"),
            args=[
                *_CHROMIUM_ARGUMENTS,
                f"--use-file-for-fake-video-capture={self._media.video}",
                f"--use-file-for-fake-audio-capture={self._media.audio}",
                f"--unsafely-treat-insecure-origin-as-secure={self._origin}",
            ],
            timeout=_LAUNCH_TIMEOUT_MS,
        )


def stretches(before: Report, after: Report) -> tuple[Stretch, Stretch]:
    """Video and audio between two reports of a call of two."""
    duration_s = after.at_s - before.at_s
    found: list[Stretch] = []
    for kind in ("video", "audio"):
        old = {s.ssrc: s for s in before.inbound if s.kind == kind}
        new = [s for s in after.inbound if s.kind == kind and s.ssrc in old]
        if len(new) != 1:
            raise AssertionError(f"{len(new)} {kind} streams in both reports, not one")
        found.append(stretch(old[new[0].ssrc], new[0], duration_s))
    return found[0], found[1]
