"""Waiting ends when the condition is true, and says what it waited for when it is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.fixtures import artifact_name
from tests.lab.waiting import wait_until


def answers(*values: object) -> Iterator[object]:
    yield from values


async def test_the_first_true_answer_is_returned() -> None:
    coming = answers(None, 0, "", 7, 8)

    async def ask() -> object:
        return next(coming)

    assert await wait_until(ask, 5.0, "a number", every_s=0.0) == 7
    assert next(coming) == 8


async def test_a_time_out_names_what_was_waited_for_and_what_was_seen() -> None:
    async def ask() -> list[int]:
        return []

    with pytest.raises(AssertionError, match=r"a list with items: not within 0.01 s; the last answer was \[\]"):
        await wait_until(ask, 0.01, "a list with items", every_s=0.001)


async def test_an_error_of_the_condition_is_not_hidden() -> None:
    async def ask() -> bool:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await wait_until(ask, 1.0, "anything")


def test_artifacts_get_a_name_that_every_file_system_takes() -> None:
    assert artifact_name("tests/browser/test_call.py::test_x[a-b c/d]") == "browser_test_call.py_test_x_a-b_c_d_"
