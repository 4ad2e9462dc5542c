"""From a publisher's extended sequence numbers to the ones sent to one subscriber, and back.

The promise behind it is nonce safety (RFC 3711 §9.1, RFC 7714 §8.4): one outgoing number is given to one
packet only. So a packet that comes late goes out only where a number was kept for it, and otherwise not at
all.
"""

from __future__ import annotations

from itertools import islice

from sfu.core.seqnum import CYCLE_16

NOT_SENT = -1

MAX_GAP = 1 << 14
"a longer jump is closed up: a receiver that sees one of 2^15 guesses the SRTP roll-over counter wrong"
MAX_HOLES = 512
"numbers kept for packets that may still come"
MAX_BREAKPOINTS = 128
"changes of offset remembered for answering NACKs"
MAX_FIRST = 1 << 15


class SequenceMap:
    """One forward's numbering. ``first_out`` is random and below 2^15 (RFC 3711 §3.3.1)."""

    __slots__ = ("_abandoned", "_breakpoints", "_floor", "_holes", "_next", "_offset", "_out", "_started")

    def __init__(self, first_out: int) -> None:
        if not 0 <= first_out < MAX_FIRST:
            raise ValueError(f"first outgoing sequence number {first_out} is not below 2^15")
        self._started = False
        self._next = -1
        "the source's number that comes next in order"
        self._offset = 0
        "outgoing minus source, both extended, from `_next` on"
        self._out = first_out - 1
        "the highest number sent"
        self._floor = first_out
        "outgoing numbers below are forgotten"
        self._holes: dict[int, int] = {}
        "source number not sent → the number kept for it, or its complement when it will never be sent"
        self._breakpoints: list[tuple[int, int]] = []
        "(first outgoing number, offset), oldest first"
        self._abandoned = 0
        "numbers that were kept, never sent, and are no longer in `_holes`"

    @property
    def highest_out(self) -> int:
        """The highest outgoing number, extended as the receiver counts it (cycles from 0)."""
        return self._out

    def forward(self, extended: int) -> int:
        """The outgoing 16-bit number for this packet, or NOT_SENT: it was sent, dropped, or is too old."""
        if extended == self._next:
            self._next = extended + 1
            self._out = out = extended + self._offset
            return out & 0xFFFF
        if not self._started:
            self.splice(extended)
        elif extended < self._next:
            out = self._holes.get(extended, NOT_SENT)
            if out < 0:
                return NOT_SENT
            del self._holes[extended]
            if out > self._out:
                self._out = out
            return out & 0xFFFF
        else:
            self._skip_to(extended)
        self._next = extended + 1
        self._out = out = extended + self._offset
        return out & 0xFFFF

    def drop(self, extended: int) -> None:
        """Not forwarded: the next packet takes its number, unless a later one was sent already."""
        if extended < self._next:
            kept = self._holes.get(extended, NOT_SENT)
            if kept >= 0:
                self._holes[extended] = ~kept
            return
        if not self._started:
            return
        if extended > self._next:
            self._skip_to(extended)
        self._next = extended + 1
        self._set_offset(self._offset - 1)

    def splice(self, extended: int) -> None:
        """A new source goes on from this packet: nothing older than it is sent, and no number is skipped."""
        self._started = True
        self._abandon()
        self._floor = self._out + 1
        self._next = extended
        self._breakpoints.clear()
        self._set_offset(self._floor - extended)

    def source(self, out_seq: int) -> int:
        """The source's extended number behind an outgoing 16-bit one, or -1: never sent, or too long ago."""
        out = self._out - ((self._out - out_seq) & 0xFFFF)
        if out < self._floor:
            return -1
        for first_out, offset in reversed(self._breakpoints):
            if out >= first_out:
                extended = out - offset
                return -1 if extended in self._holes else extended
        return -1

    def never_sent(self, up_to: int) -> int:
        """How many numbers up to this extended one were skipped; falls when a late packet fills its place."""
        return self._abandoned + sum((out if out >= 0 else ~out) <= up_to for out in self._holes.values())

    def _skip_to(self, extended: int) -> None:
        """Keep numbers for the packets between the newest one and this one."""
        if extended + self._offset - self._out > MAX_GAP:
            self.splice(extended)
            return
        holes = self._holes
        for skipped in range(max(self._next, extended - MAX_HOLES), extended):
            holes[skipped] = skipped + self._offset
        not_kept = extended - self._next - MAX_HOLES
        if not_kept > 0:
            self._abandoned += not_kept
            self._floor = extended - MAX_HOLES + self._offset
        # All at once: to look for a dict's first key again after each that was taken costs the square of their number.
        for skipped in list(islice(holes, max(0, len(holes) - MAX_HOLES))):
            out = holes.pop(skipped)
            self._abandoned += 1
            self._floor = max(self._floor, (out if out >= 0 else ~out) + 1)

    def _set_offset(self, offset: int) -> None:
        self._offset = offset
        first_out = self._next + offset
        breakpoints = self._breakpoints
        if breakpoints and breakpoints[-1][0] == first_out:
            breakpoints[-1] = (first_out, offset)
            return
        breakpoints.append((first_out, offset))
        if len(breakpoints) > MAX_BREAKPOINTS:
            del breakpoints[0]
            self._floor = max(self._floor, breakpoints[0][0])

    def _abandon(self) -> None:
        """Numbers kept below the highest one sent stay unused; those above it are given out again."""
        self._abandoned += sum((out if out >= 0 else ~out) < self._out for out in self._holes.values())
        self._holes.clear()


assert MAX_GAP + MAX_HOLES < CYCLE_16 // 2
