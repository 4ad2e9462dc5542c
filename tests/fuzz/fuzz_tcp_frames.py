"""RFC 4571 framing: the same frames however the stream is cut, and never more than one held."""

from __future__ import annotations

from sfu.plane.tcp import MAX_FRAME_BYTES, FrameError, FrameReader, frame
from tests.fuzz.targets import register


def fuzz_frames(data: bytes) -> None:
    """The first byte says how the rest is cut."""
    if not data:
        return
    step, stream = data[0] + 1, data[1:]
    whole, whole_failed = _read(stream, len(stream) or 1)
    cut, cut_failed = _read(stream, step)
    assert cut_failed == whole_failed
    # A reader that fails gives nothing of that turn: cut finer, it has given more before.
    assert cut[: len(whole)] == whole if whole_failed else cut == whole
    assert all(1 <= len(packet) <= MAX_FRAME_BYTES for packet in cut)


def _read(stream: bytes, step: int) -> tuple[list[bytes], bool]:
    reader = FrameReader()
    frames: list[bytes] = []
    for at in range(0, len(stream), step):
        try:
            frames += reader.feed(stream[at : at + step])
        except FrameError:
            return frames, True
        assert len(reader._pending) < MAX_FRAME_BYTES + 2
    return frames, False


register(
    "tcp_frames",
    fuzz_frames,
    [
        b"\x03" + frame(b"one") + frame(b"") + frame(b"three"),
        b"\x00" + frame(bytes(MAX_FRAME_BYTES)),
        b"\xff" + frame(bytes(MAX_FRAME_BYTES + 1)),
        b"\x10" + frame(b"x" * 40)[:20],
    ],
)
