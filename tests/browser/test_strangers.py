"""Other people's WebRTC stacks publish by WHIP and play by WHEP; a browser is at the other end (RFC 9725)."""

from __future__ import annotations

import pytest

from tests.lab import foreign
from tests.lab.browsers import BrowserKind, Browsers, Tab
from tests.lab.fixtures import Cast
from tests.lab.foreign import Script, Stranger
from tests.lab.netns import Namespace
from tests.lab.server import Server
from tests.lab.waiting import elapse, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90), pytest.mark.asyncio(loop_scope="session")]
PUBLISHING_S = 12.0
PLAYING_S = 8.0


async def open_watcher(server: Server, cast: Cast, browsers: Browsers, kind: BrowserKind) -> Tab:
    cast.servers.append(server)
    await server.create_room("gateway")
    watcher = await cast.join(browsers, kind, "watcher")
    await watcher.page.goto(server.patient_address)
    return watcher


async def publishing(server: Server, peer: str) -> None:
    """Wait until the server receives pictures from that peer."""

    async def check() -> bool:
        room = (await server.stats())["sfu"]["rooms"]["gateway"]
        publications = room["peers"].get(peer, {}).get("publications", [])
        return any(p["kind"] == "video" and p["packets"] > 10 for p in publications)

    await wait_until(check, 15.0, f"{peer} publishes")


@pytest.mark.parametrize(
    ("script", "codec", "audios", "watcher_kind"),
    [
        (foreign.GSTREAMER_VP8, "VP8", 1, BrowserKind.CHROMIUM),
        (foreign.GSTREAMER_VP8, "VP8", 1, BrowserKind.FIREFOX),
        (foreign.GSTREAMER_H264, "H264", 1, BrowserKind.CHROMIUM),
        (foreign.FFMPEG_H264, "H264", 1, BrowserKind.CHROMIUM),
        (foreign.LIBDATACHANNEL_VP8, "VP8", 0, BrowserKind.CHROMIUM),
    ],
    ids=lambda value: getattr(value, "file", value),
)
async def test_a_browser_sees_what_a_stranger_publishes(
    server: Server,
    lab: Namespace,
    cast: Cast,
    browsers: Browsers,
    script: Script,
    codec: str,
    audios: int,
    watcher_kind: BrowserKind,
) -> None:
    watcher = await open_watcher(server, cast, browsers, watcher_kind)
    stranger = Stranger(script, lab, server, "/whip/gateway/camera", PUBLISHING_S)
    try:
        await publishing(server, "camera")
        await watcher.watch("/whep/gateway/camera", server.token)
        report = await watcher.receives(audios=audios, frames=40)
    finally:
        await stranger.said()
    (video,) = report.videos
    assert video.codec == codec
    assert video.width == 640


@pytest.mark.parametrize("script", [foreign.GSTREAMER_PLAY, foreign.WERIFT_PLAY], ids=lambda script: str(script.file))
async def test_a_stranger_plays_what_a_stranger_publishes(server: Server, lab: Namespace, script: Script) -> None:
    await server.create_room("gateway")
    publisher = Stranger(foreign.GSTREAMER_VP8, lab, server, "/whip/gateway/camera", PLAYING_S + 6)
    try:
        await publishing(server, "camera")
        player = Stranger(script, lab, server, "/whep/gateway/camera", PLAYING_S)
        await player.said()
    finally:
        await publisher.said()


@pytest.mark.network
async def test_idle_browsers_stay_connected_for_a_minute(server: Server, cast: Cast, browsers: Browsers) -> None:
    """Each watches a peer that publishes nothing yet: not a packet but the browsers' own checks."""
    chromium = await open_watcher(server, cast, browsers, BrowserKind.CHROMIUM)
    firefox = await cast.join(browsers, BrowserKind.FIREFOX, "firefox")
    await firefox.page.goto(server.patient_address)
    for tab in (chromium, firefox):
        await tab.watch("/whep/gateway/nobody", server.token)
        await tab.connected()
    await elapse(60.0)
    for tab in (chromium, firefox):
        report = await tab.report()
        assert report.connection_state == "connected"
        assert report.state_changes == ["connecting", "connected"]
    peers = (await server.stats())["sfu"]["rooms"]["gateway"]["peers"].values()
    assert [peer["state"] for peer in peers] == ["connected"] * 2
