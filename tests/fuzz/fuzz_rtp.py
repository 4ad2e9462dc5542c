"""RTP headers, header extensions and RTX."""

from __future__ import annotations

from sfu.core.media import HeaderExtension as H
from sfu.core.rtp import (
    EXTENSION_BLOCK_MAX_BYTES,
    HEADER,
    HEADER_BYTES,
    ExtensionBlock,
    ExtensionReader,
    parse_header,
    payload_end,
    rtx_original_sequence,
)
from tests.fuzz.targets import register

IDS = {extension: number for number, extension in enumerate(H, start=1)}
READER = ExtensionReader(IDS)
AGAIN = ExtensionReader(IDS)
BLOCK = ExtensionBlock(IDS, "mid", allow_mixed=True)


def fuzz_rtp(data: bytes) -> None:
    size = len(data)
    start = parse_header(data, size)
    assert READER.read(data, size) == start
    assert (start == -1) or HEADER_BYTES <= start <= size
    if start < 0:
        return
    end = payload_end(data, size, start)
    assert end == -1 or start <= end <= size
    if end >= 0:
        assert -1 <= rtx_original_sequence(data, start, end) <= 0xFFFF
    copied = (READER.audio_level, READER.orientation, READER.descriptor or None, READER.abs_send_time)
    out = bytearray(HEADER_BYTES + EXTENSION_BLOCK_MAX_BYTES)
    stop = BLOCK.write(
        out,
        HEADER_BYTES,
        audio_level=copied[0],
        orientation=copied[1],
        descriptor=copied[2],
        abs_send_time=copied[3],
    )
    HEADER.pack_into(out, 0, 0x90, 0, 0, 0, 0)
    assert AGAIN.read(out, stop) == stop
    assert (AGAIN.audio_level, AGAIN.orientation, AGAIN.descriptor, AGAIN.abs_send_time) == copied
    assert AGAIN.mid == "mid"
    for text in (READER.mid, READER.rid, READER.repaired_rid):
        assert text is None or len(text) <= 255


def _seeds() -> list[bytes]:
    header = HEADER.pack(0x90, 0x60, 1, 2, 3)
    block = bytearray(EXTENSION_BLOCK_MAX_BYTES)
    written = ExtensionBlock(IDS, "0").write(block, 0, audio_level=5, orientation=1, abs_send_time=7)
    long = bytearray(EXTENSION_BLOCK_MAX_BYTES)
    wide = ExtensionBlock(IDS, "0", allow_mixed=True).write(long, 0, audio_level=5, descriptor=b"d" * 30)
    return [
        HEADER.pack(0x80, 0x60, 1, 2, 3) + b"payload",
        HEADER.pack(0xA2, 0x60, 1, 2, 3) + bytes(8) + b"payload\0\0\x03",
        header + b"\xbe\xde\x00\x01" + bytes(4) + b"payload",
        header + bytes(block[:written]) + b"payload",
        header + bytes(long[:wide]) + b"payload",
    ]


register("rtp", fuzz_rtp, _seeds())
