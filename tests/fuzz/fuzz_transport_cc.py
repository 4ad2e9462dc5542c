"""Transport-cc: feedback that a peer sends, and sequence numbers that a peer makes up."""

from __future__ import annotations

import struct

from sfu.core.transport_cc import (
    MAX_SPAN,
    PACKET_MAX_BYTES,
    FeedbackMalformed,
    TransportCcReceiver,
    parse_feedback,
)
from tests.fuzz.targets import register

ARRIVAL = struct.Struct("!Hi")


def fuzz_feedback(data: bytes) -> None:
    try:
        feedback = parse_feedback(data)
    except FeedbackMalformed:
        return
    assert len(feedback.arrivals) <= min(feedback.status_count, len(data))


def fuzz_arrivals(data: bytes) -> None:
    """Six bytes are one arrival: its sequence number and its time in ms, or with 0xFFFF a request for a report."""
    receiver = TransportCcReceiver()
    waiting: set[int] = set()
    now = 0.0
    for sequence, ms in ARRIVAL.iter_unpack(data[: len(data) // ARRIVAL.size * ARRIVAL.size]):
        now = ms / 1000
        receiver.received(sequence, now)
        waiting.add(sequence)
        if sequence == 0xFFFF:
            _check(receiver, waiting, now)
    _check(receiver, waiting, now)


def _check(receiver: TransportCcReceiver, waiting: set[int], now: float) -> None:
    packets = receiver.build(1, 2, now)
    assert all(len(packet) <= PACKET_MAX_BYTES for packet in packets)
    feedback = [parse_feedback(packet) for packet in packets]
    assert sum(packet.status_count for packet in feedback) <= MAX_SPAN
    assert not packets or {sequence for packet in feedback for sequence, _ in packet.arrivals} & waiting
    waiting.clear()


def _seeds() -> tuple[list[bytes], list[bytes]]:
    orders = ([0, 1, 2, 3, 65535], [65533, 65535, 0, 65534, 40, 39], [5, 30000, 60000, 2, 3])
    arrivals = [b"".join(ARRIVAL.pack(sequence, 20 * at) for at, sequence in enumerate(order)) for order in orders]
    feedback = []
    for order in orders:
        receiver = TransportCcReceiver()
        for index, sequence in enumerate(order):
            receiver.received(sequence, index * 0.03)
        feedback += receiver.build(1, 2, 1.0)
    return arrivals, feedback


_ARRIVALS, _FEEDBACK = _seeds()
register("transport_cc_arrivals", fuzz_arrivals, _ARRIVALS)
register("transport_cc_feedback", fuzz_feedback, _FEEDBACK)
