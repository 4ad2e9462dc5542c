"""When to ask a publisher for a keyframe (RFC 4585 §6.3.1, RFC 5104 §4.3.1)."""

from __future__ import annotations

import math

REPEAT_MIN_S = 0.2
MAX_REPEATS = 5


class KeyframeRequester:
    """One stream's requests, whoever they come from: again until a keyframe arrives, and never too often."""

    __slots__ = ("_min_interval_s", "_pending", "_repeats", "_sent_at", "_waiting", "next_due")

    def __init__(self, min_interval_s: float = 0.5) -> None:
        self._min_interval_s = min_interval_s
        self._sent_at = -math.inf
        self._waiting = False
        "asked for, not arrived"
        self._repeats = 0
        self._pending = False
        "wanted since the last one was asked for"
        self.next_due = math.inf
        "`due` is False before this time"

    def request(self, now: float) -> bool:
        """A keyframe is wanted; whether to ask for it now. If not, `due` says when."""
        if now - self._sent_at >= self._min_interval_s:
            self._send(now, repeats=0)
            return True
        self._pending = True
        if not self._waiting:
            self.next_due = self._sent_at + self._min_interval_s
        return False

    def due(self, now: float, rtt_s: float) -> bool:
        """Whether to ask now: for a remembered request, or again because none arrived."""
        if now < self.next_due:
            return False
        if self._waiting and self._repeats < MAX_REPEATS:
            again_at = self._sent_at + max(rtt_s, REPEAT_MIN_S)
            if now < again_at:
                self.next_due = again_at
                return False
            self._send(now, repeats=self._repeats + 1)
            return True
        self._waiting = False
        if self._pending:
            self.next_due = self._sent_at + self._min_interval_s
            if now < self.next_due:
                return False
            self._send(now, repeats=0)
            return True
        self.next_due = math.inf
        return False

    def arrived(self, now: float) -> None:
        """A keyframe began to arrive: whoever asked until now has it."""
        self._waiting = False
        self._pending = False
        self.next_due = math.inf

    def _send(self, now: float, *, repeats: int) -> None:
        self._sent_at = now
        self._waiting = True
        self._pending = False
        self._repeats = repeats
        self.next_due = now + REPEAT_MIN_S
