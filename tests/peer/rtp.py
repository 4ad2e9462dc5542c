"""RTP packets as a test writes and reads them (RFC 3550 §5.1, RFC 8285); independent of the SFU's own code."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

_HEADER = struct.Struct("!BBHII")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rtp:
    """One packet in the clear. Extensions are by id; they are written in the one-byte form."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes = b""
    marker: bool = False
    extensions: Mapping[int, bytes] = field(default_factory=dict)
    padding: int = 0
    "bytes of padding, its count included"
    csrcs: tuple[int, ...] = ()
    is_two_byte: bool = False

    def write(self) -> bytes:
        first = 0x80 | (0x20 if self.padding else 0) | (0x10 if self.extensions else 0) | len(self.csrcs)
        packet = _HEADER.pack(
            first,
            self.payload_type | (0x80 if self.marker else 0),
            self.sequence & 0xFFFF,
            self.timestamp & 0xFFFFFFFF,
            self.ssrc,
        )
        packet += b"".join(struct.pack("!I", csrc) for csrc in self.csrcs)
        if self.extensions:
            elements = b"".join(self._element(number, value) for number, value in self.extensions.items())
            elements += bytes(-len(elements) % 4)
            packet += struct.pack("!HH", 0x1000 if self.is_two_byte else 0xBEDE, len(elements) // 4) + elements
        packet += self.payload
        if self.padding:
            packet += bytes(self.padding - 1) + bytes((self.padding,))
        return packet

    def _element(self, number: int, value: bytes) -> bytes:
        if self.is_two_byte:
            return bytes((number, len(value))) + value
        return bytes((number << 4 | len(value) - 1,)) + value


def read_rtp(data: bytes) -> Rtp:
    """Raises AssertionError for anything that RFC 3550 does not allow."""
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    assert first >> 6 == 2, "version"
    at = 12 + 4 * (first & 0x0F)
    csrcs = struct.unpack_from(f"!{first & 0x0F}I", data, 12)
    extensions: dict[int, bytes] = {}
    is_two_byte = False
    if first & 0x10:
        profile, words = struct.unpack_from("!HH", data, at)
        block = data[at + 4 : at + 4 + 4 * words]
        assert len(block) == 4 * words, "extension block is cut off"
        is_two_byte = profile != 0xBEDE
        assert not is_two_byte or profile == 0x1000
        extensions = _read_elements(block, is_two_byte)
        at += 4 + 4 * words
    padding = data[-1] if first & 0x20 else 0
    assert at + padding <= len(data), "padding is longer than the payload"
    return Rtp(
        payload_type=second & 0x7F,
        marker=bool(second & 0x80),
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        csrcs=csrcs,
        extensions=extensions,
        is_two_byte=is_two_byte,
        padding=padding,
        payload=data[at : len(data) - padding],
    )


def _read_elements(block: bytes, is_two_byte: bool) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(block):
        if not block[at]:
            at += 1
            continue
        if is_two_byte:
            number, length, start = block[at], block[at + 1], at + 2
        else:
            number, length, start = block[at] >> 4, (block[at] & 0x0F) + 1, at + 1
        assert start + length <= len(block), "element is cut off"
        assert number not in found, "an extension twice"
        found[number] = block[start : start + length]
        at = start + length
    return found


def original_of(packet: Rtp) -> tuple[int, bytes]:
    """Original sequence number and payload of a retransmission (RFC 4588 §4)."""
    return int.from_bytes(packet.payload[:2]), packet.payload[2:]


Extensions = Callable[[], Mapping[int, bytes]]


def no_extensions() -> Mapping[int, bytes]:
    return {}


class AudioSource:
    """Opus packets of 20 ms under one SSRC."""

    def __init__(
        self,
        *,
        ssrc: int,
        payload_type: int = 111,
        sequence: int = 1000,
        timestamp: int = 48_000,
        extensions: Extensions = no_extensions,
    ) -> None:
        self.ssrc, self.payload_type = ssrc, payload_type
        self.sequence, self.timestamp = sequence, timestamp
        self._extensions = extensions

    def packet(self, payload: bytes = b"\x78opus", **changes: object) -> Rtp:
        packet = Rtp(
            payload_type=self.payload_type,
            sequence=self.sequence & 0xFFFF,
            timestamp=self.timestamp & 0xFFFFFFFF,
            ssrc=self.ssrc,
            payload=payload,
            extensions=self._extensions(),
        )
        self.sequence += 1
        self.timestamp += 960
        return replace(packet, **changes)  # type: ignore[arg-type]


class VideoSource:
    """VP8 frames under one SSRC, with retransmissions under another."""

    def __init__(
        self,
        *,
        ssrc: int,
        rtx_ssrc: int = 0,
        payload_type: int = 96,
        rtx_payload_type: int = 97,
        sequence: int = 2000,
        timestamp: int = 90_000,
        picture_id: int = 500,
        picture_bits: int = 15,
        tl0: int = -1,
        extensions: Extensions = no_extensions,
    ) -> None:
        self.ssrc, self.rtx_ssrc = ssrc, rtx_ssrc
        self.payload_type, self.rtx_payload_type = payload_type, rtx_payload_type
        self.sequence, self.timestamp = sequence, timestamp
        self.rtx_sequence = 7000
        self.picture_id, self.picture_bits, self.tl0 = picture_id, picture_bits, tl0
        self._extensions = extensions

    def frame(self, packets: int = 2, *, keyframe: bool = False, filler: bytes = b"vp8") -> list[Rtp]:
        frame = [
            Rtp(
                payload_type=self.payload_type,
                sequence=self.sequence + index & 0xFFFF,
                timestamp=self.timestamp & 0xFFFFFFFF,
                ssrc=self.ssrc,
                marker=index == packets - 1,
                payload=self._descriptor(index == 0) + self._start(index == 0, keyframe) + filler,
                extensions=self._extensions(),
            )
            for index in range(packets)
        ]
        self.sequence += packets
        self.timestamp += 3000
        self.picture_id += 1
        if self.tl0 >= 0:
            self.tl0 += 1
        return frame

    def keyframe(self, packets: int = 2) -> list[Rtp]:
        return self.frame(packets, keyframe=True)

    def rtx(self, original: Rtp) -> Rtp:
        self.rtx_sequence += 1
        return replace(
            original,
            ssrc=self.rtx_ssrc,
            payload_type=self.rtx_payload_type,
            sequence=self.rtx_sequence & 0xFFFF,
            payload=original.sequence.to_bytes(2) + original.payload,
            extensions=self._extensions(),
        )

    def empty_rtx(self) -> Rtp:
        """A bandwidth probe under the RTX SSRC: nothing but padding."""
        self.rtx_sequence += 1
        return Rtp(
            payload_type=self.rtx_payload_type,
            sequence=self.rtx_sequence & 0xFFFF,
            timestamp=self.timestamp & 0xFFFFFFFF,
            ssrc=self.rtx_ssrc,
            padding=224,
            extensions=self._extensions(),
        )

    def padding(self) -> Rtp:
        """A bandwidth probe under the media SSRC."""
        packet = Rtp(
            payload_type=self.payload_type,
            sequence=self.sequence & 0xFFFF,
            timestamp=self.timestamp & 0xFFFFFFFF,
            ssrc=self.ssrc,
            padding=200,
            extensions=self._extensions(),
        )
        self.sequence += 1
        return packet

    def _descriptor(self, starts: bool) -> bytes:
        """RFC 7741 §4.2."""
        first = 0x80 | (0x10 if starts else 0)
        tl0 = bytes((self.tl0 & 0xFF, 0x20)) if self.tl0 >= 0 else b""
        present = 0x80 | (0x60 if self.tl0 >= 0 else 0)
        if self.picture_bits == 7:
            return bytes((first, present, self.picture_id & 0x7F)) + tl0
        return bytes((first, present, 0x80 | self.picture_id >> 8 & 0x7F, self.picture_id & 0xFF)) + tl0

    @staticmethod
    def _start(starts: bool, keyframe: bool) -> bytes:
        if not starts:
            return b"\xff"
        return b"\x10\x02\x00\x9d\x01\x2a\x80\x02\x68\x01" if keyframe else b"\x11\x02\x00"


@dataclass(frozen=True, slots=True)
class Picture:
    """What a VP8 payload descriptor says of its frame."""

    picture_id: int
    bits: int
    tl0: int
    starts: bool
    keyframe: bool


def picture_of(packet: Rtp) -> Picture:
    payload = packet.payload
    assert payload[0] & 0x80 and payload[1] & 0x80, "no picture id"
    if payload[2] & 0x80:
        picture_id, bits, at = (payload[2] & 0x7F) << 8 | payload[3], 15, 4
    else:
        picture_id, bits, at = payload[2], 7, 3
    tl0 = -1
    if payload[1] & 0x40:
        tl0, at = payload[at], at + 1
    at += 1 if payload[1] & 0x30 else 0
    starts = bool(payload[0] & 0x10)
    return Picture(picture_id, bits, tl0, starts, starts and not payload[at] & 1)
