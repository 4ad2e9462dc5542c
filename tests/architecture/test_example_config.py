"""config.example.toml names every key of the dataclasses with its default, and no other."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

from signaling.config import Config, Secret, parse

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
COMMENTED_KEY = re.compile(r"^# (?=[a-z_]+ = )", re.MULTILINE)


def uncommented() -> str:
    return COMMENTED_KEY.sub("", EXAMPLE.read_text(encoding="utf-8"))


def as_toml(value: object) -> object:
    """A default as the example file would say it."""
    if isinstance(value, Secret):
        return value.value
    if dataclasses.is_dataclass(value):
        return {field.name: as_toml(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [as_toml(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


def keys(table: dict[str, Any]) -> set[str]:
    return {f"{section}.{key}" for section, entries in table.items() for key in entries}


def test_example_as_it_stands_changes_nothing() -> None:
    assert parse(EXAMPLE.read_text(encoding="utf-8"), source="example") == Config()


def test_example_names_every_key_with_its_default() -> None:
    example, defaults = tomllib.loads(uncommented()), as_toml(Config())
    assert isinstance(defaults, dict)
    assert keys(example) == keys(defaults)
    assert example == defaults


def test_every_key_has_a_comment_above() -> None:
    """A key may share its comment with the keys right above it."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for paragraph in "\n".join(lines).split("\n\n"):
        head = next(line for line in paragraph.splitlines() if not line.startswith("["))
        assert head.startswith("# ") and not COMMENTED_KEY.match(head), f"no comment above {head!r}"
