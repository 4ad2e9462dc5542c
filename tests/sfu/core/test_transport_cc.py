"""Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1)."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core import rtcp
from sfu.core.transport_cc import (
    MAX_JUMP,
    MAX_PENDING,
    MAX_SPAN,
    PACKET_MAX_BYTES,
    FeedbackMalformed,
    TransportCcFeedback,
    TransportCcReceiver,
    parse_feedback,
)

STARTS = (0, 1, 127, 128, 511, 8190, 16383, 16384, 32767, 32768, 65000, 65533, 65534, 65535)
TICK_S = 0.00025


def report(receiver: TransportCcReceiver, now: float) -> list[TransportCcFeedback]:
    packets = receiver.build(1, 2, now)
    assert all(len(packet) <= PACKET_MAX_BYTES and len(packet) % 4 == 0 for packet in packets)
    for packet in packets:
        assert rtcp.parse_compound(packet) == [rtcp.TransportCc(1, 2, packet)]
    return [parse_feedback(packet) for packet in packets]


def arrivals(feedback: list[TransportCcFeedback]) -> dict[int, float]:
    return {sequence: ticks * TICK_S for packet in feedback for sequence, ticks in packet.arrivals}


def feed(received: list[tuple[int, float]], *, now: float | None = None) -> list[TransportCcFeedback]:
    receiver = TransportCcReceiver()
    for sequence, at in received:
        receiver.received(sequence & 0xFFFF, at)
    return report(receiver, received[-1][1] if now is None else now)


class TestKnownBytes:
    def test_a_run_of_small_deltas(self) -> None:
        receiver = TransportCcReceiver()
        for index in range(4):
            receiver.received(0xFFFE + index & 0xFFFF, 6.4 + index * 0.001)
        (packet,) = receiver.build(0x01020304, 0x05060708, 6.5)
        assert packet.hex() == (
            "afcd0006" + "01020304" + "05060708" + "fffe0004" + "00006400" + "2004" + "00040404" + "0002"
        )

    def test_losses_are_a_one_bit_vector(self) -> None:
        receiver = TransportCcReceiver()
        for sequence in (0, 2, 3, 7):
            receiver.received(sequence, 0.064)
        (packet,) = receiver.build(1, 2, 0.1)
        assert packet[12:].hex() == "0000000800000100" + f"{0b10_10110001000000:04x}" + "00000000" + "0002"

    def test_a_large_and_a_negative_delta_are_a_two_bit_vector(self) -> None:
        receiver = TransportCcReceiver()
        for sequence, at in ((0, 0.0), (2, 0.1), (1, 0.2)):
            receiver.received(sequence, at)
        (packet,) = receiver.build(1, 2, 0.2)
        assert packet[20:].hex() == f"{0b11_01101000000000:04x}" + "00" + "0320" + "fe70" + "01"

    def test_a_byte_of_delta_is_used_to_its_end(self) -> None:
        receiver = TransportCcReceiver()
        receiver.received(0, 0.0)
        receiver.received(1, 255 * TICK_S)
        receiver.received(2, (255 + 256) * TICK_S)
        (packet,) = receiver.build(1, 2, 1.0)
        assert packet[20:].hex() == f"{0b11_01011000000000:04x}" + "00" + "ff" + "0100" + "0002"

    def test_the_examples_of_the_draft_are_read(self) -> None:
        """§3.1.3 and §3.1.4; the two-bit example there has a symbol that §3.1.1 reserves, here it is a large delta."""
        base = bytes.fromhex("8fcd000000000001000000020000")

        def covered(chunks: str, count: int, delta_bytes: int) -> tuple[int, ...]:
            body = base + count.to_bytes(2, "big") + bytes(4) + bytes.fromhex(chunks) + bytes(delta_bytes)
            body += bytes(-len(body) % 4)
            packet = body[:2] + (len(body) // 4 - 1).to_bytes(2, "big") + body[4:]
            return tuple(sequence for sequence, _ in parse_feedback(packet).arrivals)

        assert covered("00dd", 221, 0) == ()
        assert covered("2018", 24, 24) == tuple(range(24))
        assert covered(f"{0b1001111100011100:04x}", 14, 8) == (1, 2, 3, 4, 5, 9, 10, 11)
        assert covered(f"{0b1100100101010000:04x}", 7, 5) == (1, 2, 3, 4)


class TestReceiver:
    def test_nothing_received_reports_nothing(self) -> None:
        assert TransportCcReceiver().build(1, 2, 1.0) == []

    @pytest.mark.parametrize("start", STARTS)
    def test_reports_losses_reordering_and_duplicates_from_any_start(self, start: int) -> None:
        order = [0, 1, 3, 2, 2, 40, 39, 41, 41, 90]
        received = [(start + offset, 10 + index * 0.003) for index, offset in enumerate(order)]
        feedback = feed(received)
        found = arrivals(feedback)
        assert set(found) == {start + offset & 0xFFFF for offset in order}
        assert sum(packet.status_count for packet in feedback) == 91
        assert found[start + 2 & 0xFFFF] == pytest.approx(10.009, abs=TICK_S)
        assert found[start + 39 & 0xFFFF] == pytest.approx(10.018, abs=TICK_S)

    @pytest.mark.parametrize("start", STARTS)
    def test_reports_join_without_a_gap(self, start: int) -> None:
        receiver = TransportCcReceiver()
        covered: list[int] = []
        counts: list[int] = []
        for interval in range(300):
            now = 1 + interval * 0.05
            for index in range(7):
                if (interval + index) % 5:
                    receiver.received(start + interval * 7 + index & 0xFFFF, now + index * 0.001)
            for packet in report(receiver, now + 0.05):
                covered += [packet.base_sequence + offset & 0xFFFF for offset in range(packet.status_count)]
                counts.append(packet.feedback_count)
        first = covered[0]
        assert covered == [first + offset & 0xFFFF for offset in range(len(covered))]
        assert counts == [index & 0xFF for index in range(len(counts))]

    def test_a_late_packet_is_reported_and_what_followed_it_is_repeated(self) -> None:
        receiver = TransportCcReceiver()
        for sequence in (10, 12, 13):
            receiver.received(sequence, 5.0)
        report(receiver, 5.0)
        receiver.received(11, 5.1)
        receiver.received(14, 5.1)
        found = arrivals(report(receiver, 5.1))
        assert set(found) == {11, 12, 13, 14}
        assert found[11] == pytest.approx(5.1) and found[13] == pytest.approx(5.0)

    def test_a_packet_before_the_very_first_is_reported(self) -> None:
        assert set(arrivals(feed([(0, 1.0), (-1, 1.0), (-2, 1.0)]))) == {0xFFFE, 0xFFFF, 0}

    def test_a_reported_packet_that_arrives_again_says_nothing_new(self) -> None:
        receiver = TransportCcReceiver()
        receiver.received(10, 5.0)
        report(receiver, 5.0)
        receiver.received(10, 5.1)
        assert receiver.build(1, 2, 5.1) == []

    @pytest.mark.parametrize("pause_s", [1.0, 8.1, 9.0, 100.0, 1e6])
    def test_a_pause_beyond_a_delta_begins_a_packet(self, pause_s: float) -> None:
        feedback = feed([(0, 1.0), (1, 1.0 + pause_s), (3, 1.001 + pause_s)])
        assert len(feedback) == (1 if pause_s < 8.19 else 2)
        found = arrivals(feedback)
        assert found[0] == pytest.approx(1.0)
        assert found[3] - found[1] == pytest.approx(0.001)
        assert sum(packet.status_count for packet in feedback) == 4

    def test_the_reference_time_wraps(self) -> None:
        wrap = (1 << 24) * 0.064
        found = arrivals(feed([(0, wrap - 0.01), (1, wrap + 0.07)]))
        assert (found[1] - found[0]) % (wrap) == pytest.approx(0.08, abs=2 * TICK_S)

    def test_many_arrivals_are_several_packets(self) -> None:
        feedback = feed([(sequence, sequence * 0.0003) for sequence in range(1, 2000)])
        assert len(feedback) > 1
        assert set(arrivals(feedback)) == set(range(1, 2000))

    def test_the_worst_pattern_stays_below_the_limit(self) -> None:
        """Every arrival behind a gap of its own and with a large delta."""
        receiver = TransportCcReceiver()
        sequence, now = 0, 0.0
        for index in range(500):
            sequence += 16 + index % 30
            now += 0.1
            receiver.received(sequence & 0xFFFF, now)
        assert len(arrivals(report(receiver, now))) == 500

    @pytest.mark.parametrize("jump", [MAX_JUMP + 1, 1 << 15, 0xFFFF - MAX_JUMP - 1])
    def test_a_far_jump_starts_afresh(self, jump: int) -> None:
        feedback = feed([(5, 1.0), (6, 1.0), (6 + jump, 1.1), (7 + jump, 1.1)])
        assert set(arrivals(feedback)) == {6 + jump & 0xFFFF, 7 + jump & 0xFFFF}
        assert sum(packet.status_count for packet in feedback) == 2

    def test_a_jump_within_the_bound_is_a_loss(self) -> None:
        feedback = feed([(5, 1.0), (5 + MAX_JUMP, 1.1)])
        assert sum(packet.status_count for packet in feedback) == MAX_JUMP + 1

    def test_the_span_is_bounded(self) -> None:
        feedback = feed([(index * MAX_JUMP, 1.0) for index in range(1000)])
        assert sum(packet.status_count for packet in feedback) == MAX_SPAN

    def test_what_waits_for_a_report_is_bounded(self) -> None:
        receiver = TransportCcReceiver()
        for sequence in range(MAX_PENDING + 100):
            receiver.received(sequence, 1.0)
        assert len(arrivals(report(receiver, 1.0))) == MAX_PENDING

    def test_what_is_remembered_is_bounded(self) -> None:
        receiver = TransportCcReceiver()
        for sequence in range(4 * MAX_PENDING):
            receiver.received(sequence & 0xFFFF, 1.0)
            if not sequence % 100:
                receiver.build(1, 2, 1.0)
        assert len(receiver._arrivals) <= MAX_PENDING + 100

    @given(
        st.integers(0, 0xFFFF),
        st.lists(st.tuples(st.integers(-40, 400), st.integers(-30_000, 60_000)), min_size=1, max_size=120),
        st.integers(1, 6),
    )
    def test_whatever_arrives_is_reported_once_it_is_asked(
        self, start: int, steps: list[tuple[int, int]], intervals: int
    ) -> None:
        """Sequences go forward and back, so does the clock, in ticks; every first arrival is found, at its time."""
        receiver = TransportCcReceiver()
        sequence, ticks = start + 0x10000, 4_000_000
        expected: dict[int, int] = {}
        found: dict[int, int] = {}
        for index, (step, pause) in enumerate(steps):
            sequence += step
            ticks += pause
            expected.setdefault(sequence & 0xFFFF, ticks)
            receiver.received(sequence & 0xFFFF, ticks * TICK_S)
            if index % intervals == 0:
                for packet in report(receiver, 0):
                    found.update(packet.arrivals)
        for packet in report(receiver, 0):
            found.update(packet.arrivals)
        assert found.keys() == expected.keys()
        assert all(abs(found[sequence] - ticks) <= 1 for sequence, ticks in expected.items())

    @pytest.mark.parametrize("seed", range(20))
    def test_a_hostile_sender_costs_bounded_work(self, seed: int) -> None:
        rng = random.Random(seed)
        receiver = TransportCcReceiver()
        for round_ in range(20):
            for _ in range(100):
                receiver.received(rng.randrange(0x10000), rng.uniform(-1e4, 1e4))
            assert sum(packet.status_count for packet in report(receiver, float(round_))) <= MAX_SPAN


class TestParser:
    @pytest.mark.parametrize(
        "packet",
        [
            b"",
            bytes.fromhex("8fcd0004" + "00" * 15),
            bytes.fromhex("8fcd0003" + "00" * 16),
            bytes.fromhex("81cd0004" + "00" * 16),
            bytes.fromhex("8fce0004" + "00" * 16),
            bytes.fromhex("afcd0004" + "00" * 16),
            bytes.fromhex("afcd0004" + "00" * 15 + "11"),
            bytes.fromhex("8fcd0004" + "00" * 10 + "0001" + "00" * 4),
            bytes.fromhex("8fcd0005" + "00" * 10 + "0001" + "00" * 4 + "0000" + "0000"),
            bytes.fromhex("8fcd0005" + "00" * 10 + "0001" + "00" * 4 + "6001" + "0000"),
            bytes.fromhex("8fcd0005" + "00" * 10 + "0005" + "00" * 4 + "2005" + "0000"),
            bytes.fromhex("8fcd0005" + "00" * 10 + "0007" + "00" * 4 + "f000" + "0000"),
            bytes.fromhex("8fcd0005" + "00" * 10 + "000e" + "00" * 4 + "bfff" + "0000"),
        ],
        ids=[
            "empty",
            "short",
            "wrong length",
            "NACK",
            "payload feedback",
            "padding of zero",
            "long padding",
            "no chunks",
            "run of nothing",
            "reserved run",
            "run without deltas",
            "reserved symbol",
            "vector without deltas",
        ],
    )
    def test_refuses(self, packet: bytes) -> None:
        with pytest.raises(FeedbackMalformed):
            parse_feedback(packet)

    @given(st.binary(max_size=100))
    def test_any_body_is_read_or_refused(self, body: bytes) -> None:
        body += bytes(-len(body) % 4)
        packet = bytes((0x8F, 205)) + (len(body) // 4).to_bytes(2, "big") + body
        try:
            feedback = parse_feedback(packet)
        except FeedbackMalformed:
            return
        assert len(feedback.arrivals) <= len(packet)

    @pytest.mark.parametrize("chunk", [b"\x20\xc8", b"\xbf\xff"], ids=["runs", "vectors"])
    def test_a_claim_costs_no_memory(self, chunk: bytes) -> None:
        """300 chunks that claim up to 60 000 arrivals, without a delta."""
        packet = bytes.fromhex("8fcd009a" + "00" * 10 + "ffff" + "00" * 4) + chunk * 300
        tracemalloc.start()
        try:
            with pytest.raises(FeedbackMalformed):
                parse_feedback(packet)
            assert tracemalloc.get_traced_memory()[1] < 500_000
        finally:
            tracemalloc.stop()
