"""What the plane remembers, and its bounds."""

from __future__ import annotations

import pytest

from sfu.core import rtcp
from sfu.plane.state import HISTORY_PACKETS, HISTORY_S, MAX_RETIRED_SSRCS, Rate
from tests.peer.call import VirtualCall


def test_a_rate_is_the_difference_of_two_readings() -> None:
    rate = Rate()
    rate.sample(1000, 10.0)
    assert rate.bps == 0
    rate.sample(1500, 10.5)
    assert rate.bps == 8000
    rate.sample(1500, 10.5)
    assert rate.bps == 8000, "no time has passed"


def test_the_history_is_bounded_by_number_and_by_age(call: VirtualCall) -> None:
    first = call.start()[0]
    ssrc = call.video_forward.ssrc
    call.lab.advance(HISTORY_S + 0.1)
    call.subscriber.report(rtcp.build_nack(1, ssrc, [first.sequence]))
    assert call.received_rtx() == []
    call.publisher.say(call.video.frame(HISTORY_PACKETS + 10))
    received = call.received_video()
    call.subscriber.report(rtcp.build_nack(1, ssrc, [received[0].sequence, received[-1].sequence]))
    assert [int.from_bytes(p.payload[:2]) for p in call.received_rtx()] == [received[-1].sequence]


def test_an_idle_streams_history_gives_its_memory_back(call: VirtualCall) -> None:
    call.start()
    history = call.lab.plane._streams[call.video_stream].history
    assert history._packets
    call.lab.advance(HISTORY_S + 1.1)
    assert not history._packets


def test_retired_sources_are_forgotten_in_the_end(call: VirtualCall) -> None:
    for _ in range(MAX_RETIRED_SSRCS + 5):
        call.publisher.say(call.publisher.video().keyframe(1))
    stream = call.lab.plane._streams[call.video_stream]
    assert len(stream.retired) == MAX_RETIRED_SSRCS
    assert len([i for i in stream.transport.ingress.values() if i.stream is stream]) == 1


@pytest.mark.parametrize("kind", ["stream", "forward"])
def test_nothing_is_left_of_what_was_removed(call: VirtualCall, kind: str) -> None:
    call.start()
    plane = call.lab.plane
    stream = plane._streams[call.video_stream]
    if kind == "stream":
        plane.remove_stream(call.video_stream)
        assert call.publisher.transport in plane._transports
        assert stream.transport.streams.keys() == {"0"}
        assert stream.transport.ingress == {}
    else:
        plane.remove_forward(call.video_forward.forward)
        assert stream.forwards == []
    assert call.video_forward.forward not in plane._forwards
    assert call.video_forward.ssrc not in plane._transports[call.subscriber.transport].forwards
