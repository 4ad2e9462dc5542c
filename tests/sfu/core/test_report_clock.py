"""Sender reports on the server's clock: lips stay in sync whatever the network does to the publisher's reports."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.report_clock import PublisherClock, StreamClock, ntp_parts, ntp_seconds

EPOCH_S = 3.98e9
AUDIO_HZ, VIDEO_HZ = 48_000, 90_000


class Publisher:
    """A browser with one clock: RTP timestamps of both streams at any moment of it."""

    def __init__(self, *, ntp_s: float = 3.97e9, drift: float = 0.0, audio: int = 0, video: int = 0) -> None:
        self.ntp_s, self.drift, self.audio, self.video = ntp_s, drift, audio, video

    def ntp(self, now: float) -> float:
        return self.ntp_s + now * (1 + self.drift)

    def rtp(self, ntp: float, rate: int) -> int:
        start = self.audio if rate == AUDIO_HZ else self.video
        return (start + round((ntp - self.ntp_s) * rate)) & 0xFFFFFFFF

    def captured_s(self, rtp: int, rate: int, near_s: float) -> float:
        """When a timestamp was captured, on this clock, counted from its start."""
        start = self.audio if rate == AUDIO_HZ else self.video
        expected = round(near_s * rate)
        off = ((rtp - start - expected + 2**31) & 0xFFFFFFFF) - 2**31
        return (expected + off) / rate


def test_no_report_before_the_streams_first_one() -> None:
    clock = PublisherClock(EPOCH_S)
    audio, video = StreamClock(clock, AUDIO_HZ), StreamClock(clock, VIDEO_HZ)
    audio.on_sr(3.97e9, 1, 0.0)
    assert video.sr_for(1.0, 0) is None
    assert audio.sr_for(1.0, 0) is not None


def test_a_publisher_without_a_clock_gets_no_report() -> None:
    stream = StreamClock(PublisherClock(EPOCH_S), VIDEO_HZ)
    stream.on_sr(0.0, 5, 0.0)
    assert stream.sr_for(1.0, 0) is None


def test_the_report_says_now_on_the_servers_clock() -> None:
    stream = StreamClock(PublisherClock(EPOCH_S), VIDEO_HZ)
    stream.on_sr(3.97e9, 1000, 5.0)
    report = stream.sr_for(7.5, 0)
    assert report is not None
    assert ntp_seconds(report.ntp_seconds, report.ntp_fraction) == pytest.approx(EPOCH_S + 7.5, abs=1e-6)
    assert report.rtp_timestamp == 1000 + 2.5 * VIDEO_HZ


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32),
    st.sampled_from((-1e-4, 0.0, 1e-4)),
)
def test_lips_stay_in_sync_under_network_jitter(
    audio_start: int, video_start: int, video_offset: int, seed: int, drift: float
) -> None:
    rng = random.Random(seed)
    publisher = Publisher(drift=drift, audio=audio_start, video=video_start)
    clock = PublisherClock(EPOCH_S)
    audio, video = StreamClock(clock, AUDIO_HZ), StreamClock(clock, VIDEO_HZ)
    now = 0.0
    for _ in range(60):
        for stream, rate in ((audio, AUDIO_HZ), (video, VIDEO_HZ)):
            now += rng.uniform(0.1, 2.0)
            ntp = publisher.ntp(now)
            stream.on_sr(ntp, publisher.rtp(ntp, rate), now + rng.uniform(0.0, 0.4))
        now += 0.4
        heard, seen = audio.sr_for(now, 0), video.sr_for(now, video_offset)
        assert heard is not None and seen is not None
        seen_rtp = (seen.rtp_timestamp - video_offset) & 0xFFFFFFFF
        apart = publisher.captured_s(heard.rtp_timestamp, AUDIO_HZ, now) - publisher.captured_s(seen_rtp, VIDEO_HZ, now)
        assert abs(apart) < 2 / AUDIO_HZ


def test_reports_made_at_different_times_agree_within_what_an_eye_sees() -> None:
    """The mapping may change between an audio report and the next video report, by the slew only."""
    clock = PublisherClock(EPOCH_S)
    audio, video = StreamClock(clock, AUDIO_HZ), StreamClock(clock, VIDEO_HZ)
    publisher = Publisher()
    audio.on_sr(publisher.ntp(0.0), publisher.rtp(publisher.ntp(0.0), AUDIO_HZ), 0.4)
    heard = audio.sr_for(1.0, 0)
    video.on_sr(publisher.ntp(5.0), publisher.rtp(publisher.ntp(5.0), VIDEO_HZ), 5.0)
    seen = video.sr_for(6.0, 0)
    assert heard is not None and seen is not None
    heard_s = publisher.captured_s(heard.rtp_timestamp, AUDIO_HZ, 1.0) - 1.0
    seen_s = publisher.captured_s(seen.rtp_timestamp, VIDEO_HZ, 6.0) - 6.0
    assert abs(heard_s - seen_s) < 0.005


def test_follows_a_drifting_clock() -> None:
    publisher = Publisher(drift=2e-4)
    clock = PublisherClock(EPOCH_S)
    for second in range(3600):
        clock.sender_report(publisher.ntp(second), second + 0.02 * (second % 3))
    assert clock.publisher_time(3600.0) - publisher.ntp(3600.0) == pytest.approx(0.0, abs=0.03)


def test_a_clock_that_was_set_makes_each_stream_wait_for_its_own_report() -> None:
    clock = PublisherClock(EPOCH_S)
    audio, video = StreamClock(clock, AUDIO_HZ), StreamClock(clock, VIDEO_HZ)
    for stream in (audio, video):
        stream.on_sr(3.97e9, 0, 0.0)
    audio.on_sr(3.97e9 + 3601.0, AUDIO_HZ, 1.0)
    assert video.sr_for(1.0, 0) is None
    report = audio.sr_for(2.0, 0)
    assert report is not None
    assert report.rtp_timestamp == 2 * AUDIO_HZ
    video.on_sr(3.97e9 + 3602.0, 2 * VIDEO_HZ, 2.0)
    assert video.sr_for(2.0, 0) is not None


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_ntp_there_and_back(seconds: int, fraction: int) -> None:
    back = ntp_parts(ntp_seconds(seconds, fraction))
    assert ntp_seconds(*back) == pytest.approx(ntp_seconds(seconds, fraction) % 2**32, abs=1e-6)
