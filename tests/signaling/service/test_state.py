from __future__ import annotations

import pytest

from signaling.errors import NotFound, TooMany
from signaling.messages import Role
from signaling.rules.machine import IllegalEvent
from signaling.rules.visit import VisitEvent, VisitState
from signaling.service.state import MAX_VISITS, Participant, ParticipantId, Registry, Visit, VisitId


def patient(number: int = 0) -> Participant:
    return Participant(id=ParticipantId(str(number)), role=Role.PATIENT, name="", away_since=10.0)


def test_the_waiting_room_is_bounded() -> None:
    registry = Registry()
    for number in range(MAX_VISITS):
        registry.add_participant(patient(number))
    with pytest.raises(TooMany, match="too_many_patients"):
        registry.add_participant(patient(MAX_VISITS))
    assert len(registry.participants) == MAX_VISITS


def test_unknown_ids_are_refused_by_name() -> None:
    registry = Registry()
    with pytest.raises(NotFound, match="no_such_visit"):
        registry.visit("x")
    with pytest.raises(NotFound, match="no_such_call"):
        registry.call_of(patient(), "x")


def test_an_illegal_event_changes_nothing() -> None:
    visit = Visit(id=VisitId("v"), patient=patient())
    with pytest.raises(IllegalEvent):
        visit.apply(VisitEvent.RANG)
    assert visit.state is VisitState.CREATED


def test_away_only_after_a_while() -> None:
    person = patient()
    assert not person.is_away(14.9, 5.0)
    assert person.is_away(15.0, 5.0)
    person.away_since = None
    assert not person.is_away(1e9, 5.0)
