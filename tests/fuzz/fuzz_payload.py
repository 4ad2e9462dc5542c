"""Video payloads."""

from __future__ import annotations

from sfu.core.media import CodecName
from sfu.core.payload import is_keyframe, vp8_descriptor, write_vp8_picture_id
from tests.fuzz.targets import register

CODECS = list(CodecName)


def fuzz_payload(data: bytes) -> None:
    """The first byte chooses the codec."""
    if not data:
        return
    codec, size = CODECS[data[0] % len(CODECS)], len(data)
    found = is_keyframe(codec, data, 1, size)
    assert is_keyframe(codec, b"." + data + b"\xff" * 40, 2, size + 1) is found
    before = vp8_descriptor(data, 1, size)
    changed = bytearray(data)
    write_vp8_picture_id(changed, 1, size, 1, 1)
    after = vp8_descriptor(changed, 1, size)
    if before is None or after is None:
        assert before is after and changed == data
        return
    assert before.picture_id_bits == after.picture_id_bits and before.payload_at == after.payload_at
    if before.picture_id_bits:
        assert after.picture_id == (before.picture_id + 1) % (1 << before.picture_id_bits)
    write_vp8_picture_id(changed, 1, size, -1, -1)
    assert changed == data


SEEDS = {
    CodecName.VP8: ("10 00", "90 f0 8123 45 60 00", "90 80 05 01"),
    CodecName.VP9: ("88 8123 82", "a8 8123 00 00 82", "0a 58 01400a0f01400a0f01400a0f 02 08aabb 00 82"),
    CodecName.H264: ("67 42", "78 0002 6742 0002 68ce", "7c 85 88", "7d 85 0000 88"),
    CodecName.AV1: ("18 0a", "98 0a"),
}

register(
    "payload",
    fuzz_payload,
    [bytes((CODECS.index(codec),)) + bytes.fromhex(seed) for codec, seeds in SEEDS.items() for seed in seeds],
)
