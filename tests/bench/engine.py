"""The generator's loop: one thread, one epoll, one timer, all clients."""

from __future__ import annotations

import select
import struct
import time
from array import array
from collections.abc import Sequence

from sfu.core.media import Kind
from tests.bench import kernel, packets
from tests.bench.client import SAMPLE_EVERY, Client
from tests.bench.outgoing import OutgoingStream
from tests.bench.timetable import CYCLE_S, Pacing, Slot, timetable

_HOUSEKEEPING_S = 0.02
_LONGEST_SLEEP_S = 0.002
_SEQUENCE_AND_SSRC = struct.Struct("!HII")
_MAX_EVENTS = 256
_RTCP_TYPES = range(192, 224)
_FEEDBACK_NAMES = {
    (packets.RTPFB, packets.NACK): "nack",
    (packets.RTPFB, packets.TRANSPORT_CC): "transport-cc",
    (packets.PSFB, packets.PLI): "pli",
    (packets.PSFB, packets.FIR): "fir",
    (packets.PSFB, packets.REMB): "remb",
}
_REPORT_NAMES = {packets.SENDER_REPORT: "sr", packets.RECEIVER_REPORT: "rr"}


class Engine:
    """Runs its clients for as long as it is told; between calls nothing is read or sent."""

    def __init__(self, *, eager: bool = False) -> None:
        self.clients: dict[int, Client] = {}
        # A client that sleeps in epoll is woken by the server's sendto, at the server's cost; over a real network
        # nobody pays for that. So while media flows the loop sleeps outside of epoll unless it is told otherwise.
        self._is_eager = eager
        self.is_measuring = False
        self.lateness_ns = array("q")
        "how late each slot of the timetable was served: the generator's own health"
        self._poll = select.epoll()
        self._timer = kernel.Timer()
        self._poll.register(self._timer.descriptor, select.EPOLLIN)
        self._inbox = kernel.Inbox()
        self._outbox = kernel.Outbox()
        self._slots: Sequence[Slot] = ()
        self._senders: list[Client] = []
        self._next_slot = 0
        self._cycle_start = 0.0
        self._next_housekeeping = 0.0
        self._parts: dict[int, int] = {}
        "packets of the frame under way, by client, when pacing is even"

    def add(self, client: Client) -> None:
        self.clients[client.descriptor] = client
        self._poll.register(client.descriptor, select.EPOLLIN)

    def remove(self, client: Client) -> None:
        self._poll.unregister(client.descriptor)
        del self.clients[client.descriptor]

    def start_media(self, pacing: Pacing) -> None:
        self._senders = [client for client in self.clients.values() if client.outgoing]
        self._slots = timetable(len(self._senders), pacing)
        self._next_slot = 0
        self._cycle_start = time.monotonic() + 0.05

    def stop_media(self) -> None:
        self._slots = ()

    def close(self) -> None:
        for client in list(self.clients.values()):
            self.remove(client)
            client.close()
        self._timer.close()
        self._poll.close()

    def run(self, duration_s: float) -> None:
        """Serve clients until the time is over, at least once."""
        until = time.monotonic() + duration_s
        while True:
            now = time.monotonic()
            if now >= self._next_housekeeping:
                self._keep_house(now)
            due = min(self._send_due(now), self._next_housekeeping, until)
            for descriptor, _event in self._await(due, now):
                if client := self.clients.get(descriptor):
                    self._read(client)
            if time.monotonic() >= until:
                return

    def _await(self, due: float, now: float) -> list[tuple[int, int]]:
        """Sleep until something is due, or, when eager or idle, until something arrives."""
        if self._is_eager or not self._slots:
            self._timer.arm(due)
            return self._poll.poll(-1, _MAX_EVENTS)
        time.sleep(min(max(due - now, 0.0), _LONGEST_SLEEP_S))
        return self._poll.poll(0, _MAX_EVENTS)

    # Sending

    def _send_due(self, now: float) -> float:
        """Serve every slot whose time has come; returns when the next one comes."""
        slots = self._slots
        if not slots:
            return now + 1.0
        while True:
            slot = slots[self._next_slot]
            due = self._cycle_start + slot.offset_s
            if due > now:
                return due
            if self.is_measuring:
                self.lateness_ns.append(int((time.monotonic() - due) * 1e9))
            self._serve(slot)
            self._next_slot += 1
            if self._next_slot == len(slots):
                self._next_slot = 0
                self._cycle_start += CYCLE_S

    def _serve(self, slot: Slot) -> None:
        client = self._senders[slot.client]
        if slot.kind is Kind.AUDIO:
            if client.audio is not None:
                self._send_audio(client, client.audio)
        elif client.video is not None:
            self._send_video(client, client.video, slot)

    def _send_audio(self, client: Client, stream: OutgoingStream) -> None:
        outbox = self._outbox
        length = stream.write_audio(outbox.views[0], time.time_ns(), client.transport_sequence.next())
        outbox.set_length(0, client.tx.protect(outbox.pointers[0], length))
        client.received.send_failures += 1 - outbox.send(client.descriptor, 1)

    def _send_video(self, client: Client, stream: OutgoingStream, slot: Slot) -> None:
        if slot.part > 0:
            parts = self._parts.get(slot.client, 0)
            wanted: Sequence[int] = (slot.part,) if slot.part < parts else ()
        else:
            parts = self._parts[slot.client] = stream.begin_frame()
            wanted = range(parts) if slot.part < 0 else (0,)
        outbox = self._outbox
        count = 0
        for part in wanted:
            length = stream.write_video(
                outbox.views[count], part, parts, time.time_ns(), client.transport_sequence.next()
            )
            outbox.set_length(count, client.tx.protect(outbox.pointers[count], length))
            count += 1
        if count:
            client.received.send_failures += count - outbox.send(client.descriptor, count)

    def _retransmit(self, client: Client, stream: OutgoingStream, wanted: Sequence[int]) -> None:
        outbox = self._outbox
        for sequence in wanted:
            length = stream.write_rtx(outbox.views[0], sequence, client.transport_sequence.next())
            if length:
                outbox.set_length(0, client.tx.protect(outbox.pointers[0], length))
                client.received.send_failures += 1 - outbox.send(client.descriptor, 1)

    # Receiving

    def _read(self, client: Client) -> None:
        inbox = self._inbox
        while True:
            count = inbox.receive(client.descriptor)
            for index in range(count):
                view = inbox.views[index]
                first = view[0]
                if first < 128 or first > 191:
                    self._receive_other(client, bytes(view[: inbox.length(index)]))
                elif view[1] in _RTCP_TYPES:
                    self._receive_rtcp(client, index)
                else:
                    self._receive_rtp(client, index, view)
            if count < kernel.BATCH:
                break
        if client.owes_nack:
            client.ask_again(time.monotonic(), self._outbox)

    def _receive_rtp(self, client: Client, index: int, view: memoryview) -> None:
        sequence, _timestamp, ssrc = _SEQUENCE_AND_SSRC.unpack_from(view, 2)
        stream = client.incoming.get(ssrc)
        if stream is None:
            self._receive_rtx(client, index, view, ssrc)
            return
        if not stream.receive(sequence):
            client.owes_nack = stream.waiting > 0
            return
        client.until_sample -= 1
        if client.until_sample and stream.received > 1:
            return
        client.until_sample = SAMPLE_EVERY
        length = client.rx.unprotect(self._inbox.pointers[index], self._inbox.length(index))
        if length < 0:
            client.received.undecryptable += 1
            return
        stamp = packets.read_stamp(stream.kind, view[:length], packets.payload_offset(view))
        if stamp is None:
            client.received.foreign += 1
            return
        stream.note_stamp(sequence, stamp)
        if self.is_measuring:
            client.delays_ns.append(self._inbox.arrived_ns(index) - stamp.time_ns)

    def _receive_rtx(self, client: Client, index: int, view: memoryview, ssrc: int) -> None:
        stream = client.rtx.get(ssrc)
        if stream is None:
            client.received.foreign += 1
            return
        length = client.rx.unprotect(self._inbox.pointers[index], self._inbox.length(index))
        if length < 0:
            client.received.undecryptable += 1
            return
        payload_at = packets.payload_offset(view)
        stream.receive_rtx(int.from_bytes(view[payload_at : payload_at + 2], "big"))

    def _receive_rtcp(self, client: Client, index: int) -> None:
        length = client.rx.unprotect_rtcp(self._inbox.pointers[index], self._inbox.length(index))
        if length < 0:
            client.received.undecryptable += 1
            return
        for packet in packets.split_rtcp(bytes(self._inbox.views[index][:length])):
            key = packet.packet_type, packet.count
            name = _FEEDBACK_NAMES.get(key) or _REPORT_NAMES.get(packet.packet_type, str(packet.packet_type))
            client.received.rtcp[name] = client.received.rtcp.get(name, 0) + 1
            self._answer_rtcp(client, name, packet)

    def _answer_rtcp(self, client: Client, name: str, packet: packets.RtcpPacket) -> None:
        match name:
            case "pli" | "fir":
                source = packet.media_ssrc() if name == "pli" else int.from_bytes(packet.body[8:12], "big")
                if stream := client.outgoing.get(source):
                    stream.request_keyframe()
            case "nack":
                if stream := client.outgoing.get(packet.media_ssrc()):
                    self._retransmit(client, stream, packet.nacked())
            case "remb":
                received = client.received
                received.lowest_remb_bps = min(received.lowest_remb_bps or packet.remb_bps(), packet.remb_bps())
            case "sr":
                if source_stream := client.incoming.get(int.from_bytes(packet.body[:4], "big")):
                    source_stream.last_sr = int.from_bytes(packet.body[6:10], "big")
                    source_stream.last_sr_at = time.monotonic()
            case _:
                pass

    def _receive_other(self, client: Client, datagram: bytes) -> None:
        if datagram and 20 <= datagram[0] <= 63:
            client.received.dtls += 1
            for reply in client.dtls.advance(datagram):
                client.socket.send(reply)
        elif client.checks.accepts(datagram):
            client.received.stun += 1

    def _keep_house(self, now: float) -> None:
        self._next_housekeeping = now + _HOUSEKEEPING_S
        for client in self.clients.values():
            if now >= client.next_check_at:
                client.check(now)
            if client.outgoing or client.incoming:
                if now >= client.next_report_at:
                    client.report(now, self._outbox)
                client.ask_again(now, self._outbox)
