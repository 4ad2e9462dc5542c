"""Each person's line is judged for itself, and what one line can carry is given out once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.lab.browsers import BrowserKind, Browsers
from tests.lab.consultation import Consultation, consultation
from tests.lab.emulator import Network
from tests.lab.fixtures import Cast
from tests.lab.line import LineSettings
from tests.lab.observation import observe, seconds_until, video_rate_bps
from tests.lab.server import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.network,
    pytest.mark.figures,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]
CHROMIUM = BrowserKind.CHROMIUM


async def call(server: Server, cast: Cast, browsers: Mapping[str, Browsers]) -> Consultation:
    held = await consultation(server, cast, (browsers["patient"], CHROMIUM), (browsers["clinician"], CHROMIUM))
    await held.patient.receives()
    await held.clinician.receives()
    return held


async def peers(server: Server) -> dict[str, dict[str, Any]]:
    (room,) = (await server.stats())["sfu"]["rooms"].values()
    found: dict[str, dict[str, Any]] = room["peers"]
    return found


async def test_loss_on_an_uplink_is_its_owners_alone(
    server: Server,
    network: Network,
    cast: Cast,
    browsers: Mapping[str, Browsers],
    measured: Callable[..., None],
) -> None:
    held = await call(server, cast, browsers)
    await seconds_until(held.patient, lambda _, rate_bps: rate_bps >= 600_000, 40.0)
    (before,) = await observe(4.0, held.patient)
    caps_before_bps = await caps(server)
    await network.set_line("patient", up=LineSettings(loss=0.1))
    await observe(4.0, held.patient)
    (after,) = await observe(8.0, held.patient)
    rate_before_bps = video_rate_bps(before.reports[0], before.reports[-1])
    rate_after_bps = video_rate_bps(after.reports[0], after.reports[-1])
    caps_after_bps = await caps(server)
    uplink_losses = [p["fraction_lost"] for q in (await peers(server)).values() for p in q["publications"]]
    measured(
        before_kbps=rate_before_bps / 1000,
        after_kbps=rate_after_bps / 1000,
        worst_uplink_loss=max(uplink_losses),
        caps_before_kbps=min(caps_before_bps) / 1000,
        caps_after_kbps=min(caps_after_bps) / 1000,
    )
    downlink_losses = [s["own_fraction_lost"] for q in (await peers(server)).values() for s in q["subscriptions"]]
    assert max(uplink_losses) > 0.04
    assert max(downlink_losses) < 0.02
    assert rate_after_bps >= 0.7 * rate_before_bps
    # Both are told what the other's downlink carries, and both downlinks are perfect.
    assert min(caps_after_bps) >= 0.9 * min(caps_before_bps)


async def caps(server: Server) -> list[int]:
    """What each publisher is told to keep to."""
    return [p["rate_limit_bps"] or 0 for p in (await peers(server)).values()]


async def test_in_a_room_of_three_an_estimate_is_shared(
    server: Server,
    network: Network,
    cast: Cast,
    browsers: Mapping[str, Browsers],
    measured: Callable[..., None],
) -> None:
    held = await call(server, cast, browsers)
    guest = await held.invite(browsers["guest"], CHROMIUM)
    await guest.receives(videos=2, audios=2)
    limit_bps = 500_000
    await network.set_line("guest", down=LineSettings(rate_bps=limit_bps, queue_s=1.0))
    await observe(10.0, guest)
    (slow,) = await observe(10.0, guest)
    worst_rtt_s = max(slow.round_trip_times_s)
    received_bps = video_rate_bps(slow.reports[0], slow.reports[-1])
    caps_bps = sorted(await caps(server))
    measured(rtt_s=worst_rtt_s, received_kbps=received_bps / 1000, caps_kbps=sum(caps_bps[:2]) / 1000)
    assert worst_rtt_s < 0.6
    assert slow.reconnections == 0
    # The two whom the guest watches are the two with the lower caps; 1.3 leaves room for their audio.
    assert sum(caps_bps[:2]) <= 1.3 * limit_bps
