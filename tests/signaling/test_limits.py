from __future__ import annotations

import pytest

from signaling.limits import Limits, caller_of


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


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        (None, "", True),
    ],
)
def test_a_subscriber_s_many_addresses_are_one_caller(one: str | None, other: str, same: bool) -> None:
    assert (caller_of(one) == caller_of(other)) is same
