"""Interrupted, lost, expired: by what was flowing before, and never for a muted source."""

from __future__ import annotations

import pytest

from sfu.core import rtcp
from sfu.core.media import Kind
from sfu.plane.feedback import REPORT_S
from sfu.plane.seam import PathState, StreamId
from tests.peer.virtual import VirtualPeer, VirtualPlane

FIREFOX_CHECKS_EVERY_S = 5.7


def talk(lab: VirtualPlane, peer: VirtualPeer, seconds: float, interval_s: float = 0.05) -> None:
    source = peer.audio(ssrc=5)
    source.sequence += round(lab.now * 100)
    for _ in range(round(seconds / interval_s)):
        peer.say(source.packet())
        lab.advance(interval_s)


def states(lab: VirtualPlane, seconds: float) -> list[tuple[PathState, float]]:
    """What is told during the next seconds of silence, and how long after their beginning."""
    begin = lab.now
    told = []
    for _ in range(round(seconds / 0.5)):
        before = len(lab.listener.paths)
        lab.advance(0.5)
        told += [(event.state, lab.now - begin) for event in lab.listener.paths[before:]]
    return told


@pytest.fixture
def publisher(lab: VirtualPlane) -> VirtualPeer:
    return lab.add_peer()


@pytest.fixture
def stream(lab: VirtualPlane, publisher: VirtualPeer) -> StreamId:
    return lab.add_stream(publisher, Kind.AUDIO)


def within(told: list[tuple[PathState, float]], *expected: tuple[PathState, float]) -> None:
    assert [state for state, _ in told] == [state for state, _ in expected]
    for (_, at), (_, limit) in zip(told, expected, strict=True):
        assert limit <= at <= limit + REPORT_S + 0.6


def test_flowing_media_that_stops_is_interrupted_lost_and_expired(
    lab: VirtualPlane, publisher: VirtualPeer, stream: StreamId
) -> None:
    talk(lab, publisher, 4)
    within(states(lab, 40), (PathState.INTERRUPTED, 3), (PathState.LOST, 15), (PathState.EXPIRED, 30))


def test_a_muted_source_is_idle_not_interrupted(lab: VirtualPlane, publisher: VirtualPeer, stream: StreamId) -> None:
    talk(lab, publisher, 4)
    lab.plane.expect_media(stream, False)
    within(states(lab, 14), (PathState.INTERRUPTED, 12))


def test_a_peer_that_only_receives_has_twelve_seconds(lab: VirtualPlane) -> None:
    lab.add_peer()
    within(states(lab, 14), (PathState.INTERRUPTED, 12))


def test_a_trickle_of_media_is_not_flowing(lab: VirtualPlane, publisher: VirtualPeer, stream: StreamId) -> None:
    """DTX sends a packet every 400 ms: its pauses are no interruption."""
    talk(lab, publisher, 6, interval_s=0.4)
    within(states(lab, 14), (PathState.INTERRUPTED, 12))


def test_an_idle_firefox_stays_connected(lab: VirtualPlane) -> None:
    peer = lab.add_peer()
    before = len(lab.listener.paths)
    for _ in range(round(60 / FIREFOX_CHECKS_EVERY_S)):
        lab.advance(FIREFOX_CHECKS_EVERY_S)
        assert peer.check()
    assert lab.listener.paths[before:] == []


@pytest.mark.parametrize("sign", ["check", "rtcp", "rtp"])
def test_any_authenticated_packet_ends_an_interruption(
    lab: VirtualPlane, publisher: VirtualPeer, stream: StreamId, sign: str
) -> None:
    talk(lab, publisher, 4)
    lab.advance(6)
    assert lab.listener.paths[-1].state is PathState.INTERRUPTED
    if sign == "check":
        publisher.check()
    elif sign == "rtcp":
        publisher.report(rtcp.build_rr(1))
    else:
        publisher.say(publisher.audio(ssrc=5, sequence=1).packet())
    within(states(lab, 2), (PathState.CONNECTED, 0))


def test_forged_packets_are_no_sign_of_life(lab: VirtualPlane, publisher: VirtualPeer, stream: StreamId) -> None:
    talk(lab, publisher, 4)
    told = []
    for _ in range(10):
        publisher.send(b"\x80\x6f" + bytes(60))
        told += states(lab, 0.5)
    assert [state for state, _ in told] == [PathState.INTERRUPTED]


def test_a_transport_that_never_had_a_path_only_expires(lab: VirtualPlane) -> None:
    lab.add_peer(connected=False)
    within(states(lab, 130), (PathState.EXPIRED, 120))
