"""What arrived, what is missing, and what is reported of it (RFC 3550 A.1, A.3, A.8; RFC 4585)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.receive_log import (
    DUPLICATE,
    MAX_DROPOUT,
    MAX_MISSING,
    NACK_MAX_TRIES,
    REORDER_GRACE_S,
    TOO_OLD,
    WINDOW,
    ReceiveLog,
)

STARTS = (0, 1, 127, 32767, 65530, 65535)
RTT_S = 0.08


def video() -> ReceiveLog:
    return ReceiveLog(90_000, repair=True)


def feed(log: ReceiveLog, first: int, count: int, *, at: float = 0.0, lost: frozenset[int] = frozenset()) -> float:
    """Packets 10 ms apart, each its own timestamp; the time after the last."""
    for index in range(count):
        if index not in lost:
            log.received((first + index) & 0xFFFF, (first + index) * 900 & 0xFFFFFFFF, at + index * 0.01)
    return at + count * 0.01


@pytest.mark.parametrize("start", STARTS)
def test_in_order_packets_get_growing_numbers_over_several_cycles(start: int) -> None:
    log = ReceiveLog(48_000, repair=False)
    numbers = [log.received((start + i) & 0xFFFF, i, i * 0.001) for i in range(140_000)]
    assert numbers == list(range(start + 65536, start + 65536 + 140_000))
    report = log.report()
    assert report is not None
    assert report.extended_highest == start + 139_999
    assert (report.cumulative_lost, report.fraction_lost) == (0, 0)


@pytest.mark.parametrize("start", STARTS)
def test_a_packet_is_new_once(start: int) -> None:
    log = video()
    feed(log, start, 20, lost=frozenset({7}))
    late = (start + 7) & 0xFFFF
    assert log.received(late, 0, 0.3) == start + 65536 + 7
    for index in (0, 7, 18, 19):
        assert log.received((start + index) & 0xFFFF, 0, 0.3) == DUPLICATE
        assert log.repaired((start + index) & 0xFFFF, 0.3) == DUPLICATE
    assert log.received_count == 20
    assert log.duplicates == 8


@pytest.mark.parametrize("start", STARTS)
def test_a_packet_from_before_the_first_is_new_once(start: int) -> None:
    log = video()
    log.received(start, 0, 0.0)
    before = (start - 3) & 0xFFFF
    assert log.received(before, 0, 0.01) == start + 65536 - 3
    assert log.received(before, 0, 0.02) == DUPLICATE


def test_what_is_older_than_the_window_is_too_old() -> None:
    log = video()
    feed(log, 0, WINDOW + 10)
    assert log.received(9, 0, 100.0) == TOO_OLD
    assert log.repaired(9, 100.0) == TOO_OLD
    assert log.received(10, 0, 100.0) == DUPLICATE


@pytest.mark.parametrize("start", STARTS)
def test_a_packet_is_not_taken_for_the_one_a_window_before(start: int) -> None:
    log = video()
    at = feed(log, start, WINDOW + 100, lost=frozenset({WINDOW + 50}))
    assert log.received((start + WINDOW + 50) & 0xFFFF, 0, at) == start + 65536 + WINDOW + 50


def test_a_jump_over_the_window_forgets_what_was_seen_in_it() -> None:
    log = video()
    feed(log, 0, WINDOW)
    assert log.received(WINDOW + 2500, 0, 30.0) == 65536 + WINDOW + 2500
    assert log.received(WINDOW + 2499, 0, 30.0) == 65536 + WINDOW + 2499


@given(
    st.integers(0, 65535),
    st.lists(st.tuples(st.booleans(), st.integers(-WINDOW - 50, 400)), min_size=1, max_size=200),
)
def test_agrees_with_a_model_that_remembers_everything(start: int, moves: list[tuple[bool, int]]) -> None:
    log = video()
    log.received(start, 0, 0.0)
    highest = start + 65536
    seen = {highest}
    for count, (by_rtx, move) in enumerate(moves):
        number = highest + move
        result = (
            log.repaired(number & 0xFFFF, count * 0.01)
            if by_rtx
            else log.received(number & 0xFFFF, count, count * 0.01)
        )
        if highest - number >= WINDOW:
            assert result == TOO_OLD
        elif number in seen:
            assert result == DUPLICATE
        else:
            assert result == number
            seen.add(number)
            highest = max(highest, number)
    assert log.received_count == len(seen)
    assert log.missing_count <= MAX_MISSING


# Loss


@pytest.mark.parametrize("start", STARTS)
def test_reports_loss_of_the_interval_and_in_total(start: int) -> None:
    log = ReceiveLog(48_000, repair=False)
    feed(log, start, 101, lost=frozenset(range(10, 35)))
    first = log.report()
    assert first is not None
    assert first.fraction_lost == 25 * 256 // 101
    assert first.cumulative_lost == 25
    assert first.lost_before_repair == pytest.approx(25 / 101)
    feed(log, start + 101, 50, at=2.0)
    second = log.report()
    assert second is not None
    assert (second.fraction_lost, second.cumulative_lost, second.lost_before_repair) == (0, 25, 0.0)


def test_repaired_packets_are_not_lost_but_the_network_lost_them() -> None:
    log = video()
    feed(log, 100, 100, lost=frozenset({40, 41}))
    assert log.repaired(140, 1.0) == 65536 + 140
    assert log.repaired(141, 1.0) == 65536 + 141
    report = log.report()
    assert report is not None
    assert (report.fraction_lost, report.cumulative_lost) == (0, 0)
    assert report.lost_before_repair == pytest.approx(0.02)
    assert (log.repaired_count, log.missing_count) == (2, 0)


def test_a_repair_without_rtx_counts_as_one_and_is_no_jitter() -> None:
    log = video()
    feed(log, 0, 10, lost=frozenset({5}))
    assert log.nacks_due(0.1, RTT_S) == [5]
    jitter = log.jitter_s
    assert log.received(5, 5 * 900, 3.0) == 65536 + 5
    assert log.repaired_count == 1
    assert log.jitter_s == jitter


def test_no_report_before_the_first_packet() -> None:
    log = video()
    assert log.report() is None
    assert log.repaired(5, 0.0) == TOO_OLD
    assert (log.expected_count, log.lost_count) == (0, 0)


def test_duplicates_never_make_the_loss_exceed_its_field() -> None:
    log = ReceiveLog(48_000, repair=False)
    log.received(10, 0, 0.0)
    for before in range(9, 0, -1):
        log.received(before, 0, 0.0)
    report = log.report()
    assert report is not None
    assert (report.fraction_lost, report.cumulative_lost) == (0, -9)


# Jitter


def test_jitter_settles_at_the_mean_change_of_transit_time() -> None:
    log = ReceiveLog(48_000, repair=False)
    for index in range(400):
        log.received(index, index * 960, index * 0.02 + (0.010 if index % 2 else 0.0))
    assert log.jitter_s == pytest.approx(0.010, rel=0.01)


def test_packets_of_one_frame_sent_spread_out_are_no_jitter() -> None:
    log = video()
    for index in range(400):
        log.received(index, index // 4 * 3000, index // 4 / 30 + index % 4 * 0.005)
    assert log.jitter_s < 1e-9


@pytest.mark.parametrize("start", (0, 2**32 - 48_000))
def test_a_wrap_of_the_timestamp_is_no_jitter(start: int) -> None:
    log = ReceiveLog(48_000, repair=False)
    for index in range(200):
        log.received(index, (start + index * 960) & 0xFFFFFFFF, 1000.0 + index * 0.02)
    assert log.jitter_s < 1e-6


# Restart


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("jump", (MAX_DROPOUT, 20_000, 40_000, 65536 - WINDOW - 10))
def test_a_far_jump_is_believed_at_its_second_packet(start: int, jump: int) -> None:
    log = video()
    feed(log, start, 10)
    seq = (start + 9 + jump) & 0xFFFF
    assert log.received(seq, 0, 1.0) == TOO_OLD
    number = log.received((seq + 1) & 0xFFFF, 0, 1.0)
    assert number > start + 65536 + 9
    assert number & 0xFFFF == (seq + 1) & 0xFFFF
    assert log.received((seq + 2) & 0xFFFF, 0, 1.0) == number + 1
    assert log.lost_count == 0


def test_one_stray_packet_is_no_restart() -> None:
    log = video()
    feed(log, 0, 10)
    assert log.received(30_000, 0, 1.0) == TOO_OLD
    assert log.received(10, 0, 1.0) == 65536 + 10
    assert log.received(30_002, 0, 1.0) == TOO_OLD


# NACK


@pytest.mark.parametrize("start", STARTS)
def test_asks_after_two_more_packets_or_the_grace(start: int) -> None:
    log = video()
    at = feed(log, start, 10)
    gap = (start + 10) & 0xFFFF
    log.received((start + 11) & 0xFFFF, 0, at)
    assert log.nacks_due(at, RTT_S) == []
    log.received((start + 12) & 0xFFFF, 0, at + 0.001)
    assert log.nacks_due(at + 0.001, RTT_S) == [gap]

    log = video()
    log.received(start, 0, at)
    log.received((start + 2) & 0xFFFF, 0, at)
    assert log.nacks_due(at + REORDER_GRACE_S - 0.001, RTT_S) == []
    assert log.nacks_due(at + REORDER_GRACE_S + 0.001, RTT_S) == [(start + 1) & 0xFFFF]


def test_a_reordered_packet_is_not_asked_for() -> None:
    log = video()
    for seq in (0, 1, 3, 2, 4, 5, 6):
        log.received(seq, seq, 0.0)
        assert log.nacks_due(0.0, RTT_S) == []


def test_asks_again_after_the_round_trip_and_gives_up_in_the_end() -> None:
    log = video()
    feed(log, 0, 10, lost=frozenset({5}))
    asked = []
    now = 0.1
    while now < 3.0:
        if log.nacks_due(now, 0.05):
            asked.append(now)
        now += 0.001
    assert len(asked) == NACK_MAX_TRIES
    assert all(b - a == pytest.approx(0.055, abs=0.0021) for a, b in pairwise(asked))
    assert (log.given_up, log.missing_count, log.keyframe_needed) == (1, 0, True)


def test_gives_up_what_is_a_second_old() -> None:
    log = video()
    feed(log, 0, 3, lost=frozenset({1}))
    assert log.nacks_due(0.05, 0.4) == [1]
    assert log.nacks_due(1.5, 0.4) == []
    assert (log.given_up, log.nacked) == (1, 1)


def test_a_gap_too_long_to_repair_gives_up_everything() -> None:
    log = video()
    feed(log, 0, 3, lost=frozenset({1}))
    log.received(3 + MAX_MISSING, 0, 0.1)
    assert log.missing_count == 0
    assert log.given_up == MAX_MISSING + 1
    assert log.keyframe_needed
    assert log.nacks_due(1.0, RTT_S) == []


def test_audio_is_never_asked_for() -> None:
    log = ReceiveLog(48_000, repair=False)
    at = feed(log, 0, 50, lost=frozenset({5, 6}))
    assert log.nacks_due(at, RTT_S) == []
    assert not log.keyframe_needed


@given(st.sets(st.integers(1, 98), max_size=30), st.integers(0, 65535))
def test_asks_for_exactly_what_is_missing(lost: set[int], start: int) -> None:
    log = video()
    at = feed(log, start, 100, lost=frozenset(lost))
    assert log.nacks_due(at, RTT_S) == [(start + index) & 0xFFFF for index in sorted(lost)]
    for index in lost:
        assert log.repaired((start + index) & 0xFFFF, at) == start + 65536 + index
    assert log.nacks_due(at + 0.5, RTT_S) == []
    assert log.lost_count == 0


def test_an_rtx_packet_newer_than_all_is_taken_and_opens_a_gap() -> None:
    log = video()
    log.received(10, 0, 0.0)
    assert log.repaired(13, 0.0) == 65536 + 13
    assert log.received(13, 0, 0.1) == DUPLICATE
    assert log.nacks_due(0.1, RTT_S) == [11, 12]
