"""Carries a room's reports into its rate rules, and what they decide to the publishers (DESIGN §6, caps)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfu.core.media import Kind
from sfu.core.room_rates import RoomRates
from sfu.plane.seam import DownlinkReport, PlaneCounters

if TYPE_CHECKING:
    from sfu.peer import Peer
    from sfu.room import Room

STEP_S = 0.5
"""How often publishers' caps are decided anew."""


class RoomRateControl:
    """One room's; the SFU's rate task calls ``step`` every STEP_S."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._rates: RoomRates[str] = RoomRates()
        self._known: set[str] = set()
        self._publications: dict[str, str] = {}
        "peer → the video publication that its ramp began with"

    def reported(self, peer: Peer, report: DownlinkReport) -> None:
        """A subscriber's REMB and receiver reports."""
        if report.remb_bps is not None:
            self._rates.remb(peer.id, report.remb_bps, report.at)
        if report.rtt_s is not None:
            self._rates.rtt(peer.id, report.rtt_s)
        for forward in report.forwards:
            self._rates.loss(peer.id, forward.own_fraction_lost)

    def step(self, counters: PlaneCounters) -> None:
        """Decide every publisher's cap from what was reported until now."""
        peers = self._room.peers
        now = counters.at
        for gone in self._known - peers.keys():
            self._rates.remove(gone)
            self._publications.pop(gone, None)
        for peer_id in peers.keys() - self._known:
            self._rates.add(peer_id, now)
        self._known = set(peers)
        for peer in peers.values():
            self._measure(peer, counters)
        for peer_id, bps in self._rates.caps(now).items():
            if peer_id in self._publications:
                self._room.plane.limit_rate(peers[peer_id].transport, bps)

    def _measure(self, peer: Peer, counters: PlaneCounters) -> None:
        video = audio = 0.0
        newest = ""
        for publication in peer.negotiation.publications():
            bitrate = counters.streams[publication.stream].bitrate_bps
            if publication.kind is Kind.VIDEO:
                video += bitrate
                newest = publication.id
            else:
                audio += bitrate
        if newest and self._publications.get(peer.id) != newest:
            self._publications[peer.id] = newest
            self._rates.restart(peer.id, counters.at)
        elif not newest:
            self._publications.pop(peer.id, None)
        self._rates.sending(peer.id, video_bps=int(video), audio_bps=int(audio))
        self._rates.watch(
            peer.id,
            {
                s.publication.peer_id
                for s in peer.negotiation.subscriptions()
                if s.kind is Kind.VIDEO and s.publication is not None and s.forward is not None
            },
        )
