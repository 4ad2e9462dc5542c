from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.rules.machine import IllegalEvent
from signaling.rules.visit import OVER, SEEN_BY_CLINICIAN, TRANSITIONS, VisitEvent, VisitState, after

WHOLE_WAY = (
    (VisitEvent.GAVE_DETAILS, VisitState.DETAILS),
    (VisitEvent.SAID_READY, VisitState.READY),
    (VisitEvent.RANG, VisitState.RINGING),
    (VisitEvent.CALL_OVER_UNANSWERED, VisitState.READY),
    (VisitEvent.RANG, VisitState.RINGING),
    (VisitEvent.ACCEPTED, VisitState.IN_CALL),
    (VisitEvent.LINE_LOST, VisitState.LOST),
    (VisitEvent.LINE_BACK, VisitState.IN_CALL),
    (VisitEvent.CALL_ENDED, VisitState.ENDED),
)


def test_the_way_of_a_patient_who_is_rung_twice() -> None:
    state = VisitState.CREATED
    for event, expected in WHOLE_WAY:
        state = after(state, event)
        assert state is expected


@given(st.sampled_from(VisitState), st.sampled_from(VisitEvent))
def test_every_pair_is_either_in_the_table_or_refused(state: VisitState, event: VisitEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert after(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalEvent):
            after(state, event)


@given(st.lists(st.sampled_from(VisitEvent), max_size=40))
def test_nothing_follows_an_end(events: list[VisitEvent]) -> None:
    state = VisitState.CREATED
    for event in events:
        try:
            following = after(state, event)
        except IllegalEvent:
            continue
        assert state not in OVER
        state = following


def test_every_state_can_be_reached_and_every_open_one_left() -> None:
    assert {VisitState.CREATED, *TRANSITIONS.values()} == set(VisitState)
    assert {state for state, _ in TRANSITIONS} == set(VisitState) - OVER


def test_clinicians_see_no_one_before_ready_and_no_one_after_the_end() -> None:
    assert not SEEN_BY_CLINICIAN & (OVER | {VisitState.CREATED, VisitState.DETAILS})
