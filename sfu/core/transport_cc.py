"""Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3).

The receiver notes when each transport-wide sequence number arrived and reports all of them now and then; the
sender estimates its bandwidth from that. Times on the wire are ticks of 250 µs, from the clock's own zero.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

PACKET_MAX_BYTES = 1200
MAX_PENDING = 8192
"arrivals noted between two reports; beyond it they are not reported"
MAX_JUMP = 1 << 14
"a sequence number further away than this starts afresh"
MAX_SPAN = (1 << 15) - 1
"sequence numbers covered by one report"
BACK_WINDOW_S = 0.5
"how long an arrival is repeated when a packet before it arrives late (as libwebrtc does)"

_TICKS_PER_S = 4000
_REFERENCE_SHIFT = 8
"64 ms are 256 ticks"
_HEADER = struct.Struct("!BBHIIHHI")
_HEADER_WORDS = 5
_PADDING = 0x20
_RTPFB, _FMT = 205, 15
_LARGE_DELTA_MIN, _LARGE_DELTA_MAX = -0x8000, 0x7FFF
# An arrival costs at most a chunk, a chunk for the gap before it and a delta of two bytes: six bytes. The
# span needs up to five chunks more because a chunk holds 8191.
_PACKET_MAX_ARRIVALS = (PACKET_MAX_BYTES - 4 * _HEADER_WORDS - 2 * 5 - 3) // 6

_RUN_MAX = 0x1FFF
_LONG_VECTOR, _SHORT_VECTOR = 14, 7
# Status symbols are kept as ASCII digits: a vector chunk is then one int() in base 2 or 4.
_MISSING, _SMALL, _LARGE = b"012"
_RUN = re.compile(rb"0+|1+|2+")


class TransportCcReceiver:
    """Arrivals of one transport, and the feedback packets that report them."""

    __slots__ = ("_arrivals", "_feedback_count", "_newest", "_next", "_pending")

    def __init__(self) -> None:
        self._pending: list[tuple[int, float]] = []
        self._arrivals: dict[int, int] = {}
        "unwrapped sequence number → ticks, of the last BACK_WINDOW_S, in order of arrival"
        self._newest = -1
        "highest unwrapped sequence number; -1 before the first"
        self._next = 0
        "the first that no report covered yet"
        self._feedback_count = 0

    def received(self, sequence: int, now: float) -> None:
        """Note a packet with this 16-bit transport-wide sequence number."""
        pending = self._pending
        if len(pending) < MAX_PENDING:
            pending.append((sequence, now))

    def build(self, sender_ssrc: int, media_ssrc: int, now: float) -> list[bytes]:
        """RTCP packets for all arrivals since the last call, each at most PACKET_MAX_BYTES."""
        fresh = self._unwrap_pending()
        if not fresh:
            return []
        arrivals = self._arrivals
        start, end = min(fresh), self._newest + 1
        if start < self._next:
            # A late packet: what was reported after it must be repeated, or it would read as lost.
            fresh = [sequence for sequence in arrivals if sequence >= start]
        else:
            start = self._next
        if end - start > MAX_SPAN:
            start = end - MAX_SPAN
            fresh = [sequence for sequence in fresh if sequence >= start]
        fresh.sort()
        reports = [(sequence, arrivals[sequence]) for sequence in fresh]
        self._next = end
        self._forget(int((now - BACK_WINDOW_S) * _TICKS_PER_S))
        return self._packets(sender_ssrc, media_ssrc, start, reports)

    def _unwrap_pending(self) -> list[int]:
        """Move what is pending into the arrivals; the unwrapped sequence numbers that are new."""
        pending, self._pending = self._pending, []
        arrivals, newest = self._arrivals, self._newest
        fresh: list[int] = []
        for sequence, at in pending:
            ahead = (sequence - newest & 0xFFFF ^ 0x8000) - 0x8000
            if newest < 0 or not -MAX_JUMP <= ahead <= MAX_JUMP:
                arrivals.clear()
                fresh.clear()
                newest = self._next = sequence
                unwrapped = newest
            else:
                unwrapped = newest + ahead
                if ahead > 0:
                    newest = unwrapped
            if unwrapped not in arrivals:
                arrivals[unwrapped] = int(at * _TICKS_PER_S)
                fresh.append(unwrapped)
        self._newest = newest
        return fresh

    def _forget(self, before: int) -> None:
        arrivals = self._arrivals
        stale: list[int] = []
        for sequence, ticks in arrivals.items():
            if ticks >= before and len(arrivals) - len(stale) <= MAX_PENDING:
                break
            stale.append(sequence)
        for sequence in stale:
            del arrivals[sequence]

    def _packets(self, sender_ssrc: int, media_ssrc: int, start: int, reports: list[tuple[int, int]]) -> list[bytes]:
        packets = []
        at = 0
        while at < len(reports):
            stop, statuses, deltas = _collect(reports, at, start)
            packets.append(
                _dump(sender_ssrc, media_ssrc, start, reports[at][1], self._feedback_count, statuses, deltas)
            )
            self._feedback_count = self._feedback_count + 1 & 0xFF
            start = reports[stop - 1][0] + 1
            at = stop
        return packets


def _collect(reports: list[tuple[int, int]], at: int, start: int) -> tuple[int, bytearray, bytearray]:
    """As many arrivals as fit one packet: where they stop, their status symbols and their deltas."""
    stop = min(len(reports), at + _PACKET_MAX_ARRIVALS)
    statuses = bytearray(b"0") * (reports[stop - 1][0] + 1 - start)
    deltas = bytearray()
    before = reports[at][1] >> _REFERENCE_SHIFT << _REFERENCE_SHIFT
    for index in range(at, stop):
        sequence, ticks = reports[index]
        delta = ticks - before
        before = ticks
        if 0 <= delta <= 0xFF:
            statuses[sequence - start] = _SMALL
            deltas.append(delta)
        elif _LARGE_DELTA_MIN <= delta <= _LARGE_DELTA_MAX:
            statuses[sequence - start] = _LARGE
            deltas += (delta & 0xFFFF).to_bytes(2, "big")
        else:
            # Too long ago for a delta: the next packet has a reference time of its own.
            del statuses[reports[index - 1][0] + 1 - start :]
            return index, statuses, deltas
    return stop, statuses, deltas


def _dump(
    sender_ssrc: int,
    media_ssrc: int,
    start: int,
    first_ticks: int,
    feedback_count: int,
    statuses: bytearray,
    deltas: bytearray,
) -> bytes:
    chunks = _dump_chunks(statuses)
    body = struct.pack(f"!{len(chunks)}H", *chunks) + deltas
    padding = -len(body) & 3
    if padding:
        body += bytes(padding - 1) + bytes((padding,))
    reference = first_ticks >> _REFERENCE_SHIFT & 0xFFFFFF
    return (
        _HEADER.pack(
            0x80 | (_PADDING if padding else 0) | _FMT,
            _RTPFB,
            _HEADER_WORDS - 1 + (len(body) >> 2),
            sender_ssrc,
            media_ssrc,
            start & 0xFFFF,
            len(statuses),
            reference << 8 | feedback_count,
        )
        + body
    )


def _dump_chunks(statuses: bytearray) -> list[int]:
    """Status symbols as run length and vector chunks (draft §3.1.1-3.1.4)."""
    chunks = []
    at, size = 0, len(statuses)
    while at < size:
        run = _RUN.match(statuses, at)
        assert run is not None
        length = run.end() - at
        if length < _LONG_VECTOR and at + length < size:
            vector = statuses[at : at + _LONG_VECTOR]
            if _LARGE not in vector:
                chunks.append(0x8000 | int(vector.ljust(_LONG_VECTOR, b"0"), 2))
                at += _LONG_VECTOR
                continue
            if length < _SHORT_VECTOR:
                chunks.append(0xC000 | int(vector[:_SHORT_VECTOR].ljust(_SHORT_VECTOR, b"0"), 4))
                at += _SHORT_VECTOR
                continue
        length = min(length, _RUN_MAX)
        chunks.append(statuses[at] - _MISSING << 13 | length)
        at += length
    return chunks


# Reading feedback.


class FeedbackMalformed(ValueError):
    """The packet is no transport-cc feedback."""


@dataclass(frozen=True, slots=True)
class TransportCcFeedback:
    sender_ssrc: int
    media_ssrc: int
    feedback_count: int
    base_sequence: int
    status_count: int
    "how many sequence numbers it covers from ``base_sequence``; those not in ``arrivals`` did not arrive"
    arrivals: tuple[tuple[int, int], ...]
    "(16-bit sequence number, ticks of 250 µs on the receiver's clock, which wraps at 2^32)"


def parse_feedback(packet: bytes) -> TransportCcFeedback:
    """Read one RTCP packet of feedback; raises FeedbackMalformed.

    Work and memory are bounded by the packet's size, not by the count it claims: each arrival needs a delta.
    """
    if len(packet) < 4 * _HEADER_WORDS:
        raise FeedbackMalformed("header is cut off")
    first, packet_type, words, sender, media, base, count, time = _HEADER.unpack_from(packet)
    if first & 0xDF != 0x80 | _FMT or packet_type != _RTPFB or len(packet) != words + 1 << 2:
        raise FeedbackMalformed("no transport-cc feedback")
    end = len(packet)
    if first & _PADDING:
        end -= packet[-1]
        if not packet[-1] or end < 4 * _HEADER_WORDS:
            raise FeedbackMalformed("padding is wrong")
    received, at = _parse_chunks(packet, 4 * _HEADER_WORDS, end, count)
    ticks = time >> 8 << _REFERENCE_SHIFT
    arrivals = []
    for offset, symbol in received:
        if at + symbol > end:
            raise FeedbackMalformed("deltas are cut off")
        delta = packet[at] if symbol == 1 else int.from_bytes(packet[at : at + 2], "big", signed=True)
        at += symbol
        ticks += delta
        arrivals.append((base + offset & 0xFFFF, ticks & 0xFFFFFFFF))
    return TransportCcFeedback(sender, media, time & 0xFF, base, count, tuple(arrivals))


def _parse_chunks(packet: bytes, at: int, end: int, count: int) -> tuple[list[tuple[int, int]], int]:
    """(offset from the base, symbol) of each arrival, and where the deltas begin. Symbol = bytes of delta."""
    received: list[tuple[int, int]] = []
    offset = delta_bytes = 0
    while offset < count:
        if at + 2 > end:
            raise FeedbackMalformed("chunks are cut off")
        chunk = packet[at] << 8 | packet[at + 1]
        at += 2
        if not chunk & 0x8000:
            symbol, length = chunk >> 13, min(chunk & _RUN_MAX, count - offset)
            if symbol == 3 or not chunk & _RUN_MAX:
                raise FeedbackMalformed("run is wrong")
            delta_bytes += length * symbol
            if at + delta_bytes > end:
                raise FeedbackMalformed("deltas are cut off")
            if symbol:
                received += [(offset + index, symbol) for index in range(length)]
            offset += length
            continue
        bits, symbols = (2, _SHORT_VECTOR) if chunk & 0x4000 else (1, _LONG_VECTOR)
        for index in range(min(symbols, count - offset)):
            symbol = chunk >> 14 - bits * (index + 1) & (1 << bits) - 1
            if symbol == 3:
                raise FeedbackMalformed("status symbol is reserved")
            if symbol:
                delta_bytes += symbol
                received.append((offset + index, symbol))
        offset += symbols
    return received, at
