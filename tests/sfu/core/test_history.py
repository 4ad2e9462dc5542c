"""The packets kept for retransmission."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.history import PacketHistory


def test_gives_back_what_it_was_given() -> None:
    history = PacketHistory(4, 1.0)
    assert history.get(70_000, 0.0) is None
    for number in range(70_000, 70_006):
        history.put(number, bytes([number & 0xFF]), 0.0)
    assert history.get(70_001, 0.0) is None
    assert history.get(70_002, 0.0) == bytes([70_002 & 0xFF])
    assert history.get(70_006, 0.0) is None


def test_a_packet_is_not_sent_again_when_it_is_too_old() -> None:
    history = PacketHistory(4, 1.0)
    history.put(1, b"a", 10.0)
    assert history.get(1, 11.0) == b"a"
    assert history.get(1, 11.01) is None


def test_a_late_packet_does_not_displace_a_newer_one() -> None:
    history = PacketHistory(4, 1.0)
    history.put(9, b"new", 0.0)
    history.put(5, b"old", 0.0)
    assert history.get(9, 0.0) == b"new"
    assert history.get(5, 0.0) is None


def test_a_history_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        PacketHistory(0, 1.0)


@given(st.integers(1, 40), st.lists(st.integers(0, 200), max_size=200))
def test_agrees_with_a_dictionary(capacity: int, numbers: list[int]) -> None:
    history = PacketHistory(capacity, 1.0)
    for number in numbers:
        history.put(number, b"%d" % number, 0.0)
    for number in range(201):
        rivals = [other for other in numbers if other % capacity == number % capacity]
        kept = bool(rivals) and max(rivals) == number
        assert history.get(number, 0.0) == (b"%d" % number if kept else None)


def test_an_idle_stream_holds_no_memory() -> None:
    tracemalloc.start()
    try:
        idle = [PacketHistory(512, 2.0) for _ in range(100)]
        unused_bytes = tracemalloc.get_traced_memory()[0] / len(idle)
        history = PacketHistory(512, 2.0)
        for number in range(512):
            history.put(number, bytes(1200), 0.0)
        used_bytes = tracemalloc.get_traced_memory()[0]
        assert not history.release(2.0)
        assert history.release(2.1)
        released_bytes = used_bytes - tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert unused_bytes < 600
    assert released_bytes > 512 * 1200
    assert not history.release(3.0)
    assert history.get(511, 0.0) is None
