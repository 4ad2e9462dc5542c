"""What each participant is told: messages made of the state, always whole, never a difference."""

from __future__ import annotations

from signaling import messages
from signaling.messages import MediaKind, Presence, WaitingVisit
from signaling.rules.visit import SEEN_BY_CLINICIAN
from signaling.service.state import Call, Participant, Registry, Visit
from signaling.service.timers import Timers


def queue(registry: Registry, now: float, timers: Timers) -> messages.Queue:
    """Who waits, the one who has waited longest first."""
    seen = [visit for visit in registry.visits.values() if visit.state in SEEN_BY_CLINICIAN]
    seen.sort(key=lambda visit: visit.ready_since)
    return messages.Queue(
        visits=tuple(
            WaitingVisit(
                id=visit.id,
                name=visit.patient.name,
                state=visit.state,
                waiting_s=int(now - visit.ready_since),
                is_here=not visit.patient.is_away(now, timers.away_after_s),
                outcome=visit.outcome,
            )
            for visit in seen
        )
    )


def visit(of: Visit) -> messages.Visit:
    return messages.Visit(state=of.state, outcome=of.outcome)


def call(of: Call, seen_by: Participant, now: float, timers: Timers) -> messages.Call:
    return messages.Call(
        id=of.id,
        visit=of.visit.id,
        state=of.state,
        reason=of.reason,
        epoch=seen_by.link.epoch if seen_by.link is not None else None,
        participants=tuple(_participant(each, now, timers) for each in of.participants.values()),
    )


def _participant(of: Participant, now: float, timers: Timers) -> messages.Participant:
    # Media that still flows is the better witness than a WebSocket that dropped.
    is_gone = of.presence is not Presence.CONNECTED and of.is_away(now, timers.away_after_s)
    return messages.Participant(
        id=of.id,
        name=of.name,
        role=of.role,
        presence=Presence.AWAY if is_gone else of.presence,
        audio=of.sources[MediaKind.AUDIO],
        video=of.sources[MediaKind.VIDEO],
    )
