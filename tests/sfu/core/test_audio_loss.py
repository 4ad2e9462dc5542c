"""The loss that an audio publisher is told."""

from __future__ import annotations

import pytest

from sfu.core.audio_loss import GONE_S, HOLD_S, MAX_SUBSCRIBERS, AudioLoss


def test_the_larger_of_the_two_legs_is_told() -> None:
    loss: AudioLoss[str] = AudioLoss()
    assert loss.fraction_to_report(13, 0.0) == 13
    loss.downlink("a", 0.05, 0.0)
    loss.downlink("b", 0.25, 0.0)
    assert loss.fraction_to_report(13, 1.0) == 64
    assert loss.fraction_to_report(100, 1.0) == 100


def test_a_subscriber_that_stops_reporting_fades() -> None:
    loss: AudioLoss[str] = AudioLoss()
    loss.downlink("a", 0.5, 0.0)
    assert loss.worst_downlink(HOLD_S) == 0.5
    assert loss.worst_downlink((HOLD_S + GONE_S) / 2) == pytest.approx(0.25)
    assert loss.worst_downlink(GONE_S) == 0.0


def test_a_better_report_replaces_a_worse_one() -> None:
    loss: AudioLoss[str] = AudioLoss()
    loss.downlink("a", 0.5, 0.0)
    loss.downlink("a", 0.0, 1.0)
    assert loss.worst_downlink(1.0) == 0.0


def test_a_subscriber_that_left_counts_no_more() -> None:
    loss: AudioLoss[str] = AudioLoss()
    loss.downlink("a", 0.5, 0.0)
    loss.forget("a")
    loss.forget("never there")
    assert loss.worst_downlink(0.0) == 0.0


@pytest.mark.parametrize(("told", "field"), [(1.0, 255), (7.0, 255), (-1.0, 0), (0.1, 25)])
def test_the_field_holds_any_loss(told: float, field: int) -> None:
    loss: AudioLoss[int] = AudioLoss()
    loss.downlink(1, told, 0.0)
    assert loss.fraction_to_report(0, 0.0) == field


def test_memory_is_bounded() -> None:
    loss: AudioLoss[int] = AudioLoss()
    for subscriber in range(MAX_SUBSCRIBERS * 2):
        loss.downlink(subscriber, 0.1, 0.0)
    assert len(loss._downlink) == MAX_SUBSCRIBERS
