"""One UDP socket of the media port. It is drained at a steady tick while busy, and waits for readiness while idle."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from typing import Any

from sfu.core.drop import DropReason
from sfu.plane.srtp import PacketBuffer

log = logging.getLogger("sfu.plane")

BUFFER_BYTES = 4 * 1024 * 1024
MAX_DATAGRAMS_PER_WAKE = 256
"""Bounds how long one socket keeps the loop: about 6 ms."""
TICK_S = 0.002
"""A wake-up of the loop costs as much as handling a packet: two milliseconds' packets share one. Against one
millisecond that saves a seventh of the CPU time at 20 calls (docs/decisions/0006); a packet waits one millisecond on
average."""
_SO_MEMINFO = 55
_MEMINFO_DROPS = 8
"""Index in the array of u32 that SO_MEMINFO returns (linux/sock_diag.h SK_MEMINFO_DROPS)."""


class UdpPort:
    """A bound socket and the paths that were validated on it, by remote address."""

    def __init__(
        self,
        address: str,
        port: int,
        buffer: PacketBuffer,
        received: Callable[[UdpPort, int, Any, float], None],
        clock: Callable[[], float],
    ) -> None:
        self.address = address
        self.paths: dict[Any, Any] = {}
        self._buffer = buffer
        self._received = received
        self._clock = clock
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if family == socket.AF_INET6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.socket.setblocking(False)
            self.socket.bind((address, port))
        except OSError:
            self.socket.close()
            raise
        self.short_buffers = self._grow_buffers()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def _grow_buffers(self) -> list[str]:
        """Ask for large kernel buffers; the names of the sysctls that refuse."""
        short = []
        for option, sysctl in (
            (socket.SO_RCVBUF, "net.core.rmem_max"),
            (socket.SO_SNDBUF, "net.core.wmem_max"),
        ):
            self.socket.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
            # The kernel reports twice what it grants, for its own bookkeeping (socket(7)).
            if self.socket.getsockopt(socket.SOL_SOCKET, option) < 2 * BUFFER_BYTES:
                short.append(sysctl)
        return short

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.socket, self._readable)

    def _readable(self) -> None:
        """Packets have come after a pause: from here on a timer drains the socket until it stays empty."""
        assert self._loop is not None
        if self._drain():
            self._loop.remove_reader(self.socket)
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        assert self._loop is not None
        busy = True
        try:
            busy = self._drain()
        finally:
            # Also when a packet made us raise: everybody's media comes through here, and nobody else wakes us again.
            if busy:
                self._timer = self._loop.call_later(TICK_S, self._tick)
            else:
                self._timer = None
                self._loop.add_reader(self.socket, self._readable)

    def _drain(self) -> bool:
        receive, data, received = self.socket.recvfrom_into, self._buffer.data, self._received
        now = self._clock()
        for count in range(MAX_DATAGRAMS_PER_WAKE):
            try:
                size, address = receive(data)
            except (BlockingIOError, InterruptedError):
                return count > 0
            except OSError as error:
                # An ICMP error for something we sent earlier; the socket itself is fine.
                log.debug("! receive on the media port: %s", error.strerror)
                continue
            received(self, size, address, now)
        return True

    def send(self, packet: bytes | bytearray | memoryview, address: Any) -> DropReason | None:
        try:
            self.socket.sendto(packet, address)
        except BlockingIOError:
            return DropReason.SEND_BUFFER_FULL
        except OSError:
            return DropReason.SEND_FAILED
        return None

    def kernel_drops(self) -> int:
        """Datagrams that the kernel dropped because the receive buffer was full.

        The same counter as SO_RXQ_OVFL reports, without a control message on every packet.
        """
        try:
            info = self.socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
        except OSError:
            return 0
        return int(struct.unpack_from("=I", info, 4 * _MEMINFO_DROPS)[0]) if len(info) >= 36 else 0

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self.socket)
            self._loop = None
        self.paths.clear()
        self.socket.close()
