"""The codecs of an offered m-line that the SFU knows."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from sfu.aiortc_adapter import ParsedCodec, ParsedMedia
from sfu.core.media import Codec, CodecName
from sfu.sdp.fmtp import clean_parameters

_FEEDBACK: Final = frozenset({"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"})
_CLOCK_RATES: Final = {CodecName.OPUS: 48000, CodecName.RED: 48000}
_AUDIO_CODECS: Final = frozenset({CodecName.OPUS, CodecName.RED})


def read_codecs(media: ParsedMedia, formats: tuple[str, ...]) -> tuple[Codec, ...]:
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
    codecs = (_read_codec(each, is_audio=media.kind == "audio", rtx=rtx) for each in ordered)
    return tuple(codec for codec in codecs if codec is not None)


def _read_codec(parsed: ParsedCodec, *, is_audio: bool, rtx: dict[int, int]) -> Codec | None:
    try:
        name = CodecName(parsed.name.upper())
    except ValueError:
        return None
    # Video RED carries ULPFEC; we never want it.
    if parsed.payloadType is None or (name in _AUDIO_CODECS) != is_audio:
        return None
    if parsed.clockRate != _CLOCK_RATES.get(name, 90000):
        return None
    feedback = {f"{each.type} {each.parameter}" if each.parameter else each.type for each in parsed.rtcpFeedback}
    return Codec(
        name=name,
        payload_type=parsed.payloadType,
        clock_rate=parsed.clockRate,
        channels=parsed.channels or 1,
        parameters=MappingProxyType(clean_parameters(parsed.parameters)),
        rtx_payload_type=rtx.get(parsed.payloadType),
        feedback=frozenset(feedback & _FEEDBACK),
    )


def _is_usable(payload_type: int) -> bool:
    """RFC 5761 §4: with rtcp-mux 64 to 95 would be taken for RTCP."""
    return 0 <= payload_type < 64 or 96 <= payload_type < 128
