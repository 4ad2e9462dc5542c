"""RTP on bytes: header (RFC 3550 §5.1), header extensions (RFC 8285), RTX (RFC 4588).

All of it runs for every packet, so nothing here makes a packet object. ``packet`` may be longer
than ``size``; only its first ``size`` bytes count, and the caller guarantees that they exist.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from sfu.core.media import HeaderExtension

HEADER_BYTES = 12
"the fixed header, which CSRCs and extensions follow"

HEADER = struct.Struct("!BBHII")
"V/P/X/CC, marker and payload type, sequence number, timestamp, SSRC"

ONE_BYTE_PROFILE = 0xBEDE
TWO_BYTE_PROFILE = 0x1000
"in the two-byte form the low four bits are ``appbits``, which receivers ignore (RFC 8285 §4.3)"

EXTENSION_BLOCK_MAX_BYTES = 532
"the most that ExtensionBlock.write writes: a mid and a dependency descriptor of 255 bytes each"

_WORD = struct.Struct("!I")
_BLOCK_HEADER = struct.Struct("!HH")
_ELEMENT_MAX_BYTES = 255
_ONE_BYTE_MAX_ID = 14
_ONE_BYTE_MAX_BYTES = 16
_RTX_HEADER_BYTES = 2


def parse_header(packet: bytes | bytearray | memoryview, size: int) -> int:
    """Offset of the payload; -1 for a wrong version or a header longer than the packet."""
    if size < HEADER_BYTES:
        return -1
    first = packet[0]
    if first & 0xC0 != 0x80:
        return -1
    if not first & 0x1F:
        return HEADER_BYTES
    end = HEADER_BYTES + ((first & 0x0F) << 2)
    if first & 0x10:
        if end + 4 > size:
            return -1
        end += 4 + ((packet[end + 2] << 8 | packet[end + 3]) << 2)
    return end if end <= size else -1


def payload_end(packet: bytes | bytearray | memoryview, size: int, start: int = HEADER_BYTES) -> int:
    """Where the payload that begins at ``start`` ends and padding begins; -1 when the padding is malformed.

    A packet of nothing but padding gives ``start``.
    """
    if not packet[0] & 0x20:
        return size
    padding = packet[size - 1]
    end = size - padding
    return end if padding and end >= start else -1


def rtx_original_sequence(packet: bytes | bytearray | memoryview, start: int, end: int) -> int:
    """Original sequence number of an RTX payload (RFC 4588 §4); -1 when it is empty, as bandwidth probes are.

    What was lost follows it, from ``start + 2``; when that equals ``end``, the original had no payload.
    """
    if end - start < _RTX_HEADER_BYTES:
        return -1
    return packet[start] << 8 | packet[start + 1]


def abs_send_time(now_s: float) -> int:
    """24-bit fixed point seconds, six integer bits, as ``abs-send-time`` wants it."""
    return int(now_s * 262144.0) & 0xFFFFFF


# Reading extensions.


_SKIP, _TRANSPORT_CC, _AUDIO_LEVEL, _ABS_SEND_TIME, _ORIENTATION, _DESCRIPTOR = range(6)
_MID, _RID, _REPAIRED_RID, _PADDING, _STOP = range(6, 11)

_KINDS = {
    HeaderExtension.TRANSPORT_CC: _TRANSPORT_CC,
    HeaderExtension.AUDIO_LEVEL: _AUDIO_LEVEL,
    HeaderExtension.ABS_SEND_TIME: _ABS_SEND_TIME,
    HeaderExtension.VIDEO_ORIENTATION: _ORIENTATION,
    HeaderExtension.MID: _MID,
    HeaderExtension.RID: _RID,
    HeaderExtension.REPAIRED_RID: _REPAIRED_RID,
    HeaderExtension.DEPENDENCY_DESCRIPTOR: _DESCRIPTOR,
}
_FIXED_BYTES = {_TRANSPORT_CC: 2, _AUDIO_LEVEL: 1, _ABS_SEND_TIME: 3, _ORIENTATION: 1}


class ExtensionReader:
    """Reads the header and the extensions that one peer negotiated; made once per transport.

    :meth:`read` sets the attributes anew for each packet. What is seldom wanted is only located, and fetched
    from that packet when asked for: ask before the buffer is used again. Elements of a wrong length count as
    absent.
    """

    __slots__ = (
        "_abs_send_time",
        "_kinds_by_head",
        "_kinds_by_id",
        "_mid",
        "_packet",
        "_repaired_rid",
        "_rid",
        "audio_level",
        "descriptor",
        "orientation",
        "transport_cc",
    )

    transport_cc: int
    "transport-wide sequence number, or -1"
    audio_level: int
    "the byte of RFC 6464 §3 with its voice-activity bit, or -1"
    orientation: int
    "the byte of 3GPP TS 26.114 §7.4.5, or -1"
    descriptor: bytes | None
    "dependency descriptor (AV1 RTP specification, appendix A), unread"

    def __init__(self, ids: Mapping[HeaderExtension, int]) -> None:
        self._kinds_by_id = [_SKIP] * 256
        for extension, extension_id in ids.items():
            if not 1 <= extension_id <= 255:
                raise ValueError(f"header extension id {extension_id} is outside 1..255")
            self._kinds_by_id[extension_id] = _KINDS[extension]
        # One lookup by the element's first byte checks id and length together.
        self._kinds_by_head = [_one_byte_kind(head, self._kinds_by_id) for head in range(256)]
        self._packet: bytes | bytearray | memoryview = b""
        self.read(b"", 0)

    def read(self, packet: bytes | bytearray | memoryview, size: int) -> int:
        """Offset of the payload, or -1 when the header is malformed, as parse_header; and the extensions.

        A faulty block gives the elements before the fault (RFC 8285 §4.2).
        """
        self.transport_cc = self.audio_level = self.orientation = -1
        self._abs_send_time = self._mid = self._rid = self._repaired_rid = -1
        self.descriptor = None
        if size < HEADER_BYTES:
            return -1
        first = packet[0]
        if first & 0xC0 != 0x80:
            return -1
        at = HEADER_BYTES if not first & 0x0F else HEADER_BYTES + ((first & 0x0F) << 2)
        if not first & 0x10:
            return at if at <= size else -1
        if at + 4 > size:
            return -1
        start = at + 4 + ((packet[at + 2] << 8 | packet[at + 3]) << 2)
        if start > size:
            return -1
        self._packet = packet
        if packet[at] == 0xBE and packet[at + 1] == 0xDE:
            self._read_one_byte(packet, at + 4, start)
        elif packet[at] == 0x10 and packet[at + 1] < 0x10:
            self._read_two_byte(packet, at + 4, start)
        return start

    @property
    def abs_send_time(self) -> int:
        """24-bit abs-send-time, or -1."""
        if self._abs_send_time < 0:
            return -1
        at, packet = self._abs_send_time >> 8, self._packet
        return packet[at] << 16 | packet[at + 1] << 8 | packet[at + 2]

    @property
    def mid(self) -> str | None:
        """Media identification (RFC 9143 §16)."""
        return self._text(self._mid)

    @property
    def rid(self) -> str | None:
        """RtpStreamId (RFC 8852 §3.1)."""
        return self._text(self._rid)

    @property
    def repaired_rid(self) -> str | None:
        """RepairedRtpStreamId (RFC 8852 §3.2)."""
        return self._text(self._repaired_rid)

    def _text(self, found: int) -> str | None:
        if found < 0:
            return None
        at = found >> 8
        return str(bytes(self._packet[at : at + (found & 0xFF)]), "utf-8", "replace")

    def _read_one_byte(self, packet: bytes | bytearray | memoryview, at: int, end: int) -> None:
        kinds = self._kinds_by_head
        while at < end:
            head = packet[at]
            kind = kinds[head]
            after = at + 2 + (head & 0x0F)
            if kind:
                if kind == _PADDING:
                    at += 1
                    continue
                if kind == _STOP or after > end:
                    return
                if kind == _TRANSPORT_CC:
                    self.transport_cc = packet[at + 1] << 8 | packet[at + 2]
                elif kind == _AUDIO_LEVEL:
                    self.audio_level = packet[at + 1]
                elif kind == _ABS_SEND_TIME:
                    self._abs_send_time = at + 1 << 8 | 3
                else:
                    self._take(kind, packet, at + 1, after - at - 1)
            at = after

    def _read_two_byte(self, packet: bytes | bytearray | memoryview, at: int, end: int) -> None:
        kinds = self._kinds_by_id
        while at + 2 <= end:
            extension_id = packet[at]
            if not extension_id:
                at += 1
                continue
            length = packet[at + 1]
            after = at + 2 + length
            if after > end:
                return
            kind = kinds[extension_id]
            if kind and length == _FIXED_BYTES.get(kind, length):
                self._take(kind, packet, at + 2, length)
            at = after

    def _take(self, kind: int, packet: bytes | bytearray | memoryview, at: int, length: int) -> None:
        if kind == _MID:
            self._mid = at << 8 | length
        elif kind == _ORIENTATION:
            self.orientation = packet[at]
        elif kind == _DESCRIPTOR:
            self.descriptor = bytes(packet[at : at + length])
        elif kind == _RID:
            self._rid = at << 8 | length
        elif kind == _REPAIRED_RID:
            self._repaired_rid = at << 8 | length
        elif kind == _TRANSPORT_CC:
            self.transport_cc = packet[at] << 8 | packet[at + 1]
        elif kind == _AUDIO_LEVEL:
            self.audio_level = packet[at]
        elif kind == _ABS_SEND_TIME:
            self._abs_send_time = at << 8 | length


def _one_byte_kind(head: int, kinds_by_id: list[int]) -> int:
    if not head:
        return _PADDING
    extension_id = head >> 4
    if extension_id in (0, 15):
        return _STOP
    kind = kinds_by_id[extension_id]
    length = (head & 0x0F) + 1
    return kind if length == _FIXED_BYTES.get(kind, length) else _SKIP


# Writing extensions.


class _Layout(NamedTuple):
    """A block with one combination of elements, values still zero. Offsets are from its start, 0 = absent."""

    two_byte: bool
    elements: bytes
    block: bytearray
    "header, elements, padding; a bytearray, because bytes assigned to a bytearray's slice are copied twice"
    time_at: int
    "one byte before abs-send-time, so that one 32-bit store writes it together with that byte"
    time_head: int
    level_at: int
    orientation_at: int


class ExtensionBlock:
    """Builds the extension block of one subscription: its own mid, and what is copied or stamped each time.

    One-byte form, unless an element that is present needs the two-byte form and ``allow_mixed``
    (``a=extmap-allow-mixed``, RFC 8285 §6) permits that; when it doesn't, that element is left out.
    """

    __slots__ = ("_allow_mixed", "_descriptor_id", "_layouts", "_two_byte_layouts")

    def __init__(self, ids: Mapping[HeaderExtension, int], mid: str, *, allow_mixed: bool = False) -> None:
        encoded = mid.encode()
        if len(encoded) > _ELEMENT_MAX_BYTES:
            raise ValueError("mid is too long for a header extension")
        if any(not 1 <= extension_id <= 255 for extension_id in ids.values()):
            raise ValueError("header extension ids are 1..255")
        self._allow_mixed = allow_mixed
        self._descriptor_id = ids.get(HeaderExtension.DEPENDENCY_DESCRIPTOR, 0)
        wanted = (
            (HeaderExtension.ABS_SEND_TIME, 1, bytes(3)),
            (HeaderExtension.AUDIO_LEVEL, 2, bytes(1)),
            (HeaderExtension.VIDEO_ORIENTATION, 4, bytes(1)),
            (HeaderExtension.MID, 0, encoded),
        )
        self._layouts: list[_Layout] = []
        self._two_byte_layouts: list[_Layout] = []
        for present in range(8):
            elements = {
                extension: (ids[extension], value)
                for extension, bit, value in wanted
                if extension in ids and value and (not bit or bit & present)
            }
            short = {key: element for key, element in elements.items() if _fits_one_byte(*element)}
            two_byte = allow_mixed and len(short) < len(elements)
            self._layouts.append(_lay_out(elements if two_byte else short, two_byte))
            self._two_byte_layouts.append(_lay_out(elements, True))

    def write(
        self,
        into: bytearray,
        at: int,
        *,
        audio_level: int = -1,
        orientation: int = -1,
        descriptor: bytes | None = None,
        abs_send_time: int = -1,
    ) -> int:
        """Write the block at ``at`` and return where it ends; -1 and None leave an element out.

        When nothing is left to write the end is ``at``, and the header's X bit must be 0. ``into`` must have
        room for the block, EXTENSION_BLOCK_MAX_BYTES at most.
        """
        present = 1 if abs_send_time >= 0 else 0
        if audio_level >= 0:
            present |= 2
        if orientation >= 0:
            present |= 4
        layout = self._layouts[present]
        if descriptor and self._descriptor_id:
            layout, block = self._with_descriptor(present, descriptor)
        else:
            block = layout.block
        _, _, _, time_at, time_head, level_at, orientation_at = layout
        end = at + len(block)
        into[at:end] = block
        if time_at:
            _WORD.pack_into(into, at + time_at, time_head | abs_send_time & 0xFFFFFF)
        if level_at:
            into[at + level_at] = audio_level
        if orientation_at:
            into[at + orientation_at] = orientation
        return end

    def _with_descriptor(self, present: int, descriptor: bytes) -> tuple[_Layout, bytearray]:
        layout = self._layouts[present]
        if not _fits_one_byte(self._descriptor_id, descriptor):
            if not self._allow_mixed or len(descriptor) > _ELEMENT_MAX_BYTES:
                return layout, layout.block
            layout = self._two_byte_layouts[present]
        element = _element(self._descriptor_id, descriptor, layout.two_byte)
        return layout, _block(layout.elements + element, layout.two_byte)


def _fits_one_byte(extension_id: int, value: bytes) -> bool:
    return extension_id <= _ONE_BYTE_MAX_ID and 1 <= len(value) <= _ONE_BYTE_MAX_BYTES


def _element(extension_id: int, value: bytes, two_byte: bool) -> bytes:
    if two_byte:
        return bytes((extension_id, len(value))) + value
    return bytes((extension_id << 4 | len(value) - 1,)) + value


def _block(elements: bytes, two_byte: bool) -> bytearray:
    if not elements:
        return bytearray()
    words = (len(elements) + 3) >> 2
    header = _BLOCK_HEADER.pack(TWO_BYTE_PROFILE if two_byte else ONE_BYTE_PROFILE, words)
    return bytearray(header + elements.ljust(words << 2, b"\0"))


def _lay_out(elements: Mapping[HeaderExtension, tuple[int, bytes]], two_byte: bool) -> _Layout:
    written = b""
    offsets: dict[HeaderExtension, int] = {}
    for extension, (extension_id, value) in elements.items():
        written += _element(extension_id, value, two_byte)
        offsets[extension] = _BLOCK_HEADER.size + len(written) - len(value)
    time_at = offsets.get(HeaderExtension.ABS_SEND_TIME, 1) - 1
    block = _block(written, two_byte)
    return _Layout(
        two_byte=two_byte,
        elements=written,
        block=block,
        time_at=time_at,
        time_head=block[time_at] << 24 if time_at else 0,
        level_at=offsets.get(HeaderExtension.AUDIO_LEVEL, 0),
        orientation_at=offsets.get(HeaderExtension.VIDEO_ORIENTATION, 0),
    )
