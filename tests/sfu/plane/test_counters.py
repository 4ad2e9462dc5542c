"""The snapshot: what it counts, and that it stays what it was."""

from __future__ import annotations

import dataclasses

import pytest

from sfu.core.drop import DropReason
from sfu.plane.feedback import REPORT_S, TICK_S
from sfu.plane.seam import PathProtocol, PathState
from tests.peer.call import VirtualCall


def test_packets_and_bytes_in_and_out(call: VirtualCall) -> None:
    sent = call.video.keyframe(3)
    call.publisher.say(sent)
    counters = call.lab.plane.counters()
    publisher = counters.transports[call.publisher.transport]
    subscriber = counters.transports[call.subscriber.transport]
    clear = sum(len(p.write()) for p in sent)
    assert (publisher.packets_received, publisher.bytes_received) == (3, clear)
    assert counters.streams[call.video_stream].packets == 3
    assert counters.streams[call.video_stream].bytes == clear
    on_wire = sum(len(datagram) for datagram in call.subscriber.raw)
    assert (subscriber.packets_sent, subscriber.bytes_sent) == (3, on_wire)
    assert counters.forwards[call.video_forward.forward].bytes == on_wire
    assert (publisher.protocol, publisher.state) == (PathProtocol.UDP, PathState.CONNECTED)
    assert counters.at == call.lab.now


def test_bitrate_is_of_the_last_second(call: VirtualCall) -> None:
    for _ in range(110):
        call.publisher.say(call.audio.packet(bytes(100)))
        call.lab.advance(TICK_S)
    size = len(call.audio.packet(bytes(100)).write())
    assert call.audio_counters.bitrate_bps == pytest.approx(50 * size * 8, rel=0.05)
    call.lab.advance(2 * REPORT_S + TICK_S)
    assert call.audio_counters.bitrate_bps == 0


def test_a_snapshot_does_not_change_with_what_it_shows(call: VirtualCall) -> None:
    before = call.lab.plane.counters()
    call.start()
    call.subscriber.send(b"\x80\x6f" + bytes(60))
    call.lab.settle()
    assert before.streams[call.video_stream].packets == 0
    assert before.transports[call.subscriber.transport].drops == {}
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.kernel_drops = 5  # type: ignore[misc]
    assert call.subscriber.drops == {DropReason.SRTP_AUTH_FAILED: 1}


def test_what_is_removed_is_no_longer_counted(call: VirtualCall) -> None:
    call.lab.plane.remove_transport(call.publisher.transport)
    counters = call.lab.plane.counters()
    assert set(counters.transports) == {call.subscriber.transport}
    assert counters.streams == {} and counters.forwards == {}
