from __future__ import annotations

import enum

import pytest

from signaling.rules.machine import IllegalEvent, step


class Door(enum.StrEnum):
    OPEN = "open"
    SHUT = "shut"


class Push(enum.StrEnum):
    PUSH = "push"


def test_a_step_in_the_table_is_taken() -> None:
    assert step({(Door.OPEN, Push.PUSH): Door.SHUT}, Door.OPEN, Push.PUSH) is Door.SHUT


def test_a_step_outside_the_table_is_refused_by_name() -> None:
    with pytest.raises(IllegalEvent, match="push does not happen in Door shut") as caught:
        step({(Door.OPEN, Push.PUSH): Door.SHUT}, Door.SHUT, Push.PUSH)
    assert (caught.value.state, caught.value.event) == (Door.SHUT, Push.PUSH)
