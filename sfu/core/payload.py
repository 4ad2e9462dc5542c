"""What the SFU must know of a video payload: where a keyframe begins, and VP8's picture id.

VP8 (RFC 7741), VP9 (RFC 9628), H264 (RFC 6184), AV1 (AV1 RTP specification §4.4). A payload is
``packet[start:end]``. Of the bitstream itself only the first byte of a frame or slice is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sfu.core.media import CodecName

_IDR, _SPS = 5, 7
_STAP_A, _STAP_B, _FU_A, _FU_B = 24, 25, 28, 29
_NAL_TYPE = 0x1F


def is_keyframe(codec: CodecName, packet: bytes | bytearray | memoryview, start: int, end: int) -> bool:
    """Whether a keyframe begins in this packet. Never for audio; False for whatever is malformed."""
    detect = _DETECTORS.get(codec)
    return detect is not None and detect(packet, start, end)


def _is_vp8_keyframe(packet: bytes | bytearray | memoryview, start: int, end: int) -> bool:
    """First packet of the first partition (S=1, PID=0), and the frame header's P bit is 0 (RFC 7741 §4.3)."""
    if start >= end or packet[start] & 0x17 != 0x10:
        return False
    descriptor = vp8_descriptor(packet, start, end)
    return descriptor is not None and not packet[descriptor.payload_at] & 0x01


def _is_vp9_keyframe(packet: bytes | bytearray | memoryview, start: int, end: int) -> bool:
    """A frame begins (B=1), of the lowest spatial layer, not predicted from another (P=0) (RFC 9628 §4.2).

    FFmpeg leaves P at 0 in every frame and intra-only frames have it too, so the frame header decides. Where it is
    none (its marker is wrong, as it may be after encryption), the descriptor alone does.
    """
    if start >= end or packet[start] & 0x48 != 0x08:
        return False
    at = _vp9_payload(packet, start, end)
    if at >= end:
        return False
    header = packet[at]
    if header & 0xC0 != 0x80:
        return True
    # show_existing_frame and frame_type; profile 3 has a reserved bit before them (VP9 bitstream §6.2).
    return not header & (0x06 if header & 0x30 == 0x30 else 0x0C)


def _vp9_payload(packet: bytes | bytearray | memoryview, start: int, end: int) -> int:
    """Where the VP9 frame begins behind the descriptor of an unpredicted one; ``end`` for a higher layer."""
    first = packet[start]
    at = start + 1
    if first & 0x80 and at < end:
        at += 2 if packet[at] & 0x80 else 1
    if first & 0x20:
        if at >= end or packet[at] & 0x0E:
            return end
        at += 1 if first & 0x10 else 2
    if first & 0x02 and at < end:
        structure = packet[at]
        at += 1 + (4 * ((structure >> 5) + 1) if structure & 0x10 else 0)
        if structure & 0x08 and at < end:
            pictures = packet[at]
            at += 1
            while pictures and at < end:
                at += 1 + (packet[at] >> 2 & 0x03)
                pictures -= 1
    return at


def _is_h264_keyframe(packet: bytes | bytearray | memoryview, start: int, end: int) -> bool:
    """An SPS, or the first slice of an IDR picture where the SPS is known otherwise (RFC 6184 §5.4)."""
    if start >= end:
        return False
    nal_type = packet[start] & _NAL_TYPE
    if nal_type == _FU_A or nal_type == _FU_B:
        return start + 1 < end and bool(packet[start + 1] & 0x80) and _begins(packet, start + 1, end, _fu_gap(nal_type))
    if nal_type != _STAP_A and nal_type != _STAP_B:
        return _begins(packet, start, end, 1)
    at = start + (1 if nal_type == _STAP_A else 3)
    while at + 2 < end:
        size = packet[at] << 8 | packet[at + 1]
        at += 2
        if size and _begins(packet, at, min(at + size, end), 1):
            return True
        at += size
    return False


def _fu_gap(nal_type: int) -> int:
    """FU-B has a decoding order number of two bytes between its header and the slice (RFC 6184 §5.8)."""
    return 1 if nal_type == _FU_A else 3


def _begins(packet: bytes | bytearray | memoryview, header: int, end: int, gap: int) -> bool:
    """``header`` is at the byte that has the NAL unit type; its payload begins ``gap`` bytes on."""
    nal_type = packet[header] & _NAL_TYPE
    if nal_type == _IDR:
        # first_mb_in_slice is an Exp-Golomb number, and zero is written as a single 1 bit (H.264 §7.3.3).
        return header + gap < end and bool(packet[header + gap] & 0x80)
    return nal_type == _SPS


def _is_av1_keyframe(packet: bytes | bytearray | memoryview, start: int, end: int) -> bool:
    """N=1: first packet of a coded video sequence, which Z=1, a continued OBU, contradicts."""
    return start < end and packet[start] & 0x88 == 0x08


_Detector = Callable[[bytes | bytearray | memoryview, int, int], bool]
_DETECTORS: Mapping[CodecName, _Detector] = {
    CodecName.VP8: _is_vp8_keyframe,
    CodecName.VP9: _is_vp9_keyframe,
    CodecName.H264: _is_h264_keyframe,
    CodecName.AV1: _is_av1_keyframe,
}


# VP8's payload descriptor, RFC 7741 §4.2.


class Vp8Descriptor(NamedTuple):
    """What runs on from frame to frame, and where it is; -1 and 0 bits when absent."""

    picture_id_at: int
    picture_id_bits: int
    "7 or 15"
    picture_id: int
    tl0_at: int
    tl0_index: int
    "TL0PICIDX, the running number of base-layer frames"
    payload_at: int
    "the VP8 payload header"


def vp8_descriptor(packet: bytes | bytearray | memoryview, start: int, end: int) -> Vp8Descriptor | None:
    """Read the descriptor; None when it is cut off, or nothing follows it."""
    at = start + 1
    if at >= end:
        return None
    picture_id_at = picture_id = tl0_at = tl0_index = -1
    picture_id_bits = 0
    if packet[start] & 0x80:
        optional = packet[at]
        at += 1
        if optional & 0x80:
            if at + 1 >= end:
                return None
            picture_id_at, picture_id_bits, picture_id = at, 7, packet[at]
            at += 1
            if picture_id & 0x80:
                picture_id_bits, picture_id = 15, (picture_id & 0x7F) << 8 | packet[at]
                at += 1
        if optional & 0x40:
            if at >= end:
                return None
            tl0_at, tl0_index = at, packet[at]
            at += 1
        if optional & 0x30:
            at += 1
    if at >= end:
        return None
    return Vp8Descriptor(picture_id_at, picture_id_bits, picture_id, tl0_at, tl0_index, at)


def write_vp8_picture_id(
    packet: bytearray | memoryview, start: int, end: int, picture_id_shift: int, tl0_shift: int
) -> None:
    """Add to picture id and TL0PICIDX in place, each modulo its width, which stays.

    A decoder finds frames and references by these numbers, so they must run on after a splice.
    """
    descriptor = vp8_descriptor(packet, start, end)
    if descriptor is None:
        return
    if descriptor.picture_id_bits == 7:
        packet[descriptor.picture_id_at] = descriptor.picture_id + picture_id_shift & 0x7F
    elif descriptor.picture_id_bits:
        picture_id = descriptor.picture_id + picture_id_shift & 0x7FFF
        packet[descriptor.picture_id_at] = 0x80 | picture_id >> 8
        packet[descriptor.picture_id_at + 1] = picture_id & 0xFF
    if descriptor.tl0_at >= 0:
        packet[descriptor.tl0_at] = descriptor.tl0_index + tl0_shift & 0xFF
