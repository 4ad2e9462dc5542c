"""What Chromium's fake camera sees and its fake microphone hears; made once, kept in ``var``."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.netns import require_command

WIDTH, HEIGHT, FPS = 640, 360, 30
_MAKE_TIMEOUT_S = 60.0

# Noise that changes each frame costs bits as a real camera does: without it 300 kbit/s are plenty.
_VIDEO_FILTER = f"testsrc2=size={WIDTH}x{HEIGHT}:rate={FPS},noise=alls=12:allf=t"
# Speech-like: a tone that is never silent for long, so that energy shows at any moment.
_AUDIO_FILTER = "sine=frequency=440:sample_rate=48000,tremolo=f=4:d=0.7"


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeMedia:
    video: Path
    audio: Path


def make_fake_media(directory: Path) -> FakeMedia:
    """Four seconds of moving picture and tone, which Chromium repeats."""
    directory.mkdir(parents=True, exist_ok=True)
    media = FakeMedia(video=directory / "camera.y4m", audio=directory / "microphone.wav")
    video = ["-f", "lavfi", "-i", _VIDEO_FILTER, "-t", "4", "-pix_fmt", "yuv420p"]
    audio = ["-f", "lavfi", "-i", _AUDIO_FILTER, "-t", "4", "-ac", "1", "-c:a", "pcm_s16le"]
    for path, arguments in ((media.video, video), (media.audio, audio)):
        if not path.exists():
            _make(path, arguments)
    return media


def _make(path: Path, arguments: list[str]) -> None:
    """Under another name first: a run that is stopped half-way must not leave half a file."""
    unfinished = path.with_stem(path.stem + ".unfinished")
    subprocess.run(
        [require_command("ffmpeg", "ffmpeg"), "-v", "error", "-y", *arguments, str(unfinished)],
        stdin=subprocess.DEVNULL,
        timeout=_MAKE_TIMEOUT_S,
        check=True,
    )
    unfinished.replace(path)
