from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signaling.rules.rate import Rate, RateLimit

RATE = Rate(burst=3, per_s=0.5)


def test_a_burst_and_then_the_long_run_rate() -> None:
    limit = RateLimit(RATE)
    assert [limit.allows("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert not limit.allows("a", 1.9)
    assert limit.allows("a", 2.0)
    assert not limit.allows("a", 2.0)


def test_callers_do_not_share() -> None:
    limit = RateLimit(RATE)
    assert [limit.allows("a", 0.0) for _ in range(4)][-1] is False
    assert limit.allows("b", 0.0)


@given(st.lists(st.floats(0, 10), max_size=60))
def test_never_more_than_burst_and_rate_allow(gaps: list[float]) -> None:
    limit, now, allowed = RateLimit(RATE), 0.0, 0
    for gap in gaps:
        now += gap
        allowed += limit.allows("a", now)
    assert allowed <= RATE.burst + RATE.per_s * now + 1e-6


def test_the_table_is_bounded_and_forgets_who_was_seen_longest_ago() -> None:
    limit = RateLimit(Rate(burst=1, per_s=0.0), max_callers=10)
    for caller in range(25):
        assert limit.allows(str(caller), 0.0)
    assert len(limit) == 10
    assert not limit.allows("24", 0.0)
    assert limit.allows("0", 0.0)
