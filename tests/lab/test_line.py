"""The emulator's decisions, on a virtual clock."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.lab.line import TCP, UDP, Line, LineSettings, ip_protocol

SEED = 7


def send(line: Line, count: int, *, size_bytes: int = 1000, every_s: float = 0.001, start: float = 0.0) -> list[float]:
    """Due times of ``count`` packets, in the order sent; what is dropped is left out."""
    due: list[float] = []
    for n in range(count):
        due += line.admit(size_bytes, UDP, start + n * every_s)
    return due


def test_a_perfect_line_delivers_at_once() -> None:
    assert send(Line(SEED), 3, every_s=0.5) == [0.0, 0.5, 1.0]


def test_delay_is_added() -> None:
    assert Line(SEED, LineSettings(delay_s=0.04)).admit(100, UDP, 1.0) == (1.04,)


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("burst", [1.0, 5.0])
def test_the_share_lost_is_the_share_asked_for(loss: float, burst: float) -> None:
    line = Line(SEED, LineSettings(loss=loss, burst=burst))
    delivered = len(send(line, 40_000))
    assert 1 - delivered / 40_000 == pytest.approx(loss, rel=0.15)
    assert line.counters.lost == 40_000 - delivered


def test_bursts_have_the_mean_length_asked_for() -> None:
    line = Line(SEED, LineSettings(loss=0.1, burst=4.0))
    fates = [bool(line.admit(100, UDP, 0.0)) for _ in range(60_000)]
    bursts = sum(1 for a, b in pairwise(fates) if a and not b)
    assert fates.count(False) / bursts == pytest.approx(4.0, rel=0.1)


def test_the_bottleneck_spaces_packets_and_drops_what_waits_too_long() -> None:
    line = Line(SEED, LineSettings(rate_bps=800_000, queue_s=0.1))
    due = send(line, 200, size_bytes=1000, every_s=0.0)
    assert due[:3] == pytest.approx([0.01, 0.02, 0.03])
    assert len(due) == 11
    assert line.counters.queue_dropped == 189


def test_a_rate_is_kept_over_time() -> None:
    line = Line(SEED, LineSettings(rate_bps=500_000))
    due = send(line, 3000, size_bytes=1000, every_s=0.008)
    assert len(due) * 8000 / due[-1] == pytest.approx(500_000, rel=0.02)


def test_lifting_the_bottleneck_forgets_its_queue_but_keeps_the_order() -> None:
    line = Line(SEED, LineSettings(rate_bps=80_000))
    (first,) = line.admit(1000, UDP, 0.0)
    (second,) = line.admit(1000, UDP, 0.0)
    line.change(LineSettings())
    assert (first, second) == pytest.approx((0.1, 0.2))
    assert line.admit(1000, UDP, 0.05) == (second,)
    assert line.admit(1000, UDP, 1.0) == (1.0,)


def test_jitter_delays_but_keeps_the_order() -> None:
    due = send(Line(SEED, LineSettings(delay_s=0.02, jitter_s=0.02)), 500)
    assert due == sorted(due)
    assert all(d >= n * 0.001 + 0.02 for n, d in enumerate(due))
    assert max(d - n * 0.001 for n, d in enumerate(due)) > 0.04


def test_reordered_packets_are_overtaken() -> None:
    line = Line(SEED, LineSettings(reorder=0.1, reorder_delay_s=0.01))
    due = send(line, 1000)
    overtaken = sum(1 for n, d in enumerate(due[:-10]) if d > due[n + 5])
    assert overtaken == pytest.approx(100, abs=30)
    assert line.counters.reordered == pytest.approx(100, abs=30)


def test_duplicates_arrive_twice() -> None:
    line = Line(SEED, LineSettings(duplicate=0.2))
    assert len(send(line, 1000)) == 1000 + line.counters.duplicated
    assert line.counters.duplicated == pytest.approx(200, abs=40)


@pytest.mark.parametrize(
    ("settings", "udp", "tcp", "other"),
    [
        (LineSettings(block_udp=True), False, True, True),
        (LineSettings(block_tcp=True), True, False, True),
        (LineSettings(block_all=True), False, False, False),
    ],
)
def test_blocks(settings: LineSettings, udp: bool, tcp: bool, other: bool) -> None:
    line = Line(SEED, settings)
    assert [bool(line.admit(100, protocol, 0.0)) for protocol in (UDP, TCP, 1)] == [udp, tcp, other]
    assert line.counters.blocked == [udp, tcp, other].count(False)


def test_the_same_seed_gives_the_same_fate() -> None:
    settings = LineSettings(loss=0.1, burst=3.0, jitter_s=0.01, duplicate=0.05, reorder=0.05, rate_bps=2e6)
    assert send(Line(3, settings), 2000) == send(Line(3, settings), 2000)
    assert send(Line(3, settings), 2000) != send(Line(4, settings), 2000)


@pytest.mark.parametrize(
    "wrong", [{"loss": 1.1}, {"loss": -0.1}, {"rate_bps": -1.0}, {"delay_s": -0.1}, {"burst": 0.5}]
)
def test_senseless_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LineSettings(**wrong)  # type: ignore[arg-type]


def test_the_protocol_is_read_from_both_ip_versions() -> None:
    assert ip_protocol(bytes([0x45]) + bytes(8) + bytes([UDP]) + bytes(10)) == UDP
    assert ip_protocol(bytes([0x60]) + bytes(5) + bytes([TCP]) + bytes(33)) == TCP
    assert ip_protocol(b"") == -1
    assert ip_protocol(bytes([0x45]) * 19) == -1
