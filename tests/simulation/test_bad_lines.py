"""The promises about bad lines, kept by the pure core on a virtual clock with a seed.

The same goals are measured with real browsers through the network emulator; this is the quick and exact half.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from sfu.core.allocation import START_LIMIT_BPS, START_PERIOD_S
from tests.simulation.browser import AUDIO_BPS
from tests.simulation.network import Bernoulli, GilbertElliott, Line
from tests.simulation.room import Room

GOOD = Line(jitter_s=0.003)
SEEDS = (1, 2, 3)


def lossy(probability: float) -> Line:
    return Line(delay_s=0.04, jitter_s=0.005, loss=Bernoulli(probability))


def slow_line(rate_bps: float, queue_s: float = 1.0) -> Line:
    return Line(rate_bps=rate_bps, queue_s=queue_s)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_good_line_gets_a_good_picture(seed: int) -> None:
    room = Room(seed, a=(GOOD, GOOD), b=(GOOD, GOOD))
    room.run(30)
    seen = room.receiver("b", "a")
    assert seen.fps(2, 30) == pytest.approx(25, abs=0.5)
    assert seen.bps(25, 30) > 900_000
    assert seen.audio_log.lost_count == 0
    assert room.peers["a"].sender.keyframes <= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_five_percent_loss_on_both_legs_is_repaired(seed: int) -> None:
    room = Room(seed, a=(lossy(0.05), GOOD), b=(GOOD, lossy(0.05)))
    room.run(30)
    seen = room.receiver("b", "a")
    at_sfu = room.peers["a"].log
    assert at_sfu.repaired_count >= 0.9 * (at_sfu.repaired_count + at_sfu.lost_count)
    assert seen.repaired_share() >= 0.9
    assert seen.fps(2, 30) >= 15


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("leg", ("up", "down"))
def test_five_percent_loss_on_one_leg_hardly_freezes_the_picture(seed: int, leg: str) -> None:
    bad = lossy(0.05)
    room = Room(seed, a=(bad if leg == "up" else GOOD, GOOD), b=(GOOD, bad if leg == "down" else GOOD))
    room.run(30)
    seen = room.receiver("b", "a")
    assert seen.fps(2, 30) >= 20
    assert seen.frozen_s(2, 30) < 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_bursts_and_reordering_are_survived(seed: int) -> None:
    def bursty() -> Line:
        return Line(delay_s=0.03, loss=GilbertElliott(mean_loss=0.03, burst_packets=4), reorder=0.02)

    room = Room(seed, a=(bursty(), GOOD), b=(GOOD, bursty()))
    room.run(30)
    seen = room.receiver("b", "a")
    assert seen.repaired_share() >= 0.9
    assert seen.fps(2, 30) >= 15


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("queue_s", "most_audio_lost"), [(1.0, 0.03), (0.3, 0.05), (0.15, 0.08)])
def test_a_slow_line_gives_a_smaller_picture_and_recovers(seed: int, queue_s: float, most_audio_lost: float) -> None:
    room = Room(seed, a=(GOOD, GOOD), b=(GOOD, GOOD))
    room.run(15)
    slow = room.peers["b"].down
    slow.line = slow_line(200_000, queue_s)
    room.run(8)
    seen = room.receiver("b", "a")
    audio_lost = seen.audio_log.lost_count
    audio_expected = seen.audio_log.expected_count
    room.run(22)
    assert seen.fps(23, 45) >= 10
    assert 50_000 <= seen.bps(23, 45) < 100_000 + AUDIO_BPS
    assert seen.audio_log.lost_count - audio_lost < most_audio_lost * (seen.audio_log.expected_count - audio_expected)
    assert max(rtt_s for second, rtt_s in room.peers["b"].worst_rtt_s.items() if second >= 23) < 0.6
    slow.line = GOOD
    room.run(30)
    assert max(seen.bps(second, second + 1) for second in range(45, 65)) >= 350_000
    assert seen.bps(72, 75) >= 600_000


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_line_recovers_on_a_busy_machine_too(seed: int) -> None:
    room = Room(seed, a=(GOOD, GOOD), b=(GOOD, GOOD))
    room.peers["b"].busy = True
    room.run(15)
    room.peers["b"].down.line = slow_line(200_000)
    room.run(30)
    seen = room.receiver("b", "a")
    assert seen.fps(23, 45) >= 10
    room.peers["b"].down.line = GOOD
    room.run(30)
    assert max(seen.bps(second, second + 1) for second in range(45, 75)) >= 600_000


@pytest.mark.parametrize("seed", SEEDS)
def test_a_busy_machine_on_a_good_line_keeps_its_picture(seed: int) -> None:
    room = Room(seed, a=(GOOD, GOOD), b=(GOOD, GOOD))
    for peer in room.peers.values():
        peer.busy = True
    room.run(80)
    seen = room.receiver("b", "a")
    assert seen.bps(20, 80) > 800_000
    assert min(seen.bps(second, second + 1) for second in range(20, 80)) > 300_000


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("probability", (0.05, 0.08))
def test_a_lossy_line_without_a_queue_does_not_shrink_and_comes_back(seed: int, probability: float) -> None:
    room = Room(seed, a=(GOOD, GOOD), b=(GOOD, lossy(probability)))
    room.run(20)
    seen = room.receiver("b", "a")
    assert seen.bps(5, 20) >= 400_000
    room.peers["b"].down.line = slow_line(200_000)
    room.run(20)
    room.peers["b"].down.line = lossy(probability)
    room.run(30)
    assert seen.bps(60, 70) >= 150_000
    assert seen.fps(55, 70) >= 15


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("queue_s", (0.2, 1.0))
def test_a_call_on_a_slow_line_settles_from_the_start(seed: int, queue_s: float) -> None:
    room = Room(seed, a=(GOOD, GOOD), b=(GOOD, slow_line(200_000, queue_s)))
    room.run(40)
    seen = room.receiver("b", "a")
    assert seen.fps(12, 40) >= 10
    assert seen.bps(12, 40) >= 50_000
    rtts_s = sorted(rtt_s for second, rtt_s in room.peers["b"].worst_rtt_s.items() if second >= 12)
    assert rtts_s[len(rtts_s) * 8 // 10] < 0.6


@pytest.mark.parametrize("seed", SEEDS)
def test_a_room_of_three_shares_each_line(seed: int) -> None:
    room = Room(seed, a=(GOOD, GOOD), b=(GOOD, GOOD), c=(GOOD, slow_line(700_000)))
    room.run(40)
    from_a, from_b = (room.receiver("c", name).bps(20, 40) for name in "ab")
    assert from_a + from_b <= 700_000 - 2 * AUDIO_BPS
    assert min(from_a, from_b) >= 130_000
    assert min(from_a, from_b) / max(from_a, from_b) > 0.6
    for name in "ab":
        assert room.receiver("c", name).fps(20, 40) >= 20
        assert room.receiver(name, "c").bps(30, 40) > 800_000


@pytest.mark.parametrize("seed", SEEDS)
def test_loss_on_one_uplink_harms_neither_the_other_nor_the_subscriber(seed: int) -> None:
    room = Room(seed, a=(lossy(0.15), GOOD), b=(GOOD, GOOD), c=(GOOD, GOOD))
    room.run(30)
    assert room.receiver("c", "b").bps(25, 30) > 800_000
    assert room.receiver("c", "b").fps(2, 30) > 24
    for publisher in "ab":
        own = room.forward(publisher, "c").own_loss
        assert sum(own) / len(own) < 0.01


def test_no_cap_is_high_at_first_or_jumps_later() -> None:
    room = Room(1, a=(GOOD, GOOD), b=(GOOD, GOOD))
    room.run(30)
    caps = room.peers["a"].caps
    assert all(cap <= START_LIMIT_BPS for at, cap in caps if at < START_PERIOD_S)
    for (earlier_at, earlier), (at, cap) in pairwise(caps):
        assert cap <= earlier * 1.5 ** (at - earlier_at) + 1


def test_one_seed_has_one_outcome() -> None:
    outcomes = set()
    for _ in range(2):
        room = Room(5, a=(lossy(0.05), GOOD), b=(GOOD, lossy(0.05)))
        room.run(10)
        outcomes.add(tuple(room.receiver("b", "a").shown_at))
    assert len(outcomes) == 1
