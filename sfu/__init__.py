"""Selective forwarding unit: forwards the media of WebRTC peers between rooms' members without decoding it."""

from __future__ import annotations

from sfu.config import SfuConfig

__all__ = ["SfuConfig"]
