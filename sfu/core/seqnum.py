"""Serial-number arithmetic modulo 2^16 and 2^32, and extended numbers (RFC 1982, RFC 3550 A.1).

An *extended* number is the wire's number plus a multiple of its modulus. Extended numbers start one whole
cycle above zero, so that packets from before the first one seen stay positive.
"""

from __future__ import annotations

CYCLE_16 = 1 << 16
CYCLE_32 = 1 << 32


def diff32(a: int, b: int) -> int:
    """How far ``a`` is ahead of ``b``, in -2^31 … 2^31-1."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000
