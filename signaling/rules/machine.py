"""State machines as tables ``{(state, event): state}``; whatever is not in the table is refused."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeVar

State = TypeVar("State", bound=enum.StrEnum)
Event = TypeVar("Event", bound=enum.StrEnum)


class IllegalEvent(Exception):
    """The event does not happen in this state. The text names both."""

    def __init__(self, state: enum.StrEnum, event: enum.StrEnum) -> None:
        super().__init__(f"{event} does not happen in {type(state).__name__} {state}")
        self.state = state
        self.event = event


def step(table: Mapping[tuple[State, Event], State], state: State, event: Event) -> State:
    """The state after the event. Raises IllegalEvent."""
    after = table.get((state, event))
    if after is None:
        raise IllegalEvent(state, event)
    return after
