"""How often one caller may do one thing: a token bucket for each, in a bounded table."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

MAX_CALLERS: Final = 10_000
"callers remembered for one limit; the one seen longest ago is forgotten first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    burst: int
    "calls at once"
    per_s: float
    "calls a second in the long run"


class RateLimit:
    def __init__(self, rate: Rate, *, max_callers: int = MAX_CALLERS) -> None:
        self._rate = rate
        self._max_callers = max_callers
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def allows(self, caller: str, now: float) -> bool:
        """Whether the caller may go ahead now; when so, it is counted."""
        tokens, since = self._buckets.pop(caller, (float(self._rate.burst), now))
        tokens = min(float(self._rate.burst), tokens + (now - since) * self._rate.per_s)
        is_allowed = tokens >= 1.0
        self._buckets[caller] = (tokens - 1.0 if is_allowed else tokens, now)
        if len(self._buckets) > self._max_callers:
            self._buckets.popitem(last=False)
        return is_allowed
