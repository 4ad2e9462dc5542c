"""The SFU: its media port, its certificate, its rooms, and the way from the plane's events to the peers."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Sequence
from types import MappingProxyType

from sfu.aiortc_adapter import Certificate, DtlsFailure
from sfu.config import SfuConfig
from sfu.errors import RoomExists, TooManyRooms
from sfu.events import CloseReason
from sfu.peer import Peer
from sfu.plane.python_plane import PythonPlane
from sfu.plane.seam import (
    DataPlane,
    DownlinkReport,
    MediaAddress,
    PathChanged,
    StreamStarted,
    TransportId,
)
from sfu.rates import STEP_S
from sfu.room import Room
from sfu.stats import SfuStats

log = logging.getLogger("sfu")


class Sfu:
    """One process's SFU. ``start`` before anything else, ``close`` at the end."""

    def __init__(self, config: SfuConfig) -> None:
        self.config = config
        self.certificate = Certificate.generate()
        self.dtls_failures: Counter[DtlsFailure] = Counter()
        self.plane: DataPlane = PythonPlane(
            self, config.media_port, config.announced_addresses, offer_loopback=config.offer_loopback
        )
        self._ids = itertools.count(1)
        self._rooms: dict[str, Room] = {}
        self._peers: dict[TransportId, Peer] = {}
        # At most one entry a peer: bounded by the peers.
        self._closing: asyncio.Queue[tuple[Peer, CloseReason] | None] = asyncio.Queue()
        self._tasks: asyncio.Task[None] | None = None

    # What the application calls.

    async def start(self) -> None:
        """Open the media port. Raises PortInUse."""
        await self.plane.open()
        self._tasks = asyncio.create_task(self._run(), name="sfu")

    async def close(self) -> None:
        """Close rooms, peers and sockets; every task of ours has ended when it returns."""
        for room in list(self._rooms.values()):
            await room.close()
        if self._tasks is not None:
            # A peer that is being closed is closed to the end.
            self._closing.put_nowait(None)
            await asyncio.gather(self._tasks, return_exceptions=True)
            self._tasks = None
        await self.plane.close()

    def create_room(self, room_id: str) -> Room:
        """Raises RoomExists, TooManyRooms."""
        if room_id in self._rooms:
            raise RoomExists(room_id)
        if len(self._rooms) >= self.config.max_rooms:
            raise TooManyRooms(self.config.max_rooms)
        room = self._rooms[room_id] = Room(self, room_id)
        return room

    def room(self, room_id: str) -> Room | None:
        return self._rooms.get(room_id)

    def addresses(self) -> Sequence[MediaAddress]:
        """Where media is expected: every address of the media port."""
        return self.plane.addresses()

    def stats(self) -> SfuStats:
        counters = self.plane.counters()
        return SfuStats(
            rooms=MappingProxyType({room.id: room.stats() for room in self._rooms.values()}),
            drops=counters.drops,
            dtls_failures={reason.value: count for reason, count in self.dtls_failures.items()},
            kernel_drops=counters.kernel_drops,
            failures=counters.failures,
        )

    # What rooms call.

    def new_id(self) -> int:
        return next(self._ids)

    def new_peer(self, room: Room, peer_id: str, *, renegotiates: bool) -> Peer:
        transport = TransportId(self.new_id())
        peer = self._peers[transport] = Peer(room, peer_id, transport, renegotiates=renegotiates)
        return peer

    def forget_peer(self, peer: Peer) -> None:
        del self._peers[peer.transport]
        self.plane.remove_transport(peer.transport)

    def forget_room(self, room: Room) -> None:
        self._rooms.pop(room.id, None)

    def close_soon(self, peer: Peer, reason: CloseReason) -> None:
        """From a callback that cannot wait: the closer task does it."""
        self._closing.put_nowait((peer, reason))

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            rates = group.create_task(self._decide_rates(), name="sfu-rates")
            await self._close_peers()
            rates.cancel()

    async def _decide_rates(self) -> None:
        while True:
            await asyncio.sleep(STEP_S)
            if self._rooms:
                counters = self.plane.counters()
                for room in self._rooms.values():
                    try:
                        room.rates.step(counters)
                    except Exception:
                        log.exception("! rates of a room")

    async def _close_peers(self) -> None:
        while (closing := await self._closing.get()) is not None:
            peer, reason = closing
            try:
                await peer.room.close_peer(peer, reason)
            except Exception:
                # A handler's mistake; the next peer has to be closed all the same.
                log.exception("! closing a peer")

    # What the plane calls (PlaneListener).

    def dtls_received(self, transport: TransportId, datagram: bytes) -> None:
        peer = self._peers.get(transport)
        if peer is not None:
            peer.dtls_received(datagram)

    def path_changed(self, event: PathChanged) -> None:
        peer = self._peers.get(event.transport)
        if peer is not None:
            peer.path_changed(event)

    def stream_started(self, event: StreamStarted) -> None:
        """Nothing to do yet: the seam tells it for simulcast, where each new RID asks for an allocation."""

    def downlink_reported(self, reports: Sequence[DownlinkReport]) -> None:
        for report in reports:
            peer = self._peers.get(report.transport)
            if peer is not None:
                peer.room.rates.reported(peer, report)

    def addresses_changed(self, addresses: Sequence[MediaAddress]) -> None:
        """New answers carry the new addresses; pages notice the loss of an old one and restart ICE by themselves."""
