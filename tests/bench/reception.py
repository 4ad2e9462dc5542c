"""What one client receives of one stream: order, loss, the NACKs it owes, its reception report."""

from __future__ import annotations

from dataclasses import dataclass

from sfu.core.media import Kind
from tests.bench.packets import ReportBlock, Stamp

NACK_INTERVAL_S = 0.1
NACK_ATTEMPTS = 10
MAX_MISSING = 1000
"older gaps count as lost, so that a broken server can't grow the table"
_HALF = 0x8000


@dataclass(slots=True)
class _Missing:
    asked: int = 0
    ask_at: float = 0.0


class IncomingStream:
    """Counts one incoming SSRC; ``drop_every`` packets one is treated as lost on the line (0: none)."""

    def __init__(self, kind: Kind, ssrc: int, *, repaired: bool, drop_every: int = 0) -> None:
        self.kind = kind
        self.ssrc = ssrc
        self.received = 0
        self.duplicates = 0
        self.simulated = 0
        self.gaps = 0
        "packets that were missing without our doing when the next one came"
        self.repaired = 0
        self.lost = 0
        "given up"
        self.spurious = 0
        "retransmissions of what we had"
        self.highest = -1
        "extended sequence number"
        self.first = -1
        self._can_repair = repaired
        self._drop_every = drop_every
        self._until_drop = drop_every
        self._missing: dict[int, _Missing] = {}
        self._line_lost = 0
        self._reported = (0, 0)
        self.last_sr = 0
        self.last_sr_at = 0.0
        self._first_offset: int | None = None
        self._last_offset = 0

    def receive(self, sequence: int) -> bool:
        """One packet of the stream itself; False when it is a duplicate or is taken as lost."""
        if self.first < 0:
            self.first = self.highest = sequence
            self.received = 1
            return True
        step = (sequence - self.highest) & 0xFFFF
        if step != 1:
            if step == 0 or step >= _HALF:
                return self._receive_late(self.highest - (-step & 0xFFFF))
            self._open_gap(self.highest + 1, self.highest + step)
        self.highest += step
        if self._drop_every:
            self._until_drop -= 1
            if self._until_drop <= 0:
                self._until_drop = self._drop_every
                self.simulated += 1
                self._miss(self.highest)
                return False
        self.received += 1
        return True

    def receive_rtx(self, original: int) -> None:
        """A retransmission of the packet with this sequence number (RFC 4588 §4)."""
        extended = self.extend(original)
        if self._missing.pop(extended, None) is None:
            self.spurious += 1
        else:
            self.repaired += 1

    def extend(self, sequence: int) -> int:
        """The extended number nearest to the highest one seen."""
        step = (sequence - self.highest) & 0xFFFF
        return self.highest + step if step < _HALF else self.highest + step - 0x10000

    def note_stamp(self, sequence: int, stamp: Stamp) -> None:
        """The publisher's packet number beside ours: their difference grows by what the SFU swallowed."""
        self._last_offset = stamp.number - self.extend(sequence)
        if self._first_offset is None:
            self._first_offset = self._last_offset

    @property
    def swallowed(self) -> int:
        """Packets that the publisher sent and the SFU closed up the sequence for."""
        return 0 if self._first_offset is None else self._last_offset - self._first_offset

    @property
    def last_number(self) -> int:
        """The publisher's number of the last packet that came."""
        return self.highest + self._last_offset

    @property
    def waiting(self) -> int:
        return len(self._missing)

    def nacks_due(self, now: float) -> list[int]:
        """Sequence numbers to ask for now, rising; gives up on the oldest."""
        due: list[int] = []
        for sequence, missing in list(self._missing.items()):
            if missing.ask_at > now:
                continue
            if missing.asked >= NACK_ATTEMPTS:
                del self._missing[sequence]
                self.lost += 1
                continue
            missing.asked += 1
            missing.ask_at = now + NACK_INTERVAL_S
            due.append(sequence)
        return [sequence & 0xFFFF for sequence in sorted(due)]

    def report(self, now: float) -> ReportBlock:
        """Reception report since the last call (RFC 3550 §6.4.1, A.3); jitter is not measured here."""
        expected = self.highest - self.first + 1
        lost = self._line_lost
        expected_before, lost_before = self._reported
        self._reported = (expected, lost)
        interval = expected - expected_before
        fraction = (lost - lost_before) * 256 // interval if interval > 0 else 0
        since = int((now - self.last_sr_at) * 65536) if self.last_sr else 0
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(max(fraction, 0), 255),
            cumulative_lost=lost,
            highest_sequence=self.highest,
            jitter=90,
            last_sr=self.last_sr,
            delay_since_last_sr=since & 0xFFFF_FFFF,
        )

    def _receive_late(self, extended: int) -> bool:
        if self._missing.pop(extended, None) is None:
            self.duplicates += 1
            return False
        # The server repeats the packet itself where no RTX was negotiated, and a line may reorder.
        self.repaired += 1
        return True

    def _open_gap(self, start: int, end: int) -> None:
        self.gaps += end - start
        for sequence in range(start, end):
            self._miss(sequence)

    def _miss(self, sequence: int) -> None:
        self._line_lost += 1
        if not self._can_repair:
            self.lost += 1
            return
        if len(self._missing) >= MAX_MISSING:
            del self._missing[next(iter(self._missing))]
            self.lost += 1
        self._missing[sequence] = _Missing()
