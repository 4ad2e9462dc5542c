from __future__ import annotations

from signaling.errors import AppError, CloseCode, Forbidden, NotFound, ProtocolError, Refused, TooMany


def test_the_code_is_stable_and_the_text_begins_with_it() -> None:
    assert str(Refused("not_now", "visit 7")) == "not_now: visit 7"
    assert str(AppError("not_now")) == "not_now"


def test_each_refusal_has_its_http_status() -> None:
    assert [cls("x").status for cls in (Refused, Forbidden, NotFound, TooMany)] == [409, 403, 404, 429]


def test_own_close_codes_are_in_the_private_range() -> None:
    """RFC 6455 §7.4.2: 4000 to 4999 are for applications."""
    assert all(code.value in (1001, 1009, 1011) or 4000 <= code.value <= 4999 for code in CloseCode)
    assert ProtocolError("x").close_code is CloseCode.BAD_MESSAGE
