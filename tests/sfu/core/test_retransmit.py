"""NACKs are answered within a budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.retransmit import (
    BUDGET_SHARE,
    BURST_BYTES,
    DEFAULT_RTT_S,
    MAX_REMEMBERED,
    MIN_INTERVAL_S,
    RTT_SHARE,
    RetransmitLimiter,
)


@pytest.mark.parametrize(
    ("rtt_s", "interval_s"),
    [(None, DEFAULT_RTT_S * RTT_SHARE), (0.0, MIN_INTERVAL_S), (0.2, 0.2 * RTT_SHARE)],
)
def test_the_same_packet_is_not_sent_again_within_a_round_trip(rtt_s: float | None, interval_s: float) -> None:
    limiter = RetransmitLimiter()
    assert limiter.allow(7, 1200, sent_bytes=0, rtt_s=rtt_s, now=1.0)
    assert not limiter.allow(7, 1200, sent_bytes=0, rtt_s=rtt_s, now=1.0 + interval_s * 0.99)
    assert limiter.allow(8, 1200, sent_bytes=0, rtt_s=rtt_s, now=1.0)
    assert limiter.allow(7, 1200, sent_bytes=0, rtt_s=rtt_s, now=1.0 + interval_s * 1.01)
    assert limiter.refused == 1


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 30), st.integers(1, 1500)), max_size=300))
def test_what_is_sent_again_stays_within_the_share_and_the_burst(asks: list[tuple[int, int, int]]) -> None:
    limiter = RetransmitLimiter()
    sent = repeated = 0
    for index, (newly_sent, packet, size) in enumerate(asks):
        sent += newly_sent
        if limiter.allow(packet, size, sent_bytes=sent, rtt_s=0.02, now=index * 0.02):
            repeated += size
    assert repeated <= BURST_BYTES + sent * BUDGET_SHARE


def test_a_silent_forward_does_not_save_up_beyond_the_burst() -> None:
    limiter = RetransmitLimiter()
    allowed = sum(limiter.allow(n, 1200, sent_bytes=10_000_000, rtt_s=0.1, now=1.0) for n in range(MAX_REMEMBERED))
    assert allowed == BURST_BYTES // 1200


def test_five_percent_loss_is_always_answered() -> None:
    limiter = RetransmitLimiter()
    answers = [limiter.allow(n, 1200, sent_bytes=n * 1200, rtt_s=0.08, now=n * 0.01) for n in range(0, 5000, 20)]
    assert all(answers)


def test_memory_is_bounded() -> None:
    limiter = RetransmitLimiter()
    for number in range(MAX_REMEMBERED * 3):
        limiter.allow(number, 1, sent_bytes=number, rtt_s=0.1, now=0.0)
    assert len(limiter._recent) == MAX_REMEMBERED
    limiter.restart()
    assert not limiter._recent
