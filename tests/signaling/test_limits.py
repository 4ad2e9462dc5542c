from __future__ import annotations

from signaling.limits import Limits


def test_guessing_a_code_is_slow_and_a_waiting_room_is_not() -> None:
    limits = Limits()
    guesses = sum(limits.sign_in.allows("a", second) for second in range(3600))
    entries = sum(limits.enter.allows("a", second) for second in range(3600))
    assert guesses < 400 < entries


def test_a_page_in_a_call_stays_far_below_its_bound() -> None:
    """A join of eight peers: eight wishes answered by an offer and an applied each, and the sources."""
    assert Limits().messages.burst > 8 * 2 + 2
    negotiations = Limits().negotiations
    assert all(negotiations.allows("a", 0.0) for _ in range(2 * 8 + 2))
