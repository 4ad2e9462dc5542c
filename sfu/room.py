"""A room: its peers, what they publish, and who receives what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from sfu.aiortc_adapter import Certificate, DtlsFailure
from sfu.config import SfuConfig
from sfu.core.codec_choice import room_codec
from sfu.core.media import CodecName, Kind
from sfu.errors import PeerExists, RoomClosed, RoomFull
from sfu.events import CloseReason, Events, PeerClosed, PublicationAdded, PublicationRemoved
from sfu.peer import Peer
from sfu.plane.seam import DataPlane
from sfu.publication import Publication
from sfu.rates import RoomRateControl
from sfu.stats import PeerStats, RoomStats
from sfu.stats_reader import peer_stats

if TYPE_CHECKING:
    from sfu.server import Sfu


class Room:
    """Made by ``Sfu.create_room``. Closing order: ``docs/closing.md``."""

    def __init__(self, sfu: Sfu, room_id: str) -> None:
        self.id = room_id
        self.events = Events()
        self._sfu = sfu
        self._peers: dict[str, Peer] = {}
        self._preference = tuple(CodecName(name) for name in sfu.config.video_codecs)
        self.video_codec = self._preference[0]
        self.rates = RoomRateControl(self)
        self._closed = False

    # What the application calls.

    @property
    def peers(self) -> Mapping[str, Peer]:
        return MappingProxyType(self._peers)

    def add_peer(self, peer_id: str, *, renegotiates: bool = True) -> Peer:
        """A place for one more. ``renegotiates`` is False for WHIP and WHEP, which make one offer only.

        Raises RoomClosed, PeerExists, RoomFull.
        """
        if self._closed:
            raise RoomClosed(self.id)
        if peer_id in self._peers:
            raise PeerExists(peer_id)
        if len(self._peers) >= self.config.max_peers_per_room:
            raise RoomFull(self.config.max_peers_per_room)
        peer = self._sfu.new_peer(self, peer_id, renegotiates=renegotiates)
        self._peers[peer_id] = peer
        self.update()
        return peer

    async def close(self) -> None:
        """Close every peer, then forget the room."""
        if self._closed:
            return
        self._closed = True
        for peer in list(self._peers.values()):
            await self.close_peer(peer, CloseReason.ROOM_CLOSED)
        self._sfu.forget_room(self)

    def stats(self) -> RoomStats:
        counters = self.plane.counters()
        return RoomStats(
            id=self.id,
            video_codec=self.video_codec.value,
            peers={peer.id: peer_stats(peer, counters) for peer in self._peers.values()},
        )

    # What peers and negotiations call.

    @property
    def config(self) -> SfuConfig:
        return self._sfu.config

    @property
    def plane(self) -> DataPlane:
        return self._sfu.plane

    @property
    def certificate(self) -> Certificate:
        return self._sfu.certificate

    @property
    def preference(self) -> tuple[CodecName, ...]:
        """Video codecs that the operator allows, the preferred one first."""
        return self._preference

    def new_id(self) -> int:
        return self._sfu.new_id()

    def stream_name(self, peer_id: str) -> str:
        """What a peer's media stream and CNAME are called in SDP and RTCP (RFC 8830, RFC 7022)."""
        peer = self._peers.get(peer_id)
        return "nobody" if peer is None else f"peer-{peer.transport}"

    def publications(self, kind: Kind | None = None) -> Iterator[Publication]:
        """Everything that is published, in the order in which peers came."""
        for peer in self._peers.values():
            for publication in peer.negotiation.publications():
                if kind is None or publication.kind is kind:
                    yield publication

    def sends_red(self) -> bool:
        """RED (RFC 2198) is sent only when everybody can take it apart."""
        return all(peer.negotiation.takes_red for peer in self._peers.values())

    def choose_codec(self) -> None:
        """Settle the room's video codec anew, from what its peers can decode and send."""
        decodable = [decodes for peer in self._peers.values() if (decodes := peer.negotiation.decodes) is not None]
        encodable = [publication.encodable for publication in self.publications(Kind.VIDEO)]
        offered = [offers for peer in self._peers.values() if (offers := peer.negotiation.offers_video)]
        self.video_codec = room_codec(self._preference, decodable, encodable or offered)

    def publication_added(self, publication: Publication) -> None:
        self.events.emit(
            PublicationAdded(peer_id=publication.peer_id, publication_id=publication.id, kind=publication.kind)
        )

    def publication_removed(self, publication: Publication) -> None:
        """Its stream and forwards end in the plane; subscribers learn by their wish."""
        self.plane.remove_stream(publication.stream)
        for peer in self._peers.values():
            peer.negotiation.publication_gone(publication)
        self.events.emit(
            PublicationRemoved(peer_id=publication.peer_id, publication_id=publication.id, kind=publication.kind)
        )

    def codecs_changed(self, publication: Publication) -> None:
        for peer in self._peers.values():
            peer.negotiation.codecs_changed(publication)

    def update(self) -> None:
        """After any change of peers or publications: settle the codec, and tell pages what to offer."""
        self.choose_codec()
        for peer in self._peers.values():
            peer.negotiation.update()

    async def close_peer(self, peer: Peer, reason: CloseReason) -> None:
        """Subscriptions, publications, DTLS, transport, event: in this order (``docs/closing.md``)."""
        if self._peers.get(peer.id) is not peer:
            return
        del self._peers[peer.id]
        peer.negotiation.close()
        await peer.end()
        self._sfu.forget_peer(peer)
        self.update()
        self.events.emit(PeerClosed(peer_id=peer.id, reason=reason))

    def close_soon(self, peer: Peer, reason: CloseReason) -> None:
        self._sfu.close_soon(peer, reason)

    def count_dtls_failure(self, reason: DtlsFailure) -> None:
        self._sfu.dtls_failures[reason] += 1

    def peer_stats(self, peer: Peer) -> PeerStats:
        return peer_stats(peer, self.plane.counters())
