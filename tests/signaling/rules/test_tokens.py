from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signaling.rules.tokens import MAX_SIGNED_CHARS, is_same, sign, unsign

KEY = b"k" * 32


def test_what_was_signed_is_read_back() -> None:
    assert unsign(KEY, "patient", sign(KEY, "patient", "abc.def:1")) == "abc.def:1"


def test_another_purpose_or_key_does_not_fit() -> None:
    signed = sign(KEY, "patient", "abc")
    assert unsign(KEY, "clinician", signed) is None
    assert unsign(b"x" * 32, "patient", signed) is None


@given(st.text(max_size=300))
def test_nothing_else_is_accepted(text: str) -> None:
    assert unsign(KEY, "patient", text) is None


@given(st.integers(0, 66), st.characters(codec="ascii"))
def test_no_changed_character_is_accepted(position: int, char: str) -> None:
    signed = sign(KEY, "patient", "ab")
    changed = signed[:position] + char + signed[position + 1 :]
    assert (unsign(KEY, "patient", changed) is not None) is (changed == signed)


def test_long_input_is_refused_though_its_signature_fits() -> None:
    assert unsign(KEY, "patient", sign(KEY, "patient", "a" * MAX_SIGNED_CHARS)) is None


@given(st.text(), st.text())
def test_sameness(one: str, other: str) -> None:
    assert is_same(one, other) is (one == other)
    assert is_same(one, one)
