"""Format parameters: those of an offer that mean something to us, and those that an answer repeats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sfu.core.media import Codec, CodecName

_SAFE_VALUE: Final = re.compile(r"[A-Za-z0-9/_.+-]{1,64}")

_REPEATED: Final[Mapping[CodecName, tuple[str, ...]]] = {
    CodecName.OPUS: ("minptime", "useinbandfec", "usedtx"),
    CodecName.RED: ("",),
    CodecName.VP8: (),
    CodecName.VP9: ("profile-id",),
    CodecName.H264: ("level-asymmetry-allowed", "packetization-mode", "profile-level-id"),
    CodecName.AV1: ("level-idx", "profile", "tier"),
}
"""Limits of one receiver (``max-fs``, ``maxplaybackrate``, ``stereo``) are not repeated: they would bind the
publisher to what its own decoder wants."""


def clean_parameters(parameters: Mapping[str, str | int | None]) -> dict[str, str]:
    """Keys in lower case, values as text; a bare value such as RED's ``111/111`` comes under ``""``."""
    clean: dict[str, str] = {}
    for raw_key, raw_value in parameters.items():
        key, value = raw_key.strip().lower(), raw_value
        if value is None:
            key, value = "", key
        value = str(value).strip()
        if _SAFE_VALUE.fullmatch(value) and (not key or _SAFE_VALUE.fullmatch(key)):
            clean.setdefault(key, value)
    return clean


def answer_parameters(codec: Codec) -> str:
    """The value of ``a=fmtp`` in an answer; empty when there is none."""
    kept = {key: codec.parameters[key] for key in _REPEATED[codec.name] if key in codec.parameters}
    if codec.name is CodecName.OPUS:
        # A publisher adds FEC only when its receiver asks for it (RFC 7587 §6.1).
        kept = {"minptime": "10"} | kept | {"useinbandfec": "1"}
    return ";".join(f"{key}={value}" if key else value for key, value in kept.items())
