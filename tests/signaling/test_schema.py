from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ProtocolError
from signaling.schema import Chars, Items, read, write


class Colour(enum.StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    name: Annotated[str, Chars(3, least=1)]


@dataclass(frozen=True)
class Outer:
    number: int
    flag: bool
    maybe: int | None
    colour: Colour
    many: Annotated[tuple[Inner, ...], Items(2)]
    table: Annotated[Mapping[Annotated[str, Chars(2)], Inner], Items(2)]


GOOD = {
    "number": 1,
    "flag": True,
    "maybe": None,
    "colour": "red",
    "many": [{"name": "a"}],
    "table": {"k": {"name": "b"}},
}


def test_reads_and_writes_every_kind_of_field() -> None:
    value = read(Outer, GOOD)
    assert value == Outer(1, True, None, Colour.RED, (Inner("a"),), {"k": Inner("b")})
    assert json.loads(json.dumps(write(value))) == GOOD


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"extra": 1}, "unknown_field"),
        ({"number": True}, "wrong_type"),
        ({"number": 1.0}, "wrong_type"),
        ({"number": "1"}, "wrong_type"),
        ({"number": -1}, "out_of_range"),
        ({"number": 2**53}, "out_of_range"),
        ({"flag": 1}, "wrong_type"),
        ({"maybe": "x"}, "wrong_type"),
        ({"colour": "blue"}, "unknown_value"),
        ({"colour": 1}, "wrong_type"),
        ({"many": {}}, "wrong_type"),
        ({"many": [{"name": "a"}] * 3}, "too_long"),
        ({"many": ["a"]}, "not_an_object"),
        ({"many": [{"name": "abcd"}]}, "too_long"),
        ({"many": [{"name": ""}]}, "too_short"),
        ({"many": [{"name": "\ud800"}]}, "not_unicode"),
        ({"table": []}, "wrong_type"),
        ({"table": {"long": {"name": "a"}}}, "too_long"),
        ({"table": {key: {"name": "a"} for key in "abc"}}, "too_long"),
    ],
)
def test_refuses_by_a_stable_code_that_does_not_repeat_the_input(change: dict[str, object], code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        read(Outer, {**GOOD, **change}, "outer")
    assert caught.value.code == code
    assert "abcd" not in str(caught.value) and "blue" not in str(caught.value)


@pytest.mark.parametrize("missing", GOOD)
def test_every_field_is_needed(missing: str) -> None:
    with pytest.raises(ProtocolError, match="missing_field"):
        read(Outer, {key: value for key, value in GOOD.items() if key != missing})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.one_of(JSON, st.fixed_dictionaries({key: JSON for key in GOOD})))
def test_any_json_is_read_or_refused(value: object) -> None:
    try:
        read(Outer, value)
    except ProtocolError:
        pass
