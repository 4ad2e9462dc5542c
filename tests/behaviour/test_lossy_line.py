"""5 % loss and 40 ms each way on one leg: the call stays a conversation, and what was lost is repaired."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.lab.browsers import BrowserKind, Browsers
from tests.lab.consultation import consultation
from tests.lab.emulator import Network
from tests.lab.fixtures import Cast
from tests.lab.line import LineSettings
from tests.lab.observation import observe
from tests.lab.server import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.network,
    pytest.mark.figures,
    pytest.mark.timeout(150),
    pytest.mark.asyncio(loop_scope="session"),
]
BAD = LineSettings(loss=0.05, delay_s=0.04)
DURATION_S = 30.0
SETTLE_S = 5.0
"to a steady picture before the line turns bad"
CONCEALED_BELOW = {BrowserKind.CHROMIUM: 0.03, BrowserKind.FIREFOX: 0.07}
"""With RED, which Firefox has not, next to nothing is concealed. Without it Opus's own correction helps speech alone,
and Firefox's fake microphone gives a tone: no more is made up than was lost."""


@pytest.mark.parametrize("patient", list(BrowserKind))
async def test_loss_on_one_leg_is_repaired(
    server: Server,
    network: Network,
    cast: Cast,
    browsers: Mapping[str, Browsers],
    measured: Callable[..., None],
    patient: BrowserKind,
) -> None:
    held = await consultation(
        server, cast, (browsers["patient"], patient), (browsers["clinician"], BrowserKind.CHROMIUM)
    )
    await held.patient.receives()
    await held.clinician.receives()
    await observe(SETTLE_S, held.patient, held.clinician)
    await network.set_line("patient", up=BAD, down=BAD)
    uplink_before, sent_again_before = await patient_video(server), await sent_again(server)
    across_uplink, across_downlink = await observe(DURATION_S, held.clinician, held.patient)
    uplink_after = await patient_video(server)
    again = await sent_again(server) - sent_again_before

    seen_up, heard_up = across_uplink.stretch
    seen_down, heard_down = across_downlink.stretch
    lost = uplink_after["lost"] - uplink_before["lost"]
    repaired = uplink_after["repaired"] - uplink_before["repaired"]
    uplink_repaired = repaired / (repaired + lost)
    # Firefox does not say which packets were retransmissions; then what the server sent again has to do.
    downlink_repaired = seen_down.repaired_share if seen_down.repaired else min(1.0, again / seen_down.lost)
    lip_sync_s = max(map(abs, across_uplink.lip_sync_s + across_downlink.lip_sync_s))
    measured(
        fps_up=seen_up.fps,
        fps_down=seen_down.fps,
        frozen_up=seen_up.frozen_s,
        frozen_down=seen_down.frozen_s,
        repaired_up=uplink_repaired,
        repaired_down=downlink_repaired,
        concealed_up=heard_up.concealed,
        concealed_down=heard_down.concealed,
        lip_sync_s=lip_sync_s,
    )
    assert repaired + lost > 30, "the line really lost pictures on the way up"
    assert seen_down.lost > 30, "and on the way down"
    for seen in (seen_up, seen_down):
        assert seen.fps >= 15
        assert seen.frozen_s < 1.0
    assert uplink_repaired >= 0.9
    assert downlink_repaired >= 0.9
    for heard in (heard_up, heard_down):
        assert heard.concealed < CONCEALED_BELOW[patient]
    assert lip_sync_s < 0.08
    assert across_uplink.reconnections == across_downlink.reconnections == 0


async def patient_video(server: Server) -> dict[str, Any]:
    """The publication whose packets the bad line loses: the video of whoever the server repairs most from."""
    (room,) = (await server.stats())["sfu"]["rooms"].values()
    videos = [p for peer in room["peers"].values() for p in peer["publications"] if p["kind"] == "video"]
    found: dict[str, Any] = max(videos, key=lambda p: p["repaired"] + p["lost"])
    return found


async def sent_again(server: Server) -> int:
    """Packets retransmitted towards whoever needed it most."""
    (room,) = (await server.stats())["sfu"]["rooms"].values()
    return max(int(s["retransmitted"]) for peer in room["peers"].values() for s in peer["subscriptions"])
