"""The rates of one room: from what every subscriber's line carries to what every publisher may send.

A browser's REMB speaks of video alone: libwebrtc's receive-side estimator takes audio only under
transport-cc, and we stamp abs-send-time on video only. So audio is reserved beside it. It also never
exceeds 1.5 times what arrives: taking audio off it again would keep a slow line slow for ever. A receiver
whose REMB covers its audio is told apart by ``remb_covers_audio``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from sfu.core.allocation import START_LIMIT_BPS, START_PERIOD_S, RateRamp, divide, publisher_caps
from sfu.core.loss_rule import MAX_BPS, LossRule

REMB_FRESH_S = 5.0
DEMAND_FACTOR = 1.5
DEMAND_EXTRA_BPS = 50_000
"room to grow into: a publisher held back elsewhere leaves the rest to the others, but can come back"

K = TypeVar("K", bound=Hashable)


class _Peer(Generic[K]):
    __slots__ = (
        "audio_bps",
        "loss_rule",
        "ramp",
        "remb_at",
        "remb_bps",
        "remb_covers_audio",
        "video_bps",
        "watches",
    )

    def __init__(self, now: float, remb_covers_audio: bool) -> None:
        self.ramp = RateRamp(now)
        self.loss_rule = LossRule()
        self.remb_covers_audio = remb_covers_audio
        self.remb_bps = 0
        self.remb_at: float | None = None
        self.video_bps = 0
        self.audio_bps = 0
        self.watches: frozenset[K] = frozenset()


class RoomRates(Generic[K]):
    """One room. The caller adds peers and bounds their number; words about unknown peers are ignored."""

    __slots__ = ("_peers",)

    def __init__(self) -> None:
        self._peers: dict[K, _Peer[K]] = {}

    def add(self, peer: K, now: float, *, remb_covers_audio: bool = False) -> None:
        self._peers[peer] = _Peer(now, remb_covers_audio)

    def remove(self, peer: K) -> None:
        self._peers.pop(peer, None)

    def restart(self, publisher: K, now: float) -> None:
        """It begins to publish anew: modest at first, again."""
        if publisher in self._peers:
            self._peers[publisher].ramp = RateRamp(now)

    def watch(self, subscriber: K, publishers: Iterable[K]) -> None:
        """All whose video this subscriber is sent, in place of those before."""
        if subscriber in self._peers:
            self._peers[subscriber].watches = frozenset(publishers)

    def sending(self, publisher: K, *, video_bps: int, audio_bps: int) -> None:
        """What arrives from this publisher, averaged over about a second."""
        if publisher in self._peers:
            self._peers[publisher].video_bps = video_bps
            self._peers[publisher].audio_bps = audio_bps

    def remb(self, subscriber: K, bps: int, now: float) -> None:
        if subscriber in self._peers:
            self._peers[subscriber].remb_bps = bps
            self._peers[subscriber].remb_at = now

    def loss(self, subscriber: K, own_fraction_lost: float) -> None:
        """One forward's own downlink loss, 0..1."""
        if subscriber in self._peers:
            self._peers[subscriber].loss_rule.loss(own_fraction_lost)

    def rtt(self, subscriber: K, rtt_s: float) -> None:
        if subscriber in self._peers:
            self._peers[subscriber].loss_rule.rtt(rtt_s)

    def line_bps(self, subscriber: K, now: float) -> int:
        """What this subscriber's line is taken to carry in video."""
        peer = self._peers[subscriber]
        remb = self._fresh_remb(subscriber, peer, now)
        sending = sum(self._peers[p].video_bps for p in peer.watches if p in self._peers)
        return peer.loss_rule.step(now, sending, remb)

    def caps(self, now: float) -> dict[K, int]:
        """What every peer may be told to send, audio included. To be called a few times a second."""
        shares = {
            subscriber: divide(self.line_bps(subscriber, now), self._demands(peer, now))
            for subscriber, peer in self._peers.items()
        }
        audio = {publisher: peer.audio_bps for publisher, peer in self._peers.items()}
        wanted = publisher_caps(shares, audio)
        return {
            # Nobody watches: enough to begin with when someone does.
            publisher: peer.ramp.limit(wanted.get(publisher, START_LIMIT_BPS), now)
            for publisher, peer in self._peers.items()
        }

    def _fresh_remb(self, subscriber: K, peer: _Peer[K], now: float) -> int | None:
        if peer.remb_at is None or now - peer.remb_at > REMB_FRESH_S:
            return None
        if not peer.remb_covers_audio:
            return peer.remb_bps
        audio = sum(other.audio_bps for key, other in self._peers.items() if key != subscriber)
        return max(0, peer.remb_bps - audio)

    def _demands(self, peer: _Peer[K], now: float) -> dict[K, int]:
        demands = {}
        for key in peer.watches:
            publisher = self._peers.get(key)
            if publisher is None:
                continue
            if now - publisher.ramp.started_at < START_PERIOD_S:
                demands[key] = MAX_BPS
            else:
                demands[key] = int(publisher.video_bps * DEMAND_FACTOR) + DEMAND_EXTRA_BPS
        return demands
