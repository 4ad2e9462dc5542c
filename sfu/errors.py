"""What the SFU refuses.

SfuError
└── PortInUse
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
