"""The caps of a room: each line's estimate is shared, audio is kept free, one line's trouble stays its own."""

from __future__ import annotations

import pytest

from sfu.core.allocation import FLOOR_BPS, START_LIMIT_BPS
from sfu.core.room_rates import REMB_FRESH_S, RoomRates

AUDIO = 32_000


BASE_S = 0.05


class Room:
    """Peers that send what they may. A line that gets more than it carries queues it, and drops nothing."""

    def __init__(self, *peers: str) -> None:
        self.rates: RoomRates[str] = RoomRates()
        self.now = 0.0
        self.carries: dict[str, int] = {}
        self.queued_bits: dict[str, float] = {}
        self.remb: dict[str, int] = {}
        self.loss: dict[str, float] = {}
        self.most: dict[str, int] = {}
        self.caps: dict[str, int] = {}
        self.video: dict[str, int] = dict.fromkeys(peers, 0)
        for peer in peers:
            self.rates.add(peer, 0.0)
        for peer in peers:
            self.rates.watch(peer, [other for other in peers if other != peer])

    def run(self, seconds: float) -> dict[str, int]:
        for _ in range(round(seconds * 2)):
            self.now += 0.5
            for peer, bps in self.remb.items():
                self.rates.remb(peer, bps, self.now)
            for peer in self.video:
                self.rates.loss(peer, self.loss.get(peer, 0.0))
                self.rates.rtt(peer, BASE_S + self._queue_s(peer))
            self.caps = self.rates.caps(self.now)
            for peer, cap in self.caps.items():
                self.video[peer] = min(cap - AUDIO, self.most.get(peer, cap))
                self.rates.sending(peer, video_bps=self.video[peer], audio_bps=AUDIO)
        return self.caps

    def _queue_s(self, peer: str) -> float:
        if peer not in self.carries:
            return 0.0
        more_bps = sum(bps for other, bps in self.video.items() if other != peer) - self.carries[peer]
        self.queued_bits[peer] = max(0.0, self.queued_bits.get(peer, 0.0) + more_bps * 0.5)
        return self.queued_bits[peer] / self.carries[peer]

    def mean_video(self, seconds: int) -> dict[str, float]:
        sums = dict.fromkeys(self.video, 0.0)
        for _ in range(seconds):
            for peer, cap in self.run(1).items():
                sums[peer] += cap - AUDIO
        return {peer: total / seconds for peer, total in sums.items()}


def test_a_subscribers_line_caps_the_publisher_beside_its_audio() -> None:
    room = Room("a", "b")
    room.carries = {"b": 300_000}
    room.run(20)
    video = room.mean_video(30)
    assert 180_000 <= video["a"] <= 300_000
    assert video["b"] > 1_000_000


def test_in_a_room_of_three_a_line_is_shared_and_not_given_twice() -> None:
    room = Room("a", "b", "c")
    room.carries = {"c": 600_000}
    room.run(20)
    video = room.mean_video(30)
    assert 360_000 <= video["a"] + video["b"] <= 600_000
    assert video["a"] == pytest.approx(video["b"], rel=0.05)
    assert video["c"] > 1_000_000


def test_what_one_publisher_cannot_use_is_passed_on_and_comes_back() -> None:
    room = Room("a", "b", "c")
    room.carries = {"c": 800_000}
    room.most = {"a": 100_000}
    room.run(20)
    assert room.mean_video(30)["b"] >= 400_000
    room.most = {}
    room.run(20)
    video = room.mean_video(30)
    assert video["a"] == pytest.approx(video["b"], rel=0.05)
    assert video["a"] + video["b"] <= 800_000


def test_a_remb_that_collapses_caps_at_once() -> None:
    room = Room("a", "b")
    room.most = {"a": 900_000}
    room.remb = {"b": 1_000_000}
    assert room.run(20)["a"] > 1_000_000
    room.remb = {"b": 200_000}
    assert room.run(0.5)["a"] == 200_000 + AUDIO


def test_no_publisher_is_asked_for_less_than_the_floor_and_its_audio() -> None:
    room = Room("a", "b")
    room.loss = {"a": 0.9, "b": 0.9}
    assert room.run(20) == {"a": FLOOR_BPS + AUDIO, "b": FLOOR_BPS + AUDIO}


def test_nothing_above_the_start_limit_at_first_whatever_remb_says() -> None:
    room = Room("a", "b")
    room.remb = {"a": 4_000_000, "b": 4_000_000}
    assert set(room.run(2.5).values()) == {START_LIMIT_BPS}
    assert room.run(1)["a"] <= START_LIMIT_BPS * 1.5


def test_a_remb_that_is_not_fresh_counts_no_more() -> None:
    room = Room("a", "b")
    room.most = {"a": 100_000}
    room.remb = {"b": 3_000_000}
    room.run(2)
    room.remb = {}
    room.run(REMB_FRESH_S)
    permitted = room.run(2)["a"]
    assert room.run(10)["a"] == permitted < 3_000_000


def test_loss_on_one_subscribers_line_lowers_only_what_it_watches() -> None:
    room = Room("a", "b")
    room.loss = {"b": 0.2}
    caps = room.run(20)
    assert caps["a"] < 100_000 + AUDIO
    assert caps["b"] > 1_000_000


def test_a_remb_that_covers_audio_leaves_its_room() -> None:
    rates: RoomRates[str] = RoomRates()
    rates.add("gateway", 0.0, remb_covers_audio=True)
    rates.add("a", 0.0)
    rates.watch("gateway", ["a"])
    rates.sending("a", video_bps=500_000, audio_bps=AUDIO)
    rates.remb("gateway", 600_000, 4.0)
    assert rates.caps(4.0)["a"] > 500_000
    rates.remb("gateway", 200_000, 5.0)
    assert rates.caps(5.0)["a"] == 200_000


def test_who_left_is_forgotten_and_strangers_are_ignored() -> None:
    room = Room("a", "b")
    room.rates.remove("b")
    room.rates.remb("b", 1, 0.0)
    room.rates.loss("b", 1.0)
    room.rates.rtt("b", 1.0)
    room.rates.sending("b", video_bps=1, audio_bps=1)
    room.rates.watch("b", ["a"])
    room.rates.restart("b", 0.0)
    assert room.rates.caps(10.0) == {"a": START_LIMIT_BPS}


def test_who_publishes_anew_starts_modestly_again() -> None:
    room = Room("a", "b")
    room.remb = {"a": 2_000_000, "b": 2_000_000}
    room.loss = {"a": 0.0, "b": 0.0}
    assert room.run(20)["a"] > START_LIMIT_BPS
    room.rates.restart("a", room.now)
    assert room.run(1)["a"] == START_LIMIT_BPS


def test_a_slow_line_without_remb_is_found_by_its_delay() -> None:
    rates: RoomRates[str] = RoomRates()
    for peer in ("a", "b"):
        rates.add(peer, 0.0)
    rates.watch("b", ["a"])
    rates.rtt("b", 0.05)
    caps = rates.caps(0.0)
    for second in range(1, 8):
        rates.sending("a", video_bps=400_000, audio_bps=AUDIO)
        rates.rtt("b", 1.2)
        rates.loss("b", 0.05)
        caps = rates.caps(float(second))
    assert caps["a"] < 400_000
