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
# Opus corrects errors ahead only in what it takes for speech; of a tone, all that is lost is concealed.
_SPEECH = (
    "Good morning. I have had a cough for about two weeks now, and it keeps me awake at night. "
    "How long have you had a fever, and have you taken anything for it?"
)
_AUDIO_FILTER = f"flite=voice=slt:text='{_SPEECH}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeMedia:
    video: Path
    audio: Path


def make_fake_media(directory: Path) -> FakeMedia:
    """A few seconds of moving picture and of speech, which Chromium repeats."""
    directory.mkdir(parents=True, exist_ok=True)
    media = FakeMedia(video=directory / "camera.y4m", audio=directory / "speech.wav")
    video = ["-f", "lavfi", "-i", _VIDEO_FILTER, "-t", "4", "-pix_fmt", "yuv420p"]
    audio = ["-f", "lavfi", "-i", _AUDIO_FILTER, "-ar", "48000", "-ac", "1", "-c:a", "pcm_s16le"]
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
