from __future__ import annotations

from signaling.errors import CloseCode
from signaling.messages import NoCall, Pong
from signaling.service.window import MAX_QUEUED, Window


async def test_what_was_sent_before_the_end_is_still_delivered() -> None:
    window = Window()
    window.send(Pong())
    window.send(NoCall())
    window.close(CloseCode.OVER)
    window.send(Pong())
    assert [await window.next(), await window.next(), await window.next()] == [Pong(), NoCall(), None]
    assert window.close_code is CloseCode.OVER


async def test_a_page_that_does_not_read_is_closed_as_too_slow() -> None:
    window = Window()
    for _ in range(MAX_QUEUED):
        window.send(Pong())
    assert not window.is_closed
    window.send(Pong())
    assert window.close_code is CloseCode.TOO_SLOW
    assert await window.next() is None


def test_the_first_reason_for_closing_stays() -> None:
    window = Window()
    window.close(CloseCode.TAKEN_OVER)
    window.close(CloseCode.OVER)
    assert window.close_code is CloseCode.TAKEN_OVER
