"""Strict reading and writing of frozen dataclasses as JSON objects.

A field is ``str``, ``int``, ``bool``, an ``enum.StrEnum``, a dataclass, a tuple or a string-keyed mapping of
those, or one of them ``| None``. Limits stand in the annotation: ``Annotated[str, Chars(80)]``. Unknown and
missing keys are refused, and no string, list or mapping is without a limit.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

from signaling.errors import ProtocolError

T = TypeVar("T")

MAX_INT = 2**53 - 1
"the largest integer that JavaScript keeps exactly"


@dataclasses.dataclass(frozen=True, slots=True)
class Chars:
    """Bounds of a string's length in code points."""

    most: int
    least: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Items:
    """Upper bound of the number of entries."""

    most: int


def read(cls: type[T], value: object, where: str = "") -> T:
    """An instance of the dataclass. Raises ProtocolError, whose text names the field and not the content."""
    if not isinstance(value, dict):
        raise _bad("not_an_object", where)
    hints = _hints(typing.cast("Hashable", cls))
    for key in value:
        if key not in hints:
            raise _bad("unknown_field", where)
    values: dict[str, Any] = {}
    for name, hint in hints.items():
        if name not in value:
            raise _bad("missing_field", f"{where}.{name}")
        values[name] = _read_value(hint, value[name], f"{where}.{name}", None)
    return cls(**values)


def write(value: object) -> Any:
    """What ``json.dumps`` takes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: write(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): write(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [write(item) for item in value]
    return value


@functools.cache
def _hints(cls: Hashable) -> dict[str, Any]:
    assert isinstance(cls, type) and dataclasses.is_dataclass(cls)
    hints = typing.get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _read_value(hint: Any, value: object, where: str, limit: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        inner, *limits = typing.get_args(hint)
        return _read_value(inner, value, where, limits[0])
    if origin in (types.UnionType, typing.Union):
        inner = next(arg for arg in typing.get_args(hint) if arg is not types.NoneType)
        return None if value is None else _read_value(inner, value, where, limit)
    if origin in (tuple, Mapping):
        return _read_many(hint, value, where, limit)
    if dataclasses.is_dataclass(hint):
        return read(typing.cast("type[Any]", hint), value, where)
    return _read_scalar(hint, value, where, limit)


def _read_many(hint: Any, value: object, where: str, limit: Items) -> Any:
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise _bad("wrong_type", where)
        if len(value) > limit.most:
            raise _bad("too_long", where)
        return tuple(_read_value(inner[0], item, where, None) for item in value)
    if not isinstance(value, dict):
        raise _bad("wrong_type", where)
    if len(value) > limit.most:
        raise _bad("too_long", where)
    return {
        _read_value(inner[0], key, where, None): _read_value(inner[1], item, where, None) for key, item in value.items()
    }


def _read_scalar(hint: Any, value: object, where: str, limit: Chars | None) -> Any:
    if hint is bool or hint is int:
        # bool is a subclass of int, and 1 is not true here.
        if type(value) is not hint:
            raise _bad("wrong_type", where)
        if hint is int and not 0 <= value <= MAX_INT:
            raise _bad("out_of_range", where)
        return value
    if not isinstance(value, str):
        raise _bad("wrong_type", where)
    if isinstance(hint, type) and issubclass(hint, enum.StrEnum):
        try:
            return hint(value)
        except ValueError:
            raise _bad("unknown_value", where) from None
    assert hint is str and limit is not None, f"{where} has no limit"
    if not limit.least <= len(value) <= limit.most:
        raise _bad("too_long" if len(value) > limit.most else "too_short", where)
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise _bad("not_unicode", where)
    return value


def _bad(code: str, where: str) -> ProtocolError:
    return ProtocolError(code, where)
