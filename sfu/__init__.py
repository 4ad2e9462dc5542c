"""Selective forwarding unit: forwards media among the peers of a room without decoding it."""

from __future__ import annotations

from sfu.config import SfuConfig
from sfu.errors import PortInUse, SfuError

__all__ = ["PortInUse", "SfuConfig", "SfuError"]
