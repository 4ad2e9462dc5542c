"""Keyframes and VP8's running numbers (RFC 7741, RFC 9628, RFC 6184, AV1 RTP specification)."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from aiortc.codecs import vpx
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.media import CodecName
from sfu.core.payload import Vp8Descriptor, is_keyframe, vp8_descriptor, write_vp8_picture_id
from sfu.core.rtcp import is_rtcp
from sfu.core.rtp import HEADER, parse_header

SPS, PPS, IDR, SLICE, SEI = b"\x67\x42", b"\x68\xce", b"\x65\x88\x80", b"\x41\x9a", b"\x06\x05"
LATER_IDR_SLICE = b"\x65\x08"


def stap_a(*units: bytes) -> bytes:
    return b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


VP8 = (
    ("key, shortest descriptor", "10 00", True),
    ("delta", "10 01", False),
    ("key, 7-bit picture id", "90 80 05 00", True),
    ("key, 15-bit picture id, TL0PICIDX, TID and KEYIDX", "90 f0 8123 45 60 00", True),
    ("delta, same", "90 f0 8123 45 60 01", False),
    ("key, TID only", "90 20 60 00", True),
    ("not the first packet of the frame", "80 80 05 00", False),
    ("second partition", "11 00", False),
    ("non-reference bit does not matter", "30 00", True),
    ("descriptor only", "90 80 05", False),
    ("extension octet missing", "90", False),
    ("picture id cut off", "90 80 81", False),
)
VP9 = (
    ("key, no layers", "08 82", True),
    ("key, picture id", "88 8123 82", True),
    ("key, lowest layer", "a8 8123 00 00 82", True),
    ("key, 7-bit picture id, flexible mode", "b8 23 10 82", True),
    ("key, scalability structure of one layer", "0a 18 0140 00f0 01 04 01 82", True),
    ("key, structure of three layers and two pictures", "0a 58" + "01400a0f" * 3 + "02 08aabb 00 82", True),
    ("delta behind that structure", "0a 58" + "01400a0f" * 3 + "02 08aabb 00 86", False),
    ("key, profile 3", "08 b0", True),
    ("delta, profile 3", "08 b2", False),
    ("delta whose P bit was not set", "08 86", False),
    ("shows an existing frame", "08 88", False),
    ("encrypted", "08 c6", True),
    ("higher spatial layer of the same picture", "a8 8123 03 00 82", False),
    ("higher spatial layer without a layer below", "a8 8123 02 00 82", False),
    ("predicted", "48 82", False),
    ("not the beginning", "80 8123 82", False),
    ("layer octet missing", "a8 8123", False),
    ("picture id missing", "a8", False),
    ("structure missing", "0a", False),
    ("structure cut off", "0a 58 0140", False),
    ("pictures cut off", "0a 08 ff 00 00", False),
    ("frame missing", "08", False),
)
H264 = (
    ("SPS", SPS.hex(), True),
    ("first slice of an IDR picture", IDR.hex(), True),
    ("later slice of an IDR picture", LATER_IDR_SLICE.hex(), False),
    ("PPS alone", PPS.hex(), False),
    ("SEI", SEI.hex(), False),
    ("slice", SLICE.hex(), False),
    ("STAP-A of SPS and PPS", stap_a(SPS, PPS).hex(), True),
    ("STAP-A, IDR behind SEI", stap_a(SEI, IDR).hex(), True),
    ("STAP-A of slices", stap_a(SLICE, SLICE).hex(), False),
    ("STAP-A with an empty unit", stap_a(b"", SPS).hex(), True),
    ("STAP-A cut off", stap_a(SLICE).hex()[:4], False),
    ("STAP-B", "79 0000" + stap_a(SPS).hex()[2:], True),
    ("FU-A, start of IDR", "7c 85 88", True),
    ("FU-A, start of a later IDR slice", "7c 85 08", False),
    ("FU-A, middle of IDR", "7c 05 88", False),
    ("FU-A, start of a slice", "7c 81 88", False),
    ("FU-B, start of IDR", "7d 85 0000 88", True),
    ("FU-A without header", "7c", False),
    ("IDR without slice", "65", False),
)
AV1 = (
    ("new coded video sequence", "18 0a", True),
    ("goes on", "10 32", False),
    ("continues an OBU", "98 0a", False),
)
CASES = [
    pytest.param(codec, payload, expected, id=f"{codec}: {name}")
    for codec, table in (
        (CodecName.VP8, VP8),
        (CodecName.VP9, VP9),
        (CodecName.H264, H264),
        (CodecName.AV1, AV1),
    )
    for name, payload, expected in table
]


@pytest.mark.parametrize(("codec", "payload", "expected"), CASES)
def test_keyframe(codec: CodecName, payload: str, expected: bool) -> None:
    data = b"header" + bytes.fromhex(payload)
    for buffer in (data, bytearray(data), memoryview(data)):
        assert is_keyframe(codec, buffer, 6, len(data)) is expected


@pytest.mark.parametrize("codec", list(CodecName))
def test_an_empty_payload_is_none(codec: CodecName) -> None:
    assert is_keyframe(codec, b"header\x10\x00\x08", 6, 6) is False


@pytest.mark.parametrize("codec", [CodecName.OPUS, CodecName.RED])
def test_audio_has_none(codec: CodecName) -> None:
    assert is_keyframe(codec, b"\x10\x00\x08\x67", 0, 4) is False


@given(st.sampled_from(list(CodecName)), st.binary(max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_survives_any_bytes(codec: CodecName, data: bytes, start: int, end: int) -> None:
    start, end = min(start, len(data)), min(end, len(data))
    assert is_keyframe(codec, data, start, end) in (True, False)
    assert is_keyframe(codec, data[:end], start, end) is is_keyframe(codec, data, start, end)
    vp8_descriptor(data, start, end)
    changed = bytearray(data)
    write_vp8_picture_id(changed, start, end, 1, 1)
    assert changed[:start] == data[:start] and changed[end:] == data[end:] and len(changed) == len(data)


class RtpSink:
    """Collects the packets that FFmpeg's RTP muxer writes."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def write(self, data: bytes) -> int:
        if not is_rtcp(data[1]):
            self.packets.append(bytes(data))
        return len(data)


def encode(encoder: str, options: dict[str, str], frames: int) -> tuple[list[bytes], list[int]]:
    """RTP packets of a moving picture, and which frames the encoder calls keyframes."""
    sink, keyframes = RtpSink(), []
    muxer = {"packetsize": "200", "strict": "experimental"}
    with av.open(sink, "w", format="rtp", container_options=muxer, buffer_size=200) as container:
        stream = container.add_stream(encoder, rate=30, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        ramp = np.tile(np.arange(320, dtype=np.uint8), (240, 1))
        for number in range(frames):
            picture = np.stack([np.roll(ramp, 3 * number, axis=axis) for axis in (0, 1, 1)], axis=-1)
            picture[60 + number * 5 : 100 + number * 5, 40:140] = 255
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                keyframes.append(packet.is_keyframe)
                container.mux(packet)
        for packet in stream.encode(None):
            keyframes.append(packet.is_keyframe)
            container.mux(packet)
    return sink.packets, [index for index, key in enumerate(keyframes) if key]


@pytest.mark.parametrize(
    ("codec", "encoder", "options"),
    [
        (CodecName.VP8, "libvpx", {"g": "5", "deadline": "realtime", "b": "3000000"}),
        (CodecName.VP9, "libvpx-vp9", {"g": "5", "deadline": "realtime", "lag-in-frames": "0", "b": "3000000"}),
        (CodecName.H264, "libx264", {"g": "5", "tune": "zerolatency", "sc_threshold": "0", "b": "3000000"}),
        (
            CodecName.H264,
            "libx264",
            {"g": "5", "tune": "zerolatency", "sc_threshold": "0", "x264-params": "slices=4:repeat-headers=0"},
        ),
    ],
    ids=["VP8", "VP9", "H264", "H264 in slices"],
)
def test_keyframes_of_a_real_encoder(codec: CodecName, encoder: str, options: dict[str, str]) -> None:
    """A keyframe begins in the first packet of each frame that the encoder calls one, and in no other frame."""
    check_keyframes(codec, *encode(encoder, options, frames=12))


def test_keyframes_of_a_recorded_av1_encoder() -> None:
    """What libsvtav1's packets begin with, recorded: as root that encoder makes its whole process real-time."""
    recorded = json.loads((Path(__file__).parents[2] / "data" / "av1_rtp.json").read_text())
    check_keyframes(CodecName.AV1, [bytes.fromhex(packet) for packet in recorded["packets"]], recorded["keyframes"])


def check_keyframes(codec: CodecName, packets: list[bytes], expected: list[int]) -> None:
    frames: dict[int, list[bool]] = {}
    for packet in packets:
        timestamp = HEADER.unpack_from(packet)[3]
        start = parse_header(packet, len(packet))
        frames.setdefault(timestamp, []).append(is_keyframe(codec, packet, start, len(packet)))
    found = [index for index, flags in enumerate(frames.values()) if any(flags)]
    assert found == expected and len(expected) > 1
    assert all(flags[0] for flags in frames.values() if any(flags))
    assert sum(map(len, frames.values())) > len(frames)


class TestVp8Descriptor:
    """RFC 7741 §4.2."""

    @pytest.mark.parametrize(
        ("payload", "expected"),
        [
            ("10 00", Vp8Descriptor(-1, 0, -1, -1, -1, 1)),
            ("90 80 05 00", Vp8Descriptor(2, 7, 5, -1, -1, 3)),
            ("90 80 8123 00", Vp8Descriptor(2, 15, 0x123, -1, -1, 4)),
            ("90 40 45 00", Vp8Descriptor(-1, 0, -1, 2, 0x45, 3)),
            ("90 f0 ffff 45 60 00", Vp8Descriptor(2, 15, 0x7FFF, 4, 0x45, 6)),
            ("90 10 60 00", Vp8Descriptor(-1, 0, -1, -1, -1, 3)),
            ("90", None),
            ("90 80 05", None),
            ("90 80 8123", None),
            ("90 c0 05", None),
            ("", None),
        ],
    )
    def test_known_bytes(self, payload: str, expected: Vp8Descriptor | None) -> None:
        data = bytes.fromhex(payload)
        assert vp8_descriptor(data, 0, len(data)) == expected

    @given(st.binary(min_size=1, max_size=12))
    def test_agrees_with_aiortc(self, data: bytes) -> None:
        ours = vp8_descriptor(data, 0, len(data))
        try:
            theirs, rest = vpx.VpxPayloadDescriptor.parse(data)
        except ValueError:
            assert ours is None
            return
        if ours is None:
            assert not rest
            return
        assert data[ours.payload_at :] == rest
        assert ours.picture_id == (-1 if theirs.picture_id is None else theirs.picture_id)
        assert ours.tl0_index == (-1 if theirs.tl0picidx is None else theirs.tl0picidx)

    @pytest.mark.parametrize(
        ("before", "picture_id_shift", "tl0_shift", "after"),
        [
            ("90 80 7f 00", 1, 9, "90 80 00 00"),
            ("90 80 05 00", 1000, 0, "90 80 6d 00"),
            ("90 80 ffff 00", 1, 0, "90 80 8000 00"),
            ("90 80 8005 00", 3, 0, "90 80 8008 00"),
            ("90 80 8000 00", -1, 0, "90 80 ffff 00"),
            ("90 c0 8101 ff 00", 2, 1, "90 c0 8103 00 00"),
            ("90 40 fe 00", 5, 3, "90 40 01 00"),
            ("10 00", 5, 5, "10 00"),
            ("90 80 05", 5, 5, "90 80 05"),
        ],
    )
    def test_shifts_in_place_and_keeps_the_width(
        self, before: str, picture_id_shift: int, tl0_shift: int, after: str
    ) -> None:
        data = bytearray(b"head" + bytes.fromhex(before))
        write_vp8_picture_id(data, 4, len(data), picture_id_shift, tl0_shift)
        assert data == b"head" + bytes.fromhex(after)
