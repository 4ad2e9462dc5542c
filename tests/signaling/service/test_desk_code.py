from __future__ import annotations

from signaling.service.desk_code import DeskCode


def test_the_code_works_once() -> None:
    code = DeskCode("abc")
    assert not code.redeem("abd")
    assert code.redeem(" abc ")
    assert not code.redeem("abc")


def test_nothing_is_no_code() -> None:
    assert not DeskCode("abc").redeem("")
