"""Arithmetic modulo 2^16 and 2^32, at every place where it wraps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sfu.core.seqnum import CYCLE_32, diff32


@given(st.integers(0, CYCLE_32 - 1), st.integers(-(1 << 31), (1 << 31) - 1))
def test_diff32_gives_back_the_step(start: int, step: int) -> None:
    assert diff32((start + step) % CYCLE_32, start) == step
