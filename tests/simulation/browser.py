"""Models of a browser: what it sends under a cap, and what it makes of what it receives."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from sfu.core.history import PacketHistory
from sfu.core.keyframe import KeyframeRequester
from sfu.core.receive_log import ReceiveLog
from tests.simulation.network import Clock

FPS = 25
PAYLOAD_BYTES = 1100
OVERHEAD_BYTES = 60
"IP, UDP, SRTP and RTP headers"
AUDIO_BYTES = 190
"Opus with RED: measured in Chromium, 80 kbit/s of RTP and 100 on the line"
AUDIO_BPS = AUDIO_BYTES * 8 * 50
RTP_HZ = 90_000
PLAYOUT_S = 0.1
"how long the jitter buffer holds a frame that was not delayed"


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet on the wire; ``sent_at`` is its abs-send-time."""

    seq: int
    timestamp: int
    size_bytes: int
    frame: int = 0
    index: int = 0
    count: int = 0
    "packets in the frame; 0 in padding and audio"
    keyframe: bool = False
    rtx: bool = False
    sent_at: float = 0.0


class Sender:
    """An encoder that follows its cap at once, with keyframes on request and now and then a padding packet.

    As measured in Chromium it reaches about six tenths of a small cap, and nearly all of a large one.
    """

    SMALL_BPS = 100_000
    LARGE_BPS = 400_000
    SMALL_SHARE = 0.6
    LARGE_SHARE = 0.92

    def __init__(self, clock: Clock, rng: random.Random, *, most_bps: int = 1_200_000) -> None:
        self._clock = clock
        self._rng = rng
        self.most_bps = most_bps
        self.cap_bps = 300_000
        self.send_video: Callable[[Packet], None] = lambda packet: None
        self.send_audio: Callable[[Packet], None] = lambda packet: None
        self.keyframes = 0
        self._keyframe_wanted = True
        self._seq = rng.randrange(65536)
        "extended"
        self._audio_seq = rng.randrange(65536)
        self._frame = 0
        self._history = PacketHistory(1024, 2.0)
        clock.every(1 / FPS, self._video_frame, first_s=rng.random() / FPS)
        clock.every(0.02, self._audio_packet, first_s=rng.random() / 50)

    def nack(self, seqs: list[int]) -> None:
        for seq in seqs:
            packet = self._history.get(self._seq - ((self._seq - seq) & 0xFFFF), self._clock.now)
            if packet is not None:
                frame, index, count, key, size = (int(field) for field in packet.split())
                timestamp = frame * RTP_HZ // FPS
                self.send_video(Packet(seq, timestamp, size, frame, index, count, bool(key), rtx=True))

    def keyframe(self) -> None:
        self._keyframe_wanted = True

    def _video_frame(self) -> None:
        video_bps = min(max(self.cap_bps - AUDIO_BPS, 30_000), self.most_bps)
        size = int(video_bps * self._share(video_bps) / 8 / FPS * self._rng.uniform(0.8, 1.2))
        key = self._keyframe_wanted
        if key:
            size *= 4
            self.keyframes += 1
            self._keyframe_wanted = False
        count = max(1, -(-size // PAYLOAD_BYTES))
        for index in range(count):
            packet_bytes = size // count + OVERHEAD_BYTES
            packet = Packet(
                self._seq & 0xFFFF, self._frame * RTP_HZ // FPS, packet_bytes, self._frame, index, count, key
            )
            text = b"%d %d %d %d %d" % (self._frame, index, count, key, packet_bytes)
            self._history.put(self._seq, text, self._clock.now)
            self._seq += 1
            # Paced over the frame's time as browsers do.
            self._later(index * 0.6 / FPS / count, packet)
        if self._frame % 100 == 50:
            self._later(0.7 / FPS, Packet(self._seq & 0xFFFF, self._frame * RTP_HZ // FPS, 255))
            self._seq += 1
        self._frame += 1

    def _share(self, video_bps: float) -> float:
        way = (video_bps - self.SMALL_BPS) / (self.LARGE_BPS - self.SMALL_BPS)
        return self.SMALL_SHARE + (self.LARGE_SHARE - self.SMALL_SHARE) * min(1.0, max(0.0, way))

    def _later(self, delay_s: float, packet: Packet) -> None:
        self._clock.at(self._clock.now + delay_s, lambda: self.send_video(packet))

    def _audio_packet(self) -> None:
        self.send_audio(Packet(self._audio_seq, 0, AUDIO_BYTES + OVERHEAD_BYTES))
        self._audio_seq = (self._audio_seq + 1) & 0xFFFF


class Remb:
    """The receive-side estimator of libwebrtc in outline: delay decides, 8 %/s up, at most 1.5 × what arrives.

    After a deep cut it stays where it is, however empty the line; on a busy machine it falls for no reason. Both are
    measured.
    """

    FIRST_AFTER_S = 5.0
    TREND_S = 0.012
    "change of delay in 0.3 s; a queue that is full and stays full shows none"

    DEEP_CUT = 0.5
    DEEP_CUT_SHARE = 0.65
    "measured: 33 kbit/s said while 50 arrived"
    FROZEN_S = 40.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._frozen_until = 0.0
        self._arrived: deque[tuple[float, int]] = deque()
        self._started_at: float | None = None
        self._least_delay_s = 1e9
        self._delay_s = 0.0
        self._delays: deque[float] = deque([0.0] * 3, maxlen=3)
        self._decreased_at = -1.0
        self.bps = 0.0
        "0 before the first estimate"

    def packet(self, packet: Packet) -> None:
        now = self._clock.now
        if self._started_at is None:
            self._started_at = now
        self._arrived.append((now, packet.size_bytes))
        delay = now - packet.sent_at
        self._least_delay_s = min(self._least_delay_s, delay)
        self._delay_s += (delay - self._least_delay_s - self._delay_s) * 0.1

    def collapse(self) -> None:
        """What a pause of the receiver looks like to it."""
        self.bps *= 0.3

    def update(self, interval_s: float) -> bool:
        """Whether it fell, which is told at once."""
        now = self._clock.now
        while self._arrived and self._arrived[0][0] < now - 0.5:
            self._arrived.popleft()
        if self._started_at is None or not self._arrived:
            return False
        throughput = sum(size for _, size in self._arrived) * 8 / 0.5
        trend_s = self._delay_s - self._delays[0]
        self._delays.append(self._delay_s)
        if trend_s > self.TREND_S and now - self._decreased_at > 0.3:
            if 0.85 * throughput < self.DEEP_CUT * self.bps:
                self._frozen_until = now + self.FROZEN_S
            self._decreased_at = now
            share = self.DEEP_CUT_SHARE if now < self._frozen_until else 0.85
            fell = share * throughput < self.bps or not self.bps
            self.bps = share * throughput if fell else self.bps
            return fell
        if abs(trend_s) > self.TREND_S or now < self._frozen_until:
            return False
        if not self.bps:
            if now - self._started_at > self.FIRST_AFTER_S:
                self.bps = throughput
            return False
        if self.bps < 1.5 * throughput + 10_000:
            self.bps = min(self.bps * 1.08**interval_s, 1.5 * throughput + 10_000)
        return False


class Receiver:
    """Video of one publisher as a subscriber sees it: repair, frames in order, keyframe requests."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.log = ReceiveLog(RTP_HZ, repair=True)
        self.audio_log = ReceiveLog(48_000, repair=False)
        self._keyframes = KeyframeRequester()
        self.shown_at: list[float] = []
        self._base_s = math.inf
        self.bytes_by_second: dict[int, int] = {}
        self._arrived: dict[int, set[int]] = {}
        self._whole: dict[int, bool] = {}
        self._next = -1
        self._decodable = False
        self._stuck_since: float | None = None

    def packet(self, packet: Packet) -> bool:
        """Whether it was new."""
        now = self._clock.now
        if packet.rtx:
            new = self.log.repaired(packet.seq, now) >= 0
        else:
            new = self.log.received(packet.seq, packet.timestamp, now) >= 0
        if not new:
            return False
        second = int(now)
        self.bytes_by_second[second] = self.bytes_by_second.get(second, 0) + packet.size_bytes
        if packet.frame >= self._next:
            arrived = self._arrived.setdefault(packet.frame, set())
            arrived.add(packet.index)
            if len(arrived) == packet.count:
                self._whole[packet.frame] = packet.keyframe
                self._decode()
        return True

    def keyframe_due(self, rtt_s: float) -> bool:
        """Whether to ask for one: the next frame has been missing for longer than a repair takes."""
        now = self._clock.now
        stuck = self._stuck_since is not None and now - self._stuck_since > 1.5
        if (stuck or not self._decodable) and not self._whole_keyframe():
            return self._keyframes.due(now, rtt_s) or self._keyframes.request(now)
        return False

    def _whole_keyframe(self) -> int | None:
        return min((frame for frame, key in self._whole.items() if key and frame >= self._next), default=None)

    def _decode(self) -> None:
        while True:
            if self._next not in self._whole or not self._decodable:
                key = self._whole_keyframe()
                if key is None:
                    break
                self._next = key
                self._decodable = True
                self._keyframes.arrived(self._clock.now)
            del self._whole[self._next]
            self._show(self._next)
            self._next += 1
            self._stuck_since = None
            for frame in [frame for frame in self._arrived if frame < self._next]:
                del self._arrived[frame]
                self._whole.pop(frame, None)
        if self._whole and self._stuck_since is None:
            self._stuck_since = self._clock.now

    def _show(self, frame: int) -> None:
        now = self._clock.now
        self._base_s = min(self._base_s, now - frame / FPS)
        self.shown_at.append(max(now, self._base_s + frame / FPS + PLAYOUT_S))

    # What a test asks

    def fps(self, start_s: float, end_s: float) -> float:
        return sum(start_s <= at < end_s for at in self.shown_at) / (end_s - start_s)

    def bps(self, start_s: int, end_s: int) -> float:
        received = sum(self.bytes_by_second.get(second, 0) for second in range(start_s, end_s))
        return received * 8 / (end_s - start_s)

    def frozen_s(self, start_s: float, end_s: float) -> float:
        """Time beyond the usual between two pictures: W3C webrtc-stats calls more than 150 ms over it a freeze."""
        shown = [at for at in self.shown_at if start_s <= at < end_s]
        gaps = [later - earlier for earlier, later in pairwise(shown)]
        return sum(gap for gap in gaps if gap > 1 / FPS + 0.15)

    def repaired_share(self) -> float:
        """Of the video packets that the network lost, how many came after all."""
        lost = self.log.repaired_count + max(0, self.log.lost_count)
        return self.log.repaired_count / lost if lost else 1.0
