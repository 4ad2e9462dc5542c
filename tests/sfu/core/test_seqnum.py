"""Arithmetic modulo 2^16 and 2^32, at every place where it wraps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.seqnum import CYCLE_16, CYCLE_32, Unwrapper16, Unwrapper32, diff16, diff32, newer16

STARTS = (0, 1, 127, 32767, 32768, 65530, 65535)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("step", (-0x8000, -3000, -1, 0, 1, 3000, 0x7FFF))
def test_diff16_gives_back_the_step(start: int, step: int) -> None:
    assert diff16((start + step) & 0xFFFF, start) == step


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(("step", "newer"), [(0, False), (1, True), (0x7FFF, True), (0x8000, False), (-1, False)])
def test_newer16(start: int, step: int, newer: bool) -> None:
    assert newer16((start + step) & 0xFFFF, start) is newer


@given(st.integers(0, CYCLE_32 - 1), st.integers(-(1 << 31), (1 << 31) - 1))
def test_diff32_gives_back_the_step(start: int, step: int) -> None:
    assert diff32((start + step) % CYCLE_32, start) == step


@given(st.integers(0, CYCLE_16 - 1), st.lists(st.integers(-200, 3000), max_size=100))
def test_unwrapper16_follows_any_walk(start: int, steps: list[int]) -> None:
    unwrapper = Unwrapper16()
    highest = position = start + CYCLE_16
    assert unwrapper.unwrap(start) == position
    for step in steps:
        position = highest + step
        assert unwrapper.unwrap(position % CYCLE_16) == position
        highest = max(highest, position)


@given(st.integers(0, CYCLE_32 - 1), st.lists(st.integers(-900_000, 900_000_000), max_size=100))
def test_unwrapper32_follows_any_walk(start: int, steps: list[int]) -> None:
    unwrapper = Unwrapper32()
    highest = start + CYCLE_32
    assert unwrapper.unwrap(start) == highest
    for step in steps:
        position = highest + step
        assert unwrapper.unwrap(position % CYCLE_32) == position
        highest = max(highest, position)


@pytest.mark.parametrize("start", STARTS)
def test_packets_from_before_the_first_stay_positive(start: int) -> None:
    unwrapper = Unwrapper16()
    unwrapper.unwrap(start)
    assert 0 < unwrapper.unwrap((start - 0x7FFF) & 0xFFFF) < start + CYCLE_16
