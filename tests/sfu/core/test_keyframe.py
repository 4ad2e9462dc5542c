"""Keyframe requests: at once, not too often, until one arrives."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.keyframe import MAX_REPEATS, REPEAT_MIN_S, KeyframeRequester


def poll(requester: KeyframeRequester, until_s: float, rtt_s: float, *, start_s: float = 0.0) -> list[float]:
    """When it asks, looked at every 10 ms."""
    ticks = range(round(start_s * 100), round(until_s * 100))
    return [tick / 100 for tick in ticks if requester.due(tick / 100, rtt_s)]


def test_the_first_request_is_sent_at_once() -> None:
    assert KeyframeRequester().request(0.0)


def test_a_throttled_request_is_remembered_and_sent_when_the_interval_ends() -> None:
    requester = KeyframeRequester(0.5)
    assert requester.request(0.0)
    requester.arrived(0.1)
    assert not requester.request(0.2)
    assert requester.next_due == pytest.approx(0.5)
    assert poll(requester, 0.69, 0.05, start_s=0.2) == [0.5]


@pytest.mark.parametrize(("rtt_s", "interval_s"), [(0.02, REPEAT_MIN_S), (0.35, 0.35)])
def test_repeats_until_one_arrives(rtt_s: float, interval_s: float) -> None:
    requester = KeyframeRequester()
    requester.request(0.0)
    asked = poll(requester, 10.0, rtt_s)
    assert asked == pytest.approx([interval_s * (n + 1) for n in range(MAX_REPEATS)], abs=0.05)
    assert requester.next_due == math.inf


def test_stops_when_one_arrives() -> None:
    requester = KeyframeRequester()
    requester.request(0.0)
    assert poll(requester, 0.3, 0.05) == [0.2]
    requester.arrived(0.3)
    assert poll(requester, 10.0, 0.05, start_s=0.3) == []


def test_a_keyframe_answers_everybody_who_asked_before_it() -> None:
    requester = KeyframeRequester()
    requester.request(0.0)
    assert not requester.request(0.05)
    requester.arrived(0.1)
    assert poll(requester, 10.0, 0.05) == []
    assert requester.request(1.0)


def test_nothing_is_due_before_anybody_asked() -> None:
    assert poll(KeyframeRequester(), 3.0, 0.05) == []


@given(st.lists(st.tuples(st.sampled_from(("request", "arrived", "due")), st.floats(0.0, 0.4)), max_size=100))
def test_the_publisher_is_not_flooded(events: list[tuple[str, float]]) -> None:
    requester = KeyframeRequester(0.5)
    now = 0.0
    sent: list[float] = []
    wanted = False
    for action, pause_s in events:
        now += pause_s
        if action == "arrived":
            requester.arrived(now)
            wanted = False
        elif action == "request":
            wanted = True
            if requester.request(now):
                sent.append(now)
        elif requester.due(now, 0.05):
            sent.append(now)
        assert sent or not wanted
    assert all(b - a >= REPEAT_MIN_S - 1e-9 for a, b in pairwise(sent))


@given(st.floats(0.0, 3.0), st.floats(0.001, 0.5))
def test_whoever_asks_has_one_asked_for_after_it(first_arrives_s: float, later_s: float) -> None:
    """A keyframe that arrived before the second request does not serve it: it is asked for within the interval."""
    requester = KeyframeRequester(0.5)
    requester.request(0.0)
    poll(requester, first_arrives_s, 0.05)
    requester.arrived(first_arrives_s)
    asked_at = first_arrives_s + later_s
    if not requester.request(asked_at):
        assert poll(requester, asked_at + 0.55, 0.05, start_s=asked_at)
