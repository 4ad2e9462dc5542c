"""Whether to answer a NACK: a subscriber must not make us send without end (RFC 4585 §6.2.1, §7)."""

from __future__ import annotations

MIN_INTERVAL_S = 0.010
DEFAULT_RTT_S = 0.1
RTT_SHARE = 0.8
"the receiver's own estimate may be a little below ours, and refusing its repetition costs a whole round trip"
BUDGET_SHARE = 0.25
"of the bytes sent since: repairs 20 % loss; more keeps a slow line's queue full with what comes too late"
BURST_BYTES = 24_000
"what may be sent again at once: a lost keyframe of a small picture, and one second of a slow line"
MAX_REMEMBERED = 512


class RetransmitLimiter:
    """One forward's budget for retransmissions. It costs nothing for packets that are not asked for again."""

    __slots__ = ("_budget_bytes", "_recent", "_sent_bytes", "refused")

    def __init__(self) -> None:
        self._budget_bytes = float(BURST_BYTES)
        self._sent_bytes = 0
        self._recent: dict[int, float] = {}
        "source number → when it was last sent again, oldest first"
        self.refused = 0
        "NACKed packets not answered: DropReason.NACK_RATE_LIMITED"

    def allow(self, extended: int, size_bytes: int, *, sent_bytes: int, rtt_s: float | None, now: float) -> bool:
        """Whether to send this packet again. ``sent_bytes``: the forward's total without repetitions."""
        budget = self._budget_bytes + (sent_bytes - self._sent_bytes) * BUDGET_SHARE
        self._sent_bytes = sent_bytes
        self._budget_bytes = budget = min(budget, float(BURST_BYTES))
        interval_s = max(MIN_INTERVAL_S, (DEFAULT_RTT_S if rtt_s is None else rtt_s) * RTT_SHARE)
        last = self._recent.get(extended)
        if size_bytes > budget or (last is not None and now - last < interval_s):
            self.refused += 1
            return False
        self._budget_bytes = budget - size_bytes
        self._recent.pop(extended, None)
        self._recent[extended] = now
        if len(self._recent) > MAX_REMEMBERED:
            del self._recent[next(iter(self._recent))]
        return True

    def restart(self) -> None:
        """A new source counts anew: its packets are not the ones remembered."""
        self._recent.clear()
