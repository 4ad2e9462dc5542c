"""A stretch of a call as its people experienced it: reports at a steady pace, and what follows from them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.lab.browsers import Tab, stretches
from tests.lab.reports import Report, Stretch
from tests.lab.waiting import elapse

_EVERY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One person's reports, oldest first; of a call of two."""

    reports: Sequence[Report]

    @property
    def stretch(self) -> tuple[Stretch, Stretch]:
        """Video and audio over the whole time."""
        return stretches(self.reports[0], self.reports[-1])

    @property
    def round_trip_times_s(self) -> list[float]:
        return [r.path.rtt_s for r in self.reports if r.path and r.path.rtt_s]

    @property
    def lip_sync_s(self) -> list[float]:
        """How far the picture is ahead of the sound in each report in which the browser says so."""
        offsets: list[float] = []
        for report in self.reports:
            video = max((s.playout_at_ms for s in report.videos), default=0.0)
            audio = max((s.playout_at_ms for s in report.audios), default=0.0)
            if video and audio:
                offsets.append((video - audio) / 1000)
        return offsets

    @property
    def reconnections(self) -> int:
        first, last = self.reports[0], self.reports[-1]
        return (last.connections_made - first.connections_made) + (len(last.state_changes) - len(first.state_changes))


async def observe(duration_s: float, *tabs: Tab) -> list[Observation]:
    """Watch these people for so long, all at the same time."""
    reports: list[list[Report]] = [[] for _ in tabs]
    end = time.monotonic() + duration_s
    while True:
        for kept, report in zip(reports, await asyncio.gather(*(tab.report() for tab in tabs)), strict=True):
            kept.append(report)
        if time.monotonic() >= end:
            break
        await elapse(min(_EVERY_S, max(0.0, end - time.monotonic())))
    return [Observation(reports=kept) for kept in reports]


async def seconds_until(tab: Tab, condition: Callable[[Report, float], bool], timeout_s: float) -> float:
    """Seconds of the page's clock until ``condition(report, received video bits per second)`` holds.

    The rate is that of the last two seconds, of all that is received. Infinite when it does not come true.
    """
    window: list[Report] = [await tab.report()]
    began = window[0].at_s
    while window[-1].at_s - began < timeout_s:
        await elapse(_EVERY_S)
        window.append(await tab.report())
        while len(window) > 2 and window[-1].at_s - window[1].at_s >= 2.0:
            window.pop(0)
        if condition(window[-1], video_rate_bps(window[0], window[-1])):
            return window[-1].at_s - began
    return float("inf")


def video_rate_bps(before: Report, after: Report) -> float:
    """Received between two reports, all video streams together; streams that are new count from nothing."""
    old = {s.ssrc: s.bytes for s in before.videos}
    received = sum(s.bytes - old.get(s.ssrc, 0) for s in after.videos)
    duration_s = after.at_s - before.at_s
    return received * 8 / duration_s if duration_s > 0 else 0.0
