"""RTCP: reading compound packets and building what an SFU says.

RFC 3550 §6 (SR, RR, SDES, BYE), RFC 4585 §6 (NACK, PLI), RFC 5104 §4.3.1 (FIR), RFC 3611 §4.4 and §4.5 (XR),
RFC 5506 (reduced size), draft-alvestrand-rmcat-remb. Transport-cc feedback is recognised here and read by
sfu.core.transport_cc.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from sfu.core.rtcp_packets import (
    DelaySinceLastRr,
    FullIntraRequest,
    Goodbye,
    Nack,
    Packet,
    PictureLoss,
    ReceiverReferenceTime,
    ReceiverReport,
    Remb,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportCc,
)

__all__ = [
    "MAX_NACK_FIELDS",
    "MAX_NACK_SEQUENCES",
    "MAX_PACKETS",
    "RtcpMalformed",
    "is_rtcp",
    "parse_compound",
    "build_sr",
    "build_rr",
    "build_sdes",
    "build_bye",
    "build_nack",
    "build_pli",
    "build_fir",
    "build_remb",
    "build_xr_rrtr",
    "build_xr_dlrr",
    "DelaySinceLastRr",
    "FullIntraRequest",
    "Goodbye",
    "Nack",
    "Packet",
    "PictureLoss",
    "ReceiverReferenceTime",
    "ReceiverReport",
    "Remb",
    "ReportBlock",
    "SenderReport",
    "SourceDescription",
    "TransportCc",
]

MAX_PACKETS = 64
"in one datagram; browsers send fewer than ten"
MAX_NACK_SEQUENCES = 1024
"taken from one NACK packet, as many as a history holds"
MAX_NACK_FIELDS = 253
"written into one NACK packet, so that it stays below an MTU"

_SR, _RR, _SDES, _BYE, _APP, _RTPFB, _PSFB, _XR = range(200, 208)
_NACK, _TRANSPORT_CC = 1, 15
_PLI, _FIR, _APPLICATION = 1, 4, 15
_RRTR, _DLRR = 4, 5
_CNAME = 1
_MAX_COUNT = 31
_MAX_BPS = (1 << 64) - 1
_MANTISSA_BITS = 18

_HEADER = struct.Struct("!BBH")
_WORD = struct.Struct("!I")
_TWO_WORDS = struct.Struct("!II")
_NTP = struct.Struct("!Q")
_SENDER = struct.Struct("!IQIII")
_REPORT_BLOCK = struct.Struct("!IIIIII")
_NACK_FIELD = struct.Struct("!HH")
_FIR_ENTRY = struct.Struct("!IB3x")
_XR_BLOCK = struct.Struct("!BBH")
_DLRR_ENTRY = struct.Struct("!III")


class RtcpMalformed(ValueError):
    """The datagram is no RTCP compound; its text says why, and holds nothing of the datagram."""


def is_rtcp(second_byte: int) -> bool:
    """Whether a packet on a port shared with RTP is RTCP, by its second byte (RFC 5761 §4)."""
    return 192 <= second_byte <= 223


# Reading.


def parse_compound(data: bytes | bytearray | memoryview) -> list[Packet]:
    """Read every packet of a datagram; those of unknown type are skipped by their length (RFC 3550 §6.1)."""
    data = bytes(data)
    packets: list[Packet] = []
    at, size = 0, len(data)
    if not size:
        raise RtcpMalformed("empty")
    for _ in range(MAX_PACKETS):
        if at + 4 > size:
            raise RtcpMalformed("header is cut off")
        first, packet_type, words = _HEADER.unpack_from(data, at)
        if first & 0xC0 != 0x80:
            raise RtcpMalformed("version is not 2")
        end = at + 4 + (words << 2)
        if end > size:
            raise RtcpMalformed("packet is cut off")
        # RFC 3550 allows padding in the last packet only; libwebrtc pads each transport-cc packet it bundles.
        body_end = end - _padding(data, at + 4, end) if first & 0x20 else end
        _parse_packet(packets, data, packet_type, first & 0x1F, at, body_end)
        at = end
        if at == size:
            return packets
    raise RtcpMalformed("too many packets")


def _padding(data: bytes, start: int, end: int) -> int:
    padding = data[end - 1] if end > start else 0
    if not padding or padding > end - start:
        raise RtcpMalformed("padding is wrong")
    return padding


def _parse_packet(packets: list[Packet], data: bytes, packet_type: int, count: int, at: int, end: int) -> None:
    """``count`` is the header's five bits: report count, source count or feedback type."""
    body = at + 4
    if packet_type == _RTPFB or packet_type == _PSFB:
        if end - body < 8:
            raise RtcpMalformed("feedback has no SSRCs")
        sender, media = _TWO_WORDS.unpack_from(data, body)
        if packet_type == _RTPFB:
            _parse_transport_feedback(packets, data, count, at, end, sender, media)
        else:
            _parse_payload_feedback(packets, data, count, body + 8, end, sender, media)
    elif packet_type == _RR:
        _need(end - body, 4)
        packets.append(ReceiverReport(_WORD.unpack_from(data, body)[0], _report_blocks(data, body + 4, end, count)))
    elif packet_type == _SR:
        _need(end - body, _SENDER.size)
        blocks = _report_blocks(data, body + _SENDER.size, end, count)
        ssrc, ntp, rtp_timestamp, sent, octets = _SENDER.unpack_from(data, body)
        packets.append(SenderReport(ssrc, ntp, rtp_timestamp, sent, octets, blocks))
    elif packet_type == _SDES:
        packets.append(SourceDescription(_cnames(data, body, end, count)))
    elif packet_type == _BYE:
        _need(end - body, 4 * count)
        packets.append(Goodbye(struct.unpack_from(f"!{count}I", data, body)))
    elif packet_type == _XR:
        _need(end - body, 4)
        _parse_extended(packets, data, body + 4, end, _WORD.unpack_from(data, body)[0])


def _need(has: int, wants: int) -> None:
    if has < wants:
        raise RtcpMalformed("body is shorter than its count says")


def _report_blocks(data: bytes, at: int, end: int, count: int) -> tuple[ReportBlock, ...]:
    """What follows the blocks is a profile-specific extension (RFC 3550 §6.4.3), ignored."""
    _need(end - at, count * _REPORT_BLOCK.size)
    blocks = []
    for start in range(at, at + count * _REPORT_BLOCK.size, _REPORT_BLOCK.size):
        ssrc, losses, highest, jitter, last_sr, delay = _REPORT_BLOCK.unpack_from(data, start)
        lost = losses & 0xFFFFFF
        if lost & 0x800000:
            lost -= 0x1000000
        blocks.append(ReportBlock(ssrc, losses >> 24, lost, highest, jitter, last_sr, delay))
    return tuple(blocks)


def _cnames(data: bytes, at: int, end: int, count: int) -> tuple[tuple[int, str], ...]:
    """RFC 3550 §6.5: chunks of items, each chunk closed by a zero and padded to a word."""
    cnames = []
    for _ in range(count):
        start = at
        _need(end - at, 8)
        ssrc = _WORD.unpack_from(data, at)[0]
        at += 4
        while True:
            _need(end - at, 1)
            item = data[at]
            if not item:
                break
            _need(end - at, 2)
            text = at + 2
            at = text + data[at + 1]
            _need(end - at, 1)
            if item == _CNAME:
                cnames.append((ssrc, data[text:at].decode("utf-8", "replace")))
        at = start + (at - start + 4 & ~3)
    return tuple(cnames)


def _parse_transport_feedback(
    packets: list[Packet], data: bytes, fmt: int, at: int, end: int, sender: int, media: int
) -> None:
    fci = at + 12
    if fmt == _NACK:
        if end == fci or (end - fci) & 3:
            raise RtcpMalformed("NACK is no list of words")
        packets.append(Nack(sender, media, _nacked(data, fci, end)))
    elif fmt == _TRANSPORT_CC:
        _need(end - fci, 8)
        packets.append(TransportCc(sender, media, data[at : at + 4 + (_HEADER.unpack_from(data, at)[2] << 2)]))


def _nacked(data: bytes, at: int, end: int) -> tuple[int, ...]:
    """RFC 4585 §6.2.1: a sequence number and a mask of the sixteen that follow it."""
    sequences: list[int] = []
    for first, mask in _NACK_FIELD.iter_unpack(data[at:end]):
        sequences.append(first)
        while mask:
            lowest = mask & -mask
            sequences.append(first + lowest.bit_length() & 0xFFFF)
            mask ^= lowest
        if len(sequences) >= MAX_NACK_SEQUENCES:
            break
    return tuple(sequences[:MAX_NACK_SEQUENCES])


def _parse_payload_feedback(
    packets: list[Packet], data: bytes, fmt: int, fci: int, end: int, sender: int, media: int
) -> None:
    if fmt == _PLI:
        packets.append(PictureLoss(sender, media))
    elif fmt == _FIR:
        if end == fci or (end - fci) % _FIR_ENTRY.size:
            raise RtcpMalformed("FIR is no list of entries")
        packets.append(FullIntraRequest(sender, tuple(_FIR_ENTRY.iter_unpack(data[fci:end]))))
    elif fmt == _APPLICATION and data[fci : min(fci + 4, end)] == b"REMB":
        _need(end - fci, 8)
        number, value = data[fci + 4], _WORD.unpack_from(data, fci + 4)[0] & 0xFFFFFF
        _need(end - fci - 8, 4 * number)
        bps = (value & (1 << _MANTISSA_BITS) - 1) << (value >> _MANTISSA_BITS)
        if bps > _MAX_BPS:
            raise RtcpMalformed("REMB is beyond 64 bits")
        packets.append(Remb(sender, bps, struct.unpack_from(f"!{number}I", data, fci + 8)))


def _parse_extended(packets: list[Packet], data: bytes, at: int, end: int, ssrc: int) -> None:
    while at < end:
        _need(end - at, 4)
        block_type, _, words = _XR_BLOCK.unpack_from(data, at)
        block = at + 4
        at = block + (words << 2)
        _need(end - at, 0)
        if block_type == _RRTR:
            _need(at - block, 8)
            packets.append(ReceiverReferenceTime(ssrc, _NTP.unpack_from(data, block)[0]))
        elif block_type == _DLRR:
            if (at - block) % _DLRR_ENTRY.size:
                raise RtcpMalformed("DLRR is no list of entries")
            packets.append(DelaySinceLastRr(ssrc, tuple(_DLRR_ENTRY.iter_unpack(data[block:at]))))


# Building.


def build_sr(
    ssrc: int, ntp: int, rtp_timestamp: int, packets: int, octets: int, blocks: Sequence[ReportBlock] = ()
) -> bytes:
    """Counters wrap at 32 bits. More than 31 blocks continue in RRs (RFC 3550 §6.1)."""
    body = _SENDER.pack(
        ssrc, ntp, rtp_timestamp & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF
    ) + _dump_blocks(blocks[:_MAX_COUNT])
    report = _packet(_SR, min(len(blocks), _MAX_COUNT), body)
    return report if len(blocks) <= _MAX_COUNT else report + build_rr(ssrc, blocks[_MAX_COUNT:])


def build_rr(ssrc: int, blocks: Sequence[ReportBlock] = ()) -> bytes:
    """One RR, or several when there are more than 31 blocks."""
    head, rest = blocks[:_MAX_COUNT], blocks[_MAX_COUNT:]
    report = _packet(_RR, len(head), _WORD.pack(ssrc) + _dump_blocks(head))
    return report if not rest else report + build_rr(ssrc, rest)


def build_sdes(ssrc: int, cname: str) -> bytes:
    """One chunk with the CNAME; it has at most 255 bytes."""
    text = cname.encode()
    if len(text) > 255:
        raise ValueError("CNAME is longer than 255 bytes")
    chunk = _WORD.pack(ssrc) + bytes((_CNAME, len(text))) + text
    return _packet(_SDES, 1, chunk.ljust(len(chunk) + 4 & ~3, b"\0"))


def build_bye(ssrcs: Sequence[int]) -> bytes:
    """At most 31 SSRCs."""
    if len(ssrcs) > _MAX_COUNT:
        raise ValueError("BYE has room for 31 SSRCs")
    return _packet(_BYE, len(ssrcs), struct.pack(f"!{len(ssrcs)}I", *ssrcs))


def build_nack(sender_ssrc: int, media_ssrc: int, sequences: Iterable[int]) -> bytes:
    """16-bit sequence numbers, best in stream order; those beyond MAX_NACK_FIELDS wait for the next NACK."""
    fields: list[int] = []
    first = -1
    for sequence in sequences:
        behind = sequence - first & 0xFFFF if first >= 0 else 0
        if 1 <= behind <= 16:
            fields[-1] |= 1 << behind - 1
        elif behind or first < 0:
            if len(fields) == MAX_NACK_FIELDS:
                break
            first = sequence
            fields.append(sequence << 16)
    fci = struct.pack(f"!{len(fields)}I", *fields)
    return _packet(_RTPFB, _NACK, _TWO_WORDS.pack(sender_ssrc, media_ssrc) + fci)


def build_pli(sender_ssrc: int, media_ssrc: int) -> bytes:
    return _packet(_PSFB, _PLI, _TWO_WORDS.pack(sender_ssrc, media_ssrc))


def build_fir(sender_ssrc: int, media_ssrc: int, sequence: int) -> bytes:
    """``sequence`` is 8 bits, and grows by one with each new request (RFC 5104 §4.3.1.1)."""
    return _packet(_PSFB, _FIR, _TWO_WORDS.pack(sender_ssrc, 0) + _FIR_ENTRY.pack(media_ssrc, sequence & 0xFF))


def build_remb(sender_ssrc: int, bps: int, ssrcs: Sequence[int]) -> bytes:
    """The rate is rounded down to 18 significant bits; at most 255 SSRCs."""
    exponent = max(0, bps.bit_length() - _MANTISSA_BITS)
    value = len(ssrcs) << 24 | exponent << _MANTISSA_BITS | bps >> exponent
    fci = b"REMB" + struct.pack(f"!{1 + len(ssrcs)}I", value, *ssrcs)
    return _packet(_PSFB, _APPLICATION, _TWO_WORDS.pack(sender_ssrc, 0) + fci)


def build_xr_rrtr(ssrc: int, ntp: int) -> bytes:
    return _packet(_XR, 0, _WORD.pack(ssrc) + _XR_BLOCK.pack(_RRTR, 0, 2) + _NTP.pack(ntp))


def build_xr_dlrr(ssrc: int, entries: Sequence[tuple[int, int, int]]) -> bytes:
    """``entries`` as in DelaySinceLastRr."""
    block = b"".join(_DLRR_ENTRY.pack(*entry) for entry in entries)
    return _packet(_XR, 0, _WORD.pack(ssrc) + _XR_BLOCK.pack(_DLRR, 0, len(block) >> 2) + block)


def _packet(packet_type: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, packet_type, len(body) >> 2) + body


def _dump_blocks(blocks: Sequence[ReportBlock]) -> bytes:
    return b"".join(
        _REPORT_BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | max(-0x800000, min(block.lost, 0x7FFFFF)) & 0xFFFFFF,
            block.highest_sequence,
            block.jitter,
            block.last_sr,
            block.delay_since_last_sr,
        )
        for block in blocks
    )
