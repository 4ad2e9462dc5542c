"""What arrived of one RTP stream: extended sequence numbers, duplicates, loss, jitter, what to ask for again.

``ReceiveLog.received`` runs for every packet; everything but the packet that comes in order is a slow path.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sfu.core.seqnum import CYCLE_16

DUPLICATE = -1
TOO_OLD = -2

WINDOW = 2048
"packets behind the newest whose arrival is remembered: 10 s of 200 packets/s"
MAX_DROPOUT = 3000
"RFC 3550 A.1: a longer jump is believed only when a second packet follows it"
MAX_MISSING = 256
"packets asked for at once; a longer loss is not repairable in time and needs a keyframe"
REORDER_GRACE_S = 0.010
REORDER_PACKETS = 2
"a gap is asked for after the grace, or once this many packets followed it"
NACK_MIN_INTERVAL_S = 0.020
NACK_RTT_FACTOR = 1.1
"a repetition sooner than the round trip asks for what is on its way"
NACK_MAX_TRIES = 10
NACK_MAX_AGE_S = 1.0
MAX_JITTER_STEP_S = 5.0
"a larger change of transit time is a new timestamp base, not jitter"

_EMPTY = bytes(WINDOW)
_MASK = WINDOW - 1
_NEVER = math.inf
_HALF_SEQ = 0x8000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBlockData:
    """What a report block carries (RFC 3550 §6.4.1), about the interval since the last one."""

    fraction_lost: int
    "0..255, in 1/256; packets that were repaired are not lost"
    cumulative_lost: int
    "24 bits signed"
    extended_highest: int
    "32 bits: cycles and highest sequence number"
    jitter: int
    "timestamp units"
    lost_before_repair: float
    "0..1 over the interval: what the network lost, repaired or not"


class _Missing:
    __slots__ = ("asked_at", "since", "tries")

    def __init__(self, since: float) -> None:
        self.since = since
        self.asked_at = 0.0
        self.tries = 0


class ReceiveLog:
    """One SSRC as it arrives. ``repair`` keeps the table of missing packets that NACKs are made from."""

    __slots__ = (
        "_base",
        "_clock_rate",
        "_earlier_expected",
        "_highest",
        "_jitter",
        "_last_timestamp",
        "_max_jitter_step",
        "_missing",
        "_next_nack_at",
        "_on_time",
        "_prior_expected",
        "_prior_on_time",
        "_prior_received",
        "_probation",
        "_repair",
        "_seen",
        "_transit",
        "duplicates",
        "given_up",
        "keyframe_needed",
        "nacked",
        "repaired_count",
    )

    def __init__(self, clock_rate: int, *, repair: bool) -> None:
        self._clock_rate = clock_rate
        self._max_jitter_step = MAX_JITTER_STEP_S * clock_rate
        self._repair = repair
        self._highest = -1
        self._base = 0
        self._seen = bytearray()
        self._probation = -1
        self._earlier_expected = 0
        self._on_time = 0
        self._jitter = 0.0
        self._transit = 0.0
        self._last_timestamp = -1
        self._missing: dict[int, _Missing] = {}
        self._next_nack_at = _NEVER
        self._prior_expected = 0
        self._prior_received = 0
        self._prior_on_time = 0
        self.duplicates = 0
        self.repaired_count = 0
        "packets that arrived because they were asked for"
        self.nacked = 0
        "sequence numbers asked for, repetitions included"
        self.given_up = 0
        "packets asked for in vain"
        self.keyframe_needed = False
        "something was given up; the caller asks for a keyframe and clears this"

    # Counters

    @property
    def received_count(self) -> int:
        """Packets that arrived, each once, repaired ones included."""
        return self._on_time + self.repaired_count

    @property
    def expected_count(self) -> int:
        """RFC 3550 A.3, added up over restarts of the source."""
        if self._highest < 0:
            return 0
        return self._earlier_expected + self._highest - self._base + 1

    @property
    def lost_count(self) -> int:
        """RFC 3550 §6.4.1 cumulative number lost; repaired packets are not lost."""
        return self.expected_count - self.received_count

    @property
    def jitter_s(self) -> float:
        return self._jitter / self._clock_rate

    @property
    def missing_count(self) -> int:
        return len(self._missing)

    @property
    def highest(self) -> int:
        """Highest extended sequence number, -1 before the first packet."""
        return self._highest

    # Packets

    def received(self, seq: int, timestamp: int, now: float) -> int:
        """Count a packet; its extended sequence number if it is new, else DUPLICATE or TOO_OLD."""
        extended = self._highest + 1
        if not (seq - extended) & 0xFFFF and extended:
            self._highest = extended
            self._seen[extended & _MASK] = 1
            self._on_time += 1
        else:
            extended = self._out_of_order(seq, now)
            if extended < 0:
                return extended
            if self._missing and self._take_missing(extended):
                return extended
            self._on_time += 1
        if timestamp != self._last_timestamp:
            # RFC 3550 A.8, once for each timestamp: the packets of one video frame are sent spread out, and
            # that spread is no jitter of the network.
            transit = now * self._clock_rate - timestamp
            step = transit - self._transit
            self._transit = transit
            self._last_timestamp = timestamp
            if step < 0.0:
                step = -step
            if step < self._max_jitter_step:
                self._jitter += (step - self._jitter) * 0.0625
        return extended

    def repaired(self, seq: int, now: float) -> int:
        """Count a packet that came as a retransmission of its own (RFC 4588); returns as ``received``.

        It says nothing about jitter, and nothing about what the network lost.
        """
        highest = self._highest
        if highest < 0:
            return TOO_OLD
        behind = (highest - seq) & 0xFFFF
        if behind >= _HALF_SEQ:
            # A sender that probes repeats its newest packets; the original of this one was lost or is late.
            if CYCLE_16 - behind >= MAX_DROPOUT:
                return TOO_OLD
            extended = self._forward_jump(CYCLE_16 - behind, now)
        else:
            extended = self._late(behind)
            if extended < 0:
                return extended
            self._missing.pop(extended, None)
        self.repaired_count += 1
        return extended

    def _out_of_order(self, seq: int, now: float) -> int:
        """Every packet but the next one: RFC 3550 A.1, with a longer memory for what is late."""
        highest = self._highest
        if highest < 0:
            return self._start(seq + CYCLE_16)
        ahead = (seq - highest) & 0xFFFF
        if 0 < ahead < MAX_DROPOUT:
            self._probation = -1
            return self._forward_jump(ahead, now)
        behind = (CYCLE_16 - ahead) & 0xFFFF
        if behind < WINDOW:
            return self._late(behind)
        if seq != self._probation:
            self._probation = (seq + 1) & 0xFFFF
            return TOO_OLD
        self._earlier_expected += highest - self._base + 1
        self._give_up_all()
        # Upwards also when the source went back: extended numbers are never used twice.
        return self._start(highest + ahead)

    def _start(self, extended: int) -> int:
        self._seen = bytearray(WINDOW)
        self._seen[extended & _MASK] = 1
        self._highest = self._base = extended
        self._probation = -1
        self._last_timestamp = -1
        self._transit = -math.inf
        return extended

    def _late(self, behind: int) -> int:
        """A packet from before the newest one."""
        if behind >= WINDOW:
            return TOO_OLD
        extended = self._highest - behind
        slot = extended & _MASK
        if self._seen[slot]:
            self.duplicates += 1
            return DUPLICATE
        self._seen[slot] = 1
        return extended

    def _forward_jump(self, ahead: int, now: float) -> int:
        """The packets between the highest and this one have not arrived."""
        first = self._highest + 1
        extended = self._highest + ahead
        seen = self._seen
        if ahead >= WINDOW:
            seen[:] = _EMPTY
        else:
            for skipped in range(first, extended):
                seen[skipped & _MASK] = 0
        seen[extended & _MASK] = 1
        self._highest = extended
        if self._repair and ahead > 1:
            if len(self._missing) + ahead - 1 > MAX_MISSING:
                self.given_up += ahead - 1
                self._give_up_all()
                self.keyframe_needed = True
            else:
                for skipped in range(first, extended):
                    self._missing[skipped] = _Missing(now)
                self._next_nack_at = 0.0
        return extended

    def _take_missing(self, extended: int) -> bool:
        """Whether it had been asked for: then it is a repair without RTX, and its delay is no jitter."""
        entry = self._missing.pop(extended, None)
        if entry is None or not entry.tries:
            return False
        self.repaired_count += 1
        return True

    def _give_up_all(self) -> None:
        if self._missing:
            self.given_up += len(self._missing)
            self.keyframe_needed = True
            self._missing.clear()

    # Feedback

    def nacks_due(self, now: float, rtt_s: float) -> list[int]:
        """Sequence numbers to ask for now, oldest first (RFC 4585 §6.2.1); gives up what is too late."""
        if now < self._next_nack_at or not self._missing:
            return []
        due: list[int] = []
        hopeless: list[int] = []
        interval_s = max(rtt_s * NACK_RTT_FACTOR, NACK_MIN_INTERVAL_S)
        settled = self._highest - REORDER_PACKETS
        next_at = _NEVER
        for extended, entry in self._missing.items():
            if now - entry.since >= NACK_MAX_AGE_S or self._highest - extended >= WINDOW:
                hopeless.append(extended)
                continue
            if entry.tries:
                ask_at = entry.asked_at + interval_s
            elif extended <= settled:
                ask_at = now
            else:
                # A packet that follows may settle it sooner, so look again at every call.
                ask_at = entry.since + REORDER_GRACE_S
                if ask_at > now:
                    next_at = 0.0
            if ask_at > now:
                next_at = min(next_at, ask_at)
            elif entry.tries >= NACK_MAX_TRIES:
                hopeless.append(extended)
            else:
                entry.tries += 1
                entry.asked_at = now
                next_at = min(next_at, now + interval_s)
                due.append(extended & 0xFFFF)
        for extended in hopeless:
            del self._missing[extended]
        if hopeless:
            self.given_up += len(hopeless)
            self.keyframe_needed = True
        self.nacked += len(due)
        self._next_nack_at = next_at
        return due

    def report(self) -> ReportBlockData | None:
        """The interval since the last call (RFC 3550 A.3); None before the first packet."""
        if self._highest < 0:
            return None
        expected = self.expected_count
        received = self.received_count
        expected_interval = expected - self._prior_expected
        lost = expected_interval - (received - self._prior_received)
        lost_on_the_way = expected_interval - (self._on_time - self._prior_on_time)
        self._prior_expected = expected
        self._prior_received = received
        self._prior_on_time = self._on_time
        any_expected = expected_interval > 0
        return ReportBlockData(
            fraction_lost=min(255, (lost << 8) // expected_interval) if any_expected and lost > 0 else 0,
            cumulative_lost=max(-0x800000, min(0x7FFFFF, expected - received)),
            extended_highest=(self._highest - CYCLE_16) & 0xFFFFFFFF,
            jitter=int(self._jitter) & 0xFFFFFFFF,
            lost_before_repair=min(1.0, lost_on_the_way / expected_interval)
            if any_expected and lost_on_the_way > 0
            else 0.0,
        )
