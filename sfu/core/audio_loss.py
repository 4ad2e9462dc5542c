"""What an audio publisher is told of its loss, so that Opus sends FEC as strong as the worst listener needs.

RFC 7587 §3.3: the encoder adds in-band FEC by the loss it is told of. An SFU terminates reports, so a
publisher with a clean uplink would never learn that a listener loses packets.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

HOLD_S = 3.0
"a subscriber reports about once a second; three missing reports are no news"
GONE_S = 10.0
"from `HOLD_S` on its loss fades, and counts no more after this"
MAX_SUBSCRIBERS = 64

K = TypeVar("K", bound=Hashable)


class AudioLoss(Generic[K]):
    """One audio stream's loss as its publisher is told it. Our own statistics keep the two legs apart."""

    __slots__ = ("_downlink",)

    def __init__(self) -> None:
        self._downlink: dict[K, tuple[float, float]] = {}

    def downlink(self, subscriber: K, own_fraction_lost: float, now: float) -> None:
        """A subscriber reported its own downlink's loss (0..1), the uplink's share taken off."""
        if subscriber in self._downlink or len(self._downlink) < MAX_SUBSCRIBERS:
            self._downlink[subscriber] = (min(1.0, max(0.0, own_fraction_lost)), now)

    def forget(self, subscriber: K) -> None:
        self._downlink.pop(subscriber, None)

    def worst_downlink(self, now: float) -> float:
        """The worst subscriber's loss, 0..1."""
        worst = 0.0
        gone = []
        for subscriber, (fraction, at) in self._downlink.items():
            age = now - at
            if age >= GONE_S:
                gone.append(subscriber)
            elif age <= HOLD_S:
                worst = max(worst, fraction)
            else:
                worst = max(worst, fraction * (GONE_S - age) / (GONE_S - HOLD_S))
        for subscriber in gone:
            del self._downlink[subscriber]
        return worst

    def fraction_to_report(self, uplink_fraction: int, now: float) -> int:
        """The fraction-lost field of the report to the publisher: the larger of the two legs, 0..255."""
        return max(uplink_fraction, min(255, int(self.worst_downlink(now) * 256)))
