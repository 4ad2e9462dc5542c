"""When a transport that went quiet is interrupted, lost, expired."""

from __future__ import annotations

import enum
from collections import deque

FLOWING_PACKETS_PER_S = 5.0
FLOWING_WINDOW_S = 2.0
INTERRUPTED_FLOWING_S = 3.0
INTERRUPTED_IDLE_S = 12.0
"an idle Firefox checks every 5.3–5.7 s, an idle Chromium every 2.7 s: two lost checks are no interruption"
LOST_S = 15.0
EXPIRED_S = 30.0
SAMPLE_INTERVAL_S = 0.25
MAX_SAMPLES = 16


class Silence(enum.StrEnum):
    """The values are those of the plane's PathState."""

    CONNECTED = "connected"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    EXPIRED = "expired"


class SilenceJudge:
    """One transport's judge, asked every 0.5–1 s; the caller keeps the last packet's time and a counter."""

    __slots__ = ("_flowing", "_judged_at", "_samples")

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=MAX_SAMPLES)
        self._judged_at = -1.0
        self._flowing = False

    def judge(self, now: float, last_packet_at: float, rtp_packets: int, *, media_expected: bool) -> Silence:
        """``last_packet_at``: any authenticated packet; ``rtp_packets``: RTP received since the start."""
        if last_packet_at != self._judged_at:
            # Judged while packets come, so that a silence is held against what flowed before it.
            self._judged_at = last_packet_at
            self._flowing = self._is_flowing(last_packet_at, rtp_packets)
        if not self._samples or now - self._samples[-1][0] >= SAMPLE_INTERVAL_S:
            self._samples.append((now, rtp_packets))
        silent_s = now - last_packet_at
        if silent_s >= EXPIRED_S:
            return Silence.EXPIRED
        if silent_s >= LOST_S:
            return Silence.LOST
        flowing = self._flowing and media_expected
        if silent_s >= (INTERRUPTED_FLOWING_S if flowing else INTERRUPTED_IDLE_S):
            return Silence.INTERRUPTED
        return Silence.CONNECTED

    def _is_flowing(self, last_packet_at: float, rtp_packets: int) -> bool:
        before = None
        for sample in self._samples:
            if sample[0] > last_packet_at - FLOWING_WINDOW_S:
                break
            before = sample
        if before is None:
            return False
        at, packets = before
        return rtp_packets - packets >= FLOWING_PACKETS_PER_S * (last_packet_at - at)
