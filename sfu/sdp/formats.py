"""The codecs of an offered m-line that the SFU knows."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from sfu.aiortc_adapter import ParsedCodec, ParsedMedia
from sfu.core.media import Codec, CodecName
from sfu.sdp.fmtp import clean_parameters
from sfu.sdp.sections import Section

_FEEDBACK: Final = frozenset({"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"})
_CLOCK_RATES: Final = {CodecName.OPUS: 48000, CodecName.RED: 48000}
_NAMES: Final = {name.value: name for name in CodecName}
_AUDIO_CODECS: Final = frozenset({CodecName.OPUS, CodecName.RED})


def read_codecs(media: ParsedMedia, section: Section, formats: tuple[str, ...]) -> tuple[Codec, ...]:
    """In the order of the m-line, each with its RTX; what we don't know is as if it weren't there."""
    by_payload_type: dict[int, ParsedCodec] = {}
    for each in media.rtp.codecs:
        if each.payloadType is not None and _is_usable(each.payloadType) and str(each.payloadType) in formats:
            by_payload_type.setdefault(each.payloadType, each)
    ordered = [by_payload_type[int(name)] for name in dict.fromkeys(formats) if int(name) in by_payload_type]
    rtx: dict[int, int] = {}
    for each in ordered:
        apt = each.parameters.get("apt")
        if each.name.lower() == "rtx" and each.payloadType is not None and isinstance(apt, int):
            rtx.setdefault(apt, each.payloadType)
    feedback = _read_feedback(section)
    codecs = (_read_codec(each, media.kind == "audio", rtx, feedback) for each in ordered)
    return tuple(codec for codec in codecs if codec is not None)


def _read_feedback(section: Section) -> dict[str, set[str]]:
    """``a=rtcp-fb`` by payload type, or ``*`` for all (RFC 4585 §4.2)."""
    feedback: dict[str, set[str]] = {}
    for value in section.values("rtcp-fb"):
        payload_type, _, kind = value.partition(" ")
        if kind in _FEEDBACK:
            feedback.setdefault(payload_type, set()).add(kind)
    return feedback


def _read_codec(
    parsed: ParsedCodec, is_audio: bool, rtx: dict[int, int], feedback: dict[str, set[str]]
) -> Codec | None:
    name = _NAMES.get(parsed.name.upper())
    # Video RED carries ULPFEC; we never want it.
    if name is None or parsed.payloadType is None or (name in _AUDIO_CODECS) != is_audio:
        return None
    if parsed.clockRate != _CLOCK_RATES.get(name, 90000):
        return None
    return Codec(
        name=name,
        payload_type=parsed.payloadType,
        clock_rate=parsed.clockRate,
        channels=parsed.channels or 1,
        parameters=MappingProxyType(clean_parameters(parsed.parameters)),
        rtx_payload_type=rtx.get(parsed.payloadType),
        feedback=frozenset(feedback.get(str(parsed.payloadType), set()) | feedback.get("*", set())),
    )


def _is_usable(payload_type: int) -> bool:
    """RFC 5761 §4: with rtcp-mux 64 to 95 would be taken for RTCP."""
    return 0 <= payload_type < 64 or 96 <= payload_type < 128
