"""Round-trip time from RTCP, in compact NTP (RFC 3550 §4, §6.4.1 and RFC 3611 §4.5)."""

from __future__ import annotations

from sfu.core.seqnum import diff32

COMPACT_UNITS_PER_S = 65536
MAX_RTT_S = 10.0
"more is a clock that jumped, or a lie"
ROUNDING_UNITS = 66
"1 ms below zero is the rounding of two clocks, on a very short path"
ONE_REPORT_UNITS = COMPACT_UNITS_PER_S // 10
"reports of ours that are closer left in one packet, for audio and video, or nearly"
SMOOTHING = 0.5
"reports come once a second: a queue that fills must be seen before it is full, and asking too soon fills it more"


def compact_ntp(ntp_s: float) -> int:
    """The middle 32 bits of an NTP timestamp given in seconds."""
    return int(ntp_s * COMPACT_UNITS_PER_S) & 0xFFFFFFFF


def delay_since(then: float, now: float) -> int:
    """DLSR or DLRR: the time since a report arrived, in 1/65536 s."""
    return min(0xFFFFFFFF, max(0, int((now - then) * COMPACT_UNITS_PER_S)))


def round_trip_s(now_compact: int, last_report: int, delay: int) -> float | None:
    """RTT from LSR and DLSR of a report block, or LRR and DLRR of XR; None when absent or nonsense."""
    if not last_report:
        return None
    units = diff32(now_compact - last_report, delay)
    if units < -ROUNDING_UNITS or units > MAX_RTT_S * COMPACT_UNITS_PER_S:
        return None
    return max(0, units) / COMPACT_UNITS_PER_S


class RttEstimate:
    """One transport's smoothed RTT and where its samples come from."""

    __slots__ = ("_last_report", "_shortest_s", "rtt_s", "source")

    def __init__(self) -> None:
        self._shortest_s: float | None = None
        self._last_report = 0
        self.rtt_s: float | None = None
        self.source = ""
        "``rr`` or ``xr``; empty before the first sample"

    def add(self, sample_s: float | None, source: str, last_report: int = 0) -> None:
        """Take a sample, the answer to our report ``last_report``; None, negative and absurd ones are ignored."""
        if sample_s is None or not 0.0 <= sample_s <= MAX_RTT_S:
            return
        self.source = source
        # What held up one report of ours shows in every answer to it: answers that come later are no second witness.
        again = last_report != 0 and abs(diff32(last_report, self._last_report)) < ONE_REPORT_UNITS
        self._last_report = last_report
        if self._shortest_s is not None:
            self._shortest_s = min(self._shortest_s, sample_s)
        elif not again:
            self._shortest_s = sample_s
        if self.rtt_s is None:
            self.rtt_s = sample_s
        else:
            self.rtt_s += (sample_s - self.rtt_s) * SMOOTHING

    def take_shortest(self) -> float | None:
        """The shortest sample since the last call, not smoothed: what a queue shows in. None without a new one."""
        shortest, self._shortest_s = self._shortest_s, None
        return shortest
