"""On a lossy and on a slow line the call goes on: repaired, with a smaller picture, never ended.

The exact figures are demanded by the tests marked ``figures``; this holds on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.lab.browsers import BrowserKind, Browsers
from tests.lab.consultation import consultation
from tests.lab.emulator import Network
from tests.lab.fixtures import Cast
from tests.lab.line import LineSettings
from tests.lab.observation import observe
from tests.lab.server import Server
from tests.lab.waiting import wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.network,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]
CHROMIUM, FIREFOX = BrowserKind.CHROMIUM, BrowserKind.FIREFOX


async def peers(server: Server) -> list[dict[str, Any]]:
    (room,) = (await server.stats())["sfu"]["rooms"].values()
    return list(room["peers"].values())


async def test_loss_is_repaired_and_nobody_reconnects(
    server: Server, network: Network, cast: Cast, browsers: Mapping[str, Browsers]
) -> None:
    held = await consultation(server, cast, (browsers["patient"], FIREFOX), (browsers["clinician"], CHROMIUM))
    await held.patient.receives()
    await held.clinician.receives()
    bad = LineSettings(loss=0.05, delay_s=0.04)
    await network.set_line("patient", up=bad, down=bad)
    seen = await observe(12.0, held.patient, held.clinician)
    assert [each.reconnections for each in seen] == [0, 0]
    assert all(each.stretch[0].fps >= 5 for each in seen), [each.stretch for each in seen]
    uplinks = [p for peer in await peers(server) for p in peer["publications"] if p["kind"] == "video"]
    repaired, lost = sum(p["repaired"] for p in uplinks), sum(p["lost"] for p in uplinks)
    assert repaired >= 0.8 * (repaired + max(0, lost))
    assert sum(s["retransmitted"] for peer in await peers(server) for s in peer["subscriptions"]) > 0


async def test_a_slow_line_makes_the_picture_smaller_and_the_call_goes_on(
    server: Server, network: Network, cast: Cast, browsers: Mapping[str, Browsers]
) -> None:
    held = await consultation(server, cast, (browsers["patient"], CHROMIUM), (browsers["clinician"], CHROMIUM))
    await held.patient.receives()
    await network.set_line("patient", down=LineSettings(rate_bps=200_000, queue_s=1.0))

    async def capped() -> bool:
        limits = [peer["rate_limit_bps"] for peer in await peers(server)]
        return any(limit is not None and limit < 300_000 for limit in limits)

    await wait_until(capped, 20.0, "the clinician is told to send less")
    (seen,) = await observe(8.0, held.patient)
    assert seen.reconnections == 0
    await held.patient.receives(frames=10)
