"""One line's limit: loss, the round trip and REMB, and what is not taken for them."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.loss_rule import (
    BASE_WINDOW_S,
    BLOATED_S,
    CALM_STEPS,
    COLLAPSE_FLOOR_BPS,
    ENCODER_SHARE,
    FUTILE_CUTS,
    GROWTH,
    HIGH_LOSS,
    LOSSY_DECREASE,
    LOSSY_QUEUE_S,
    LOSSY_STEPS,
    LOW_LOSS,
    MAX_BPS,
    MIN_BPS,
    MODEST_BPS,
    MOST_OVER_SENDING,
    NEAR_GROWTH,
    QUEUE_DECREASE,
    QUEUE_S,
    SIGN_S,
    START_BPS,
    LossRule,
)

BASE_S = 0.05
MODERATE_S = BASE_S + 2 * QUEUE_S
FULL_S = BASE_S + 2 * BLOATED_S


class Line:
    """A subscriber that reports once a second; the publisher sends what it may unless said otherwise."""

    def __init__(self, bps: int = START_BPS) -> None:
        self.rule = LossRule()
        self.rule.bps = bps
        self.now = 0.0

    def run(
        self,
        seconds: int = 1,
        *,
        loss: float = 0.0,
        rtt: float | None = BASE_S,
        sending: int | None = None,
        remb: int | None = None,
    ) -> int:
        for _ in range(seconds):
            self.now += 1.0
            self.rule.loss(loss)
            if rtt is not None:
                self.rule.rtt(rtt)
            self.rule.step(self.now, self.rule.bps if sending is None else sending, remb)
        return self.rule.bps


def test_grows_while_nothing_is_lost_or_queued_and_the_rate_is_used() -> None:
    line = Line()
    assert line.run(CALM_STEPS - 1) == START_BPS
    assert line.run() == START_BPS * GROWTH
    assert line.run(60) == MAX_BPS


def test_a_receiver_that_gives_no_round_trips_is_judged_by_its_loss() -> None:
    line = Line()
    assert line.run(10, rtt=None) > 2 * START_BPS
    assert line.run(1, rtt=None, loss=0.4, sending=1_000_000) == 800_000


def test_a_limit_that_is_not_reached_does_not_grow_past_a_modest_one() -> None:
    assert Line().run(20, sending=150_000) == START_BPS
    assert Line(100_000).run(20, sending=0) == MODEST_BPS
    assert Line(300_000).run(20, sending=200_000) == MOST_OVER_SENDING * 200_000


@pytest.mark.parametrize("loss", (LOW_LOSS, 0.05, HIGH_LOSS))
def test_moderate_loss_holds_a_limit_and_brings_a_small_one_back(loss: float) -> None:
    assert Line().run(20, loss=loss) == START_BPS
    assert Line(60_000).run(20, loss=loss) == MODEST_BPS


def test_high_loss_shrinks_by_half_the_loss() -> None:
    assert Line(1_000_000).run(1, loss=0.4) == 800_000
    assert Line(1_000_000).run(1, loss=0.4, sending=500_000) == 400_000


def test_below_the_share_of_a_small_cap_that_encoders_reach_nothing_more_is_taken() -> None:
    assert Line(100_000).run(1, loss=0.4, sending=int(100_000 * ENCODER_SHARE)) == 80_000


def test_high_loss_that_lasts_drains_the_line() -> None:
    line = Line(1_000_000)
    line.run(LOSSY_STEPS - 1, loss=0.2)
    before = line.rule.bps
    assert line.run(1, loss=0.2) == int(before * LOSSY_DECREASE)


@pytest.mark.parametrize("trouble", ({"loss": 1.0}, {"rtt": 3.0}, {"loss": 0.5, "rtt": 3.0, "remb": 1_000}))
def test_never_below_the_floor(trouble: dict[str, float]) -> None:
    line = Line()
    line.run(3, remb=1_000_000)
    assert line.run(60, sending=400_000, **trouble) == MIN_BPS  # type: ignore[arg-type]


def test_moves_once_an_interval_however_many_reports_come_and_not_without_one() -> None:
    line = Line()
    for tick in range(10):
        line.rule.loss(0.4)
        line.rule.step(tick / 10, START_BPS, None)
    assert line.rule.bps == 400_000
    line = Line()
    for second in range(10):
        line.rule.step(float(second), START_BPS, None)
    assert line.rule.bps == START_BPS


# The round trip


def test_a_queue_seen_twice_is_acted_on() -> None:
    line = Line(1_000_000)
    line.run(1)
    assert line.run(1, rtt=MODERATE_S) == 1_000_000
    assert line.run(1, rtt=MODERATE_S + 0.01) == int(1_000_000 * QUEUE_DECREASE)


def test_single_long_round_trips_of_a_busy_receiver_hardly_slow_its_growth() -> None:
    line = Line(200_000)
    line.run(2)
    for _ in range(10):
        line.run(1, rtt=MODERATE_S)
        line.run(4)
    assert line.rule.bps > 1_000_000


def test_the_first_sign_of_a_queue_takes_back_the_last_growth() -> None:
    line = Line()
    line.run(4)
    before = line.rule.bps
    grown = line.run(1)
    assert grown > before
    assert line.run(1, rtt=MODERATE_S) == before


def test_a_full_queue_is_acted_on_at_once_and_whatever_remb_says() -> None:
    line = Line(1_000_000)
    line.run(1)
    assert line.run(1, rtt=FULL_S, remb=2_000_000) <= 700_000
    assert line.run(2, rtt=FULL_S, remb=2_000_000) < 400_000


def test_a_queue_that_goes_away_is_left_to_do_so() -> None:
    line = Line(1_000_000)
    line.run(1)
    after_cut = line.run(1, rtt=BASE_S + 1.0)
    assert line.run(1, rtt=BASE_S + 0.7) == after_cut
    assert line.run(1, rtt=BASE_S + 0.4) == after_cut
    assert line.run(1, rtt=BASE_S + 0.39) < after_cut


def test_the_shortest_round_trip_of_a_step_counts() -> None:
    line = Line(1_000_000)
    line.run(1)
    for _ in range(3):
        line.rule.rtt(FULL_S)
        line.run(1)
    assert line.rule.bps > 1_000_000


def test_a_far_path_is_not_a_full_one() -> None:
    assert Line().run(10, rtt=0.65) > 2 * START_BPS


def test_a_path_that_became_longer_is_believed_after_a_while() -> None:
    line = Line(1_000_000)
    line.run(5)
    line.run(int(3 * BASE_WINDOW_S), rtt=MODERATE_S)
    assert line.run(20, rtt=MODERATE_S) > 1_000_000


@pytest.mark.parametrize("loss", (0.0, 0.05))
def test_a_round_trip_that_cuts_do_not_shorten_is_the_paths_own(loss: float) -> None:
    line = Line(200_000)
    line.run(5, rtt=0.002)
    before = line.rule.bps
    line.run(1 + FUTILE_CUTS + 1, rtt=0.11, loss=loss)
    assert line.rule.bps < before
    assert line.run(10, rtt=0.11, loss=loss) >= min(before, MODEST_BPS)


def test_a_line_full_from_the_start_is_known_by_its_loss() -> None:
    line = Line()
    assert line.run(10, rtt=1.0, loss=0.05) < START_BPS / 4


def test_a_short_queue_counts_when_it_loses() -> None:
    short_s = BASE_S + (LOSSY_QUEUE_S + QUEUE_S) / 2
    lossless, lossy = Line(1_000_000), Line(1_000_000)
    for line, loss in ((lossless, 0.0), (lossy, 0.05)):
        line.run(1)
        line.run(4, rtt=short_s, loss=loss)
    assert lossless.rule.bps >= 1_000_000
    assert lossy.rule.bps < 700_000


def test_growth_slows_at_the_first_sign_of_a_queue() -> None:
    line = Line()
    line.run(CALM_STEPS - 1)
    assert line.run(1, rtt=BASE_S + 2 * SIGN_S) == pytest.approx(START_BPS * NEAR_GROWTH, abs=1)


def test_a_camera_that_is_off_fills_no_line() -> None:
    line = Line()
    line.run(2, sending=0)
    assert line.run(10, sending=0, rtt=FULL_S, loss=0.5) == START_BPS


def test_growth_is_slow_where_the_line_was_full_and_quick_again_past_it() -> None:
    line = Line(200_000)
    line.run(1)
    line.run(2, rtt=MODERATE_S)
    line.run(CALM_STEPS - 1)
    growths = []
    for _ in range(12):
        before = line.rule.bps
        growths.append(line.run() / before)
    assert growths[0] == pytest.approx(NEAR_GROWTH, rel=1e-4)
    assert growths[-1] == pytest.approx(GROWTH, rel=1e-4)


# REMB


def test_a_remb_that_collapses_counts_at_once() -> None:
    line = Line(1_000_000)
    line.run(1, remb=1_200_000)
    line.rule.step(line.now + 0.1, 1_000_000, 300_000)
    assert line.rule.bps == 300_000


def test_growth_is_slow_after_a_collapse_that_a_queue_confirmed() -> None:
    line = Line(1_000_000)
    line.run(1, remb=1_200_000)
    line.rule.rtt(BASE_S + 1.0)
    line.rule.step(line.now + 0.1, 1_000_000, 200_000)
    cut = line.run(1, sending=400_000, rtt=BASE_S + 1.0, remb=200_000)
    assert cut < line.run(CALM_STEPS + 1) <= cut * NEAR_GROWTH**2


def test_one_that_undershoots_does_not_starve_the_picture() -> None:
    line = Line(1_000_000)
    line.run(1, remb=1_200_000)
    assert line.run(1, sending=1_000_000, remb=33_000) == COLLAPSE_FLOOR_BPS


def test_a_frozen_remb_holds_nothing_down() -> None:
    line = Line(1_000_000)
    line.run(1, remb=1_200_000)
    line.run(1, sending=1_000_000, remb=33_000, rtt=FULL_S)
    assert line.run(20, remb=33_000) > 600_000


def test_a_frozen_remb_that_sinks_further_is_no_collapse() -> None:
    line = Line(100_000)
    line.run(2, remb=40_000)
    before = line.run(4, remb=40_000)
    assert line.run(1, remb=30_000) >= before > COLLAPSE_FLOOR_BPS


def test_a_collapse_that_nothing_confirms_is_taken_back_quickly() -> None:
    line = Line(1_000_000)
    line.run(1, remb=1_200_000)
    assert line.run(1, sending=1_000_000, remb=150_000) == 150_000
    assert line.run(7, remb=200_000) >= 850_000


def test_a_collapse_that_a_queue_confirms_is_not() -> None:
    line = Line(1_000_000)
    line.run(1, remb=1_200_000)
    line.run(2, sending=1_000_000, remb=150_000, rtt=FULL_S)
    assert line.run(7, remb=200_000) < 400_000


def test_a_remb_that_says_more_permits_growth_of_a_limit_that_is_not_reached() -> None:
    line = Line()
    assert line.run(20, sending=150_000, remb=2_000_000) == 2_000_000


# Whatever the history


@st.composite
def reports(draw: st.DrawFn) -> dict[str, float | int | None]:
    return {
        "loss": draw(st.sampled_from((0.0, 0.01, 0.05, 0.15, 0.5)) | st.floats(0.0, 1.0)),
        "rtt": draw(st.none() | st.sampled_from((BASE_S, MODERATE_S, FULL_S)) | st.floats(0.0, 3.0)),
        "sending": draw(st.none() | st.integers(0, 5_000_000)),
        "remb": draw(st.none() | st.integers(0, 5_000_000)),
    }


def after(history: list[dict[str, float | int | None]]) -> Line:
    line = Line()
    for report in history:
        line.run(1, **report)  # type: ignore[arg-type]
        assert MIN_BPS <= line.rule.bps <= MAX_BPS
    return line


@given(st.lists(reports(), max_size=12), st.floats(0, 1), st.floats(0, 1), st.floats(0, 3), st.integers(0, 5_000_000))
def test_more_loss_never_gives_more(
    history: list[dict[str, float | int | None]], one: float, other: float, rtt: float, sending: int
) -> None:
    line = after(history)
    less, more = (
        copy.deepcopy(line).run(1, loss=loss, rtt=rtt, sending=sending) for loss in (min(one, other), max(one, other))
    )
    assert more <= less


@given(st.lists(reports(), max_size=12), st.floats(0, 3), st.floats(0, 3), st.floats(0, 1), st.integers(0, 5_000_000))
def test_a_longer_queue_never_gives_more(
    history: list[dict[str, float | int | None]], one: float, other: float, loss: float, sending: int
) -> None:
    line = after([{"loss": 0.0, "rtt": 0.0, "sending": 500_000, "remb": None}, *history])
    less, more = (
        copy.deepcopy(line).run(1, loss=loss, rtt=rtt, sending=sending) for rtt in (min(one, other), max(one, other))
    )
    assert more <= less


@given(st.lists(reports(), max_size=12), st.floats(0, 1), st.floats(0, 3), st.integers(0, 5_000_000))
def test_no_step_more_than_half_as_much_again_and_recovery_is_always_possible(
    history: list[dict[str, float | int | None]], loss: float, rtt: float, sending: int
) -> None:
    line = after(history)
    before = line.rule.bps
    assert copy.deepcopy(line).run(1, loss=loss, rtt=rtt, sending=sending) <= 1.5 * before
    # The base may be anything after such a history; when its windows have passed it is what is measured.
    assert line.run(160, rtt=BASE_S, remb=33_000) == MAX_BPS
