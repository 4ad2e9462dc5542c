"""Joining a new source, or one that was paused, to what a subscriber has already received."""

from __future__ import annotations

from sfu.core.media import CodecName
from sfu.core.payload import vp8_descriptor
from sfu.core.rtp import parse_header
from sfu.plane.state import Forward, Stream


def prepare(stream: Stream) -> None:
    """The source's SSRC changes: remember where its pictures had got to, and wait for a keyframe of the new one."""
    for forward in stream.forwards:
        remember_picture(forward)
        forward.splice_next = True
        forward.waiting = stream.is_video
    stream.restart()


def remember_picture(forward: Forward) -> None:
    """What the next source's pictures have to go on from."""
    last = forward.stream.newest
    codec = None if last is None else forward.codecs.get(last[1] & 0x7F)
    if last is None or codec is None or codec.name is not CodecName.VP8:
        return
    start = parse_header(last, len(last))
    descriptor = vp8_descriptor(last, start, len(last))
    if descriptor is not None:
        forward.last_picture = (
            descriptor.picture_id + forward.picture_id_offset,
            descriptor.tl0_index + forward.tl0_offset,
        )


def resume(forward: Forward, data: bytearray, extended: int, timestamp: int, start: int, end: int, now: float) -> None:
    """Go on from this packet (for video a keyframe) with sequence, timestamp and picture id continuous."""
    forward.sequence.splice(extended)
    if forward.splice_next:
        forward.timestamps.splice(timestamp, now)
        forward.limiter.restart()
        if forward.last_picture is not None and forward.codecs[data[1] & 0x7F].name is CodecName.VP8:
            _continue_pictures(forward, forward.last_picture, data, start, end)
    forward.waiting = forward.splice_next = False


def _continue_pictures(forward: Forward, last: tuple[int, int], data: bytearray, start: int, end: int) -> None:
    """VP8 receivers order frames by picture id and TL0PICIDX (RFC 7741 §4.2); after a splice both must go on."""
    descriptor = vp8_descriptor(data, start, end)
    if descriptor is not None:
        forward.picture_id_offset = last[0] + 1 - descriptor.picture_id
        forward.tl0_offset = last[1] + 1 - descriptor.tl0_index
