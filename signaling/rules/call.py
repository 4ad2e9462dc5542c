"""A call: one ringing or answered conversation of a visit."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from signaling.rules import machine


class CallState(enum.StrEnum):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    ENDED = "ended"
    DECLINED = "declined"
    NO_ANSWER = "no_answer"
    CANCELLED = "cancelled"


class CallEvent(enum.StrEnum):
    ACCEPT = "accept"
    DECLINE = "decline"
    RING_TIMED_OUT = "ring_timed_out"
    CANCEL = "cancel"
    MEDIA_FLOWS = "media_flows"
    LINE_LOST = "line_lost"
    LINE_BACK = "line_back"
    HANG_UP = "hang_up"
    GIVE_UP = "give_up"
    "the line stayed lost for too long"


S = CallState
E = CallEvent

TRANSITIONS: Final[Mapping[tuple[CallState, CallEvent], CallState]] = {
    (S.OFFERED, E.ACCEPT): S.ACCEPTED,
    (S.OFFERED, E.DECLINE): S.DECLINED,
    (S.OFFERED, E.RING_TIMED_OUT): S.NO_ANSWER,
    (S.OFFERED, E.CANCEL): S.CANCELLED,
    (S.ACCEPTED, E.MEDIA_FLOWS): S.CONNECTED,
    (S.ACCEPTED, E.LINE_LOST): S.RECONNECTING,
    (S.CONNECTED, E.LINE_LOST): S.RECONNECTING,
    (S.RECONNECTING, E.LINE_BACK): S.CONNECTED,
    (S.ACCEPTED, E.HANG_UP): S.ENDED,
    (S.CONNECTED, E.HANG_UP): S.ENDED,
    (S.RECONNECTING, E.HANG_UP): S.ENDED,
    (S.RECONNECTING, E.GIVE_UP): S.ENDED,
}

OVER: Final = frozenset({S.ENDED, S.DECLINED, S.NO_ANSWER, S.CANCELLED})
"nothing happens after these"

UNANSWERED: Final = frozenset({S.DECLINED, S.NO_ANSWER, S.CANCELLED})
"the visit keeps its place in the queue"

TALKING: Final = frozenset({S.ACCEPTED, S.CONNECTED, S.RECONNECTING})
"media may flow"


def after(state: CallState, event: CallEvent) -> CallState:
    """Raises IllegalEvent."""
    return machine.step(TRANSITIONS, state, event)
