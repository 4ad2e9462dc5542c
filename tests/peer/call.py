"""A publisher's audio and video, forwarded to one subscriber, on the virtual clock."""

from __future__ import annotations

from typing import Any

from sfu.core.media import Kind
from sfu.plane.seam import ForwardConfig, ForwardCounters, ForwardId, StreamCounters
from tests.peer.rtp import Rtp
from tests.peer.virtual import VirtualPeer, VirtualPlane


class VirtualCall:
    """``video`` and ``audio`` are the publisher's sources, the two forwards how they are sent on."""

    def __init__(self, lab: VirtualPlane, **video_forward: Any) -> None:
        self.lab = lab
        self.publisher, self.subscriber = lab.add_peer(), lab.add_peer()
        self.audio_stream = lab.add_stream(self.publisher, Kind.AUDIO)
        self.video_stream = lab.add_stream(self.publisher, Kind.VIDEO)
        self.audio, self.video = self.publisher.audio(), self.publisher.video()
        self.audio_forward = lab.add_forward(self.audio_stream, self.subscriber)
        self.video_forward = lab.add_forward(self.video_stream, self.subscriber, **video_forward)

    def start(self) -> list[Rtp]:
        """Send a keyframe; what the subscriber got of it."""
        self.publisher.say(self.video.keyframe())
        return self.received_video()

    def received_video(self) -> list[Rtp]:
        return self._take(self.subscriber, self.video_forward.ssrc)

    def received_rtx(self) -> list[Rtp]:
        assert self.video_forward.rtx_ssrc is not None
        return self._take(self.subscriber, self.video_forward.rtx_ssrc)

    def received_audio(self) -> list[Rtp]:
        return self._take(self.subscriber, self.audio_forward.ssrc)

    @staticmethod
    def _take(peer: VirtualPeer, ssrc: int) -> list[Rtp]:
        taken = [packet for packet in peer.rtp if packet.ssrc == ssrc]
        peer.rtp = [packet for packet in peer.rtp if packet.ssrc != ssrc]
        return taken

    def add_subscriber(self) -> tuple[VirtualPeer, ForwardConfig]:
        """One more, for the video."""
        peer = self.lab.add_peer()
        return peer, self.lab.add_forward(self.video_stream, peer)

    @property
    def video_counters(self) -> StreamCounters:
        return self.lab.plane.counters().streams[self.video_stream]

    @property
    def audio_counters(self) -> StreamCounters:
        return self.lab.plane.counters().streams[self.audio_stream]

    def sent(self, forward: ForwardConfig | ForwardId) -> ForwardCounters:
        key = forward.forward if isinstance(forward, ForwardConfig) else forward
        return self.lab.plane.counters().forwards[key]
