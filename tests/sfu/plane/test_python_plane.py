"""The pure Python plane: what every plane promises, and its own demultiplexing."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core import rtcp
from sfu.core.drop import DropReason
from sfu.core.media import Kind
from sfu.plane.python_plane import MAX_PACKET_BYTES, PythonPlane
from sfu.plane.seam import DataPlane, PlaneListener
from tests.peer.call import VirtualCall
from tests.peer.srtp import SrtpError
from tests.peer.virtual import VirtualPlane
from tests.sfu.plane.contract import LOCAL, DataPlaneContract


class TestContract(DataPlaneContract):
    def make(self, listener: PlaneListener, port: int) -> DataPlane:
        return PythonPlane(listener, port, LOCAL)


@pytest.mark.parametrize("first", [4, 19, 64, 127, 192, 255])
def test_what_rfc_7983_gives_to_nobody_is_counted(lab: VirtualPlane, first: int) -> None:
    peer = lab.add_peer()
    peer.send(bytes((first,)) * 30)
    lab.settle()
    assert peer.drops == {DropReason.UNKNOWN_PROTOCOL: 1}


@pytest.mark.parametrize("first", [20, 22, 63])
def test_the_whole_range_of_dtls_goes_up(lab: VirtualPlane, first: int) -> None:
    peer = lab.add_peer()
    peer.send(bytes((first,)) * 30)
    lab.settle()
    assert lab.listener.dtls == [(peer.transport, bytes((first,)) * 30)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 11, 12, 13])
def test_datagrams_shorter_than_their_header_are_counted(call: VirtualCall, size: int) -> None:
    """What lies in the buffer from before must not be read as a part of them."""
    call.publisher.say(call.audio.packet())
    for first in (0x80, 0xBF):
        for second in (0x6F, 0xC9):
            call.publisher.send(bytes((first, second) + (0xFF,) * 20)[:size])
    call.lab.settle()
    assert sum(call.publisher.drops.values()) == 4
    assert len(call.received_audio()) == 1


@given(st.lists(st.binary(max_size=MAX_PACKET_BYTES + 50), min_size=1, max_size=8))
def test_no_datagram_of_a_validated_path_raises_or_is_lost_unnamed(datagrams: list[bytes]) -> None:
    with VirtualPlane() as lab:
        call = VirtualCall(lab)
        for datagram in datagrams:
            call.publisher.send(datagram)
        lab.settle()
        counted = sum(call.publisher.drops.values()) + sum(lab.drops.values()) + len(lab.listener.dtls)
        assert counted == len(datagrams)
        call.publisher.say(call.audio.packet(b"alive"))
        assert [p.payload for p in call.received_audio()] == [b"alive"]


@given(st.binary(max_size=400), st.sampled_from([96, 97, 111, 200, 201, 205, 206, 207]), st.integers(0x80, 0xBF))
def test_nothing_an_authenticated_peer_says_raises(body: bytes, second: int, first: int) -> None:
    """A browser that has been taken over has keys: inside SRTP it may still write anything."""
    with VirtualPlane() as lab:
        call = VirtualCall(lab)
        call.start()
        out = call.publisher.srtp_out
        assert out is not None
        clear = bytes((first, second)) + secrets.token_bytes(10) + body
        try:
            datagram = out.protect_rtcp(clear) if second >= 192 else out.protect(clear)
        except SrtpError:
            return  # libsrtp would not send it either
        other = VirtualCall(lab)
        call.publisher.send(datagram)
        lab.settle()
        lab.advance(1.1)
        other.publisher.say(other.audio.packet(b"alive"))
        assert [p.payload for p in other.received_audio()] == [b"alive"]


def test_a_stream_set_again_keeps_its_counters(call: VirtualCall) -> None:
    call.start()
    config = call.lab.plane._streams[call.video_stream].config
    call.lab.plane.set_stream(config)
    assert call.video_counters.packets == 2
    call.publisher.say(call.video.frame(1))
    assert len(call.received_video()) == 1


def test_a_removed_publisher_ends_its_subscribers_forwards(call: VirtualCall) -> None:
    call.lab.plane.remove_transport(call.publisher.transport)
    assert call.lab.plane._transports[call.subscriber.transport].forwards == {}
    call.lab.advance(2)


def test_a_removed_subscriber_ends_its_forwards(call: VirtualCall) -> None:
    call.start()
    call.lab.plane.remove_transport(call.subscriber.transport)
    call.publisher.say(call.video.keyframe())
    call.lab.advance(2)
    assert call.lab.plane.counters().forwards == {}
    assert call.publisher.drops == {}


def test_keys_may_come_after_streams_and_forwards(lab: VirtualPlane) -> None:
    publisher, subscriber = lab.add_peer(), lab.add_peer(connected=False)
    lab.add_forward(lab.add_stream(publisher, Kind.AUDIO), subscriber)
    source = publisher.audio()
    publisher.say(source.packet())
    assert subscriber.drops == {DropReason.NO_PATH: 1}


def test_a_mistake_about_one_peer_is_not_everybodys(call: VirtualCall, caplog: pytest.LogCaptureFixture) -> None:
    """Without the tick there are no reports, no NACKs and no silence judgement, for anybody."""
    feedback = call.lab.plane._feedback
    call.publisher.say(call.audio.packet())
    broken = call.lab.add_peer()
    for peer in (call.subscriber, broken):
        call.lab.plane._transports[peer.transport].judge = None  # type: ignore[assignment]
    for _ in range(3):
        call.lab.now += 1.01
        feedback.tick(call.lab.now)
        call.lab.settle()
    assert feedback.failures == 6
    assert len(caplog.records) == 1
    assert len(call.publisher.take_rtcp(rtcp.ReceiverReport)) == 3
