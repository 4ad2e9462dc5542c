"""From a publisher's RTP timestamps to the ones sent to one subscriber (RFC 3550 §5.1)."""

from __future__ import annotations


class TimestampMap:
    """A constant offset that changes only at a splice, so that the subscriber sees one unbroken clock."""

    __slots__ = ("_at", "_clock_rate", "_started", "_timestamp", "offset")

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._started = False
        self._timestamp = 0
        self._at = 0.0
        self.offset = 0
        "added to the source's timestamps modulo 2^32; sender reports add the same"

    def forward(self, timestamp: int, now: float) -> int:
        """The outgoing timestamp of a packet."""
        if timestamp != self._timestamp:
            # Only a newer one: a late packet must not turn the point back from which a splice goes on.
            if ((timestamp - self._timestamp) & 0xFFFFFFFF) < 0x80000000 or not self._started:
                self._timestamp = timestamp
                self._at = now
        elif not self._started:
            self._at = now
        self._started = True
        return (timestamp + self.offset) & 0xFFFFFFFF

    def splice(self, timestamp: int, now: float) -> None:
        """A new source goes on with this timestamp, later by the time that passed and at least one tick."""
        if self._started:
            elapsed = max(1, round((now - self._at) * self._clock_rate))
            self.offset = (self._timestamp + self.offset + elapsed - timestamp) & 0xFFFFFFFF
        self._started = True
        self._timestamp = timestamp
        self._at = now
