"""The media port: one UDP socket and one TCP listener for each local address, following the interfaces."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sfu.core.drop import DropReason
from sfu.plane import tcp
from sfu.plane.addresses import local_addresses
from sfu.plane.seam import MediaAddress
from sfu.plane.srtp import PacketBuffer
from sfu.plane.tcp import TcpConnection
from sfu.plane.udp import UdpPort

log = logging.getLogger("sfu.plane")

ANY_PORT_ATTEMPTS = 10
"""A port that is free for UDP on one address may be taken for TCP or on another."""
RESCAN_S = 3.0
"""How often the interfaces are read again; reading costs about 0.3 ms."""


class Demultiplexer(Protocol):
    """What a media port gives its datagrams to."""

    def udp_received(self, port: UdpPort, size: int, address: Any, now: float) -> None: ...

    def tcp_received(self, connection: TcpConnection, packet: bytes) -> None: ...

    def tcp_closed(self, connection: TcpConnection) -> None: ...


class _Listener:
    def __init__(self, announced: str, udp: UdpPort, server: asyncio.Server) -> None:
        self.announced, self.udp, self.server = announced, udp, server


class MediaPort:
    """Opens and closes sockets as addresses come and go."""

    def __init__(
        self,
        port: int,
        announced: Mapping[str, str],
        buffer: PacketBuffer,
        demultiplexer: Demultiplexer,
        drops: Counter[DropReason],
        *,
        offer_loopback: bool,
    ) -> None:
        self.port = port
        self._announced = announced
        self._buffer = buffer
        self._to = demultiplexer
        self._drops = drops
        self._offer_loopback = offer_loopback
        self._listeners: dict[str, _Listener] = {}
        self._connections: dict[TcpConnection, str] = {}
        self._warned: set[str] = set()

    async def open(self) -> None:
        """Bind every address. Raises OSError when one that exists cannot be bound. Port 0 takes any that is free."""
        any_port = self.port == 0
        for attempt in range(ANY_PORT_ATTEMPTS if any_port else 1):
            try:
                for local, announced in self._wanted():
                    await self._listen(local, announced)
                return
            except OSError:
                await self.close()
                if attempt + 1 == ANY_PORT_ATTEMPTS or not any_port:
                    raise
                self.port = 0

    async def watch(self, changed: Callable[[Sequence[MediaAddress]], None]) -> None:
        """Follow the interfaces until cancelled."""
        while True:
            await asyncio.sleep(RESCAN_S)
            try:
                wanted = self._wanted()
            except OSError as error:
                # Strangers can make us run out of file descriptors; the plane's other task must not end with this one.
                self._warn_once("interfaces", f"cannot read the network interfaces: {error.strerror}")
                continue
            if await self._follow(wanted):
                changed(self.addresses())

    def addresses(self) -> list[MediaAddress]:
        return [
            MediaAddress(local=local, announced=listener.announced, port=self.port)
            for local, listener in self._listeners.items()
        ]

    def kernel_drops(self) -> int:
        return sum(listener.udp.kernel_drops() for listener in self._listeners.values())

    async def close(self) -> None:
        for local in list(self._listeners):
            self._stop_listening(local)
        for connection in list(self._connections):
            connection.close()
        # A closed server and an aborted connection are gone only after the loop has run their callbacks.
        await asyncio.sleep(0)

    def _wanted(self) -> list[tuple[str, str]]:
        return local_addresses(self._announced, offer_loopback=self._offer_loopback)

    async def _follow(self, wanted: list[tuple[str, str]]) -> bool:
        gone = self._listeners.keys() - {local for local, _ in wanted}
        for local in gone:
            self._stop_listening(local)
        changed = bool(gone)
        for local, announced in wanted:
            if local in self._listeners:
                continue
            try:
                await self._listen(local, announced)
            except OSError as error:
                # A new IPv6 address cannot be bound before duplicate address detection is through: try again.
                self._warn_once(local, f"cannot listen on a new address: {error.strerror}")
            else:
                changed = True
        return changed

    async def _listen(self, local: str, announced: str) -> None:
        udp = UdpPort(local, self.port, self._buffer, self._to.udp_received, time.monotonic)
        # One number for all: what the kernel chose for the first socket holds for the others.
        self.port = udp.socket.getsockname()[1]
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: TcpConnection(self._tcp_opened, self._to.tcp_received, self._tcp_closed, time.monotonic),
                local,
                self.port,
            )
        except OSError:
            udp.close()
            raise
        udp.start()
        self._listeners[local] = _Listener(announced, udp, server)
        for sysctl in udp.short_buffers:
            self._warn_once(sysctl, f"the kernel grants less than 4 MiB of socket buffer: raise {sysctl}")

    def _stop_listening(self, local: str) -> None:
        listener = self._listeners.pop(local)
        listener.udp.close()
        listener.server.close()

    def _warn_once(self, what: str, text: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            log.warning("! %s", text)

    def _tcp_opened(self, connection: TcpConnection) -> DropReason | None:
        address = _subscriber(connection.remote[0])
        same = sum(1 for other in self._connections.values() if other == address)
        if len(self._connections) >= tcp.MAX_CONNECTIONS or same >= tcp.MAX_CONNECTIONS_PER_ADDRESS:
            return DropReason.TCP_TOO_MANY_CONNECTIONS
        self._connections[connection] = address
        return None

    def _tcp_closed(self, connection: TcpConnection, reason: DropReason | None) -> None:
        self._connections.pop(connection, None)
        if reason is not None:
            self._drops[reason] += 1
        self._to.tcp_closed(connection)


def _subscriber(address: str) -> str:
    """Whose connections are counted together: a subscriber to IPv6 has a whole /64 of addresses."""
    return address if ":" not in address else str(ipaddress.IPv6Network((address.partition("%")[0], 64), strict=False))
