"""Dividing a line's estimate, and the cap of a publisher over time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.allocation import (
    FLOOR_BPS,
    MAX_GROWTH_PER_S,
    START_LIMIT_BPS,
    START_PERIOD_S,
    RateRamp,
    divide,
    publisher_caps,
)


@pytest.mark.parametrize(
    ("total", "demands", "shares"),
    [
        (900, {}, {}),
        (900, {"a": 100}, {"a": 900}),
        (900, {"a": 1000, "b": 1000, "c": 1000}, {"a": 300, "b": 300, "c": 300}),
        (900, {"a": 100, "b": 1000, "c": 1000}, {"a": 100, "b": 400, "c": 400}),
        (900, {"a": 100, "b": 300, "c": 1000}, {"a": 100, "b": 300, "c": 500}),
        (900, {"a": 100, "b": 200}, {"a": 400, "b": 500}),
        (-5, {"a": 100}, {"a": 0}),
    ],
    ids=["nobody", "alone", "equal", "one small", "two small", "all content", "nothing to divide"],
)
def test_equal_shares_and_what_is_unused_goes_on(total: int, demands: dict[str, int], shares: dict[str, int]) -> None:
    assert divide(total, demands) == shares


@given(st.integers(0, 10_000_000), st.dictionaries(st.integers(), st.integers(0, 5_000_000), max_size=8))
def test_an_estimate_is_given_once_and_whole(total: int, demands: dict[int, int]) -> None:
    shares = divide(total, demands)
    assert shares.keys() == demands.keys()
    assert sum(shares.values()) <= total
    for key, share in shares.items():
        assert share >= min(demands[key], total // len(demands))
    if demands:
        assert sum(shares.values()) > total - len(demands)


def test_a_publishers_cap_is_its_smallest_share_and_its_audio() -> None:
    shares = {"x": {"a": 300_000, "b": 900_000}, "y": {"a": 200_000}, "z": {"b": 10_000}}
    assert publisher_caps(shares, {"a": 32_000}) == {"a": 232_000, "b": FLOOR_BPS}


def test_a_publisher_that_nobody_watches_has_no_cap_of_anybodys() -> None:
    assert publisher_caps({"x": {}}, {"a": 32_000}) == {}


def test_a_publisher_starts_modestly() -> None:
    ramp = RateRamp(10.0)
    assert ramp.limit(4_000_000, 10.0) == START_LIMIT_BPS
    assert ramp.limit(4_000_000, 10.0 + START_PERIOD_S - 0.01) == START_LIMIT_BPS
    assert ramp.limit(200_000, 11.0) == 200_000


@given(st.lists(st.tuples(st.floats(0.01, 5.0), st.integers(50_000, 4_000_000)), min_size=1, max_size=60))
def test_upwards_in_steps_and_downwards_at_once(targets: list[tuple[float, int]]) -> None:
    ramp = RateRamp(0.0)
    now = 0.0
    before = START_LIMIT_BPS
    for pause_s, target in targets:
        now += pause_s
        limit = ramp.limit(target, now)
        assert limit <= target
        if now < START_PERIOD_S:
            assert limit <= START_LIMIT_BPS
        else:
            # Both are rounded down to whole bits.
            assert limit <= (before + 1) * MAX_GROWTH_PER_S ** min(1.0, pause_s)
            if target <= before:
                assert limit == target
        before = limit


def test_how_often_it_is_asked_makes_no_difference() -> None:
    often, seldom = RateRamp(0.0), RateRamp(0.0)
    often_bps = 0
    for tick in range(501):
        often_bps = often.limit(4_000_000, tick / 100)
    seldom.limit(4_000_000, 4.0)
    expected = START_LIMIT_BPS * MAX_GROWTH_PER_S**2.0
    assert often_bps == pytest.approx(expected, rel=0.001)
    assert seldom.limit(4_000_000, 5.0) == pytest.approx(expected, rel=0.001)
