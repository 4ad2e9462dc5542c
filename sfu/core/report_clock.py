"""Sender reports on the server's clock (RFC 3550 §6.4.1), for lip sync and for an RTT of our own.

Every outgoing report says "now" on the server's clock, beside the RTP timestamp that the publisher's clock
would show at this moment. The publisher's clock is mapped once for all its streams: whatever that mapping
gets wrong, it gets wrong for audio and video alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MAX_SLEW = 0.0005
"seconds a second: five times what two crystals drift apart, and nothing an eye sees between two reports"
STEP_S = 1.0
"a larger change is a clock that was set: no report until each stream has told its new one"
WINDOW_S = 30.0
"how long the fastest report is taken for the path's delay"


@dataclass(frozen=True, slots=True)
class SenderReportTime:
    """The time fields of a sender report."""

    ntp_seconds: int
    ntp_fraction: int
    rtp_timestamp: int


def ntp_parts(ntp_s: float) -> tuple[int, int]:
    """Seconds and fraction words of a 64-bit NTP timestamp."""
    seconds = math.floor(ntp_s)
    return seconds & 0xFFFFFFFF, int((ntp_s - seconds) * 4294967296.0)


def ntp_seconds(seconds: int, fraction: int) -> float:
    """A 64-bit NTP timestamp in seconds."""
    return seconds + fraction / 4294967296.0


class PublisherClock:
    """Server time minus publisher time, one for each publishing peer."""

    __slots__ = (
        "_fastest",
        "_offset",
        "_offset_at",
        "_previous_fastest",
        "_window_at",
        "epoch",
        "ntp_epoch_s",
    )

    def __init__(self, ntp_epoch_s: float) -> None:
        self.ntp_epoch_s = ntp_epoch_s
        "NTP time at which the caller's clock was 0"
        self.epoch = 0
        "grows when the publisher's clock was set; 0 before its first report"
        self._offset = 0.0
        self._offset_at = 0.0
        self._fastest = math.inf
        self._previous_fastest = math.inf
        self._window_at = 0.0

    def sender_report(self, ntp_publisher: float, now: float) -> None:
        """A report of any of its streams arrived. The least delayed of the last while is followed, slowly."""
        sample = now - ntp_publisher
        if not self.epoch or abs(sample - self._offset) > STEP_S:
            self.epoch += 1
            self._offset = self._fastest = sample
            self._previous_fastest = math.inf
            self._offset_at = self._window_at = now
            return
        if now - self._window_at > WINDOW_S:
            self._previous_fastest = self._fastest
            self._fastest = sample
            self._window_at = now
        else:
            self._fastest = min(self._fastest, sample)
        change = min(self._fastest, self._previous_fastest) - self._offset
        slew = MAX_SLEW * max(0.0, now - self._offset_at)
        self._offset += max(-slew, min(slew, change))
        self._offset_at = now

    def publisher_time(self, now: float) -> float:
        """What the publisher's clock shows now."""
        return now - self._offset


class StreamClock:
    """One stream's RTP clock against its publisher's clock."""

    __slots__ = ("_clock_rate", "_epoch", "_ntp", "_publisher", "_rtp")

    def __init__(self, publisher: PublisherClock, clock_rate: int) -> None:
        self._publisher = publisher
        self._clock_rate = clock_rate
        self._epoch = 0
        self._ntp = 0.0
        self._rtp = 0

    def on_sr(self, ntp_publisher: float, rtp_timestamp: int, now: float) -> None:
        """A sender report of this stream arrived."""
        if not ntp_publisher:
            # RFC 3550 §6.4.1: a sender without a clock says 0.
            return
        self._publisher.sender_report(ntp_publisher, now)
        self._epoch = self._publisher.epoch
        self._ntp = ntp_publisher
        self._rtp = rtp_timestamp

    def sr_for(self, now: float, ts_offset: int) -> SenderReportTime | None:
        """The times of a report sent now, its RTP timestamp as the subscriber counts; None when not known."""
        publisher = self._publisher
        if not self._epoch or self._epoch != publisher.epoch:
            return None
        elapsed = publisher.publisher_time(now) - self._ntp
        rtp = self._rtp + round(elapsed * self._clock_rate) + ts_offset
        return SenderReportTime(*ntp_parts(publisher.ntp_epoch_s + now), rtp & 0xFFFFFFFF)
