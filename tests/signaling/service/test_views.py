from __future__ import annotations

from signaling.messages import Presence, Role
from signaling.rules.visit import VisitState
from signaling.service import views
from signaling.service.state import Participant, ParticipantId, Registry, Visit, VisitId
from signaling.service.timers import Timers


def waiting(number: int, ready_since: float, state: VisitState = VisitState.READY) -> Visit:
    patient = Participant(id=ParticipantId(str(number)), role=Role.PATIENT, name=f"P{number}", away_since=None)
    return Visit(id=VisitId(str(number)), patient=patient, state=state, ready_since=ready_since)


def test_the_queue_begins_with_who_waited_longest_and_leaves_out_who_is_not_ready() -> None:
    registry = Registry()
    for visit in (waiting(1, 50.0), waiting(2, 20.0), waiting(3, 10.0, VisitState.DETAILS)):
        registry.visits[visit.id] = visit
    queue = views.queue(registry, 80.0, Timers())
    assert [(visit.name, visit.waiting_s) for visit in queue.visits] == [("P2", 60), ("P1", 30)]


def test_media_that_flows_outweighs_a_window_that_is_gone() -> None:
    person = waiting(1, 0.0).patient
    person.away_since = 0.0
    person.presence = Presence.CONNECTED
    assert views._participant(person, 100.0, Timers()).presence is Presence.CONNECTED
    person.presence = Presence.INTERRUPTED
    assert views._participant(person, 100.0, Timers()).presence is Presence.AWAY
    assert views._participant(person, 1.0, Timers()).presence is Presence.INTERRUPTED
