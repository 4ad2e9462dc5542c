"""Peers that come by HTTP instead of a page: WHIP publishers and WHEP players, and bare rooms for them.

They join any open room, so that a camera gateway can take part in a consultation.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from sfu import OfferRejected, Peer, Room, Sfu, errors, events
from signaling import sdpfrag
from signaling.errors import NotFound, Refused, TooMany

ID_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
RESOURCE_BYTES: Final = 16
ETAG_BYTES: Final = 8


class NotAcceptable(Refused):
    """The SFU cannot answer the offer; ``reason`` is its word for why."""

    status = 422

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.detail = detail


@dataclass(slots=True, eq=False, kw_only=True)
class Station:
    """One WHIP or WHEP resource."""

    id: str
    room: Room
    peer: Peer
    plays: str | None
    "id of the publishing peer; None for a publisher"
    offer: str = field(repr=False)
    answer: str = field(repr=False)
    etag: str
    "names the ICE session (RFC 9725 §4.3.1)"


class Stations:
    def __init__(self, sfu: Sfu) -> None:
        self._sfu = sfu
        self._stations: dict[str, Station] = {}
        self._bare_rooms: dict[str, Room] = {}
        self._watched: set[str] = set()

    def create_room(self, room_id: str) -> None:
        _check_id(room_id)
        try:
            self._bare_rooms[room_id] = self._sfu.create_room(room_id)
        except errors.RoomExists as error:
            raise Refused("room_exists", room_id) from error
        except errors.TooManyRooms as error:
            raise TooMany("too_many_rooms", room_id) from error

    async def remove_room(self, room_id: str) -> None:
        """Only a bare room: a consultation's room ends with its call."""
        room = self._bare_rooms.pop(room_id, None)
        if room is None:
            raise NotFound("no_such_room", room_id)
        for station in [each for each in self._stations.values() if each.room is room]:
            del self._stations[station.id]
        self._watched.discard(room_id)
        await room.close()

    async def publish(self, room_id: str, peer_id: str, offer: str) -> Station:
        _check_id(peer_id)
        return await self._add(self._room(room_id), peer_id, offer, plays=None)

    async def play(self, room_id: str, publisher_id: str, offer: str) -> Station:
        _check_id(publisher_id)
        peer_id = f"whep-{secrets.token_hex(ETAG_BYTES)}"
        return await self._add(self._room(room_id), peer_id, offer, plays=publisher_id)

    def station(self, station_id: str) -> Station:
        found = self._stations.get(station_id)
        if found is None:
            raise NotFound("no_such_resource")
        return found

    async def restart(self, station: Station, ufrag: str, pwd: str) -> None:
        """ICE restart: the offer again under new credentials; the answer and the ETag are new afterwards."""
        offer = sdpfrag.with_credentials(station.offer, ufrag, pwd)
        station.answer = await _answer(station.peer, offer, station.plays)
        station.offer = offer
        station.etag = _new_etag()

    async def remove(self, station: Station) -> None:
        self._stations.pop(station.id, None)
        await station.peer.close()

    async def close(self) -> None:
        for room_id in list(self._bare_rooms):
            await self.remove_room(room_id)

    def _room(self, room_id: str) -> Room:
        _check_id(room_id)
        room = self._sfu.room(room_id)
        if room is None:
            raise NotFound("no_such_room", room_id)
        return room

    async def _add(self, room: Room, peer_id: str, offer: str, *, plays: str | None) -> Station:
        self._watch(room)
        try:
            peer = room.add_peer(peer_id, renegotiates=False)
        except errors.RoomFull as error:
            raise TooMany("room_full", room.id) from error
        except errors.PeerExists as error:
            raise Refused("peer_exists", room.id) from error
        except errors.RoomClosed as error:
            raise NotFound("no_such_room", room.id) from error
        try:
            answer = await _answer(peer, offer, plays)
        except NotAcceptable:
            await peer.close()
            raise
        station = Station(
            id=secrets.token_urlsafe(RESOURCE_BYTES),
            room=room,
            peer=peer,
            plays=plays,
            offer=offer,
            answer=answer,
            etag=_new_etag(),
        )
        self._stations[station.id] = station
        return station

    def _watch(self, room: Room) -> None:
        if room.id in self._watched:
            return
        self._watched = {room_id for room_id in self._watched if self._sfu.room(room_id) is not None}
        self._watched.add(room.id)
        room.events.on(events.PeerClosed, lambda event: self._closed(room, event.peer_id))

    def _closed(self, room: Room, peer_id: str) -> None:
        for station in self._of_peer(room, peer_id):
            del self._stations[station.id]

    def _of_peer(self, room: Room, peer_id: str) -> list[Station]:
        return [each for each in self._stations.values() if each.room is room and each.peer.id == peer_id]


async def _answer(peer: Peer, offer: str, plays: str | None) -> str:
    try:
        answer = await (peer.answer(offer) if plays is None else peer.play(offer, plays))
    except OfferRejected as error:
        raise NotAcceptable(str(error.reason), str(error.detail)) from error
    except errors.PeerGone as error:
        raise NotFound("no_such_resource") from error
    return answer.sdp


def _check_id(given: str) -> None:
    if not ID_PATTERN.fullmatch(given):
        raise Refused("bad_id")


def _new_etag() -> str:
    return f'"{secrets.token_hex(ETAG_BYTES)}"'
