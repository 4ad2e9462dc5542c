from __future__ import annotations

from sfu.core.media import Kind
from tests.bench.packets import Stamp
from tests.bench.reception import MAX_MISSING, NACK_ATTEMPTS, NACK_INTERVAL_S, IncomingStream


def _stream(*, drop_every: int = 0, repaired: bool = True) -> IncomingStream:
    return IncomingStream(Kind.VIDEO, 1, repaired=repaired, drop_every=drop_every)


def test_an_unbroken_stream_over_the_wrap_has_no_loss() -> None:
    stream = _stream()
    assert all(stream.receive(number & 0xFFFF) for number in range(65_000, 65_000 + 2_000))
    assert (stream.received, stream.gaps, stream.highest) == (2_000, 0, 66_999)
    assert stream.nacks_due(0.0) == []


def test_a_gap_is_asked_for_until_it_is_filled() -> None:
    stream = _stream()
    for number in (65_534, 1):
        stream.receive(number)
    assert stream.nacks_due(10.0) == [65_535, 0]
    assert stream.nacks_due(10.0 + NACK_INTERVAL_S / 2) == []
    stream.receive_rtx(65_535)
    assert stream.nacks_due(10.0 + NACK_INTERVAL_S) == [0]
    assert not stream.receive(1)
    assert stream.receive(0)
    assert (stream.repaired, stream.lost, stream.duplicates, stream.gaps) == (2, 0, 1, 2)


def test_what_never_comes_is_lost_in_the_end() -> None:
    stream = _stream()
    stream.receive(1)
    stream.receive(3)
    times = [attempt * NACK_INTERVAL_S * 1.01 for attempt in range(NACK_ATTEMPTS + 1)]
    asked = [stream.nacks_due(at) for at in times]
    assert asked == [[2]] * NACK_ATTEMPTS + [[]]
    assert (stream.lost, stream.waiting) == (1, 0)
    stream.receive_rtx(2)
    assert stream.spurious == 1


def test_without_repair_a_gap_is_lost_at_once() -> None:
    stream = _stream(repaired=False)
    stream.receive(1)
    stream.receive(4)
    assert (stream.lost, stream.waiting) == (2, 0)


def test_a_broken_server_cannot_grow_the_table() -> None:
    stream = _stream()
    stream.receive(0)
    stream.receive(30_000)
    assert stream.waiting == MAX_MISSING
    assert stream.lost == 29_999 - MAX_MISSING


def test_loss_on_purpose_comes_once_in_so_many_and_is_asked_for() -> None:
    stream = _stream(drop_every=10)
    taken = [stream.receive(number) for number in range(101)]
    assert taken.count(False) == stream.simulated == 10
    assert stream.received == 91
    assert stream.nacks_due(0.0) == list(range(10, 101, 10))
    report = stream.report(0.0)
    assert (report.cumulative_lost, report.fraction_lost, report.highest_sequence) == (10, 25, 100)
    assert stream.report(0.0).fraction_lost == 0


def test_what_the_server_closed_up_is_seen_by_the_publishers_numbers() -> None:
    stream = _stream()
    for number in range(100, 120):
        stream.receive(number)
    stream.note_stamp(110, Stamp(0, 1_010))
    assert (stream.swallowed, stream.last_number) == (0, 1_019)
    stream.note_stamp(119, Stamp(0, 1_022))
    assert (stream.swallowed, stream.last_number) == (3, 1_022)
