"""The harness drives both browsers: a page that calls itself is heard, seen and measured."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.lab.browsers import BrowserKind, Browsers, Tab
from tests.lab.fake_media import HEIGHT, WIDTH, make_fake_media
from tests.lab.fixtures import MEDIA_DIRECTORY
from tests.lab.netns import Namespace, require_privilege

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]
ORIGIN = "http://10.96.0.1:8080"
CAMERA_RATIO = {BrowserKind.CHROMIUM: WIDTH / HEIGHT, BrowserKind.FIREFOX: 4 / 3}
PAGE = """<!doctype html><title>Self call</title><link rel=icon href=data:,>
<video autoplay playsinline></video><script type=module>
const stream = await navigator.mediaDevices.getUserMedia({
  audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  video: { width: 640 },
});
const sender = new RTCPeerConnection(), receiver = new RTCPeerConnection();
for (const [from, to] of [[sender, receiver], [receiver, sender]]) {
  from.onicecandidate = (e) => to.addIceCandidate(e.candidate);
}
receiver.ontrack = (e) => { document.querySelector('video').srcObject = e.streams[0]; };
for (const track of stream.getTracks()) sender.addTrack(track, stream);
await sender.setLocalDescription();
await receiver.setRemoteDescription(sender.localDescription);
await receiver.setLocalDescription();
await sender.setRemoteDescription(receiver.localDescription);
console.log('called');
</script>"""


@contextlib.asynccontextmanager
async def self_call(kind: BrowserKind) -> AsyncIterator[Tab]:
    """A page on an address of the laboratory, open in this browser."""
    require_privilege()
    namespace = Namespace("lab")
    namespace.add_nic("10.96.0.1/24", gateway="10.96.0.254")
    app = web.Application()

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    with namespace.entered():
        listener = socket.create_server(("10.96.0.1", 8080))
    browsers = Browsers(namespace, make_fake_media(MEDIA_DIRECTORY), origin=ORIGIN)
    try:
        await web.SockSite(runner, listener).start()
        tab = await browsers.open(kind, "caller")
        await tab.page.goto(ORIGIN)
        yield tab
    finally:
        await browsers.close()
        await runner.cleanup()
        namespace.close()


@pytest.mark.parametrize("kind", list(BrowserKind))
async def test_a_call_is_heard_seen_and_measured(kind: BrowserKind, tmp_path: Path) -> None:
    async with self_call(kind) as tab:
        await tab.connected()
        report = await tab.receives(frames=20)
        (video,) = report.videos
        assert video.codec == "VP8"
        # Either browser may send less than its camera gives, until it has measured the way.
        assert video.width >= 320
        assert video.width / video.height == pytest.approx(CAMERA_RATIO[kind], rel=0.02)
        assert report.path is not None
        assert report.path.protocol == "udp"
        # The other end is known by a .local name, which Firefox does not resolve in its reports.
        if kind is BrowserKind.CHROMIUM:
            assert report.path.remote_address == "10.96.0.1"
        moving, sound = await tab.measure(3.0)
        assert moving.fps > 20
        assert moving.frozen_s == 0
        assert moving.lost == 0
        assert sound.concealed < 0.03
        (element,) = await tab.videos()
        assert element["width"] == video.width
        assert element["paused"] is False
        assert (tab.console, tab.errors) == (["log: called"], [])
        await tab.page.screenshot(path=tmp_path / "call.png")
        assert (tmp_path / "call.png").stat().st_size > 10_000


async def test_what_does_not_arrive_is_noticed() -> None:
    async with self_call(BrowserKind.CHROMIUM) as tab:
        await tab.connected()
        with pytest.raises(AssertionError, match="caller receives 2 video, 1 audio"):
            await tab.receives(videos=2, timeout_s=1.0)
