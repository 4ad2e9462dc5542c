"""What happens in a room, as frozen dataclasses on a pyee emitter."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pyee.base import EventEmitter

from sfu.core.media import Kind

log = logging.getLogger("sfu.events")


class CloseReason(enum.StrEnum):
    """Why a peer is gone."""

    LEFT = "left"
    "closed by the application"
    ENDED_BY_PEER = "ended_by_peer"
    "DTLS close_notify: the page closed its peer connection"
    DTLS_FAILED = "dtls_failed"
    EXPIRED = "expired"
    "nothing heard for 30 s"
    ROOM_CLOSED = "room_closed"


class RefusalReason(enum.StrEnum):
    """Why a publication is not forwarded to a peer."""

    NO_COMMON_CODEC = "no_common_codec"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How many receiving transceivers a page should offer. Absolute, never less than one of each."""

    audio: int
    video: int
    revision: int
    "grows with every change; an offer made for an earlier one has to be made again"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConnected:
    """DTLS is through: media can flow."""

    peer_id: str
    path: str
    "``udp`` or ``tcp``"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerInterrupted:
    peer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerResumed:
    peer_id: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLost:
    """Silent for 15 s; it may still come back until it expires."""

    peer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerClosed:
    peer_id: str
    reason: CloseReason


@dataclass(frozen=True, slots=True, kw_only=True)
class WishChanged:
    peer_id: str
    wish: Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationAdded:
    peer_id: str
    publication_id: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationRemoved:
    peer_id: str
    publication_id: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRefused:
    peer_id: str
    "the one who will not receive it"
    publication_id: str
    reason: RefusalReason


RoomEvent = (
    PeerConnected
    | PeerInterrupted
    | PeerResumed
    | PeerLost
    | PeerClosed
    | WishChanged
    | PublicationAdded
    | PublicationRemoved
    | SubscriptionRefused
)
E = TypeVar("E")


class Events:
    """A room's emitter, keyed by event class. Handlers run at once, in order of adding, and must not block.

    What a handler raises is logged and goes no further: events are told in the middle of what they tell of.
    """

    def __init__(self) -> None:
        self._emitter = EventEmitter()

    def on(self, event: type[E], handler: Callable[[E], None]) -> None:
        self._emitter.on(event.__name__, handler)

    def off(self, event: type[E], handler: Callable[[E], None]) -> None:
        self._emitter.remove_listener(event.__name__, handler)

    def emit(self, event: RoomEvent) -> None:
        try:
            self._emitter.emit(type(event).__name__, event)
        except Exception:
            log.exception("! a handler of %s", type(event).__name__)
