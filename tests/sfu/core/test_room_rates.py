"""The caps of a room: each line's estimate is shared, audio is kept free, one line's trouble stays its own."""

from __future__ import annotations

import pytest

from sfu.core.allocation import FLOOR_BPS, START_LIMIT_BPS
from sfu.core.room_rates import REMB_FRESH_S, RoomRates

AUDIO = 32_000


class Room:
    """Peers that send what they may, on lines whose REMB the test sets."""

    def __init__(self, *peers: str) -> None:
        self.rates: RoomRates[str] = RoomRates()
        self.now = 0.0
        self.remb: dict[str, int] = {}
        self.loss: dict[str, float] = {}
        self.most: dict[str, int] = {}
        self.caps: dict[str, int] = {}
        for peer in peers:
            self.rates.add(peer, 0.0)
        for peer in peers:
            self.rates.watch(peer, [other for other in peers if other != peer])

    def run(self, seconds: float) -> dict[str, int]:
        for _ in range(round(seconds * 2)):
            self.now += 0.5
            for peer, bps in self.remb.items():
                self.rates.remb(peer, bps, self.now)
            for peer, loss in self.loss.items():
                self.rates.loss(peer, loss)
            self.caps = self.rates.caps(self.now)
            for peer, cap in self.caps.items():
                video = min(cap - AUDIO, self.most.get(peer, cap))
                self.rates.sending(peer, video_bps=video, audio_bps=AUDIO)
        return self.caps


def test_a_subscribers_estimate_caps_the_publisher_beside_its_audio() -> None:
    room = Room("a", "b")
    room.remb = {"a": 2_000_000, "b": 300_000}
    room.loss = {"a": 0.0, "b": 0.0}
    caps = room.run(20)
    assert caps == {"a": 300_000 + AUDIO, "b": 2_000_000 + AUDIO}


def test_in_a_room_of_three_a_line_is_shared_and_not_given_twice() -> None:
    room = Room("a", "b", "c")
    room.remb = {"a": 4_000_000, "b": 4_000_000, "c": 600_000}
    room.loss = dict.fromkeys(room.remb, 0.0)
    caps = room.run(20)
    assert caps["a"] - AUDIO + caps["b"] - AUDIO <= 600_000
    assert caps["a"] == caps["b"] == 300_000 + AUDIO


def test_what_one_publisher_cannot_use_is_passed_on_and_comes_back() -> None:
    room = Room("a", "b", "c")
    room.remb = {"a": 4_000_000, "b": 4_000_000, "c": 800_000}
    room.loss = dict.fromkeys(room.remb, 0.0)
    room.most = {"a": 100_000}
    assert room.run(20)["b"] >= 550_000
    room.most = {}
    caps = room.run(20)
    assert caps["a"] == pytest.approx(caps["b"], rel=0.05)
    assert caps["a"] - AUDIO + caps["b"] - AUDIO <= 800_000


def test_no_publisher_is_asked_for_less_than_the_floor_and_its_audio() -> None:
    room = Room("a", "b")
    room.remb = {"a": 5_000, "b": 0}
    assert room.run(5) == {"a": FLOOR_BPS + AUDIO, "b": FLOOR_BPS + AUDIO}


def test_nothing_above_the_start_limit_at_first_whatever_remb_says() -> None:
    room = Room("a", "b")
    room.remb = {"a": 4_000_000, "b": 4_000_000}
    assert set(room.run(2.5).values()) == {START_LIMIT_BPS}
    assert room.run(1)["a"] <= START_LIMIT_BPS * 1.5


def test_a_remb_that_is_not_fresh_counts_no_more() -> None:
    room = Room("a", "b")
    room.loss = {"a": 0.0, "b": 0.0}
    room.remb = {"b": 100_000}
    assert room.run(10)["a"] == 100_000 + AUDIO
    room.remb = {}
    assert room.run(REMB_FRESH_S)["a"] == 100_000 + AUDIO
    after = room.run(1.5)["a"]
    assert 100_000 + AUDIO < after <= 162_000 + AUDIO


def test_loss_on_one_subscribers_line_lowers_only_what_it_watches() -> None:
    room = Room("a", "b")
    room.remb = {"a": 1_000_000, "b": 1_000_000}
    room.loss = {"a": 0.0, "b": 0.2}
    caps = room.run(20)
    assert caps["a"] < 300_000
    assert caps["b"] == 1_000_000 + AUDIO


def test_a_remb_that_covers_audio_leaves_its_room() -> None:
    rates: RoomRates[str] = RoomRates()
    rates.add("gateway", 0.0, remb_covers_audio=True)
    rates.add("a", 0.0)
    rates.watch("gateway", ["a"])
    rates.sending("a", video_bps=100_000, audio_bps=AUDIO)
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
