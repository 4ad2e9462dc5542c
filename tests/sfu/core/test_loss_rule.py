"""The loss rule beneath REMB, and alone."""

from __future__ import annotations

import pytest

from sfu.core.loss_rule import BLOATED_DECREASE, HIGH_LOSS, LOW_LOSS, MAX_BPS, MIN_BPS, REMB_GROWTH, START_BPS, LossRule


def run(rule: LossRule, seconds: int, loss: float, *, sending: int | None = None, remb: int | None = None) -> int:
    """A report a second; the publisher sends what it may unless said otherwise."""
    at = round(rule._stepped_at)
    for second in range(1, seconds + 1):
        rule.loss(loss)
        rule.step(float(at + second), rule.bps if sending is None else sending, remb)
    return rule.bps


def test_grows_while_nothing_is_lost_and_the_rate_is_used() -> None:
    rule = LossRule()
    assert 1.05**10 <= run(rule, 10, 0.0) / START_BPS <= 1.08**10
    assert run(rule, 100, 0.0) == MAX_BPS


def test_a_limit_that_is_not_reached_does_not_grow() -> None:
    assert run(LossRule(), 20, 0.0, sending=START_BPS // 2) == START_BPS


@pytest.mark.parametrize("loss", (LOW_LOSS, 0.05, HIGH_LOSS))
def test_holds_between(loss: float) -> None:
    assert run(LossRule(), 20, loss) == START_BPS


def test_shrinks_by_half_the_loss_from_what_was_sent() -> None:
    assert run(LossRule(), 1, 0.4, sending=300_000) == 240_000
    assert run(LossRule(), 1, 0.4, sending=900_000) == 400_000


def test_never_below_the_floor_nor_below_it_at_once() -> None:
    assert run(LossRule(), 60, 1.0) == MIN_BPS


def test_moves_once_an_interval_however_many_reports_come_and_not_without_one() -> None:
    rule = LossRule()
    for tick in range(10):
        rule.loss(0.4)
        rule.step(tick / 10, START_BPS, None)
    assert rule.bps == 400_000
    rule = LossRule()
    for second in range(10):
        rule.step(float(second), START_BPS, None)
    assert rule.bps == START_BPS


def test_a_good_line_with_remb_comes_to_remb_and_stays_there() -> None:
    rule = LossRule()
    assert run(rule, 2, 0.0, remb=2_000_000) == START_BPS * REMB_GROWTH**2
    assert run(rule, 8, 0.0, remb=2_000_000) == 2_000_000


def test_loss_counts_also_under_a_high_remb() -> None:
    rule = LossRule()
    assert run(rule, 10, 0.0, remb=2_000_000) == 2_000_000
    assert run(rule, 5, 0.2, remb=2_000_000) < 1_300_000


def test_remb_that_stops_leaves_no_more_than_half_above_it() -> None:
    rule = LossRule()
    run(rule, 3, 0.05, remb=200_000)
    assert rule.bps == 300_000


@pytest.mark.parametrize("remb", (None, 600_000))
def test_a_queue_that_stays_full_is_felt_whatever_remb_says(remb: int | None) -> None:
    rule = LossRule()
    rule.rtt(0.08)
    run(rule, 1, 0.0, sending=START_BPS, remb=remb)
    before = rule.bps
    for _ in range(3):
        rule.rtt(1.5)
        run(rule, 1, 0.0, remb=remb)
    assert rule.bps < before / 2


def test_one_measurement_of_delay_is_acted_on_once() -> None:
    rule = LossRule()
    rule.rtt(1.5)
    assert run(rule, 5, 0.05) == START_BPS * BLOATED_DECREASE


def test_a_far_path_is_not_a_full_one() -> None:
    rule = LossRule()
    rule.rtt(0.65)
    assert run(rule, 5, 0.0) > START_BPS
