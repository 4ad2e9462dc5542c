"""A quiet transport: interrupted, lost, expired (the limits of two real browsers are in the names)."""

from __future__ import annotations

import pytest

from sfu.core.silence import Silence, SilenceJudge


class Line:
    """A transport on a virtual clock, judged every half second."""

    def __init__(self) -> None:
        self.judge = SilenceJudge()
        self.now = 0.0
        self.last_packet_at = 0.0
        self.rtp_packets = 0
        self.verdicts: list[tuple[float, Silence]] = []

    def run(self, seconds: float, *, rtp_per_s: float = 0.0, check_every_s: float = 0.0, expected: bool = True) -> None:
        """Packets every 1/rate, STUN checks every so often; nothing is 0."""
        end = self.now + seconds
        start_s = self.now
        rtp_start = self.rtp_packets
        while self.now < end - 1e-9:
            self.now = round(self.now + 0.01, 2)
            since_s = self.now - start_s
            if rtp_per_s and int(since_s * rtp_per_s) > self.rtp_packets - rtp_start:
                self.rtp_packets += 1
                self.last_packet_at = self.now
            if check_every_s and (since_s + 1e-9) % check_every_s < 0.01:
                self.last_packet_at = self.now
            if self.now * 2 == int(self.now * 2):
                verdict = self.judge.judge(self.now, self.last_packet_at, self.rtp_packets, media_expected=expected)
                if not self.verdicts or self.verdicts[-1][1] is not verdict:
                    self.verdicts.append((self.now - self.last_packet_at, verdict))

    def changes(self) -> list[Silence]:
        return [verdict for _, verdict in self.verdicts]


@pytest.mark.parametrize("check_every_s", (2.7, 5.7))
def test_an_idle_browser_stays_connected(check_every_s: float) -> None:
    line = Line()
    line.run(120, check_every_s=check_every_s)
    assert line.changes() == [Silence.CONNECTED]


@pytest.mark.parametrize("rtp_per_s", (6.0, 50.0, 200.0))
def test_a_flow_that_stops_is_interrupted_after_three_seconds(rtp_per_s: float) -> None:
    line = Line()
    line.run(10, rtp_per_s=rtp_per_s)
    line.run(40)
    assert line.changes() == [Silence.CONNECTED, Silence.INTERRUPTED, Silence.LOST, Silence.EXPIRED]
    for (silent_s, _), limit_s in zip(line.verdicts[1:], (3.0, 15.0, 30.0), strict=True):
        assert limit_s <= silent_s < limit_s + 0.5


@pytest.mark.parametrize(("rtp_per_s", "expected"), [(2.5, True), (50.0, False), (0.0, True)])
def test_without_a_flow_to_miss_it_takes_twelve(rtp_per_s: float, expected: bool) -> None:
    """Opus DTX sends 2.5 packets/s; a source that the page muted is not missed."""
    line = Line()
    line.run(10, rtp_per_s=rtp_per_s, check_every_s=2.7, expected=expected)
    line.run(14 - (line.now - line.last_packet_at), expected=expected)
    assert line.changes() == [Silence.CONNECTED, Silence.INTERRUPTED]
    assert 12.0 <= line.verdicts[1][0] < 12.5


def test_media_that_stops_while_checks_go_on_is_no_interruption() -> None:
    line = Line()
    line.run(10, rtp_per_s=50.0, check_every_s=2.7)
    line.run(30, check_every_s=2.7)
    assert line.changes() == [Silence.CONNECTED]


def test_a_packet_ends_the_interruption() -> None:
    line = Line()
    line.run(10, rtp_per_s=50.0)
    line.run(5)
    line.run(5, rtp_per_s=50.0)
    assert line.changes() == [Silence.CONNECTED, Silence.INTERRUPTED, Silence.CONNECTED]


def test_a_second_silence_is_judged_by_what_flowed_before_it() -> None:
    line = Line()
    line.run(10, rtp_per_s=50.0)
    line.run(5)
    line.run(5, check_every_s=1.0)
    line.run(8)
    assert line.changes() == [Silence.CONNECTED, Silence.INTERRUPTED, Silence.CONNECTED]


def test_being_asked_often_costs_no_memory() -> None:
    judge = SilenceJudge()
    for tick in range(10_000):
        judge.judge(tick / 1000, tick / 1000, tick, media_expected=True)
    assert len(judge._samples) <= 16
    assert judge.judge(13.1, 9.999, 9999, media_expected=True) is Silence.INTERRUPTED
