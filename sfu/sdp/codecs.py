"""Which codecs of two peers are the same, and which payload type stands for which."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Final

from sfu.core.media import Codec, CodecName


class H264Profile(enum.IntEnum):
    """In the order in which we prefer them: the first is what every H264 decoder knows."""

    CONSTRAINED_BASELINE = 0
    BASELINE = 1
    MAIN = 2
    CONSTRAINED_HIGH = 3
    HIGH = 4
    HIGH_444_PREDICTIVE = 5


_PROFILES: Final = (
    # profile_idc, bits of profile-iop that count, their value (RFC 6184 §8.1, table 5)
    (0x42, 0x4F, 0x40, H264Profile.CONSTRAINED_BASELINE),
    (0x4D, 0x8F, 0x80, H264Profile.CONSTRAINED_BASELINE),
    (0x58, 0xCF, 0xC0, H264Profile.CONSTRAINED_BASELINE),
    (0x42, 0x4F, 0x00, H264Profile.BASELINE),
    (0x58, 0xCF, 0x80, H264Profile.BASELINE),
    (0x4D, 0xAF, 0x00, H264Profile.MAIN),
    (0x64, 0xFF, 0x00, H264Profile.HIGH),
    (0x64, 0xFF, 0x0C, H264Profile.CONSTRAINED_HIGH),
    (0xF4, 0xFF, 0x00, H264Profile.HIGH_444_PREDICTIVE),
)
_DEFAULT_PROFILE_LEVEL_ID: Final = "42000a"

_DECODES: Final[Mapping[H264Profile, frozenset[H264Profile]]] = {
    # Baseline counts as constrained: no encoder in use makes the FMO and ASO that tell them apart, and FFmpeg
    # and Chromium label what they send 42001f.
    H264Profile.CONSTRAINED_BASELINE: frozenset({H264Profile.BASELINE}),
    H264Profile.BASELINE: frozenset({H264Profile.CONSTRAINED_BASELINE}),
    H264Profile.MAIN: frozenset({H264Profile.CONSTRAINED_BASELINE, H264Profile.BASELINE}),
    H264Profile.CONSTRAINED_HIGH: frozenset({H264Profile.CONSTRAINED_BASELINE, H264Profile.BASELINE}),
    H264Profile.HIGH: frozenset(
        {
            H264Profile.CONSTRAINED_BASELINE,
            H264Profile.BASELINE,
            H264Profile.MAIN,
            H264Profile.CONSTRAINED_HIGH,
        }
    ),
    H264Profile.HIGH_444_PREDICTIVE: frozenset(),
}


def h264_profile(codec: Codec) -> H264Profile | None:
    """The profile of ``profile-level-id`` without its level; None if there is no such profile."""
    text = codec.parameters.get("profile-level-id", _DEFAULT_PROFILE_LEVEL_ID)
    try:
        number = int(text, 16)
    except ValueError:
        return None
    if len(text) != 6:
        return None
    idc, iop = number >> 16, number >> 8 & 0xFF
    for known_idc, mask, value, profile in _PROFILES:
        if idc == known_idc and iop & mask == value:
            return profile
    return None


def is_same(a: Codec, b: Codec) -> bool:
    """The same media format (RFC 6184 §8.2.2, RFC 9628 §6.1, RFC 7587 §7): levels may differ."""
    if (a.name, a.clock_rate, a.channels) != (b.name, b.clock_rate, b.channels):
        return False
    match a.name:
        case CodecName.H264:
            profile = h264_profile(a)
            return profile is not None and profile == h264_profile(b) and _mode(a) == _mode(b)
        case CodecName.VP9 | CodecName.AV1:
            return _profile_number(a) == _profile_number(b) is not None
        case CodecName.RED:
            return red_payload_type(a) is not None and red_payload_type(b) is not None
        case CodecName.OPUS | CodecName.VP8:
            return True


def compatible(sent: Codec, accepted: Codec) -> bool:
    """Whether who offered ``accepted`` can decode what is encoded as ``sent``."""
    if is_same(sent, accepted):
        return True
    if sent.name is not CodecName.H264 or accepted.name is not CodecName.H264:
        return False
    profile, wanted = h264_profile(sent), h264_profile(accepted)
    if profile is None or wanted is None or _mode(sent) > _mode(accepted):
        return False
    return profile == wanted or profile in _DECODES[wanted]


def choose_codecs(offered: Sequence[Codec], names: Sequence[CodecName]) -> tuple[Codec, ...]:
    """The offered codecs with these names, in their order; of each the most widely decoded variant first.

    Empty when none fits: the m-line is then rejected.
    """
    chosen = tuple(
        codec
        for name in dict.fromkeys(names)
        for codec in sorted((each for each in offered if each.name is name), key=_rank)
        if is_same(codec, codec)
    )
    # RED (RFC 2198) is only a wrapper: without the codec that is in it, nothing could be read.
    inside = {codec.payload_type for codec in chosen}
    return tuple(codec for codec in chosen if codec.name is not CodecName.RED or red_payload_type(codec) in inside)


def payload_type_map(publisher: Sequence[Codec], subscriber: Sequence[Codec]) -> dict[int, Codec]:
    """For each payload type of a publisher the subscriber's codec to send it as; others cannot be sent."""
    mapped: dict[int, Codec] = {}
    for sent in publisher:
        fitting = [each for each in subscriber if compatible(sent, each) and _same_inside(sent, each)]
        if fitting:
            # ``False`` sorts first: the identical format before one that merely decodes it.
            mapped[sent.payload_type] = min(fitting, key=lambda each: (not is_same(sent, each), _rank(each)))
    return mapped


def red_payload_type(codec: Codec) -> int | None:
    """The payload type inside RED (RFC 2198 §5: ``111/111``); None if it isn't one and the same."""
    inside = set(codec.parameters.get("", "").split("/"))
    text = inside.pop() if len(inside) == 1 else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else None


def _same_inside(sent: Codec, accepted: Codec) -> bool:
    """RED repeats the payload type inside each packet, where we don't rewrite it."""
    return sent.name is not CodecName.RED or red_payload_type(sent) == red_payload_type(accepted)


def _mode(codec: Codec) -> int:
    return _number(codec.parameters.get("packetization-mode", "0")) or 0


def _profile_number(codec: Codec) -> int | None:
    return _number(codec.parameters.get("profile-id" if codec.name is CodecName.VP9 else "profile", "0"))


def _number(text: str) -> int | None:
    return int(text) if len(text) == 1 and text.isascii() and text.isdigit() else None


def _rank(codec: Codec) -> tuple[int, int]:
    match codec.name:
        case CodecName.H264:
            profile = h264_profile(codec)
            # Mode 0 allows no fragmentation: one NAL unit a packet.
            return (0 if _mode(codec) == 1 else 1, len(H264Profile) if profile is None else profile)
        case CodecName.VP9 | CodecName.AV1:
            return (0, _profile_number(codec) or 0)
        case CodecName.OPUS | CodecName.RED | CodecName.VP8:
            return (0, 0)
