"""What an operator may choose about the SFU. The application's ``[media]`` table maps onto it by field."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_PORT = 65_535
VIDEO_CODECS = ("VP8", "H264", "VP9", "AV1")


@dataclass(frozen=True, slots=True, kw_only=True)
class SfuConfig:
    """A value out of range raises ValueError; its text begins with the field's name."""

    media_port: int = 7882
    "UDP and TCP port for all media of all peers. 0 takes any free one."

    announced_addresses: Mapping[str, str] = field(default_factory=dict)
    "Local address → public address, for servers behind 1:1 NAT. Empty: all interfaces are offered."

    offer_loopback: bool = False
    "Offer 127.0.0.1 and ::1 even when another interface is up."

    video_codecs: tuple[str, ...] = VIDEO_CODECS
    "Codecs a room may use, the preferred one first."

    dtls_handshake_timeout_s: float = 15.0
    "A peer whose handshake takes longer is closed."

    max_peers_per_room: int = 8
    "One more is refused."

    max_rooms: int = 1000
    "One more is refused."

    def __post_init__(self) -> None:
        if not 0 <= self.media_port <= MAX_PORT:
            raise ValueError(f"media_port must be 0 to {MAX_PORT}, not {self.media_port}")
        for address in (*self.announced_addresses, *self.announced_addresses.values()):
            if not _is_address(address):
                raise ValueError(f"announced_addresses must hold IP addresses, not {address!r}")
        unknown = [codec for codec in self.video_codecs if codec not in VIDEO_CODECS]
        if unknown or not self.video_codecs:
            raise ValueError(f"video_codecs must be some of {', '.join(VIDEO_CODECS)}, not {unknown}")
        if self.dtls_handshake_timeout_s <= 0:
            raise ValueError(f"dtls_handshake_timeout_s must be above 0, not {self.dtls_handshake_timeout_s}")
        if self.max_peers_per_room < 1:
            raise ValueError(f"max_peers_per_room must be at least 1, not {self.max_peers_per_room}")
        if self.max_rooms < 1:
            raise ValueError(f"max_rooms must be at least 1, not {self.max_rooms}")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
