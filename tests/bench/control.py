"""How the generator's clients reach a server: the bench's own control socket, or WHIP and WHEP."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

from sfu.core.media import Direction, Kind
from tests.bench.client import Client, ClientOptions
from tests.bench.srtp import Identity

_TIMEOUT_S = 20.0
_MAX_ROUNDS = 5
"offers until the server's wish is met"

PAGE_MEDIA = (
    (Kind.AUDIO, Direction.SENDONLY),
    (Kind.VIDEO, Direction.SENDONLY),
    (Kind.AUDIO, Direction.RECVONLY),
    (Kind.VIDEO, Direction.RECVONLY),
)

Connected = Callable[[Client], None]
"told of each client as soon as it is connected, so that its path is kept alive while others join"


class ControlFailed(Exception):
    """The server refused a step of signaling."""


class Signaling(Protocol):
    """Sets up one 1:1 call."""

    def place_call(
        self, room: str, identity: Identity, options: ClientOptions, connected: Connected
    ) -> list[Client]: ...

    def close(self) -> None: ...


class ControlSocket:
    """JSON lines over a Unix socket to ``tests.bench.server`` or ``.floor``: what a page would say."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_TIMEOUT_S)
        self._socket.connect(path)
        self._lines = self._socket.makefile("rb")

    def request(self, op: str, **fields: object) -> dict[str, Any]:
        self._socket.sendall(json.dumps({"op": op, **fields}).encode() + b"\n")
        reply: dict[str, Any] = json.loads(self._lines.readline() or b'{"error": "the server is gone"}')
        if "error" in reply:
            raise ControlFailed(f"{op}: {reply['error']}")
        return reply

    def place_call(self, room: str, identity: Identity, options: ClientOptions, connected: Connected) -> list[Client]:
        first, second = (self.join(room, f"{room}/{name}", identity, options, connected) for name in ("a", "b"))
        self.meet_wish(room, first)
        first.plays, second.plays = second.name, first.name
        return [first, second]

    def join(self, room: str, peer: str, identity: Identity, options: ClientOptions, connected: Connected) -> Client:
        self.request("add_peer", room=room, peer=peer)
        client = Client(peer, PAGE_MEDIA, identity, options)
        self.meet_wish(room, client, connected)
        return client

    def meet_wish(self, room: str, client: Client, connected: Connected | None = None) -> None:
        """Offer until the server wishes for nothing else."""
        for _ in range(_MAX_ROUNDS):
            wish = self.request("wish", room=room, peer=client.name)
            for kind in Kind:
                while client.offers(kind) < wish[kind]:
                    client.add_media(kind, Direction.RECVONLY)
            reply = self.request("answer", room=room, peer=client.name, sdp=client.offer())
            answer = client.apply(reply["sdp"])
            if not client.is_connected:
                client.connect(answer)
                if connected is not None:
                    connected(client)
            self.request("applied", room=room, peer=client.name)
            if self.request("wish", room=room, peer=client.name)["revision"] == wish["revision"]:
                return
        raise ControlFailed(f"{client.name}: the server's wish changes with every offer")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


class WhipWhep:
    """RFC 9725 and WHEP toward the whole application: each direction of a call is a transport of its own."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.hostname is None:
            raise ValueError(f"no host in {url}")
        self._http = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_TIMEOUT_S)
        self._token = token

    def place_call(self, room: str, identity: Identity, options: ClientOptions, connected: Connected) -> list[Client]:
        room = room.replace("/", "-")
        self._post(f"/api/rooms/{room}", "application/json", "")
        clients = []
        for path, direction in (("whip", Direction.SENDONLY), ("whep", Direction.RECVONLY)):
            for peer in ("a", "b"):
                media = [(kind, direction) for kind in (Kind.AUDIO, Kind.VIDEO)]
                client = Client(f"{room}/{path}/{peer}", media, identity, options)
                answer = client.apply(self._post(f"/{path}/{room}/{peer}", "application/sdp", client.offer()))
                client.connect(answer)
                client.plays = f"{room}/whip/{peer}" if path == "whep" else ""
                connected(client)
                clients.append(client)
        return clients

    def close(self) -> None:
        self._http.close()

    def _post(self, path: str, content_type: str, body: str) -> str:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
        self._http.request("POST", path, body.encode(), headers)
        response = self._http.getresponse()
        text = response.read().decode()
        if response.status not in (200, 201, 204):
            raise ControlFailed(f"POST {path}: {response.status} {text[:200]}")
        return text
