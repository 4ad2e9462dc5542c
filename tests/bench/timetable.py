"""When each client sends what: a cycle of 100 ms, the shortest that holds whole video and audio intervals."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from sfu.core.media import Kind

CYCLE_S = 0.1
FRAMES_PER_CYCLE = 3
"30 frames/s"
AUDIO_PER_CYCLE = 5
"50 packets/s"
VIDEO_PACKETS_PER_S = 155
VIDEO_CLOCK_HZ = 90_000
AUDIO_CLOCK_HZ = 48_000
VIDEO_TICKS_PER_FRAME = 3_000
AUDIO_TICKS_PER_PACKET = 960
_GOLDEN = 0.6180339887


class Pacing(enum.StrEnum):
    """How a frame's packets leave the client."""

    FRAME = "frame"
    "back to back, as a browser's pacer lets a small frame go"
    EVEN = "even"
    "one at a time with equal gaps: the most wake-ups for the server"


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    offset_s: float
    "from the start of the cycle"
    client: int
    kind: Kind
    part: int
    "which packet of the frame; -1: the whole frame"


def packets_in_frame(frame: int) -> int:
    """5 or 6, so that 30 frames hold 155 packets."""
    per_frame = FRAMES_PER_CYCLE * 10
    return (frame + 1) * VIDEO_PACKETS_PER_S // per_frame - frame * VIDEO_PACKETS_PER_S // per_frame


def timetable(clients: int, pacing: Pacing) -> Sequence[Slot]:
    """Slots in order of time; clients' phases are spread evenly, not by chance, so that runs are alike."""
    slots: list[Slot] = []
    for client in range(clients):
        video_phase = (client * _GOLDEN) % 1
        audio_phase = (client * _GOLDEN * _GOLDEN + 0.37) % 1
        for frame in range(FRAMES_PER_CYCLE):
            start = (frame + video_phase) * CYCLE_S / FRAMES_PER_CYCLE
            parts = (-1,) if pacing is Pacing.FRAME else tuple(range(6))
            for part in parts:
                shift = max(part, 0) * CYCLE_S / FRAMES_PER_CYCLE / 6
                slots.append(Slot((start + shift) % CYCLE_S, client, Kind.VIDEO, part))
        for packet in range(AUDIO_PER_CYCLE):
            offset = (packet + audio_phase) * CYCLE_S / AUDIO_PER_CYCLE
            slots.append(Slot(offset, client, Kind.AUDIO, -1))
    return sorted(slots)
