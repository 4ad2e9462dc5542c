from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.rules.call import OVER, TALKING, TRANSITIONS, UNANSWERED, CallEvent, CallState, after
from signaling.rules.machine import IllegalEvent


@given(st.sampled_from(CallState), st.sampled_from(CallEvent))
def test_every_pair_is_either_in_the_table_or_refused(state: CallState, event: CallEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert after(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalEvent):
            after(state, event)


@given(st.lists(st.sampled_from(CallEvent), max_size=40))
def test_only_an_accepted_call_ever_talks(events: list[CallEvent]) -> None:
    state, was_accepted = CallState.OFFERED, False
    for event in events:
        try:
            state = after(state, event)
        except IllegalEvent:
            continue
        was_accepted |= event is CallEvent.ACCEPT
        assert was_accepted or state not in TALKING
        assert not (was_accepted and state in UNANSWERED)


def test_states_divide_into_ringing_talking_and_over() -> None:
    assert {CallState.OFFERED} | TALKING | OVER == set(CallState)
    assert not TALKING & OVER
    assert UNANSWERED < OVER


def test_every_state_can_be_reached_and_every_open_one_left() -> None:
    assert {CallState.OFFERED, *TRANSITIONS.values()} == set(CallState)
    assert {state for state, _ in TRANSITIONS} == set(CallState) - OVER
