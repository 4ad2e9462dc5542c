"""A visit: one patient's way from the clinic's page to the end of the consultation."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from signaling.rules import machine


class VisitState(enum.StrEnum):
    CREATED = "created"
    DETAILS = "details"
    READY = "ready"
    RINGING = "ringing"
    IN_CALL = "in_call"
    LOST = "lost"
    ENDED = "ended"
    LEFT = "left"
    EXPIRED = "expired"


class VisitEvent(enum.StrEnum):
    GAVE_DETAILS = "gave_details"
    SAID_READY = "said_ready"
    RANG = "rang"
    CALL_OVER_UNANSWERED = "call_over_unanswered"
    "declined, not answered or cancelled: outcomes of the call; the visit keeps its place"
    ACCEPTED = "accepted"
    LINE_LOST = "line_lost"
    LINE_BACK = "line_back"
    CALL_ENDED = "call_ended"
    WALKED_OUT = "walked_out"
    STAYED_AWAY = "stayed_away"


S = VisitState
E = VisitEvent

TRANSITIONS: Final[Mapping[tuple[VisitState, VisitEvent], VisitState]] = {
    (S.CREATED, E.GAVE_DETAILS): S.DETAILS,
    (S.DETAILS, E.SAID_READY): S.READY,
    (S.READY, E.RANG): S.RINGING,
    (S.RINGING, E.CALL_OVER_UNANSWERED): S.READY,
    (S.RINGING, E.ACCEPTED): S.IN_CALL,
    (S.IN_CALL, E.LINE_LOST): S.LOST,
    (S.LOST, E.LINE_BACK): S.IN_CALL,
    (S.IN_CALL, E.CALL_ENDED): S.ENDED,
    (S.LOST, E.CALL_ENDED): S.ENDED,
    (S.CREATED, E.WALKED_OUT): S.LEFT,
    (S.DETAILS, E.WALKED_OUT): S.LEFT,
    (S.READY, E.WALKED_OUT): S.LEFT,
    (S.CREATED, E.STAYED_AWAY): S.EXPIRED,
    (S.DETAILS, E.STAYED_AWAY): S.EXPIRED,
    (S.READY, E.STAYED_AWAY): S.EXPIRED,
}

OVER: Final = frozenset({S.ENDED, S.LEFT, S.EXPIRED})
"nothing happens after these"

SEEN_BY_CLINICIAN: Final = frozenset({S.READY, S.RINGING, S.IN_CALL, S.LOST})


def after(state: VisitState, event: VisitEvent) -> VisitState:
    """Raises IllegalEvent."""
    return machine.step(TRANSITIONS, state, event)
