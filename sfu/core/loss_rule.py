"""How much video a subscriber's line carries, judged by its loss, and by its delay without REMB.

The thresholds are those of Google Congestion Control's loss-based part (draft-ietf-rmcat-gcc-02 §6): below
2 % grow, above 10 % shrink by half the loss, hold between. It lies beneath the receiver's REMB and stands
alone without one.
"""

from __future__ import annotations

MIN_BPS = 50_000
START_BPS = 500_000
MAX_BPS = 4_000_000
INTERVAL_S = 1.0
LOW_LOSS = 0.02
HIGH_LOSS = 0.10
GROWTH = 1.08
USED_SHARE = 0.75
"a limit that is not reached says nothing of the line"
MAX_OVER_REMB = 1.5
"what REMB leaves behind when it stops"
REMB_GROWTH = 1.25
"back towards a REMB that says more"
BLOATED_RTT_S = 0.5
BLOATED_FACTOR = 2.0
"of the shortest RTT seen: a far path is not a full one"
BLOATED_DECREASE = 0.7
"a queue that is full and stays full changes no delay, so REMB does not see it; it must drain before it grows old"


class LossRule:
    """One subscriber's limit for all its video together."""

    __slots__ = ("_min_rtt_s", "_reports", "_rtt_s", "_stepped_at", "_sum", "bps")

    def __init__(self) -> None:
        self.bps = START_BPS
        self._sum = 0.0
        self._reports = 0
        self._rtt_s: float | None = None
        self._min_rtt_s = BLOATED_RTT_S
        self._stepped_at = -INTERVAL_S

    def loss(self, own_fraction_lost: float) -> None:
        """One forward's report: its downlink's loss (0..1), the publisher's uplink loss taken off."""
        self._sum += min(1.0, max(0.0, own_fraction_lost))
        self._reports += 1

    def rtt(self, rtt_s: float) -> None:
        self._rtt_s = rtt_s
        self._min_rtt_s = min(self._min_rtt_s, rtt_s)

    def step(self, now: float, sending_bps: int, remb_bps: int | None) -> int:
        """The limit now. It moves once an interval, and only when reports came."""
        if self._reports and now - self._stepped_at >= INTERVAL_S:
            loss = self._sum / self._reports
            self._sum = 0.0
            self._reports = 0
            self._stepped_at = now
            self.bps = max(MIN_BPS, min(MAX_BPS, int(self._moved(loss, sending_bps, remb_bps))))
        return self.bps

    def _moved(self, loss: float, sending_bps: int, remb_bps: int | None) -> float:
        used = min(self.bps, max(sending_bps, MIN_BPS))
        if self._is_bloated():
            # One reaction for each measurement.
            self._rtt_s = None
            return used * BLOATED_DECREASE
        if loss > HIGH_LOSS:
            return used * (1.0 - 0.5 * loss)
        if remb_bps is not None:
            limit = min(self.bps, MAX_OVER_REMB * remb_bps)
            return max(limit, min(remb_bps, limit * REMB_GROWTH)) if loss < LOW_LOSS else limit
        if loss < LOW_LOSS and sending_bps >= USED_SHARE * self.bps:
            return self.bps * GROWTH
        return self.bps

    def _is_bloated(self) -> bool:
        return (
            self._rtt_s is not None and self._rtt_s > BLOATED_RTT_S and self._rtt_s > BLOATED_FACTOR * self._min_rtt_s
        )
