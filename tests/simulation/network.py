"""A virtual clock and links with rate, queue, delay, jitter, loss and reordering; one seed, one outcome."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

REORDERED_BY_S = 0.004


class Clock:
    """Runs what is due in order of time; nothing waits in reality."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def at(self, when_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(when_s, self.now), next(self._count), action))

    def every(self, interval_s: float, action: Callable[[], None], *, first_s: float = 0.0) -> None:
        def again() -> None:
            action()
            self.at(self.now + interval_s, again)

        self.at(self.now + first_s, again)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            self.now, _, action = heapq.heappop(self._events)
            action()
        self.now = until


class Loss(Protocol):
    def lost(self, rng: random.Random) -> bool: ...


class Bernoulli:
    """Each packet for itself."""

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def lost(self, rng: random.Random) -> bool:
        return rng.random() < self.probability


class GilbertElliott:
    """Bursts: a good state, and a bad one of some packets' length in which most are lost."""

    def __init__(self, *, mean_loss: float, burst_packets: float, bad_loss: float = 0.8) -> None:
        share_bad = mean_loss / bad_loss
        self._leave_bad = 1 / burst_packets
        self._enter_bad = self._leave_bad * share_bad / (1 - share_bad)
        self._bad_loss = bad_loss
        self._bad = False

    def lost(self, rng: random.Random) -> bool:
        if rng.random() < (self._leave_bad if self._bad else self._enter_bad):
            self._bad = not self._bad
        return self._bad and rng.random() < self._bad_loss


@dataclass
class Line:
    """What one direction of a line does; a test may change it on the way."""

    delay_s: float = 0.015
    jitter_s: float = 0.0
    rate_bps: float | None = None
    queue_s: float = 0.3
    loss: Loss | None = None
    reorder: float = 0.0


class Link:
    """Carries packets over a line. The queue drops at its tail; jitter alone never reorders."""

    def __init__(self, clock: Clock, rng: random.Random, line: Line) -> None:
        self._clock = clock
        self._rng = rng
        self.line = line
        self._free_at = 0.0
        self._last_arrival = 0.0

    def queued_s(self) -> float:
        """How long a packet sent now would wait."""
        return max(0.0, self._free_at - self._clock.now) if self.line.rate_bps is not None else 0.0

    def send(self, size_bytes: int, deliver: Callable[[], None]) -> None:
        line = self.line
        sent_at = self._clock.now
        if line.rate_bps is not None:
            waits_s = self.queued_s()
            if waits_s > line.queue_s:
                return
            sent_at = self._free_at = sent_at + waits_s + size_bytes * 8 / line.rate_bps
        if line.loss is not None and line.loss.lost(self._rng):
            return
        arrival = sent_at + line.delay_s + self._rng.random() * line.jitter_s
        if line.reorder and self._rng.random() < line.reorder:
            self._clock.at(arrival + REORDERED_BY_S, deliver)
            return
        self._last_arrival = max(arrival, self._last_arrival)
        self._clock.at(self._last_arrival, deliver)
