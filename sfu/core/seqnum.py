"""Serial-number arithmetic modulo 2^16 and 2^32, and extended numbers (RFC 1982, RFC 3550 A.1).

An *extended* number is the wire's number plus a multiple of its modulus. Extended numbers start one whole
cycle above zero, so that packets from before the first one seen stay positive.
"""

from __future__ import annotations

CYCLE_16 = 1 << 16
CYCLE_32 = 1 << 32


def diff16(a: int, b: int) -> int:
    """How far ``a`` is ahead of ``b``, in -2^15 … 2^15-1."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


def newer16(a: int, b: int) -> bool:
    """Whether ``a`` comes after ``b``; half a cycle away counts as before."""
    return 0 < ((a - b) & 0xFFFF) < 0x8000


def diff32(a: int, b: int) -> int:
    """How far ``a`` is ahead of ``b``, in -2^31 … 2^31-1."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class Unwrapper16:
    """Sequence numbers to extended ones, each taken as the nearest to the highest so far."""

    __slots__ = ("_highest",)

    def __init__(self) -> None:
        self._highest = -1

    def unwrap(self, seq: int) -> int:
        highest = self._highest
        if highest < 0:
            self._highest = seq + CYCLE_16
            return self._highest
        extended = highest + ((seq - highest + 0x8000) & 0xFFFF) - 0x8000
        if extended > highest:
            self._highest = extended
        return extended


class Unwrapper32:
    """RTP timestamps to extended ones, each taken as the nearest to the highest so far."""

    __slots__ = ("_highest",)

    def __init__(self) -> None:
        self._highest = -1

    def unwrap(self, timestamp: int) -> int:
        highest = self._highest
        if highest < 0:
            self._highest = timestamp + CYCLE_32
            return self._highest
        extended = highest + ((timestamp - highest + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        if extended > highest:
            self._highest = extended
        return extended
