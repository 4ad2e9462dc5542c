"""Two people, stock browsers, the real pages: picture and sound arrive both ways, whatever the call goes through."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Firewall
from tests.lab.browsers import BrowserKind, Browsers, Tab
from tests.lab.consultation import CAMERA_OFF, END, MICROPHONE_OFF, Consultation, button, consultation
from tests.lab.emulator import SERVER_IPV4, SERVER_IPV6
from tests.lab.fixtures import Cast
from tests.lab.reports import Report
from tests.lab.server import MEDIA_PORT, Server
from tests.lab.waiting import elapse, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

CHROMIUM, FIREFOX = BrowserKind.CHROMIUM, BrowserKind.FIREFOX
MIN_WIDTH = 320
"Both send less than their camera gives until they have measured the way."


async def call(
    server: Server, cast: Cast, browsers: Browsers, patient: BrowserKind = CHROMIUM, clinician: BrowserKind = CHROMIUM
) -> Consultation:
    return await consultation(server, cast, (browsers, patient), (browsers, clinician))


async def media_flows(*tabs: Tab, others: int = 1, codec: str = "VP8") -> list[Report]:
    """Each of these people sees and hears that many others; returns what they received."""
    reports: list[Report] = []
    for tab in tabs:
        report = await tab.receives(videos=others, audios=others)
        moving = [s for s in report.videos if s.frames_decoded]
        assert {s.codec for s in moving} == {codec}
        assert all(s.width >= MIN_WIDTH and s.height * 2 >= s.width for s in moving)
        reports.append(report)
    return reports


def paths(reports: list[Report]) -> set[tuple[str, str, int]]:
    return {(r.path.protocol, r.path.remote_address, r.path.remote_port) for r in reports if r.path}


@pytest.mark.parametrize(("patient", "clinician"), [(CHROMIUM, CHROMIUM), (CHROMIUM, FIREFOX), (FIREFOX, FIREFOX)])
async def test_they_see_and_hear_each_other_over_udp(
    server: Server, cast: Cast, browsers: Browsers, patient: BrowserKind, clinician: BrowserKind
) -> None:
    held = await call(server, cast, browsers, patient, clinician)
    reports = await media_flows(held.patient, held.clinician)
    assert {protocol for protocol, _, _ in paths(reports)} == {"udp"}
    assert {address for _, address, _ in paths(reports)} <= {SERVER_IPV4, SERVER_IPV6}
    assert {port for _, _, port in paths(reports)} == {MEDIA_PORT}
    for tab in (held.patient, held.clinician):
        shown = [v for v in await tab.videos() if v["visible"] and not v["muted"]]
        assert [v["width"] >= MIN_WIDTH and not v["paused"] for v in shown] == [True]
        assert tab.errors == []
    await held.end()
    assert (await held.patient.report()).connection_state == "none"
    assert (await held.clinician.report()).connection_state == "none"


@pytest.mark.parametrize("server", [("H264", "VP8")], indirect=True)
async def test_h264_when_the_operator_orders_it(server: Server, cast: Cast, browsers: Browsers) -> None:
    held = await call(server, cast, browsers)
    await media_flows(held.patient, held.clinician, codec="H264")


@pytest.mark.parametrize("server", [("H264", "VP8")], indirect=True)
async def test_a_browser_without_h264_joins_an_h264_call(server: Server, cast: Cast, browsers: Browsers) -> None:
    """The Firefox of these tests has no H264: everybody changes to VP8, and nobody's call drops."""
    held = await call(server, cast, browsers)
    before = await media_flows(held.patient, held.clinician, codec="H264")
    guest = await held.invite(browsers, FIREFOX)
    began = (await guest.connected()).at_s
    first = await guest.receives(videos=1, audios=0, frames=1)
    assert first.at_s - began < 2.0
    reports = await media_flows(guest, held.patient, held.clinician, others=2)
    assert [r.connections_made for r in reports[1:]] == [r.connections_made for r in before]


@pytest.mark.parametrize("clinician", [CHROMIUM, FIREFOX])
async def test_over_ice_tcp_where_udp_is_blocked(
    server: Server, cast: Cast, browsers: Browsers, firewall: Firewall, clinician: BrowserKind
) -> None:
    firewall.drop(f"udp dport {MEDIA_PORT}", f"udp sport {MEDIA_PORT}")
    held = await call(server, cast, browsers, CHROMIUM, clinician)
    reports = await media_flows(held.patient, held.clinician)
    assert {(protocol, port) for protocol, _, port in paths(reports)} == {("tcp", MEDIA_PORT)}


@pytest.mark.parametrize("clinician", [CHROMIUM, FIREFOX])
async def test_over_ipv6(
    server: Server, cast: Cast, browsers: Browsers, firewall: Firewall, clinician: BrowserKind
) -> None:
    firewall.drop(f"meta nfproto ipv4 udp dport {MEDIA_PORT}", f"meta nfproto ipv4 tcp dport {MEDIA_PORT}")
    held = await call(server, cast, browsers, CHROMIUM, clinician)
    reports = await media_flows(held.patient, held.clinician)
    assert paths(reports) == {("udp", SERVER_IPV6, MEDIA_PORT)}


@pytest.mark.parametrize("guest_kind", [CHROMIUM, FIREFOX])
async def test_a_third_person_joins_and_leaves(
    server: Server, cast: Cast, browsers: Browsers, guest_kind: BrowserKind
) -> None:
    held = await call(server, cast, browsers)
    before = await media_flows(held.patient, held.clinician)
    guest = await held.invite(browsers, guest_kind)
    await media_flows(guest, held.patient, held.clinician, others=2)
    await button(guest, END).click()
    for tab in (held.patient, held.clinician):
        await expect(tab.page.locator("#call-remotes video")).to_have_count(1)
    after = await media_flows(held.patient, held.clinician)
    assert [r.connections_made for r in after] == [r.connections_made for r in before]


@pytest.mark.parametrize("kind", [CHROMIUM, FIREFOX])
async def test_a_reload_takes_the_call_up_again(
    server: Server, cast: Cast, browsers: Browsers, kind: BrowserKind
) -> None:
    held = await call(server, cast, browsers, kind, CHROMIUM)
    await media_flows(held.patient, held.clinician)
    await held.patient.page.reload()
    await expect(held.patient.page.locator("#call")).to_be_visible()
    await held.patient.connected()
    reports = await media_flows(held.patient, held.clinician)
    assert reports[1].connections_made == 1


@pytest.mark.parametrize("kind", [CHROMIUM, FIREFOX])
async def test_an_ice_restart_interrupts_nothing(
    server: Server, cast: Cast, browsers: Browsers, kind: BrowserKind
) -> None:
    held = await call(server, cast, browsers, kind, CHROMIUM)
    before = await media_flows(held.patient, held.clinician)
    ufrag = await local_ufrag(held.patient)
    # What a page hears when the device changes to another network.
    await held.patient.page.evaluate("() => window.dispatchEvent(new Event('online'))")

    async def restarted() -> bool:
        return await local_ufrag(held.patient) != ufrag

    await wait_until(restarted, 5.0, "new ICE credentials are in use")
    after = await media_flows(held.patient, held.clinician)
    assert [r.connections_made for r in after] == [r.connections_made for r in before]
    # Firefox calls itself «connecting» while it checks the new pair.
    assert not {"disconnected", "failed"} & set(after[0].state_changes)
    assert after[1].state_changes == ["connecting", "connected"]
    assert after[1].videos[0].frozen_s - before[1].videos[0].frozen_s < 0.5


async def local_ufrag(tab: Tab) -> str:
    ufrag: str = await tab.page.evaluate(
        "() => /a=ice-ufrag:(\\S+)/.exec(window.venteromProbe.newest().currentLocalDescription.sdp)[1]"
    )
    return ufrag


async def test_a_lost_websocket_does_not_drop_the_call(server: Server, cast: Cast, browsers: Browsers) -> None:
    held = await call(server, cast, browsers)
    before = await media_flows(held.patient, held.clinician)
    patient = held.patient.page
    async with patient.expect_websocket():
        await patient.evaluate("() => window.venteromProbe.closeSockets()")
    after = await media_flows(held.patient, held.clinician)
    assert [r.connections_made for r in after] == [r.connections_made for r in before]
    assert after[0].state_changes == ["connecting", "connected"]
    # The new WebSocket works: what the clinician does arrives.
    await held.end()


async def test_the_camera_goes_off_and_on(server: Server, cast: Cast, browsers: Browsers) -> None:
    held = await call(server, cast, browsers)
    await media_flows(held.patient, held.clinician)
    camera = button(held.patient, CAMERA_OFF)
    await camera.click()
    still = await stops(held.clinician, "video")
    heard = await held.clinician.receives(videos=0)
    assert heard.videos[0].frames_decoded == still
    await held.patient.page.locator("#call-camera").click()
    await media_flows(held.patient, held.clinician)


async def test_the_microphone_goes_off_and_on(server: Server, cast: Cast, browsers: Browsers) -> None:
    held = await call(server, cast, browsers)
    await media_flows(held.patient, held.clinician)
    await button(held.patient, MICROPHONE_OFF).click()
    silent = await stops(held.clinician, "audio")
    seen = await held.clinician.receives(audios=0)
    assert seen.audios[0].audio_energy == pytest.approx(silent)
    await held.patient.page.locator("#call-microphone").click()
    await media_flows(held.patient, held.clinician)


async def stops(tab: Tab, kind: str) -> float:
    """Wait until a whole second brings no new picture, or no sound; returns the count or energy."""

    async def amount() -> float:
        report = await tab.report()
        return report.videos[0].frames_decoded if kind == "video" else report.audios[0].audio_energy

    async def standing() -> bool:
        before = await amount()
        await elapse(1.0)
        return await amount() == pytest.approx(before, rel=1e-6)

    await wait_until(standing, 10.0, f"{tab.name} receives no more {kind}")
    return await amount()
