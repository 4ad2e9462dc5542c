"""200 kbit/s towards one person: a smaller picture, not a collapse; and a quick way back when the line is free."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tests.lab.browsers import BrowserKind, Browsers
from tests.lab.consultation import consultation
from tests.lab.emulator import Network
from tests.lab.fixtures import Cast
from tests.lab.line import LineSettings
from tests.lab.observation import observe, seconds_until
from tests.lab.server import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.network,
    pytest.mark.figures,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
]
SLOW = LineSettings(rate_bps=200_000, queue_s=1.0)
"""With the deep queue of a mobile network: whoever sends too much sees the delay grow to a second."""
BEGIN_BPS = 600_000


async def test_a_slow_downlink_and_its_recovery(
    server: Server,
    network: Network,
    cast: Cast,
    browsers: Mapping[str, Browsers],
    measured: Callable[..., None],
) -> None:
    chromium = BrowserKind.CHROMIUM
    held = await consultation(server, cast, (browsers["patient"], chromium), (browsers["clinician"], chromium))
    patient = held.patient
    await patient.receives()
    rise_s = await seconds_until(patient, lambda _, rate_bps: rate_bps >= BEGIN_BPS, 40.0)
    assert rise_s < 40.0, "a good line gives a good picture"

    await network.set_line("patient", down=SLOW)
    (_,) = await observe(8.0, patient)
    (slow,) = await observe(15.0, patient)
    seen, heard = slow.stretch
    worst_rtt_s = max(slow.round_trip_times_s)
    measured(fps=seen.fps, rate_kbps=seen.bitrate_bps / 1000, concealed=heard.concealed, rtt_s=worst_rtt_s)
    lip_sync_s = max(map(abs, slow.lip_sync_s))

    await network.set_line("patient", down=LineSettings())
    to_350_s = await seconds_until(patient, lambda _, rate_bps: rate_bps >= 350_000, 30.0)
    to_600_s = to_350_s + await seconds_until(
        patient, lambda report, rate_bps: rate_bps >= 600_000 and report.videos[0].width >= 640, 30.0
    )
    measured(rise_s=rise_s, to_350_s=to_350_s, to_600_s=to_600_s, lip_sync_s=lip_sync_s)
    assert slow.reconnections == 0
    assert heard.concealed < 0.03
    assert seen.fps >= 10
    assert worst_rtt_s < 0.6
    assert to_350_s <= 20.0
    assert to_600_s <= 30.0
    assert lip_sync_s < 0.08
