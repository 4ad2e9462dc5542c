"""The front door of the SFU is small, and is what its package says it is."""

from __future__ import annotations

import re

import sfu

MOST_NAMES = 15


def test_front_door_is_small() -> None:
    assert len(sfu.__all__) <= MOST_NAMES
    assert len(set(sfu.__all__)) == len(sfu.__all__)


def test_each_public_name_exists_and_is_documented() -> None:
    """A docstring that dataclass or enum made up does not count."""
    made_up = re.compile(r"\w+\(|Enum where|An enumeration")
    docstrings = {name: getattr(sfu, name).__doc__ or "" for name in sfu.__all__}
    assert [name for name, text in docstrings.items() if not text or made_up.match(text)] == []
