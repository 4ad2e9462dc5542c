"""From a room's reports to its publishers' caps: the wiring (the rules are tests/sfu/core/test_room_rates.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from sfu import Kind
from sfu.core.allocation import START_LIMIT_BPS
from sfu.core.loss_rule import MIN_BPS
from sfu.plane.seam import DownlinkReport, ForwardReport, PlaneCounters
from tests.peer.browser import Browser, House

VIDEO_BPS, AUDIO_BPS = 900_000.0, 40_000.0


class Room:
    """A room of real peers whose traffic a test invents."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.rates = house.room.rates
        self.now = house.sfu.plane.counters().at
        self.limits: dict[str, int] = {}

    def counters(self) -> PlaneCounters:
        """Everybody sends at full rate."""
        counters = self.house.sfu.plane.counters()
        kinds = {p.stream: p.kind for p in self.house.room.publications()}
        streams = {
            stream: replace(each, bitrate_bps=VIDEO_BPS if kinds[stream] is Kind.VIDEO else AUDIO_BPS)
            for stream, each in counters.streams.items()
        }
        return replace(counters, at=self.now, streams=streams)

    def report(self, browser: Browser, *, remb_bps: int | None = None, own_loss: float = 0.0) -> None:
        forwards = [
            ForwardReport(forward=s.forward, fraction_lost=own_loss, own_fraction_lost=own_loss, jitter_s=0.0)
            for s in browser.peer.negotiation.subscriptions()
            if s.forward is not None
        ]
        report = DownlinkReport(
            transport=browser.peer.transport, at=self.now, remb_bps=remb_bps, rtt_s=0.05, forwards=forwards
        )
        self.house.sfu.downlink_reported([report])

    def report_all(self, browsers: Sequence[Browser], *, remb_bps: int) -> None:
        for browser in browsers:
            self.report(browser, remb_bps=remb_bps)

    def run(self, seconds: float, each_half_second: Callable[[], None]) -> dict[str, int]:
        for _ in range(round(seconds / 0.5)):
            self.now += 0.5
            each_half_second()
            self.rates.step(self.counters())
        return self.caps()

    def caps(self) -> dict[str, int]:
        transports = self.house.sfu.plane.counters().transports
        return {
            name: limit
            for name, peer in self.house.room.peers.items()
            if (limit := transports[peer.transport].rate_limit_bps) is not None
        }


async def three(house: House) -> tuple[Room, Browser, Browser, Browser]:
    browsers = [await house.join(name) for name in "abc"]
    await house.settle()
    return Room(house), browsers[0], browsers[1], browsers[2]


async def test_a_publisher_begins_modestly_and_climbs_step_by_step(house: House) -> None:
    first, second = await house.join("a"), await house.join("b")
    await house.settle()
    room = Room(house)
    everybody = partial(room.report_all, (first, second), remb_bps=3_000_000)
    room.run(2.5, everybody)
    before = room.caps()["a"]
    assert before <= START_LIMIT_BPS
    for _ in range(6):
        now = room.run(1.0, everybody)["a"]
        assert now <= before * 1.5 + 1
        before = now
    assert before > START_LIMIT_BPS


async def test_a_narrow_subscriber_caps_those_it_watches_and_shares_its_line(house: House) -> None:
    """What it carries is divided between the two that it sees, not given to each; they keep their audio beside."""
    room, first, second, third = await three(house)

    def everybody() -> None:
        room.report(first, remb_bps=4_000_000)
        room.report(second, remb_bps=4_000_000)
        room.report(third, own_loss=0.2)

    caps = room.run(10, everybody)
    line = room.rates._rates.line_bps("c", room.now)
    assert line < VIDEO_BPS
    assert caps["a"] + caps["b"] <= max(line, 2 * MIN_BPS) + 2 * AUDIO_BPS + 2
    assert min(caps["a"], caps["b"]) >= MIN_BPS
    assert caps["c"] > 2 * max(caps["a"], caps["b"]), "whom the narrow one does not watch is free"


async def test_a_cap_never_falls_below_its_floor(house: House) -> None:
    room, first, second, third = await three(house)
    caps = room.run(15, partial(room.report_all, (first, second, third), remb_bps=1000))
    assert all(cap >= MIN_BPS for cap in caps.values()) and len(caps) == 3


async def test_one_line_losing_lowers_only_what_it_receives(house: House) -> None:
    """Two peers: the loss on b's downlink is a's to answer; what b sends to a is untouched by it."""
    first, second = await house.join("a"), await house.join("b")
    await house.settle()
    room = Room(house)

    def both() -> None:
        room.report(first, remb_bps=3_000_000)
        room.report(second, own_loss=0.25)

    caps = room.run(15, both)
    assert caps["a"] < caps["b"] / 2


async def test_a_peer_that_publishes_no_video_is_told_no_cap(house: House) -> None:
    browser = house.add("a")
    browser.publish(Kind.AUDIO)
    await browser.join()
    room = Room(house)
    assert room.run(2, lambda: None) == {}


async def test_a_peer_that_left_is_forgotten(house: House) -> None:
    room, first, second, third = await three(house)
    room.run(5, lambda: room.report(third, remb_bps=100_000))
    narrow = room.caps()["a"]
    await third.peer.close()
    await house.settle()
    caps = room.run(10, partial(room.report_all, (first, second), remb_bps=3_000_000))
    assert set(caps) == {"a", "b"}
    assert caps["a"] > 2 * narrow


async def test_a_new_camera_begins_modestly_again(house: House) -> None:
    first, second = await house.join("a"), await house.join("b")
    await house.settle()
    room = Room(house)

    def both() -> None:
        room.report(first, remb_bps=4_000_000)
        room.report(second, remb_bps=4_000_000)

    assert room.run(12, both)["a"] > START_LIMIT_BPS
    first.lines[1].stopped = True
    await first.negotiate()
    first.publish(Kind.VIDEO)
    await house.settle()
    assert room.run(1, both)["a"] <= START_LIMIT_BPS
