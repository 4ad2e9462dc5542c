"""Outgoing timestamps go on over a splice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.timestamp_map import TimestampMap

STARTS = (0, 1, 127, 2**31 - 1, 2**31, 2**32 - 3000, 2**32 - 1)


@pytest.mark.parametrize("start", STARTS)
def test_without_a_splice_timestamps_stay_as_they_are(start: int) -> None:
    mapping = TimestampMap(90_000)
    for index in range(5):
        timestamp = (start + index * 3000) & 0xFFFFFFFF
        assert mapping.forward(timestamp, index / 30) == timestamp


@pytest.mark.parametrize("old", STARTS)
@pytest.mark.parametrize("new", STARTS)
def test_a_splice_goes_on_by_the_time_that_passed(old: int, new: int) -> None:
    mapping = TimestampMap(90_000)
    last = mapping.forward(old, 10.0)
    mapping.splice(new, 10.5)
    assert (mapping.forward(new, 10.5) - last) & 0xFFFFFFFF == 45_000
    assert (mapping.forward((new + 3000) & 0xFFFFFFFF, 10.6) - last) & 0xFFFFFFFF == 48_000


def test_a_splice_before_the_first_packet_changes_nothing() -> None:
    mapping = TimestampMap(90_000)
    mapping.splice(77, 1.0)
    assert mapping.forward(77, 1.0) == 77


def test_a_late_packet_does_not_turn_the_point_of_a_splice_back() -> None:
    mapping = TimestampMap(90_000)
    mapping.forward(9000, 1.0)
    mapping.forward(3000, 1.2)
    mapping.splice(0, 1.0)
    assert mapping.forward(0, 1.0) == 9001


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(0.0, 20.0), st.integers(1, 20)), min_size=1, max_size=20)
)
def test_every_source_comes_after_the_one_before(sources: list[tuple[int, float, int]]) -> None:
    mapping = TimestampMap(90_000)
    now = 0.0
    last: int | None = None
    for start, pause_s, frames in sources:
        now += pause_s
        mapping.splice(start, now)
        for frame in range(frames):
            out = mapping.forward((start + 3000 * frame) & 0xFFFFFFFF, now)
            assert last is None or 0 < (out - last) & 0xFFFFFFFF < 2**31
            last = out
            now += 1 / 30
