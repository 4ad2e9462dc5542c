"""Under one set of keys each outgoing (SSRC, index) is protected once, whatever a publisher and a subscriber do.

With GCM a repeated nonce gives the plaintext away (RFC 7714 §8.1, NIST SP 800-38D §8).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pylibsrtp import _binding as binding

from sfu.core import rtcp
from sfu.core.media import Kind
from sfu.plane import forward as packet_path
from sfu.plane.seam import ForwardConfig
from sfu.plane.srtp import protect
from tests.peer.call import VirtualCall
from tests.peer.rtp import Rtp, VideoSource, read_rtp
from tests.peer.virtual import VirtualPlane

Protect = Callable[[Any, Any, Any], int]


class Recorder:
    """Stands before libsrtp and keeps what is protected: by session and SSRC, each 48-bit index."""

    def __init__(self, protect: Protect) -> None:
        self._protect = protect
        self.times: Counter[tuple[int, int, int]] = Counter()
        self.first: dict[tuple[int, int], int] = {}
        self._highest: dict[tuple[int, int], int] = {}
        self.jumps: list[int] = []
        self.refused = 0

    def __call__(self, session: Any, data: Any, size: Any) -> int:
        packet = read_rtp(binding.ffi.unpack(data, size[0]))
        status = self._protect(session, data, size)
        self.refused += status != 0
        self._count(id(session), packet)
        return status

    def _count(self, session: int, packet: Rtp) -> None:
        key = (session, packet.ssrc)
        highest = self._highest.get(key)
        if highest is None:
            index = packet.sequence
            self.first[key] = index
        else:
            # RFC 3711 appendix A: the receiver's guess of the index.
            index = highest + ((packet.sequence - highest + 0x8000) & 0xFFFF) - 0x8000
            self.jumps.append(abs(index - highest))
        self._highest[key] = index if highest is None else max(highest, index)
        self.times[(*key, index)] += 1


class Adversity(RuleBasedStateMachine):
    """A publisher and a subscriber that do everything they may, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.recorder = Recorder(protect)
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(packet_path, "protect", self.recorder)
        self.lab = VirtualPlane()
        self.sent: list[Rtp] = []

    def teardown(self) -> None:
        self._patch.undo()
        self.lab.__exit__(None, None, None)

    @initialize(
        with_rtx=st.booleans(), start=st.sampled_from([0, 2**15, 2**16 - 3]), out=st.sampled_from([0, 2**15 - 1])
    )
    def begin(self, with_rtx: bool, start: int, out: int) -> None:
        options: dict[str, Any] = {"first_sequence": out, "first_rtx_sequence": out}
        if not with_rtx:
            options["rtx_ssrc"] = None
        self.call = VirtualCall(self.lab, **options)
        self.forward: ForwardConfig = self.call.video_forward
        self.source: VideoSource = self.call.publisher.video(sequence=start)
        self._say(self.source.keyframe(3))

    def _say(self, packets: list[Rtp]) -> None:
        self.sent = (self.sent + packets)[-40:]
        self.call.publisher.say(packets)

    @rule(packets=st.integers(1, 6), keyframe=st.booleans(), order=st.randoms(use_true_random=False))
    def frame(self, packets: int, keyframe: bool, order: Any) -> None:
        frame = self.source.frame(packets, keyframe=keyframe)
        kept = [packet for packet in frame if order.random() > 0.2]
        order.shuffle(kept)
        self.sent += [packet for packet in frame if packet not in kept]
        self._say(kept)

    @rule(gap=st.sampled_from([1, 20, 600, 3500, 20_000, 30_000]))
    def gap(self, gap: int) -> None:
        self.source.sequence += gap
        self._say(self.source.frame(2))

    @rule(which=st.integers(0, 39), times=st.integers(1, 3))
    def retransmission(self, which: int, times: int) -> None:
        if self.sent and self.source.rtx_ssrc:
            self._say([self.source.rtx(self.sent[which % len(self.sent)]) for _ in range(times)])

    @rule()
    def probes(self) -> None:
        self._say([self.source.padding(), self.source.empty_rtx(), self.source.padding()])

    @rule(back=st.integers(-3, 60), count=st.integers(1, 30))
    def nack(self, back: int, count: int) -> None:
        newest = self.call.subscriber.rtp[-1].sequence if self.call.subscriber.rtp else 0
        asked = [(newest - back + n) & 0xFFFF for n in range(count)]
        self.call.subscriber.report(rtcp.build_nack(1, self.forward.ssrc, asked))

    @rule(start=st.sampled_from([0, 100, 2**15 + 5, 2**16 - 2]))
    def splice(self, start: int) -> None:
        self.source = self.call.publisher.video(sequence=start, picture_id=start & 0x7FFF)
        self.sent = []
        self._say(self.source.keyframe(2))

    @rule()
    def another_publisher_in_the_same_place(self) -> None:
        plane, old = self.lab.plane, self.forward
        plane.remove_stream(self.call.video_stream)
        self.call.video_stream = self.lab.add_stream(self.call.publisher, Kind.VIDEO)
        self.forward = self.lab.add_forward(
            self.call.video_stream, self.call.subscriber, ssrc=old.ssrc, rtx_ssrc=old.rtx_ssrc, first_sequence=5
        )
        self.splice(start=77)

    @rule(seconds=st.sampled_from([0.02, 0.2, 1.2, 4.0]))
    def time(self, seconds: float) -> None:
        self.lab.advance(seconds, step_s=seconds / 5)

    @invariant()
    def no_index_twice(self) -> None:
        repeated = {key: count for key, count in self.recorder.times.items() if count > 1}
        assert repeated == {}
        assert self.recorder.refused == 0, "libsrtp had to refuse what we asked for"

    @invariant()
    def streams_start_low_and_never_jump(self) -> None:
        assert all(first < 2**15 for first in self.recorder.first.values())
        assert all(jump < 2**15 for jump in self.recorder.jumps)


TestNonceSafety = Adversity.TestCase
TestNonceSafety.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder(protect)
    monkeypatch.setattr(packet_path, "protect", recorder)
    yield recorder


def test_the_recorder_sees_what_it_is_there_for(recorder: Recorder) -> None:
    """Protecting by hand what has been sent already is counted twice, and refused."""
    with VirtualPlane() as lab:
        call = VirtualCall(lab)
        call.start()
        assert set(recorder.times.values()) == {1}
        path = lab.plane._packets
        transport = lab.plane._transports[call.subscriber.transport]
        clear = Rtp(
            payload_type=120, sequence=call.video_forward.first_sequence, timestamp=1, ssrc=call.video_forward.ssrc
        )
        packet = clear.write()
        path.sending.data[: len(packet)] = packet
        path.sending.size[0] = len(packet)
        recorder(transport.srtp_out, path.sending.cdata, path.sending.size)
        assert max(recorder.times.values()) == 2 and recorder.refused == 1
