"""An SFU made of the pure core, between browsers on simulated lines."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sfu.core.downlink_loss import DownlinkLoss
from sfu.core.history import PacketHistory
from sfu.core.keyframe import KeyframeRequester
from sfu.core.receive_log import ReceiveLog, ReportBlockData
from sfu.core.retransmit import RetransmitLimiter
from sfu.core.room_rates import RoomRates
from sfu.core.rtt import RttEstimate, compact_ntp, delay_since, round_trip_s
from sfu.core.sequence_map import NOT_SENT, SequenceMap
from sfu.core.timestamp_map import TimestampMap
from tests.simulation.browser import AUDIO_BPS, RTP_HZ, Packet, Receiver, Remb, Sender
from tests.simulation.network import Clock, Line, Link

FEEDBACK_BYTES = 80
BUSY_SHARE = 0.15
BUSY_S = (0.1, 0.3)
"measured on a busy machine: single round trips longer by this, with nothing queued"
BUSY_REMB_S = 20.0
NTP_S = 3.98e9


class Peer:
    """A browser, its line, and what the SFU keeps of its publication."""

    def __init__(self, name: str, clock: Clock, rng: random.Random, up: Link, down: Link) -> None:
        self.name = name
        self.up = up
        self.down = down
        self.sender = Sender(clock, rng)
        self.remb = Remb(clock)
        self.receivers: dict[str, Receiver] = {}
        self.rtt = RttEstimate()
        self.busy = False
        self.last_report = 0
        self.last_report_at = 0.0
        self.worst_rtt_s: dict[int, float] = {}
        "by second"
        self.caps: list[tuple[float, int]] = []
        # Published
        self.log = ReceiveLog(RTP_HZ, repair=True)
        self.audio_log = ReceiveLog(48_000, repair=False)
        self.history = PacketHistory(512, 2.0)
        self.packets: dict[int, Packet] = {}
        self.keyframes = KeyframeRequester()
        self.received_bytes = 0
        self.forwards: list[Forward] = []


class Forward:
    """One subscription as the SFU sends it."""

    def __init__(self, rng: random.Random, subscriber: Peer, receiver: Receiver) -> None:
        self.subscriber = subscriber
        self.receiver = receiver
        self.numbering = SequenceMap(rng.randrange(1 << 15))
        self.timestamps = TimestampMap(RTP_HZ)
        self.limiter = RetransmitLimiter()
        self.loss = DownlinkLoss(self.numbering)
        self.audio_numbering = SequenceMap(rng.randrange(1 << 15))
        self.audio_loss = DownlinkLoss(self.audio_numbering)
        self.sent_bytes = 0
        self.waiting = True
        self.sent: set[int] = set()
        "every outgoing number ever used, extended"
        self.own_loss: list[float] = []


class Room:
    """Peers that all see each other. ``run`` goes on; tests change the lines in between."""

    def __init__(self, seed: int, **lines: tuple[Line, Line]) -> None:
        self.clock = Clock()
        self.rng = random.Random(seed)
        self.rates: RoomRates[str] = RoomRates()
        self.peers: dict[str, Peer] = {}
        for name, (up, down) in lines.items():
            links = Link(self.clock, self.rng, up), Link(self.clock, self.rng, down)
            self.peers[name] = Peer(name, self.clock, self.rng, *links)
            self.rates.add(name, 0.0)
        for peer in self.peers.values():
            self._connect(peer)
        self.clock.every(0.01, self._tick)
        self.clock.every(0.5, self._allocate, first_s=0.2)
        self.clock.every(1.0, self._measure, first_s=1.0)

    def run(self, seconds: float) -> None:
        self.clock.run(seconds)

    def receiver(self, subscriber: str, publisher: str) -> Receiver:
        return self.peers[subscriber].receivers[publisher]

    def forward(self, publisher: str, subscriber: str) -> Forward:
        return next(f for f in self.peers[publisher].forwards if f.subscriber.name == subscriber)

    def _connect(self, peer: Peer) -> None:
        peer.sender.send_video = lambda packet: peer.up.send(
            packet.size_bytes, lambda: self._video_arrived(peer, packet)
        )
        peer.sender.send_audio = lambda packet: peer.up.send(
            packet.size_bytes, lambda: self._audio_arrived(peer, packet)
        )
        others = [other for other in self.peers.values() if other is not peer]
        self.rates.watch(peer.name, [other.name for other in others])
        for other in others:
            receiver = peer.receivers[other.name] = Receiver(self.clock)
            other.forwards.append(Forward(self.rng, peer, receiver))
        self.clock.every(0.02, lambda: self._browser_feedback(peer), first_s=self.rng.random() * 0.02)
        self.clock.every(0.1, lambda: self._browser_estimate(peer), first_s=self.rng.random() * 0.1)
        self.clock.every(1.0, lambda: self._send_reports(peer), first_s=self.rng.random())
        self.clock.every(BUSY_REMB_S, lambda: self._browser_stalls(peer), first_s=BUSY_REMB_S * self.rng.random())
        self.clock.at(1.0 + self.rng.random(), lambda: self._browser_reports(peer))

    # The packet path

    def _audio_arrived(self, publisher: Peer, packet: Packet) -> None:
        extended = publisher.audio_log.received(packet.seq, packet.timestamp, self.clock.now)
        if extended < 0:
            return
        for forward in publisher.forwards:
            out = forward.audio_numbering.forward(extended)
            if out == NOT_SENT:
                continue
            deliver = partial(self._audio_heard, forward.receiver.audio_log, out)
            forward.subscriber.down.send(packet.size_bytes, deliver)

    def _audio_heard(self, log: ReceiveLog, out: int) -> None:
        log.received(out, 0, self.clock.now)

    def _video_arrived(self, publisher: Peer, packet: Packet) -> None:
        now = self.clock.now
        if packet.rtx:
            extended = publisher.log.repaired(packet.seq, now)
        else:
            extended = publisher.log.received(packet.seq, packet.timestamp, now)
        if extended < 0:
            return
        publisher.received_bytes += packet.size_bytes
        if not packet.count:
            for forward in publisher.forwards:
                forward.numbering.drop(extended)
            return
        publisher.history.put(extended, b"kept", now)
        publisher.packets[extended] = packet
        publisher.packets.pop(extended - 2048, None)
        if packet.keyframe and not packet.index:
            publisher.keyframes.arrived(now)
        for forward in publisher.forwards:
            self._forward(publisher, forward, extended, packet)

    def _forward(self, publisher: Peer, forward: Forward, extended: int, packet: Packet) -> None:
        if forward.waiting:
            if not packet.keyframe or packet.index:
                return
            forward.waiting = False
        out = forward.numbering.forward(extended)
        if out == NOT_SENT:
            return
        highest = forward.numbering.highest_out
        number = highest - ((highest - out) & 0xFFFF)
        assert number not in forward.sent
        forward.sent.add(number)
        forward.sent_bytes += packet.size_bytes
        timestamp = forward.timestamps.forward(packet.timestamp, self.clock.now)
        self._send_video(forward, replace(packet, seq=out, timestamp=timestamp, rtx=False))

    def _send_video(self, forward: Forward, packet: Packet) -> None:
        stamped = replace(packet, sent_at=self.clock.now)

        def deliver() -> None:
            forward.subscriber.remb.packet(stamped)
            forward.receiver.packet(stamped)

        forward.subscriber.down.send(stamped.size_bytes, deliver)

    def _nacked(self, publisher: Peer, forward: Forward, seqs: list[int]) -> None:
        for seq in seqs:
            extended = forward.numbering.source(seq)
            packet = publisher.packets.get(extended)
            if packet is None or publisher.history.get(extended, self.clock.now) is None:
                continue
            if forward.limiter.allow(
                extended,
                packet.size_bytes,
                sent_bytes=forward.sent_bytes,
                rtt_s=forward.subscriber.rtt.rtt_s,
                now=self.clock.now,
            ):
                self._send_video(forward, replace(packet, seq=seq, rtx=True))

    # Timers of the SFU

    def _tick(self) -> None:
        now = self.clock.now
        for peer in self.peers.values():
            due = peer.log.nacks_due(now, peer.rtt.rtt_s or 0.1)
            if due:
                self._to_browser(peer, partial(peer.sender.nack, due))
            if peer.log.keyframe_needed:
                peer.log.keyframe_needed = False
                self._want_keyframe(peer)
            if peer.keyframes.due(now, peer.rtt.rtt_s or 0.1):
                self._to_browser(peer, peer.sender.keyframe)

    def _want_keyframe(self, peer: Peer) -> None:
        if peer.keyframes.request(self.clock.now):
            self._to_browser(peer, peer.sender.keyframe)

    def _allocate(self) -> None:
        for name, cap in self.rates.caps(self.clock.now).items():
            peer = self.peers[name]
            peer.caps.append((self.clock.now, cap))

            def apply(peer: Peer = peer, cap: int = cap) -> None:
                peer.sender.cap_bps = cap

            self._to_browser(peer, apply)

    def _measure(self) -> None:
        for peer in self.peers.values():
            self.rates.sending(peer.name, video_bps=peer.received_bytes * 8, audio_bps=AUDIO_BPS)
            peer.received_bytes = 0

    def _send_reports(self, peer: Peer) -> None:
        last_report = compact_ntp(NTP_S + self.clock.now)

        def arrived() -> None:
            if peer.busy and self.rng.random() < BUSY_SHARE:
                self.clock.at(self.clock.now + self.rng.uniform(*BUSY_S), read)
            else:
                read()

        def read() -> None:
            peer.last_report = last_report
            peer.last_report_at = self.clock.now

        self._to_browser(peer, arrived)

    def _browser_reports(self, peer: Peer) -> None:
        for name, receiver in peer.receivers.items():
            forward = self.forward(name, peer.name)
            for loss, report in (
                (forward.loss, receiver.log.report()),
                (forward.audio_loss, receiver.audio_log.report()),
            ):
                if report is not None:
                    self._to_sfu(peer, partial(self._lost, forward, loss, report))
        last_report, delay = peer.last_report, delay_since(peer.last_report_at, self.clock.now)
        self._to_sfu(peer, lambda: self._round_trip(peer, last_report, delay))
        # libwebrtc's next report comes after half to one and a half times its interval.
        self.clock.at(self.clock.now + self.rng.uniform(0.5, 1.5), lambda: self._browser_reports(peer))

    def _round_trip(self, peer: Peer, last_report: int, delay: int) -> None:
        sample_s = round_trip_s(compact_ntp(NTP_S + self.clock.now), last_report, delay)
        peer.rtt.add(sample_s, "rr", last_report)
        if sample_s is not None:
            second = int(self.clock.now)
            peer.worst_rtt_s[second] = max(sample_s, peer.worst_rtt_s.get(second, 0.0))
        shortest_s = peer.rtt.take_shortest()
        if shortest_s is not None:
            self.rates.rtt(peer.name, shortest_s)

    def _lost(self, forward: Forward, loss: DownlinkLoss, report: ReportBlockData) -> None:
        share = loss.report(report.extended_highest, report.cumulative_lost)
        if share is not None:
            forward.own_loss.append(share.own_fraction_lost)
            self.rates.loss(forward.subscriber.name, share.own_fraction_lost)

    # Timers of the browsers

    def _browser_feedback(self, peer: Peer) -> None:
        rtt_s = peer.up.line.delay_s + peer.down.line.delay_s
        for name, receiver in peer.receivers.items():
            publisher = self.peers[name]
            due = receiver.log.nacks_due(self.clock.now, rtt_s)
            if due:
                forward = self.forward(name, peer.name)
                self._to_sfu(peer, partial(self._nacked, publisher, forward, due))
            if receiver.keyframe_due(rtt_s):
                self._to_sfu(peer, partial(self._want_keyframe, publisher))

    def _browser_estimate(self, peer: Peer) -> None:
        fell = peer.remb.update(0.1)
        if peer.remb.bps and (fell or int(self.clock.now * 10) % 10 == 0):
            bps = int(peer.remb.bps)
            self._to_sfu(peer, lambda: self.rates.remb(peer.name, bps, self.clock.now))

    def _browser_stalls(self, peer: Peer) -> None:
        if peer.busy:
            peer.remb.collapse()
            bps = int(peer.remb.bps)
            self._to_sfu(peer, lambda: self.rates.remb(peer.name, bps, self.clock.now))

    def _to_browser(self, peer: Peer, deliver: Callable[[], None]) -> None:
        peer.down.send(FEEDBACK_BYTES, deliver)

    def _to_sfu(self, peer: Peer, deliver: Callable[[], None]) -> None:
        peer.up.send(FEEDBACK_BYTES, deliver)
