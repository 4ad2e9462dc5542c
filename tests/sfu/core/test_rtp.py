"""RTP header, header extensions, RTX (RFC 3550 §5.1, RFC 8285, RFC 4588)."""

from __future__ import annotations

import itertools

import pytest
from aiortc import rtp as aiortc_rtp
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from hypothesis import example, given
from hypothesis import strategies as st

from sfu.core.media import HeaderExtension as H
from sfu.core.rtp import (
    EXTENSION_BLOCK_MAX_BYTES,
    HEADER,
    HEADER_BYTES,
    ExtensionBlock,
    ExtensionReader,
    abs_send_time,
    parse_header,
    payload_end,
    rtx_original_sequence,
)

IDS = {
    H.AUDIO_LEVEL: 1,
    H.ABS_SEND_TIME: 2,
    H.TRANSPORT_CC: 3,
    H.MID: 4,
    H.VIDEO_ORIENTATION: 5,
    H.DEPENDENCY_DESCRIPTOR: 8,
    H.RID: 10,
    H.REPAIRED_RID: 11,
}


def packet(extension: bytes = b"", payload: bytes = b"payload", *, csrcs: int = 0, first: int = 0x80) -> bytes:
    first |= csrcs | (0x10 if extension else 0)
    return HEADER.pack(first, 96, 1, 2, 3) + bytes(4 * csrcs) + extension + payload


def one_byte(*elements: tuple[int, bytes]) -> bytes:
    body = b"".join(bytes((identifier << 4 | len(value) - 1,)) + value for identifier, value in elements)
    return _block(0xBEDE, body)


def two_byte(*elements: tuple[int, bytes], profile: int = 0x1000) -> bytes:
    return _block(profile, b"".join(bytes((identifier, len(value))) + value for identifier, value in elements))


def _block(profile: int, body: bytes) -> bytes:
    body = body.ljust(len(body) + 3 & ~3, b"\0")
    return profile.to_bytes(2, "big") + (len(body) >> 2).to_bytes(2, "big") + body


def read(data: bytes, ids: dict[H, int] = IDS) -> ExtensionReader:
    reader = ExtensionReader(ids)
    reader.read(data, len(data))
    return reader


class TestHeader:
    """RFC 3550 §5.1 and §5.3.1."""

    @pytest.mark.parametrize("csrcs", [0, 1, 15])
    @pytest.mark.parametrize("extension", [b"", one_byte(), one_byte((1, b"x"))])
    def test_finds_the_payload_behind_csrcs_and_extension(self, csrcs: int, extension: bytes) -> None:
        data = packet(extension, csrcs=csrcs)
        start = parse_header(data, len(data))
        assert data[start:] == b"payload"
        assert ExtensionReader(IDS).read(data, len(data)) == start

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            packet()[:11],
            b"\x40" + packet()[1:],
            b"\xc0" + packet()[1:],
            packet(csrcs=3, payload=b"")[:-1],
            packet(one_byte((1, b"x")), payload=b"")[:-1],
            HEADER.pack(0x90, 96, 1, 2, 3) + b"\xbe\xde\x00",
            HEADER.pack(0x90, 96, 1, 2, 3) + b"\xbe\xde\xff\xff",
        ],
        ids=["empty", "short", "version 1", "version 3", "csrcs", "extension", "no length", "long extension"],
    )
    def test_refuses_a_header_longer_than_the_packet(self, data: bytes) -> None:
        assert parse_header(data, len(data)) == -1
        assert ExtensionReader(IDS).read(data, len(data)) == -1

    def test_bytes_behind_size_do_not_count(self) -> None:
        data = packet(one_byte((1, b"x")), payload=b"")
        assert parse_header(data + b"behind", len(data)) == len(data)
        assert parse_header(data, len(data) - 1) == -1

    @pytest.mark.parametrize(
        ("payload", "expected"),
        [(b"abcd\x01", b"abcd"), (b"abc\0\x02", b"abc"), (b"\0\0\x03", b""), (b"\x01", b"")],
    )
    def test_removes_padding(self, payload: bytes, expected: bytes) -> None:
        data = packet(payload=payload, first=0xA0)
        start = parse_header(data, len(data))
        assert data[start : payload_end(data, len(data), start)] == expected

    @pytest.mark.parametrize("padding", [0, 5, 255])
    def test_refuses_padding_of_nothing_or_longer_than_the_payload(self, padding: int) -> None:
        data = packet(payload=b"abc" + bytes((padding,)), first=0xA0)
        assert payload_end(data, len(data), HEADER_BYTES) == -1

    @given(st.binary(min_size=12, max_size=80))
    def test_agrees_with_aiortc(self, data: bytes) -> None:
        data = bytes((data[0] & 0x3F | 0x80,)) + data[1:]
        start = parse_header(data, len(data))
        end = payload_end(data, len(data), start) if start >= 0 else -1
        try:
            theirs = aiortc_rtp.RtpPacket.parse(data)
        except ValueError:
            # aiortc also refuses packets for their extension elements, which are ours to ignore.
            assert start < 0 or end < 0 or data[0] & 0x10
            return
        assert data[start:end] == theirs.payload


class TestRtx:
    """RFC 4588 §4."""

    def test_original_sequence(self) -> None:
        data = packet(payload=b"\x12\x34rest")
        assert rtx_original_sequence(data, 12, len(data)) == 0x1234

    def test_original_without_payload(self) -> None:
        assert rtx_original_sequence(packet(payload=b"\xff\xfe"), 12, 14) == 0xFFFE

    @pytest.mark.parametrize("payload", [b"", b"\x12"])
    def test_a_probe_is_empty(self, payload: bytes) -> None:
        data = packet(payload=payload)
        assert rtx_original_sequence(data, 12, len(data)) == -1


@pytest.mark.parametrize(
    ("now", "expected"), [(0.0, 0), (1.0, 0x040000), (0.5, 0x020000), (63.5, 0xFE0000), (64.0, 0), (1e7 + 1, 0x040000)]
)
def test_abs_send_time(now: float, expected: int) -> None:
    assert abs_send_time(now) == expected


class TestReader:
    """RFC 8285 §4.2 and §4.3."""

    ELEMENTS = (
        (1, b"\x85"),
        (2, b"\x01\x02\x03"),
        (3, b"\xab\xcd"),
        (4, b"mid0"),
        (5, b"\x03"),
        (8, b"dd"),
        (9, b"unknown"),
        (10, b"hi"),
        (11, b"lo"),
    )

    @pytest.mark.parametrize(
        "block",
        [one_byte(*ELEMENTS), two_byte(*ELEMENTS), two_byte(*ELEMENTS, profile=0x100F)],
        ids=["one byte", "two byte", "appbits"],
    )
    def test_reads_every_extension_in_both_forms(self, block: bytes) -> None:
        reader = read(packet(block, csrcs=2))
        assert reader.audio_level == 0x85
        assert reader.abs_send_time == 0x010203
        assert reader.transport_cc == 0xABCD
        assert reader.mid == "mid0"
        assert reader.orientation == 3
        assert reader.descriptor == b"dd"
        assert reader.rid == "hi"
        assert reader.repaired_rid == "lo"

    def test_forgets_the_packet_before(self) -> None:
        reader = ExtensionReader(IDS)
        full, bare = packet(one_byte(*self.ELEMENTS)), packet()
        reader.read(full, len(full))
        reader.read(bare, len(bare))
        assert (reader.audio_level, reader.abs_send_time, reader.transport_cc, reader.orientation) == (-1,) * 4
        assert (reader.mid, reader.rid, reader.repaired_rid, reader.descriptor) == (None,) * 4

    def test_skips_padding_between_elements(self) -> None:
        assert read(packet(_block(0xBEDE, b"\0\0\x31\xab\xcd\0\x10\x07"))).audio_level == 7
        assert read(packet(_block(0x1000, b"\0\0\x03\x02\xab\xcd\0\x01\x01\x07"))).audio_level == 7

    @pytest.mark.parametrize("stopper", [b"\xf0\x00", b"\xf7", b"\x02\0\0\0"], ids=["id 15", "id 15 long", "id 0"])
    def test_one_byte_form_ends_at_a_reserved_id(self, stopper: bytes) -> None:
        reader = read(packet(_block(0xBEDE, b"\x31\xab\xcd" + stopper + b"\x10\x07\x10\x07\x10\x07\x10\x07")))
        assert (reader.transport_cc, reader.audio_level) == (0xABCD, -1)

    def test_id_15_is_an_id_in_the_two_byte_form(self) -> None:
        assert read(packet(two_byte((15, b"\x07"))), {H.AUDIO_LEVEL: 15}).audio_level == 7

    @pytest.mark.parametrize(
        "block", [_block(0xBEDE, b"\x31\xab\xcd\x4f"), _block(0x1000, b"\x03\x02\xab\xcd\x04\x09ab")]
    )
    def test_an_element_that_overruns_is_left_out(self, block: bytes) -> None:
        reader = read(packet(block, payload=b"the payload is no extension"))
        assert (reader.transport_cc, reader.mid) == (0xABCD, None)

    @pytest.mark.parametrize("block", [one_byte, two_byte])
    @pytest.mark.parametrize(
        "element", [(3, b"\xab"), (3, b"\xab\xcd\xef"), (1, b"ab"), (2, b"ab"), (2, b"abcd"), (5, b"ab")]
    )
    def test_a_wrong_length_counts_as_absent(self, block: object, element: tuple[int, bytes]) -> None:
        assert callable(block)
        reader = read(packet(block(element, (4, b"m"))))
        assert (reader.audio_level, reader.abs_send_time, reader.transport_cc, reader.orientation) == (-1,) * 4
        assert reader.mid == "m"

    def test_ignores_other_profiles(self) -> None:
        assert read(packet(_block(0xABAC, b"\x31\xab\xcd\0"))).transport_cc == -1
        assert read(packet(_block(0x1010, b"\x03\x02\xab\xcd"))).transport_cc == -1

    def test_a_mid_that_is_no_utf8_is_still_text(self) -> None:
        assert read(packet(one_byte((4, b"\xff\xfe")))).mid == "\ufffd\ufffd"

    @pytest.mark.parametrize("identifier", [0, 256, -1])
    def test_refuses_ids_that_the_wire_cannot_carry(self, identifier: int) -> None:
        with pytest.raises(ValueError, match="outside"):
            ExtensionReader({H.MID: identifier})

    @given(st.binary(max_size=120), st.integers(0, 15), st.sampled_from([0xBEDE, 0x1000, 0x1003]), st.booleans())
    @example(b"\x31\xab", 0, 0xBEDE, True)
    def test_survives_any_bytes(self, body: bytes, csrcs: int, profile: int, honest: bool) -> None:
        data = packet(_block(profile, body), csrcs=csrcs) if honest else body
        reader = read(data)
        assert -1 <= reader.transport_cc <= 0xFFFF
        assert -1 <= reader.audio_level <= 0xFF
        assert -1 <= reader.abs_send_time <= 0xFFFFFF
        assert reader.mid is None or len(reader.mid) <= 255
        assert reader.descriptor is None or len(reader.descriptor) <= 255

    @given(
        st.dictionaries(st.integers(1, 14), st.binary(min_size=1, max_size=16)),
        st.booleans(),
    )
    def test_agrees_with_aiortc(self, elements: dict[int, bytes], wide: bool) -> None:
        lengths = {1: 1, 2: 3, 3: 2}
        items = [(key, value.ljust(16)[: lengths.get(key, len(value))]) for key, value in elements.items()]
        block = (two_byte if wide else one_byte)(*items)
        theirs = dict(aiortc_rtp.unpack_header_extensions(0x1000 if wide else 0xBEDE, block[4:]))
        reader = read(packet(block)) if items else ExtensionReader(IDS)
        assert reader.transport_cc == (int.from_bytes(theirs[3], "big") if 3 in theirs else -1)
        assert reader.abs_send_time == (int.from_bytes(theirs[2], "big") if 2 in theirs else -1)
        assert reader.audio_level == (theirs[1][0] if 1 in theirs else -1)
        assert reader.descriptor == theirs.get(8)
        assert reader.rid == (theirs[10].decode("utf-8", "replace") if 10 in theirs else None)


class TestBlock:
    """RFC 8285 §4 and §6."""

    @given(
        st.integers(-1, 255),
        st.integers(-1, 255),
        st.one_of(st.none(), st.binary(max_size=255)),
        st.integers(-1, 0xFFFFFF),
        st.text("abc0123", max_size=20),
        st.booleans(),
        st.permutations(list(range(1, 22))),
    )
    def test_the_reader_finds_what_was_written(
        self,
        level: int,
        orientation: int,
        descriptor: bytes | None,
        time: int,
        mid: str,
        allow_mixed: bool,
        identifiers: list[int],
    ) -> None:
        ids = dict(zip(IDS, identifiers, strict=False))
        block = ExtensionBlock(ids, mid, allow_mixed=allow_mixed)
        out = bytearray(b"\xee" * (HEADER_BYTES + EXTENSION_BLOCK_MAX_BYTES + 4))
        end = block.write(
            out, 12, audio_level=level, orientation=orientation, descriptor=descriptor, abs_send_time=time
        )
        assert out[end:] == b"\xee" * (len(out) - end)
        assert len(out) == HEADER_BYTES + EXTENSION_BLOCK_MAX_BYTES + 4
        HEADER.pack_into(out, 0, 0x90 if end > 12 else 0x80, 96, 1, 2, 3)
        reader = ExtensionReader(ids)
        assert reader.read(out, end) == end

        def kept(extension: H, size: int) -> bool:
            return allow_mixed or (ids[extension] <= 14 and 1 <= size <= 16)

        assert reader.audio_level == (level if kept(H.AUDIO_LEVEL, 1) else -1)
        assert reader.orientation == (orientation if kept(H.VIDEO_ORIENTATION, 1) else -1)
        assert reader.abs_send_time == (time if kept(H.ABS_SEND_TIME, 3) else -1)
        assert reader.mid == (mid if mid and kept(H.MID, len(mid)) else None)
        wanted = descriptor if descriptor and kept(H.DEPENDENCY_DESCRIPTOR, len(descriptor)) else None
        assert reader.descriptor == wanted
        assert (reader.rid, reader.repaired_rid, reader.transport_cc) == (None, None, -1)

    @pytest.mark.parametrize(("level", "time"), list(itertools.product([-1, 0x55], [-1, 0x10203])))
    def test_is_the_same_block_as_aiortc_writes(self, level: int, time: int) -> None:
        theirs = aiortc_rtp.HeaderExtensionsMap()
        theirs.configure(
            RTCRtpParameters(
                headerExtensions=[
                    RTCRtpHeaderExtensionParameters(id=IDS[extension], uri=extension.value)
                    for extension in (H.MID, H.ABS_SEND_TIME, H.AUDIO_LEVEL)
                ]
            )
        )
        out = bytearray(64)
        end = ExtensionBlock(IDS, "7").write(out, 0, audio_level=level, abs_send_time=time)
        values = theirs.get(0xBEDE, bytes(out[4:end]))
        assert values.mid == "7"
        assert values.abs_send_time == (None if time < 0 else time)
        assert values.audio_level == (None if level < 0 else (False, level))

    def test_known_bytes(self) -> None:
        block, out = ExtensionBlock(IDS, "0"), bytearray(32)
        end = block.write(out, 0, audio_level=0x8A, abs_send_time=0x123456)
        assert out[:end].hex() == "bede0002" + "22123456" + "108a" + "4030"

    def test_one_long_element_makes_the_whole_block_two_byte(self) -> None:
        block, out = ExtensionBlock(IDS, "0", allow_mixed=True), bytearray(64)
        end = block.write(out, 0, descriptor=b"d" * 17)
        assert out[:end].hex() == "10000006" + "040130" + "0811" + "64" * 17 + "0000"
        assert block.write(out, 0, descriptor=b"d" * 16) == 4 + 20
        assert out[:2].hex() == "bede"

    def test_without_allow_mixed_a_long_element_is_left_out(self) -> None:
        block, out = ExtensionBlock(IDS, "0"), bytearray(64)
        end = block.write(out, 0, descriptor=b"d" * 17)
        assert out[:end].hex() == "bede0001" + "403000" + "00"

    def test_nothing_negotiated_writes_nothing(self) -> None:
        out = bytearray(b"\xee" * 16)
        block = ExtensionBlock({}, "0")
        assert block.write(out, 3, audio_level=1, orientation=1, descriptor=b"d", abs_send_time=1) == 3
        assert out == b"\xee" * 16

    def test_templates_are_not_shared_between_packets(self) -> None:
        block, first, second = ExtensionBlock(IDS, "0"), bytearray(32), bytearray(32)
        block.write(first, 0, audio_level=0x7F, abs_send_time=0xFFFFFF)
        block.write(second, 0, audio_level=0, abs_send_time=0)
        assert b"\xff" not in second and b"\x7f" not in second

    def test_refuses_what_the_wire_cannot_carry(self) -> None:
        with pytest.raises(ValueError, match="mid"):
            ExtensionBlock(IDS, "m" * 256)
        with pytest.raises(ValueError, match="ids"):
            ExtensionBlock({H.MID: 0}, "0")
