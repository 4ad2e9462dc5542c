"""Which path a transport uses: checks create paths, DTLS and USE-CANDIDATE choose among them (DESIGN §5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from sfu.core.drop import DropReason
from sfu.plane import ice
from sfu.plane.seam import IceCredentials
from sfu.plane.state import MAX_CREDENTIALS, MAX_PATHS, Path, Transport
from sfu.plane.tcp import TcpConnection
from sfu.plane.udp import UdpPort

MAX_UNKNOWN_CHECKS_PER_S = 100
"""Checks a second and transport that come from addresses not validated yet; a browser needs about 20."""


class PathTable:
    """Transports by ufrag, and the life of their paths."""

    def __init__(self, drops: Counter[DropReason], chosen: Callable[[Transport], None]) -> None:
        self._by_ufrag: dict[str, tuple[Transport, IceCredentials]] = {}
        self._drops = drops
        self._chosen = chosen

    def add(self, transport: Transport, credentials: IceCredentials) -> None:
        self._by_ufrag[credentials.ufrag] = (transport, credentials)

    def restart(self, transport: Transport, credentials: IceCredentials) -> None:
        """Accept new credentials beside the old; what a further restart overtakes is forgotten."""
        transport.credentials.append(credentials)
        while len(transport.credentials) > MAX_CREDENTIALS:
            # The first is the one whose path carries the media.
            self._by_ufrag.pop(transport.credentials.pop(1).ufrag, None)
        self.add(transport, credentials)

    def remove(self, transport: Transport) -> None:
        for credentials in transport.credentials:
            self._by_ufrag.pop(credentials.ufrag, None)
        for path in list(transport.paths):
            self._forget(path)

    def tcp_closed(self, path: Path) -> None:
        self._forget(path)
        if path.transport.selected is path:
            path.transport.selected = None

    def handle_check(
        self, datagram: memoryview, remote: Any, port: UdpPort | None, tcp: TcpConnection | None, now: float
    ) -> tuple[Path, bytes] | None:
        """The path that an authenticated check validates, and its answer; None when it was dropped and counted."""
        ufrag = ice.local_ufrag(datagram)
        if isinstance(ufrag, DropReason):
            self._drops[ufrag] += 1
            return None
        known = self._by_ufrag.get(ufrag)
        if known is None:
            self._drops[DropReason.STUN_UNKNOWN_UFRAG] += 1
            return None
        transport, credentials = known
        path = self._path(transport, remote, port, tcp)
        if path is None:
            # HMAC is the dear part: strangers who learnt a ufrag share a budget that running paths don't draw on.
            transport.stun_tokens += 1
            if transport.stun_tokens > MAX_UNKNOWN_CHECKS_PER_S:
                transport.drops[DropReason.STUN_RATE_LIMITED] += 1
                return None
        outcome = ice.check(bytes(datagram), credentials.pwd, (remote[0], remote[1]))
        if isinstance(outcome, DropReason):
            transport.drops[outcome] += 1
            return None
        if path is None:
            path = self._add(transport, ufrag, remote, port, tcp)
        path.ufrag = ufrag
        path.last_check_at = now
        transport.last_packet_at = now
        if outcome.result is ice.CheckResult.NOMINATED:
            self._nominate(path)
        elif transport.selected is None:
            # Somewhere to send our ClientHello when we are the DTLS client.
            transport.selected = path
            self._chosen(transport)
        return path, outcome.response

    def carried_dtls(self, path: Path) -> None:
        """Before nomination we answer on the pair that last carried DTLS: Chromium sends its ClientHello early."""
        transport = path.transport
        if not transport.nominated and transport.selected is not path:
            transport.selected = path
            self._chosen(transport)

    def _nominate(self, path: Path) -> None:
        transport = path.transport
        moved = transport.selected is not path or not transport.nominated
        transport.nominated = True
        if transport.credentials[0].ufrag != path.ufrag:
            self._retire_credentials_before(transport, path.ufrag)
        if moved:
            transport.selected = path
            self._chosen(transport)

    def _retire_credentials_before(self, transport: Transport, ufrag: str) -> None:
        """An ICE restart is complete: its path is nominated, the credentials before it are worthless."""
        while transport.credentials[0].ufrag != ufrag:
            old = transport.credentials.pop(0)
            self._by_ufrag.pop(old.ufrag, None)
            for path in [p for p in transport.paths if p.ufrag == old.ufrag]:
                self._forget(path)

    def _path(self, transport: Transport, remote: Any, port: UdpPort | None, tcp: TcpConnection | None) -> Path | None:
        for path in transport.paths:
            if path.port is port and path.tcp is tcp and path.address == remote:
                return path
        return None

    def _add(
        self, transport: Transport, ufrag: str, remote: Any, port: UdpPort | None, tcp: TcpConnection | None
    ) -> Path:
        if len(transport.paths) >= MAX_PATHS:
            idle = [p for p in transport.paths if p is not transport.selected]
            self._forget(min(idle, key=lambda p: p.last_check_at))
        path = Path(transport, ufrag, port, tcp, remote)
        transport.paths.append(path)
        if port is not None:
            previous = port.paths.get(remote)
            if previous is not None:
                # The same remote address now authenticates for another transport: the browser reused its port.
                self._forget(previous)
            port.paths[remote] = path
        return path

    def _forget(self, path: Path) -> None:
        if path in path.transport.paths:
            path.transport.paths.remove(path)
        if path.port is not None and path.port.paths.get(path.address) is path:
            del path.port.paths[path.address]
        if path.tcp is not None:
            path.tcp.close()
