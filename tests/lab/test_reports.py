"""Reading getStats: the shapes of both browsers, and differences between two reports."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.observation import Observation, video_rate_bps
from tests.lab.reports import Report, parse_report, stretch

VIDEO = {
    "type": "inbound-rtp", "id": "iv", "kind": "video", "ssrc": 11, "codecId": "c1", "packetsReceived": 100,
    "packetsLost": 4, "retransmittedPacketsReceived": 3, "bytesReceived": 50_000, "headerBytesReceived": 2_000,
    "framesDecoded": 30, "frameWidth": 640, "frameHeight": 360, "totalFreezesDuration": 0.5, "pliCount": 1,
    "estimatedPlayoutTimestamp": 5_000.0,
}  # fmt: skip
AUDIO = {
    "type": "inbound-rtp", "id": "ia", "kind": "audio", "ssrc": 12, "totalSamplesReceived": 48_000,
    "concealedSamples": 480, "totalAudioEnergy": 0.5, "estimatedPlayoutTimestamp": 5_060.0,
}  # fmt: skip
CODEC = {"type": "codec", "id": "c1", "mimeType": "video/VP8"}
LOCAL = {"type": "local-candidate", "id": "l", "address": "10.96.1.2", "protocol": "udp"}
REMOTE = {"type": "remote-candidate", "id": "r", "address": "[fd96::1]", "port": 7882, "protocol": "UDP"}
PAIR = {"type": "candidate-pair", "id": "p", "localCandidateId": "l", "remoteCandidateId": "r"}


def report(*stats: dict[str, Any], at_ms: float = 1000.0, made: int = 1, changes: tuple[str, ...] = ()) -> Report:
    return parse_report(
        {"at_ms": at_ms, "state": "connected", "made": made, "stats": list(stats), "changes": list(changes)}
    )


def test_a_stream_is_read_with_its_codec() -> None:
    (video,) = report(VIDEO, CODEC).videos
    assert (video.codec, video.ssrc, video.width, video.height) == ("VP8", 11, 640, 360)
    assert (video.packets, video.packets_lost, video.packets_repaired, video.bytes) == (100, 4, 3, 52_000)
    assert (video.frozen_s, video.keyframe_requests, video.nacks) == (0.5, 1, 0)


def test_the_path_of_chromium_is_named_by_the_transport() -> None:
    other = PAIR | {"id": "q", "localCandidateId": "r"}
    transport = {"type": "transport", "id": "t", "selectedCandidatePairId": "p"}
    path = report(other, PAIR | {"currentRoundTripTime": 0.08}, LOCAL, REMOTE, transport).path
    assert path is not None
    assert (path.protocol, path.local_address, path.remote_address, path.remote_port, path.rtt_s) == (
        "udp", "10.96.1.2", "fd96::1", 7882, 0.08,
    )  # fmt: skip


def test_the_path_of_firefox_is_marked_as_selected() -> None:
    path = report(PAIR, PAIR | {"id": "q", "selected": True, "currentRoundTripTime": 0.01}, LOCAL, REMOTE).path
    assert path is not None
    assert path.rtt_s == 0.01


def test_without_a_chosen_pair_there_is_no_path() -> None:
    assert report(PAIR, LOCAL, REMOTE).path is None


def test_a_stretch_is_the_difference_of_two_reports() -> None:
    before, after = (
        report(VIDEO).videos[0],
        report(
            VIDEO
            | {"framesDecoded": 80, "packetsLost": 24, "retransmittedPacketsReceived": 21, "bytesReceived": 300_000}
        ).videos[0],
    )
    difference = stretch(before, after, 2.0)
    assert (difference.fps, difference.lost, difference.repaired) == (25.0, 20, 18)
    assert difference.bitrate_bps == 1_000_000
    assert difference.repaired_share == 0.9
    before, after = (
        report(AUDIO).audios[0],
        report(AUDIO | {"totalSamplesReceived": 96_000, "concealedSamples": 1_920}).audios[0],
    )
    assert stretch(before, after, 1.0).concealed == pytest.approx(0.03)


def test_nothing_lost_is_all_repaired_and_twice_repaired_is_once() -> None:
    video = report(VIDEO).videos[0]
    assert stretch(video, video, 1.0).repaired_share == 1.0
    more = report(VIDEO | {"packetsLost": 5, "retransmittedPacketsReceived": 9}).videos[0]
    assert stretch(video, more, 1.0).repaired_share == 1.0


def test_lip_sync_is_the_difference_of_what_is_played() -> None:
    seen = Observation(reports=[report(VIDEO, AUDIO), report(AUDIO), report(VIDEO)])
    assert seen.lip_sync_s == [-0.06]


def test_reconnections_are_new_connections_and_changes_of_state() -> None:
    calm = Observation(reports=[report(changes=("connecting", "connected"))] * 2)
    assert calm.reconnections == 0
    first = report(changes=("connected",))
    assert Observation(reports=[first, report(changes=("connected", "disconnected"))]).reconnections == 1
    assert Observation(reports=[first, report(made=2, changes=("connected",))]).reconnections == 1


def test_a_rate_counts_streams_that_are_new() -> None:
    before = report(VIDEO, at_ms=1000.0)
    after = report(VIDEO | {"bytesReceived": 100_000}, VIDEO | {"ssrc": 13, "id": "x"}, at_ms=3000.0)
    assert video_rate_bps(before, after) == (50_000 + 52_000) * 8 / 2
    assert video_rate_bps(before, before) == 0.0
