"""Selective forwarding unit: forwards the media of WebRTC peers between rooms' members without decoding it."""

from __future__ import annotations

from sfu import errors, events, stats
from sfu.config import SfuConfig
from sfu.core.media import Kind
from sfu.errors import OfferRejected, PortInUse, SfuError
from sfu.events import Wish
from sfu.negotiation import Answer, PublicationInfo
from sfu.peer import Peer
from sfu.room import Room
from sfu.server import Sfu

__all__ = [
    "Answer",
    "Kind",
    "OfferRejected",
    "Peer",
    "PortInUse",
    "PublicationInfo",
    "Room",
    "Sfu",
    "SfuConfig",
    "SfuError",
    "Wish",
    "errors",
    "events",
    "stats",
]
