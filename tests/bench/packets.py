"""RTP and RTCP bytes of the generator's clients (RFC 3550, RFC 4585, RFC 7741, RFC 8285)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sfu.core.media import HeaderExtension, Kind

VIDEO_PACKET_BYTES = 1200
AUDIO_PACKET_BYTES = 128
"RTP header, extensions and about 100 bytes of Opus"

STAMP = struct.Struct("!4sQI")
"mark, time of sending (ns of CLOCK_REALTIME), number of the packet in its stream"
STAMP_MARK = b"VBEN"
VP8_DESCRIPTOR_BYTES = 4
VP8_STAMP_OFFSET = VP8_DESCRIPTOR_BYTES + 10
"behind the key frame header, which only a key frame's first packet has (RFC 7741 §4.3)"
OPUS_STAMP_OFFSET = 1

SENDER_REPORT, RECEIVER_REPORT, RTPFB, PSFB = 200, 201, 205, 206
NACK, TRANSPORT_CC = 1, 15
PLI, FIR, REMB = 1, 4, 15

_HEADER = struct.Struct("!BBHII")
_STAMP_TAIL = struct.Struct("!QI")
_NTP_EPOCH_OFFSET_S = 2_208_988_800
_VP8_KEYFRAME = bytes((0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01))
"frame tag with the P bit clear, start code, 640x360"
_VP8_DELTA = bytes((0x11,)) + bytes(9)


def ntp_time(seconds: float) -> int:
    """64-bit NTP timestamp of a CLOCK_REALTIME time (RFC 3550 §4)."""
    return int((seconds + _NTP_EPOCH_OFFSET_S) * 2**32) & 0xFFFF_FFFF_FFFF_FFFF


class PacketTemplate:
    """All bytes of one stream's packets that stay the same, and where the others go.

    Extensions are in the one-byte form (RFC 8285 §4.2); an extension that was not negotiated is left out.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        ssrc: int,
        payload_type: int,
        mid: str,
        extensions: Mapping[HeaderExtension, int],
        size_bytes: int,
    ) -> None:
        self._payload_type = payload_type
        self._ssrc = ssrc
        block, self._at = _extension_block(kind, mid, extensions)
        header = bytes((0x90, payload_type)) + bytes(6) + struct.pack("!I", ssrc)
        self.payload_offset = len(header) + len(block)
        self.size_bytes = size_bytes
        self._video = kind is Kind.VIDEO
        payload = bytearray(_filler(size_bytes - self.payload_offset))
        offset = VP8_STAMP_OFFSET if self._video else OPUS_STAMP_OFFSET
        if self._video:
            payload[0:2] = b"\x80\x80"
        else:
            payload[0] = 0x78
        payload[offset : offset + 4] = STAMP_MARK
        self._stamp_at = self.payload_offset + offset + 4
        self._bytes = bytes(header + block + payload)

    def write(
        self,
        into: memoryview,
        *,
        sequence: int,
        timestamp: int,
        marker: bool,
        number: int,
        time_ns: int,
        transport_sequence: int,
        picture: int = 0,
        starts_frame: bool = False,
        keyframe: bool = False,
    ) -> int:
        """Fill ``into`` with one packet; returns its length."""
        into[: self.size_bytes] = self._bytes
        first = self._payload_type | 0x80 if marker else self._payload_type
        _HEADER.pack_into(into, 0, 0x90, first, sequence, timestamp, self._ssrc)
        at = self._at
        if at.abs_send_time:
            fixed = (time_ns * 262_144 // 1_000_000_000) & 0xFF_FFFF
            into[at.abs_send_time : at.abs_send_time + 3] = fixed.to_bytes(3, "big")
        if at.transport_cc:
            into[at.transport_cc] = transport_sequence >> 8
            into[at.transport_cc + 1] = transport_sequence & 0xFF
        _STAMP_TAIL.pack_into(into, self._stamp_at, time_ns, number)
        if self._video:
            payload = self.payload_offset
            into[payload] = 0x90 if starts_frame else 0x80
            into[payload + 2] = 0x80 | (picture >> 8)
            into[payload + 3] = picture & 0xFF
            if starts_frame:
                into[payload + 4 : payload + 14] = _VP8_KEYFRAME if keyframe else _VP8_DELTA
        return self.size_bytes

    def write_rtx(self, into: memoryview, length: int, *, ssrc: int, payload_type: int, sequence: int) -> int:
        """Turn the packet that ``write`` left in ``into`` into its retransmission (RFC 4588 §4)."""
        payload = self.payload_offset
        original = bytes(into[2:4])
        into[payload + 2 : length + 2] = bytes(into[payload:length])
        into[payload : payload + 2] = original
        into[1] = (into[1] & 0x80) | payload_type
        struct.pack_into("!H", into, 2, sequence)
        struct.pack_into("!I", into, 8, ssrc)
        return length + 2


@dataclass(frozen=True, slots=True)
class Stamp:
    time_ns: int
    number: int


def payload_offset(packet: memoryview) -> int:
    """Where the payload of a clear RTP packet begins (RFC 3550 §5.1, §5.3.1)."""
    offset = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        offset += 4 + 4 * ((packet[offset + 2] << 8) | packet[offset + 3])
    return offset


def read_stamp(kind: Kind, packet: memoryview, payload_at: int) -> Stamp | None:
    """The generator's own mark in a decrypted packet; None when the payload is not ours."""
    at = payload_at + (VP8_STAMP_OFFSET if kind is Kind.VIDEO else OPUS_STAMP_OFFSET)
    if len(packet) < at + STAMP.size:
        return None
    mark, time_ns, number = STAMP.unpack_from(packet, at)
    return Stamp(time_ns, number) if mark == STAMP_MARK else None


# RTCP


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBlock:
    """RFC 3550 §6.4.1"""

    ssrc: int
    fraction_lost: int
    "0..255"
    cumulative_lost: int
    highest_sequence: int
    "extended"
    jitter: int
    last_sr: int
    delay_since_last_sr: int
    "1/65536 s"


def sender_report(ssrc: int, *, time_s: float, timestamp: int, packets: int, octets: int) -> bytes:
    """RFC 3550 §6.4.1 without report blocks."""
    return struct.pack(
        "!BBHIQIII",
        0x80,
        SENDER_REPORT,
        6,
        ssrc,
        ntp_time(time_s),
        timestamp,
        packets & 0xFFFF_FFFF,
        octets & 0xFFFF_FFFF,
    )


def receiver_report(ssrc: int, blocks: Sequence[ReportBlock]) -> bytes:
    """RFC 3550 §6.4.2"""
    packet = bytearray(struct.pack("!BBHI", 0x80 | len(blocks), RECEIVER_REPORT, 1 + 6 * len(blocks), ssrc))
    for block in blocks:
        lost = min(max(block.cumulative_lost, 0), 0x7F_FFFF)
        packet += struct.pack(
            "!IIIIII",
            block.ssrc,
            (block.fraction_lost << 24) | lost,
            block.highest_sequence & 0xFFFF_FFFF,
            block.jitter,
            block.last_sr,
            block.delay_since_last_sr,
        )
    return bytes(packet)


def source_description(ssrc: int, cname: str) -> bytes:
    """RFC 3550 §6.5 with CNAME alone."""
    item = bytes((1, len(cname))) + cname.encode()
    chunk = struct.pack("!I", ssrc) + item
    chunk += bytes(4 - len(chunk) % 4)
    return struct.pack("!BBH", 0x81, 202, len(chunk) // 4) + chunk


def remb(ssrc: int, bitrate_bps: int, media_ssrcs: Sequence[int]) -> bytes:
    """draft-alvestrand-rmcat-remb §2.2"""
    exponent = max(bitrate_bps.bit_length() - 18, 0)
    rate = (exponent << 18) | (bitrate_bps >> exponent)
    fci = b"REMB" + bytes((len(media_ssrcs),)) + rate.to_bytes(3, "big")
    fci += struct.pack(f"!{len(media_ssrcs)}I", *media_ssrcs)
    return struct.pack("!BBHII", 0x80 | REMB, PSFB, 2 + len(fci) // 4, ssrc, 0) + fci


def nack(ssrc: int, media_ssrc: int, sequences: Sequence[int]) -> bytes:
    """RFC 4585 §6.2.1; the sequences in rising order of their extended numbers."""
    pairs: list[tuple[int, int]] = []
    for sequence in sequences:
        if pairs and 0 < (offset := (sequence - pairs[-1][0]) & 0xFFFF) <= 16:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] | 1 << (offset - 1))
        else:
            pairs.append((sequence, 0))
    fci = b"".join(struct.pack("!HH", *pair) for pair in pairs)
    return struct.pack("!BBHII", 0x80 | NACK, RTPFB, 2 + len(pairs), ssrc, media_ssrc) + fci


@dataclass(frozen=True, slots=True)
class RtcpPacket:
    packet_type: int
    count: int
    "report count or feedback message type"
    body: bytes
    "without the first four bytes"

    def nacked(self) -> list[int]:
        """Sequences that a generic NACK asks for (RFC 4585 §6.2.1)."""
        wanted: list[int] = []
        for pid, mask in struct.iter_unpack("!HH", self.body[8:]):
            wanted.append(pid)
            wanted.extend((pid + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1)
        return wanted

    def media_ssrc(self) -> int:
        return int.from_bytes(self.body[4:8], "big")

    def remb_bps(self) -> int:
        rate = int.from_bytes(self.body[13:16], "big")
        return (rate & 0x3FFFF) << (rate >> 18)


def split_rtcp(data: bytes) -> Iterator[RtcpPacket]:
    """The packets of a compound; stops at the first whose length does not fit (RFC 3550 §6.1)."""
    at = 0
    while at + 4 <= len(data):
        end = at + 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            return
        yield RtcpPacket(data[at + 1], data[at] & 0x1F, data[at + 4 : end])
        at = end


# Private


@dataclass(frozen=True, slots=True)
class _Offsets:
    """Where the changing extension elements lie; 0: not negotiated."""

    abs_send_time: int = 0
    transport_cc: int = 0


def _extension_block(kind: Kind, mid: str, extensions: Mapping[HeaderExtension, int]) -> tuple[bytes, _Offsets]:
    values = {
        HeaderExtension.ABS_SEND_TIME: bytes(3),
        HeaderExtension.TRANSPORT_CC: bytes(2),
        HeaderExtension.MID: mid.encode(),
    }
    if kind is Kind.AUDIO:
        values[HeaderExtension.AUDIO_LEVEL] = b"\xa0"
    elements = bytearray()
    at: dict[HeaderExtension, int] = {}
    for name, value in values.items():
        if name in extensions:
            elements.append(extensions[name] << 4 | len(value) - 1)
            at[name] = 16 + len(elements)
            elements += value
    elements += bytes(-len(elements) % 4)
    block = struct.pack("!HH", 0xBEDE, len(elements) // 4) + elements
    return block, _Offsets(at.get(HeaderExtension.ABS_SEND_TIME, 0), at.get(HeaderExtension.TRANSPORT_CC, 0))


def _filler(length: int) -> bytes:
    """Bytes that don't compress and are the same in every run."""
    return bytes((index * 167 + 13) & 0xFF for index in range(length))
