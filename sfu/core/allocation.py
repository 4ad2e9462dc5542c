"""Dividing what a subscriber's line carries among what it watches, and what follows for each publisher."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

FLOOR_BPS = 50_000
"a publisher's video is never asked to send less"
START_LIMIT_BPS = 500_000
START_PERIOD_S = 3.0
MAX_GROWTH_PER_S = 1.5

S = TypeVar("S", bound=Hashable)
P = TypeVar("P", bound=Hashable)


def divide(total_bps: int, demands: Mapping[P, int]) -> dict[P, int]:
    """Equal shares; what one leaves unused goes to the others, and what all leave to all alike."""
    left = max(0, total_bps)
    shares: dict[P, int] = {}
    waiting = len(demands)
    for key, demand in sorted(demands.items(), key=lambda item: item[1]):
        shares[key] = min(max(0, demand), left // waiting)
        left -= shares[key]
        waiting -= 1
    if shares:
        spare = left // len(shares)
        for key in shares:
            shares[key] += spare
    return shares


def publisher_caps(shares: Mapping[S, Mapping[P, int]], audio_bps: Mapping[P, int]) -> dict[P, int]:
    """Each publisher's cap: its smallest share at any subscriber, at least the floor, plus its audio."""
    smallest: dict[P, int] = {}
    for at_subscriber in shares.values():
        for publisher, share in at_subscriber.items():
            smallest[publisher] = min(share, smallest.get(publisher, share))
    return {publisher: max(share, FLOOR_BPS) + audio_bps.get(publisher, 0) for publisher, share in smallest.items()}


class RateRamp:
    """One publisher's cap over time: modest at first, upwards in steps, downwards at once."""

    __slots__ = ("_at", "_bps", "_started_at")

    def __init__(self, now: float) -> None:
        self._started_at = now
        self._at = now
        self._bps = float(START_LIMIT_BPS)

    @property
    def started_at(self) -> float:
        return self._started_at

    def limit(self, target_bps: int, now: float) -> int:
        """What may be told to the publisher now."""
        if now - self._started_at < START_PERIOD_S:
            allowed = float(START_LIMIT_BPS)
        else:
            # Time in which the target was lower gives no right to a jump later: at most one step at once.
            grown_s = now - max(self._at, self._started_at + START_PERIOD_S)
            allowed = self._bps * MAX_GROWTH_PER_S ** min(1.0, max(0.0, grown_s))
        self._bps = min(float(target_bps), allowed)
        self._at = now
        return int(self._bps)
