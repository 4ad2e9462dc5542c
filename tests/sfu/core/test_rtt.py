"""Round-trip time in compact NTP, with its wrap every 18 hours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.rtt import RttEstimate, compact_ntp, delay_since, round_trip_s


def test_the_example_of_the_rfc() -> None:
    """RFC 3550 figure 2."""
    assert round_trip_s(0xB710_8000, 0xB705_2000, 0x0005_4000) == pytest.approx(6.125)


@given(st.floats(3.9e9, 4.2e9), st.floats(0.0, 9.9), st.floats(0.0, 60.0))
def test_gives_back_the_round_trip_at_any_time_of_day(sent_s: float, rtt_s: float, held_s: float) -> None:
    last_report = compact_ntp(sent_s)
    if not last_report:
        return
    measured = round_trip_s(compact_ntp(sent_s + rtt_s + held_s), last_report, delay_since(0.0, held_s))
    assert measured is not None
    assert measured == pytest.approx(rtt_s, abs=1e-3)


@pytest.mark.parametrize(
    ("now", "last_report", "delay", "expected"),
    [
        (5 << 16, 0, 0, None),
        (5 << 16, 6 << 16, 0, None),
        (5 << 16, 1 << 16, 5 << 16, None),
        (20 << 16, 1 << 16, 0, None),
        (5 << 16, (5 << 16) - 10, 20, 0.0),
    ],
    ids=["never reported", "from the future", "held too long", "over ten seconds", "rounding"],
)
def test_nonsense_is_no_sample(now: int, last_report: int, delay: int, expected: float | None) -> None:
    assert round_trip_s(now, last_report, delay) == expected


def test_smooths_and_says_where_it_comes_from() -> None:
    estimate = RttEstimate()
    assert (estimate.rtt_s, estimate.source) == (None, "")
    estimate.add(None, "rr")
    estimate.add(-0.1, "rr")
    estimate.add(11.0, "rr")
    estimate.add(float("nan"), "rr")
    assert estimate.rtt_s is None
    estimate.add(0.1, "rr")
    estimate.add(0.9, "xr")
    assert estimate.rtt_s == pytest.approx(0.5)
    estimate.add(0.1, "xr")
    assert estimate.rtt_s == pytest.approx(0.3)
    assert estimate.source == "xr"


def test_the_shortest_of_a_while_is_taken_once() -> None:
    estimate = RttEstimate()
    estimate.add(0.3, "rr")
    estimate.add(0.1, "rr")
    estimate.add(0.2, "xr")
    assert estimate.take_shortest() == 0.1
    assert estimate.take_shortest() is None


def test_later_answers_to_one_report_are_no_new_measurement() -> None:
    estimate = RttEstimate()
    estimate.add(0.3, "rr", 1 << 16)
    estimate.add(0.2, "rr", 1 << 16)
    assert estimate.take_shortest() == 0.2
    estimate.add(0.3, "rr", 1 << 16)
    estimate.add(0.3, "rr", (1 << 16) + 5)
    assert estimate.take_shortest() is None
    estimate.add(0.4, "rr", 2 << 16)
    assert estimate.take_shortest() == 0.4


@pytest.mark.parametrize(("then", "now", "units"), [(0.0, 0.5, 32768), (1.0, 0.0, 0), (0.0, 1e6, 0xFFFFFFFF)])
def test_a_delay_fits_its_field(then: float, now: float, units: int) -> None:
    assert delay_since(then, now) == units
