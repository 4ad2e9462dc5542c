"""What the SFU refuses.

SfuError
├── PortInUse
├── RoomExists
├── TooManyRooms
├── PeerExists
├── RoomFull
├── RoomClosed
├── PeerGone
└── OfferRejected
"""

from __future__ import annotations


class SfuError(Exception):
    """Base of everything below."""


class PortInUse(SfuError):
    """Another process listens on the media port."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.port = port

    def __str__(self) -> str:
        return f"port {self.port} is taken"


class RoomExists(SfuError):
    """A room of this id is open."""

    def __init__(self, room_id: str) -> None:
        super().__init__(room_id)
        self.room_id = room_id

    def __str__(self) -> str:
        return f"room {self.room_id} exists"


class TooManyRooms(SfuError):
    """``max_rooms`` is reached."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return f"there are {self.limit} rooms already (max_rooms)"


class PeerExists(SfuError):
    """A peer of this id is in the room."""

    def __init__(self, peer_id: str) -> None:
        super().__init__(peer_id)
        self.peer_id = peer_id

    def __str__(self) -> str:
        return f"peer {self.peer_id} exists"


class RoomFull(SfuError):
    """``max_peers_per_room`` is reached."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return f"the room has {self.limit} peers already (max_peers_per_room)"


class RoomClosed(SfuError):
    """The room is being closed, or was."""

    def __init__(self, room_id: str) -> None:
        super().__init__(room_id)
        self.room_id = room_id

    def __str__(self) -> str:
        return f"room {self.room_id} is closed"


class PeerGone(SfuError):
    """The peer was closed."""

    def __init__(self, peer_id: str) -> None:
        super().__init__(peer_id)
        self.peer_id = peer_id

    def __str__(self) -> str:
        return f"peer {self.peer_id} is closed"


class OfferRejected(SfuError):
    """An offer that cannot be answered. ``reason`` is stable and for programs, ``detail`` for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
