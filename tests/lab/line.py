"""What an imperfect line does with each packet: decided here, without I/O and without a clock."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass

TCP = 6
UDP = 17
_NEVER: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """One direction of a line. The defaults are a perfect one."""

    rate_bps: float = 0.0
    "bottleneck; 0 is none"
    queue_s: float = 0.3
    "how long a packet may wait for the bottleneck before it is dropped"
    delay_s: float = 0.0
    jitter_s: float = 0.0
    "standard deviation of a further, always positive delay; order is kept"
    loss: float = 0.0
    "mean share of packets lost, 0..1"
    burst: float = 1.0
    "mean number of packets lost in a row (Gilbert-Elliott); 1 is independent loss"
    duplicate: float = 0.0
    "share of packets delivered twice"
    reorder: float = 0.0
    "share of packets held back by ``reorder_delay_s`` while others overtake"
    reorder_delay_s: float = 0.02
    block_udp: bool = False
    block_tcp: bool = False
    block_all: bool = False

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is a share between 0 and 1")
        for name in ("rate_bps", "queue_s", "delay_s", "jitter_s", "reorder_delay_s"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name} is below 0")
        if self.burst < 1.0:
            raise ValueError("burst is below 1")


@dataclass(slots=True)
class LineCounters:
    """Since the line was made or its counters were cleared."""

    packets: int = 0
    "delivered, duplicates not counted"
    bytes: int = 0
    lost: int = 0
    queue_dropped: int = 0
    blocked: int = 0
    duplicated: int = 0
    reordered: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class Line:
    """One direction. The same seed, settings and packets give the same fate."""

    def __init__(self, seed: int, settings: LineSettings | None = None) -> None:
        self.settings = settings or LineSettings()
        self.counters = LineCounters()
        self._random = random.Random(seed)
        self._free_at = 0.0
        self._last_due = 0.0
        self._in_burst = False

    def change(self, settings: LineSettings) -> None:
        """Other settings from the next packet on. Packets under way keep their time."""
        if settings.rate_bps != self.settings.rate_bps:
            self._free_at = 0.0
        self.settings = settings

    def admit(self, size_bytes: int, protocol: int, now: float) -> tuple[float, ...]:
        """When to deliver this packet: once, twice, or (empty) never."""
        s = self.settings
        if s.block_all or (s.block_udp and protocol == UDP) or (s.block_tcp and protocol == TCP):
            self.counters.blocked += 1
            return _NEVER
        due = now
        if s.rate_bps:
            start = max(now, self._free_at)
            if start - now > s.queue_s:
                self.counters.queue_dropped += 1
                return _NEVER
            self._free_at = due = start + size_bytes * 8 / s.rate_bps
        if s.loss and self._loses(s):
            self.counters.lost += 1
            return _NEVER
        due += s.delay_s
        if s.jitter_s:
            due += abs(self._random.gauss(0.0, s.jitter_s))
        if s.reorder and self._random.random() < s.reorder:
            self.counters.reordered += 1
            due = max(due, self._last_due) + s.reorder_delay_s
        else:
            due = self._last_due = max(due, self._last_due)
        self.counters.packets += 1
        self.counters.bytes += size_bytes
        if s.duplicate and self._random.random() < s.duplicate:
            self.counters.duplicated += 1
            return due, due
        return (due,)

    def _loses(self, s: LineSettings) -> bool:
        """A burst ends with probability 1/burst and begins so often that the mean share is ``loss``."""
        if s.burst == 1.0 or s.loss == 1.0:
            return self._random.random() < s.loss
        leave = 1.0 / s.burst
        enter = leave * s.loss / (1.0 - s.loss)
        self._in_burst = self._random.random() >= leave if self._in_burst else self._random.random() < enter
        return self._in_burst


def ip_protocol(packet: bytes) -> int:
    """The protocol number of an IPv4 packet or the first next header of an IPv6 one; -1 of anything else."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        return packet[9]
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        return packet[6]
    return -1
