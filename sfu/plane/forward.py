"""The way of one RTP packet, from the socket to every subscriber. Read top to bottom: ``docs/packet-path.md``."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

from sfu.core.drop import DropReason
from sfu.core.media import Codec, CodecName
from sfu.core.payload import is_keyframe, write_vp8_picture_id
from sfu.core.receive_log import DUPLICATE
from sfu.core.rtp import abs_send_time, payload_end, rtx_original_sequence
from sfu.plane import splice
from sfu.plane.seam import StreamId
from sfu.plane.srtp import PacketBuffer, drop_reason, protect, unprotect
from sfu.plane.state import LOSSY, PROTECTED_PACKETS, Forward, Ingress, Path, Stream, Transport

_RTP_HEADER = struct.Struct("!BBHII")
_SSRC = struct.Struct("!I")
_SEQUENCE_AND_TIMESTAMP = struct.Struct("!HI")
_OSN_BYTES = 2
_VERSION_2 = 0x80
_VERSION_2_WITH_EXTENSION = 0x90
_MARKER = 0x80
_PADDING = 0x20
HEADER_BYTES = 12


class PacketPath:
    """Receives what is in ``received``, forwards from it through ``sending``."""

    __slots__ = ("_on_new_ssrc", "received", "sending", "wants_feedback", "wants_repair")

    def __init__(self, on_new_ssrc: Callable[[StreamId, int, int], None]) -> None:
        self.received = PacketBuffer()
        self.sending = PacketBuffer()
        self._on_new_ssrc = on_new_ssrc
        self.wants_repair: set[Stream] = set()
        "streams with something to ask for at the next feedback tick"
        self.wants_feedback: set[Transport] = set()
        "transports with transport-cc arrivals to report"

    def receive_rtp(self, path: Path, size: int, now: float) -> None:
        """One SRTP packet of ``size`` bytes in ``received``, from a validated path."""
        transport, buffer = path.transport, self.received
        data, drops = buffer.data, path.transport.drops
        if transport.srtp_in is None:
            drops[DropReason.NO_KEYS] += 1
            return
        if size < HEADER_BYTES:
            drops[DropReason.RTP_MALFORMED] += 1
            return
        (ssrc,) = _SSRC.unpack_from(data, 8)
        ingress = transport.ingress.get(ssrc)
        if ingress is None and not transport.may_be_source(ssrc):
            drops[DropReason.RTP_TOO_MANY_SSRC] += 1
            return
        buffer.size[0] = size
        if status := unprotect(transport.srtp_in, buffer.cdata, buffer.size):
            drops[drop_reason(status)] += 1
            return
        size = buffer.size[0]
        transport.packets += 1
        transport.byte_count += size
        transport.last_packet_at = now
        extensions = transport.extensions
        start = extensions.read(data, size)
        end = payload_end(data, size, start) if start > 0 else -1
        if end < 0:
            drops[DropReason.RTP_MALFORMED] += 1
            return
        if data[0] & _PADDING:
            # Cut off here; what is kept for retransmissions must not be taken for padded again.
            data[0] &= ~_PADDING
        if extensions.transport_cc >= 0 and transport.transport_cc is not None:
            transport.transport_cc.received(extensions.transport_cc, now)
            self.wants_feedback.add(transport)
        if ingress is None:
            ingress = self._resolve(transport, ssrc, data[1] & 0x7F, now)
            if ingress is None:
                drops[DropReason.RTP_UNKNOWN_STREAM] += 1
                return
        if ingress.is_rtx:
            end = self._unwrap_rtx(ingress, start, end)
            if end < 0:
                return
        self._received(ingress, start, end, now)

    def _received(self, ingress: Ingress, start: int, end: int, now: float) -> None:
        """One packet in the clear, an unwrapped retransmission included: count, keep, forward."""
        stream, data = ingress.stream, self.received.data
        drops = stream.transport.drops
        sequence, timestamp = _SEQUENCE_AND_TIMESTAMP.unpack_from(data, 2)
        if ingress.is_rtx:
            extended = stream.log.repaired(sequence, now)
        else:
            extended = stream.log.received(sequence, timestamp, now)
            if stream.log.missing_count:
                self.wants_repair.add(stream)
        if extended < 0:
            drops[DropReason.RTP_DUPLICATE if extended == DUPLICATE else DropReason.RTP_TOO_OLD] += 1
            return
        stream.packets += 1
        stream.byte_count += end
        if start == end:
            for forward in stream.forwards:
                forward.sequence.drop(extended)
            drops[DropReason.PADDING_ONLY] += 1
            return
        codec = stream.codecs.get(data[1] & 0x7F)
        if codec is None:
            for forward in stream.forwards:
                forward.sequence.drop(extended)
            drops[DropReason.RTP_UNKNOWN_PAYLOAD_TYPE] += 1
            return
        keyframe = False
        if stream.is_video:
            packet = bytes(self.received.view[:end])
            stream.history.put(extended, packet, now)
            if extended == stream.log.highest:
                stream.newest = packet
            if stream.wants_keyframe and is_keyframe(codec.name, data, start, end):
                keyframe = True
                stream.keyframes.arrived(now)
                stream.wants_keyframe = stream.keyframe_due = False
        for forward in stream.forwards:
            self._forward(forward, extended, timestamp, start, end, keyframe, now)

    def _forward(
        self,
        forward: Forward,
        extended: int,
        timestamp: int,
        start: int,
        end: int,
        keyframe: bool,
        now: float,
    ) -> None:
        """Rewrite, protect and send to one subscriber."""
        transport, source = forward.transport, self.received
        path = transport.selected
        if path is None or transport.srtp_out is None:
            transport.drops[DropReason.NO_PATH] += 1
            return
        second = source.data[1]
        codec = forward.codecs.get(second & 0x7F)
        if codec is None:
            forward.sequence.drop(extended)
            transport.drops[DropReason.CODEC_NOT_NEGOTIATED] += 1
            return
        if path.tcp is not None and forward.stream.is_video and self._tcp_is_full(forward, path, timestamp, now):
            transport.drops[DropReason.TCP_QUEUE_FULL] += 1
            return
        if forward.waiting:
            if not keyframe:
                transport.drops[DropReason.WAITING_FOR_KEYFRAME] += 1
                if forward.stream.keyframes.next_due == math.inf:
                    # Nobody is asking any more; while somebody is, the repeats keep to the round trip.
                    self.want_keyframe(forward.stream)
                return
            splice.resume(forward, source.data, extended, timestamp, start, end, now)
        elif forward.splice_next:
            splice.resume(forward, source.data, extended, timestamp, start, end, now)
        sequence = forward.sequence.forward(extended)
        if sequence < 0:
            transport.drops[DropReason.BEFORE_SPLICE] += 1
            return
        size = self._write(forward, codec, sequence, timestamp, start, end, now)
        forward.octets += end - start
        self._send(forward, path, sequence, size)

    def _write(
        self, forward: Forward, codec: Codec, sequence: int, timestamp: int, start: int, end: int, now: float
    ) -> int:
        """The outgoing packet in the clear in ``sending``; its size. Nothing is taken over but payload and marker."""
        out, extensions = self.sending.data, forward.stream.transport.extensions
        at = forward.block.write(
            out,
            HEADER_BYTES,
            audio_level=extensions.audio_level,
            orientation=extensions.orientation,
            descriptor=extensions.descriptor,
            abs_send_time=abs_send_time(now),
        )
        first = _VERSION_2_WITH_EXTENSION if at > HEADER_BYTES else _VERSION_2
        second = codec.payload_type | self.received.data[1] & _MARKER
        timestamp = forward.timestamps.forward(timestamp, now)
        _RTP_HEADER.pack_into(out, 0, first, second, sequence, timestamp, forward.ssrc)
        size = at + end - start
        # Between memoryviews bytes are copied once, into a bytearray's slice twice.
        self.sending.view[at:size] = self.received.view[start:end]
        if forward.picture_id_offset or forward.tl0_offset:
            self._renumber_picture(forward, codec, at, size)
        return size

    def _renumber_picture(self, forward: Forward, codec: Codec, at: int, size: int) -> None:
        """After a splice; the publisher may have changed its codec since."""
        if codec.name is CodecName.VP8:
            write_vp8_picture_id(self.sending.data, at, size, forward.picture_id_offset, forward.tl0_offset)

    def _send(self, forward: Forward, path: Path, sequence: int, size: int) -> None:
        transport, buffer = forward.transport, self.sending
        buffer.size[0] = size
        if status := protect(transport.srtp_out, buffer.cdata, buffer.size):
            transport.drops[drop_reason(status)] += 1
            return
        size = buffer.size[0]
        packet = buffer.view[:size]
        if forward.protected is not None:
            forward.protected[sequence % PROTECTED_PACKETS] = (sequence, bytes(packet))
        if refused := path.send(packet):
            transport.drops[refused] += 1
            return
        forward.packets += 1
        forward.byte_count += size
        transport.packets_sent += 1
        transport.bytes_sent += size

    # Rare steps.

    def _resolve(self, transport: Transport, ssrc: int, payload_type: int, now: float) -> Ingress | None:
        """Which stream a new SSRC belongs to (RFC 9143 §9.2): named in the offer, else by MID, else by payload type."""
        if ssrc not in transport.seen_ssrcs:
            transport.seen_ssrcs.add(ssrc)
        stream = transport.stream_of(ssrc, transport.extensions.mid, payload_type)
        if stream is None or ssrc in stream.retired:
            return None
        is_rtx = payload_type in stream.rtx_payload_types
        if not is_rtx and payload_type not in stream.codecs:
            return None
        ingress = Ingress(ssrc, stream, is_rtx=is_rtx)
        previous = stream.rtx_ssrc if is_rtx else stream.primary_ssrc
        if previous is not None:
            transport.ingress.pop(previous, None)
            stream.retired.append(previous)
        transport.ingress[ssrc] = ingress
        if is_rtx:
            stream.rtx_ssrc = ssrc
            return ingress
        if previous is not None:
            splice.prepare(stream)
        stream.primary_ssrc = ssrc
        if stream.is_video and stream.forwards:
            self.want_keyframe(stream)
        self._on_new_ssrc(stream.config.stream, ssrc, payload_type)
        return ingress

    def want_keyframe(self, stream: Stream) -> None:
        """Ask at the next feedback tick; the requester throttles."""
        stream.wants_keyframe = True
        stream.keyframe_due = True
        self.wants_repair.add(stream)

    def _unwrap_rtx(self, ingress: Ingress, start: int, end: int) -> int:
        """Turn the retransmission in ``received`` back into its original (RFC 4588 §4); its end, or -1 when dropped."""
        stream, data = ingress.stream, self.received.data
        drops = stream.transport.drops
        if rtx_original_sequence(data, start, end) < 0:
            drops[DropReason.RTX_EMPTY] += 1
            return -1
        original = stream.rtx_payload_types.get(data[1] & 0x7F)
        if original is None or stream.primary_ssrc is None:
            drops[DropReason.RTX_UNKNOWN] += 1
            return -1
        data[0] &= ~_PADDING
        data[1] = data[1] & _MARKER | original
        data[2:4] = data[start : start + _OSN_BYTES]
        _SSRC.pack_into(data, 8, stream.primary_ssrc)
        view = self.received.view
        view[start : end - _OSN_BYTES] = bytes(view[start + _OSN_BYTES : end])
        return end - _OSN_BYTES

    def _tcp_is_full(self, forward: Forward, path: Path, timestamp: int, now: float) -> bool:
        """On a congested TCP path video stops at a frame's first packet and comes back with a keyframe."""
        if timestamp == forward.last_timestamp and not forward.waiting:
            return False
        forward.last_timestamp = timestamp
        assert path.tcp is not None
        if not path.tcp.congested():
            return False
        forward.waiting = True
        self.want_keyframe(forward.stream)
        return True

    def retransmit(self, forward: Forward, sequence: int, now: float) -> DropReason | None:
        """Answer one NACKed outgoing sequence number from the history, or say why not."""
        transport = forward.transport
        path = transport.selected
        if path is None or transport.srtp_out is None:
            return DropReason.NO_PATH
        if forward.protected is not None:
            stored = forward.protected.get(sequence % PROTECTED_PACKETS)
            if stored is None or stored[0] != sequence:
                return DropReason.NACK_NOT_IN_HISTORY
            packet: bytes | memoryview = stored[1]
            if not self._may_repeat(forward, sequence, len(packet), now):
                return DropReason.NACK_RATE_LIMITED
            return self._repeat(forward, path, packet)
        extended = forward.sequence.source(sequence)
        original = forward.stream.history.get(extended, now) if extended >= 0 else None
        if original is None:
            return DropReason.NACK_NOT_IN_HISTORY
        codec = forward.codecs.get(original[1] & 0x7F)
        if codec is None or codec.rtx_payload_type is None:
            return DropReason.NACK_NOT_IN_HISTORY
        if not self._may_repeat(forward, extended, len(original), now):
            return DropReason.NACK_RATE_LIMITED
        for _ in range(2 if forward.own_fraction_lost > LOSSY else 1):
            size = self._write_rtx(forward, original, sequence, codec, now)
            buffer = self.sending
            buffer.size[0] = size
            if status := protect(transport.srtp_out, buffer.cdata, buffer.size):
                return drop_reason(status)
            if refused := self._repeat(forward, path, buffer.view[: buffer.size[0]]):
                return refused
        return None

    def _may_repeat(self, forward: Forward, number: int, size: int, now: float) -> bool:
        return forward.limiter.allow(
            number, size, sent_bytes=forward.byte_count, rtt_s=forward.transport.rtt.rtt_s, now=now
        )

    def _write_rtx(self, forward: Forward, original: bytes, sequence: int, codec: Codec, now: float) -> int:
        """The RTX packet for ``original`` in the clear in ``sending``, with the same extensions; its size."""
        out, rtx_ssrc = self.sending.data, forward.config.rtx_ssrc
        assert rtx_ssrc is not None and codec.rtx_payload_type is not None
        extensions = forward.stream.transport.extensions
        start = extensions.read(original, len(original))
        end = payload_end(original, len(original), start)
        at = forward.block.write(
            out,
            HEADER_BYTES,
            orientation=extensions.orientation,
            descriptor=extensions.descriptor,
            abs_send_time=abs_send_time(now),
        )
        _, timestamp = _SEQUENCE_AND_TIMESTAMP.unpack_from(original, 2)
        first = _VERSION_2_WITH_EXTENSION if at > HEADER_BYTES else _VERSION_2
        second = original[1] & _MARKER | codec.rtx_payload_type
        timestamp = timestamp + forward.timestamps.offset & 0xFFFFFFFF
        _RTP_HEADER.pack_into(out, 0, first, second, forward.rtx_sequence, timestamp, rtx_ssrc)
        forward.rtx_sequence = forward.rtx_sequence + 1 & 0xFFFF
        out[at : at + _OSN_BYTES] = sequence.to_bytes(_OSN_BYTES)
        at += _OSN_BYTES
        size = at + end - start
        out[at:size] = original[start:end]
        if forward.picture_id_offset or forward.tl0_offset:
            self._renumber_picture(forward, codec, at, size)
        return size

    def _repeat(self, forward: Forward, path: Path, packet: bytes | memoryview) -> DropReason | None:
        if refused := path.send(packet):
            return refused
        transport = forward.transport
        forward.retransmitted += 1
        transport.packets_sent += 1
        transport.bytes_sent += len(packet)
        return None
