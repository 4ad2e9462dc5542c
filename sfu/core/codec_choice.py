"""Which video codec a room sends: one that every peer can decode, so that nobody has to transcode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sfu.core.media import CodecName


def room_codec(
    preference: Sequence[CodecName],
    decodable: Iterable[frozenset[CodecName]],
    encodable: Iterable[frozenset[CodecName]],
) -> CodecName:
    """The first preferred codec that every receiver decodes and every publisher can send.

    When no codec suits everybody, the one that suits most; of equals, the preferred one. ``preference`` is not empty.
    """
    decoders, encoders = list(decodable), list(encodable)

    def misfits(codec: CodecName) -> int:
        return sum(codec not in names for names in decoders) + sum(codec not in names for names in encoders)

    return min(preference, key=misfits)


def sent_codec(wanted: CodecName, preference: Sequence[CodecName], encodable: frozenset[CodecName]) -> CodecName | None:
    """What one publisher sends: the room's codec, else its own best; None when it has nothing that we forward."""
    if wanted in encodable:
        return wanted
    return next((codec for codec in preference if codec in encodable), None)
