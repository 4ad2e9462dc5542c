"""What one client publishes under one SSRC."""

from __future__ import annotations

from sfu.core.media import Kind
from tests.bench import packets, timetable
from tests.bench.sdp import AnsweredMedia, OfferedMedia

HISTORY = 1024
"packets kept for retransmission; more than one second of video"


class TransportSequence:
    """The transport-wide sequence number, one a peer connection."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def next(self) -> int:
        self.value = (self.value + 1) & 0xFFFF
        return self.value


class OutgoingStream:
    """Writes its packets into the caller's buffers; holds no packet bytes of its own but the template's."""

    def __init__(
        self, offered: OfferedMedia, answered: AnsweredMedia, payload_type: int, rtx: int, sequence: int
    ) -> None:
        self.kind = offered.kind
        self.ssrc = offered.ssrc
        self.rtx_ssrc = offered.rtx_ssrc
        self.rtx_payload_type = rtx if rtx in answered.payload_types else 0
        video = self.kind is Kind.VIDEO
        self._template = packets.PacketTemplate(
            self.kind,
            ssrc=self.ssrc,
            payload_type=payload_type,
            mid=offered.mid,
            extensions=answered.extensions,
            size_bytes=packets.VIDEO_PACKET_BYTES if video else packets.AUDIO_PACKET_BYTES,
        )
        self.sequence = sequence
        self.rtx_sequence = sequence
        self.timestamp = 0
        self.number = 0
        "packets sent, retransmissions not counted"
        self.octets = 0
        self.retransmitted = 0
        self.keyframes = 0
        self.keyframe_requests = 0
        self._wants_keyframe = True
        self._frame = 0
        self._keyframe_now = False
        # (sequence, timestamp, marker, number, time_ns, picture, starts_frame, keyframe)
        self._history: list[tuple[int, int, bool, int, int, int, bool, bool] | None] = [None] * HISTORY

    def request_keyframe(self) -> None:
        self.keyframe_requests += 1
        self._wants_keyframe = True

    def begin_frame(self) -> int:
        """Start the next frame; returns how many packets it has."""
        self._frame += 1
        self.timestamp = (self.timestamp + timetable.VIDEO_TICKS_PER_FRAME) & 0xFFFF_FFFF
        self._keyframe_now = self._wants_keyframe
        if self._keyframe_now:
            self._wants_keyframe = False
            self.keyframes += 1
        return timetable.packets_in_frame(self._frame)

    def write_video(self, into: memoryview, part: int, parts: int, time_ns: int, transport: int) -> int:
        self.sequence = sequence = (self.sequence + 1) & 0xFFFF
        self.number += 1
        first, last = part == 0, part == parts - 1
        picture = self._frame & 0x7FFF
        self._history[sequence % HISTORY] = (
            sequence, self.timestamp, last, self.number, time_ns, picture, first, self._keyframe_now,
        )  # fmt: skip
        length = self._template.write(
            into,
            sequence=sequence,
            timestamp=self.timestamp,
            marker=last,
            number=self.number,
            time_ns=time_ns,
            transport_sequence=transport,
            picture=picture,
            starts_frame=first,
            keyframe=self._keyframe_now,
        )
        self.octets += length
        return length

    def write_audio(self, into: memoryview, time_ns: int, transport: int) -> int:
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + timetable.AUDIO_TICKS_PER_PACKET) & 0xFFFF_FFFF
        self.number += 1
        length = self._template.write(
            into,
            sequence=self.sequence,
            timestamp=self.timestamp,
            marker=False,
            number=self.number,
            time_ns=time_ns,
            transport_sequence=transport,
        )
        self.octets += length
        return length

    def write_rtx(self, into: memoryview, sequence: int, transport: int) -> int:
        """The retransmission of a packet still remembered; 0 when it is not, or RTX was not negotiated."""
        kept = self._history[sequence % HISTORY]
        if kept is None or kept[0] != sequence or not self.rtx_payload_type:
            return 0
        _sequence, timestamp, marker, number, time_ns, picture, first, keyframe = kept
        length = self._template.write(
            into,
            sequence=sequence,
            timestamp=timestamp,
            marker=marker,
            number=number,
            time_ns=time_ns,
            transport_sequence=transport,
            picture=picture,
            starts_frame=first,
            keyframe=keyframe,
        )
        self.rtx_sequence = (self.rtx_sequence + 1) & 0xFFFF
        self.retransmitted += 1
        return self._template.write_rtx(
            into,
            length,
            ssrc=self.rtx_ssrc,
            payload_type=self.rtx_payload_type,
            sequence=self.rtx_sequence,
        )

    def sender_report(self, time_s: float) -> bytes:
        return packets.sender_report(
            self.ssrc, time_s=time_s, timestamp=self.timestamp, packets=self.number, octets=self.octets
        )
