"""The machine's floor: receive, unprotect, protect, send in the shortest Python there is, and nothing else.

``python -m tests.bench.floor SOCKET {woken,ticking}``. It answers the same offers as the SFU so that the
same generator drives it: ICE-lite, DTLS and one UDP port for all. Peers of a room are paired in the order
in which they come; sequence numbers, SSRCs, payload types and extensions pass through unchanged.
"""

from __future__ import annotations

import enum
import gc
import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aioice import stun
from pylibsrtp import _binding

from tests.bench import kernel
from tests.bench.ice import new_credentials
from tests.bench.sdp import Credentials
from tests.bench.srtp import DtlsSession, Identity, SrtpContext

TICK_S = 0.001
_SOCKET_BUFFER_BYTES = 4 << 20
Address = tuple[str, int]


class Waking(enum.StrEnum):
    WOKEN = "woken"
    "sleep in epoll, read until the socket is empty"
    TICKING = "ticking"
    "read until the socket is empty, then sleep 1 ms"


@dataclass(slots=True)
class FloorPeer:
    credentials: Credentials
    dtls: DtlsSession
    offer: str = ""
    address: Address | None = None
    other: FloorPeer | None = None
    rx: SrtpContext | None = None
    tx: SrtpContext | None = None


class Floor:
    """All of the floor server; single-threaded."""

    def __init__(self, control_path: str, waking: Waking) -> None:
        self._waking = waking
        self._identity = Identity()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._udp.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER_BYTES)
        self._udp.bind(("127.0.0.1", 0))
        self._udp.setblocking(False)
        self.port: int = self._udp.getsockname()[1]
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(control_path)
        self._listener.listen()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._udp, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._control: socket.socket | None = None
        self._control_input = b""
        self._peers: dict[str, FloorPeer] = {}
        self._by_ufrag: dict[str, FloorPeer] = {}
        self._by_address: dict[Address, FloorPeer] = {}
        self._rooms: dict[str, list[FloorPeer]] = {}
        self._pointer: Any = _binding.ffi.new("char[]", kernel.BUFFER_BYTES)
        self._view = memoryview(_binding.ffi.buffer(self._pointer))
        self._is_running = True

    def run(self) -> None:
        while self._is_running:
            if self._waking is Waking.TICKING:
                time.sleep(TICK_S)
                self._drain()
                self._read_control(self._selector.select(0))
            else:
                self._read_control(self._selector.select())

    # Media

    def _drain(self) -> None:
        """The floor itself: everything that one packet costs is in this loop."""
        receive, send = self._udp.recvfrom_into, self._udp.sendto
        view, pointer, peers = self._view, self._pointer, self._by_address
        while True:
            try:
                length, address = receive(view)
            except BlockingIOError:
                return
            peer = peers.get(address)
            if peer is None or not 128 <= view[0] <= 191:
                self._handle_setup(bytes(view[:length]), address)
                continue
            other = peer.other
            if 192 <= view[1] <= 223 or other is None or other.address is None:
                continue
            if peer.rx is None or other.tx is None:
                continue
            length = peer.rx.unprotect(pointer, length)
            if length > 0:
                length = other.tx.protect(pointer, length)
                send(view[:length], other.address)

    # ICE and DTLS

    def _handle_setup(self, datagram: bytes, address: Address) -> None:
        if datagram[0] < 4:
            self._handle_check(datagram, address)
        elif peer := self._by_address.get(address):
            for reply in peer.dtls.advance(datagram):
                self._udp.sendto(reply, address)
            if peer.dtls.is_connected and peer.rx is None:
                peer.rx, peer.tx = peer.dtls.srtp()

    def _handle_check(self, datagram: bytes, address: Address) -> None:
        request = stun.parse_message(datagram)
        peer = self._by_ufrag[request.attributes["USERNAME"].partition(":")[0]]
        key = peer.credentials.pwd.encode()
        if not request.check_message_integrity(key):
            return
        peer.address = address
        self._by_address[address] = peer
        response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = address
        response.add_message_integrity(key)
        response.add_fingerprint()
        self._udp.sendto(bytes(response), address)

    # Control

    def _read_control(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, _events in ready:
            if key.fileobj is self._udp:
                self._drain()
            elif key.fileobj is self._listener:
                self._control, _ = self._listener.accept()
                self._selector.register(self._control, selectors.EVENT_READ)
            elif self._control is not None:
                data = self._control.recv(1 << 16)
                if not data:
                    self._is_running = False
                    return
                self._control_input += data
                *lines, self._control_input = self._control_input.split(b"\n")
                for line in lines:
                    self._control.sendall(json.dumps(self._command(json.loads(line))).encode() + b"\n")

    def _command(self, command: dict[str, Any]) -> dict[str, Any]:
        match command["op"]:
            case "add_peer":
                self._add_peer(command["room"], command["peer"])
            case "wish":
                peer = self._peers[command["peer"]]
                revision = 1 if peer.other is not None and peer.other.offer else 0
                return {"audio": 1, "video": 1, "revision": revision}
            case "answer":
                peer = self._peers[command["peer"]]
                peer.offer = command["sdp"]
                return {"sdp": self._answer(peer)}
            case _:
                pass
        return {}

    def _add_peer(self, room: str, name: str) -> None:
        peer = FloorPeer(new_credentials(self._identity.fingerprint), DtlsSession(self._identity, is_server=True))
        self._peers[name] = self._by_ufrag[peer.credentials.ufrag] = peer
        members = self._rooms.setdefault(room, [])
        if members:
            peer.other = members[-1]
            members[-1].other = peer
        members.append(peer)

    def _answer(self, peer: FloorPeer) -> str:
        """The offer turned round; what the other peer sends goes to the recvonly m-lines (RFC 3264 §6)."""
        session, *sections = peer.offer.replace("\r\n", "\n").split("\nm=")
        sent = _sources(peer.other.offer) if peer.other else {}
        answered = [session.replace("v=0", "v=0", 1) + "\na=ice-lite"]
        own = peer.credentials
        replaced = ("a=ice-", "a=fingerprint:", "a=setup:", "a=ssrc", "a=candidate:", "a=msid:", "a=rtcp-fb:")
        for section in sections:
            kind = section.split()[0]
            lines = [line for line in section.splitlines() if not line.startswith(replaced)]
            if "a=sendonly" in lines:
                lines[lines.index("a=sendonly")] = "a=recvonly"
            elif kind in sent:
                lines[lines.index("a=recvonly")] = "a=sendonly"
                lines.append(f"a=ssrc:{sent[kind]} cname:floor")
            else:
                lines[lines.index("a=recvonly")] = "a=inactive"
            lines += [
                f"a=ice-ufrag:{own.ufrag}",
                f"a=ice-pwd:{own.pwd}",
                f"a=fingerprint:{own.fingerprint}",
                "a=setup:passive",
                f"a=candidate:1 1 udp 2130706431 127.0.0.1 {self.port} typ host",
            ]
            answered.append("m=" + "\n".join(lines))
        return "\n".join(answered) + "\n"


def _sources(offer: str) -> dict[str, int]:
    """First SSRC of each kind that an offer sends."""
    sources: dict[str, int] = {}
    for section in offer.replace("\r\n", "\n").split("\nm=")[1:]:
        for line in section.splitlines():
            if line.startswith("a=ssrc:"):
                sources.setdefault(section.split()[0], int(line[7:].split()[0]))
    return sources


def main() -> None:
    path, waking = sys.argv[1:]
    kernel.sharpen_timers()
    gc.freeze()
    floor = Floor(path, Waking(waking))
    print(json.dumps({"port": floor.port}), flush=True)
    try:
        floor.run()
    finally:
        Path(path).unlink()


if __name__ == "__main__":
    main()
