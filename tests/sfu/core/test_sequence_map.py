"""Outgoing numbers: one packet each, in the source's order, answerable, and never far apart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.core.sequence_map import MAX_BREAKPOINTS, MAX_GAP, MAX_HOLES, NOT_SENT, SequenceMap

FIRSTS = (0, 1, 127, 32767)


@pytest.mark.parametrize("first", FIRSTS)
@pytest.mark.parametrize("source", (65536, 65537, 65663, 131066, 131071))
def test_starts_at_the_first_number_and_counts_on_over_the_wrap(first: int, source: int) -> None:
    numbering = SequenceMap(first)
    outs = [numbering.forward(source + i) for i in range(70_000)]
    assert outs == [(first + i) & 0xFFFF for i in range(70_000)]
    assert numbering.source(outs[-1]) == source + 69_999
    assert numbering.highest_out == first + 69_999


@pytest.mark.parametrize("first", (-1, 1 << 15, 65535))
def test_refuses_a_start_from_which_a_receiver_may_guess_the_roll_over_wrong(first: int) -> None:
    with pytest.raises(ValueError, match="below 2"):
        SequenceMap(first)


def test_a_dropped_packet_leaves_no_gap() -> None:
    numbering = SequenceMap(100)
    assert numbering.forward(1000) == 100
    numbering.drop(1001)
    numbering.drop(1002)
    assert numbering.forward(1003) == 101
    assert numbering.source(101) == 1003
    assert numbering.source(100) == 1000
    assert numbering.forward(1001) == NOT_SENT


def test_a_lost_packet_leaves_its_place() -> None:
    numbering = SequenceMap(100)
    numbering.forward(1000)
    assert numbering.forward(1003) == 103
    assert numbering.never_sent(103) == 2
    assert numbering.source(101) == -1
    assert numbering.forward(1001) == 101
    assert numbering.forward(1001) == NOT_SENT
    assert numbering.never_sent(103) == 1
    assert numbering.source(101) == 1001


def test_a_late_padding_packet_stays_a_gap_where_a_later_one_was_sent() -> None:
    numbering = SequenceMap(0)
    numbering.forward(1000)
    numbering.forward(1002)
    numbering.drop(1001)
    assert numbering.forward(1001) == NOT_SENT
    assert numbering.source(1) == -1
    assert numbering.forward(1003) == 3


def test_nothing_from_before_the_first_packet_is_sent() -> None:
    numbering = SequenceMap(0)
    numbering.drop(999)
    assert numbering.forward(1000) == 0
    assert numbering.forward(999) == NOT_SENT


def test_a_splice_goes_on_with_the_next_number_and_refuses_what_is_older() -> None:
    numbering = SequenceMap(10)
    for source in (1000, 1001, 1005):
        numbering.forward(source)
    numbering.splice(70_000)
    assert numbering.forward(70_000) == 16
    assert numbering.forward(69_999) == NOT_SENT
    assert numbering.forward(1003) == NOT_SENT
    assert numbering.source(15) == -1
    assert numbering.source(16) == 70_000
    assert numbering.never_sent(16) == 3


@pytest.mark.parametrize("jump", (MAX_GAP + 1, 1 << 15, 1 << 16))
def test_a_far_jump_is_closed_up(jump: int) -> None:
    numbering = SequenceMap(0)
    numbering.forward(70_000)
    assert numbering.forward(70_000 + jump) == 1
    numbering.drop(80_000 + 2 * jump)
    assert numbering.forward(80_001 + 2 * jump) == 2


def test_numbers_kept_are_bounded_and_the_oldest_are_given_up() -> None:
    numbering = SequenceMap(0)
    numbering.forward(1000)
    numbering.forward(1000 + MAX_HOLES * 3)
    assert numbering.forward(1001) == NOT_SENT
    assert numbering.forward(1000 + MAX_HOLES * 3 - 1) == MAX_HOLES * 3 - 1
    assert numbering.never_sent(numbering.highest_out) == MAX_HOLES * 3 - 2
    for index in range(2 * MAX_HOLES):
        numbering.forward(5000 + 2 * index)
    assert numbering.never_sent(numbering.highest_out) > MAX_HOLES


def test_remembers_a_bounded_number_of_changes() -> None:
    numbering = SequenceMap(0)
    sent = {}
    for source in range(1000, 1000 + 6 * MAX_BREAKPOINTS, 3):
        for forwarded in (source, source + 1):
            sent[numbering.forward(forwarded)] = forwarded
        numbering.drop(source + 2)
    found = {out: numbering.source(out) for out in sent}
    assert found[max(sent)] == sent[max(sent)]
    assert found[min(sent)] == -1
    assert all(source in (-1, sent[out]) for out, source in found.items())


MOVES = st.lists(
    st.tuples(
        st.sampled_from(("forward", "forward", "forward", "drop", "splice")),
        st.one_of(st.just(1), st.integers(-40, 40), st.integers(-700, 3000), st.integers(-70_000, 70_000)),
    ),
    max_size=120,
)


@settings(max_examples=300)
@given(st.integers(0, (1 << 15) - 1), st.integers(100_000, 200_000), MOVES)
def test_no_number_is_ever_given_to_two_packets(first: int, start: int, moves: list[tuple[str, int]]) -> None:
    numbering = SequenceMap(first)
    newest = start
    generation = 0
    sent: dict[int, tuple[int, int]] = {}
    highest = first - 1
    for action, move in moves:
        source = newest + move
        if action == "drop":
            numbering.drop(source)
            newest = max(newest, source)
            continue
        if action == "splice":
            numbering.splice(source)
            newest = source
            generation += 1
        out = numbering.forward(source)
        if out == NOT_SENT:
            continue
        extended = highest + ((out - highest + 0x8000) & 0xFFFF) - 0x8000
        assert extended not in sent
        assert extended <= highest + MAX_GAP
        assert (generation, source) not in sent.values()
        sent[extended] = (generation, source)
        highest = max(highest, extended)
        newest = max(newest, source)
        assert numbering.highest_out == highest
        assert numbering.source(out) == source
        assert len(numbering._holes) <= MAX_HOLES
        assert len(numbering._breakpoints) <= MAX_BREAKPOINTS
    for extended in range(highest - 800, highest + 3):
        found = numbering.source(extended & 0xFFFF)
        assert found == -1 or (generation, found) == sent.get(extended)


@given(st.integers(0, (1 << 15) - 1), st.lists(st.sampled_from(("sent", "dropped", "lost")), max_size=100))
def test_in_order_only_loss_makes_gaps_and_all_sent_can_be_found(first: int, fates: list[str]) -> None:
    numbering = SequenceMap(first)
    numbering.forward(65536)
    expected = first
    for source, fate in enumerate(fates, 65537):
        if fate == "dropped":
            numbering.drop(source)
            continue
        expected += 1
        if fate == "sent":
            assert numbering.forward(source) == expected & 0xFFFF
            assert numbering.source(expected & 0xFFFF) == source
