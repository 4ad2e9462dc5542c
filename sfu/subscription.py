"""A publication as sent to one peer, on one of its receiving m-lines."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sfu.core.media import Codec, HeaderExtension, Kind
from sfu.plane.seam import ForwardConfig, ForwardId, TransportId
from sfu.publication import Publication


def _random_ssrc() -> int:
    # 0 is what receivers take for «unknown».
    return secrets.randbelow(0xFFFFFFFF) + 1


def _random_sequence() -> int:
    """Below 2^15: a receiver that joins just before the wrap guesses the rollover counter wrong (RFC 3711 §3.3.1)."""
    return secrets.randbelow(1 << 15)


@dataclass(slots=True, kw_only=True)
class Subscription:
    """Owned by the peer that receives. Without a publication it holds its place (WHEP before the publisher)."""

    mid: str
    kind: Kind
    codecs: Sequence[Codec]
    "as answered to the subscriber, under its payload types"
    extensions: Mapping[HeaderExtension, int]
    allow_mixed: bool
    publication: Publication | None = None
    forward: ForwardId | None = None
    "None until the page has confirmed the answer"
    ssrc: int = field(default_factory=_random_ssrc)
    rtx_ssrc: int = field(default_factory=_random_ssrc)

    def attach(self, publication: Publication | None) -> None:
        """Carry another publication. It gets SSRCs of its own: a sequence number is never used twice under one."""
        self.publication = publication
        self.ssrc, self.rtx_ssrc = _random_ssrc(), _random_ssrc()

    def forward_config(
        self,
        forward: ForwardId,
        transport: TransportId,
        payload_types: Mapping[int, Codec],
        *,
        cname: str,
        has_rtx: bool,
    ) -> ForwardConfig:
        assert self.publication is not None
        repair = any("nack" in codec.feedback for codec in self.codecs)
        return ForwardConfig(
            forward=forward,
            stream=self.publication.stream,
            transport=transport,
            mid=self.mid,
            ssrc=self.ssrc,
            rtx_ssrc=self.rtx_ssrc if has_rtx else None,
            payload_types=payload_types,
            extensions=self.extensions,
            extmap_allow_mixed=self.allow_mixed,
            first_sequence=_random_sequence(),
            first_rtx_sequence=_random_sequence(),
            cname=cname,
            repair=repair,
        )
