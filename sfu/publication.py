"""A track that a peer sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sfu.core.media import Codec, CodecName, Kind
from sfu.plane.seam import StreamConfig, StreamId, TransportId
from sfu.sdp.offer import OfferedSsrc

MAX_PUBLICATIONS = 3
"""Of one kind and peer: camera, screen and one more. Each is an m-line in everybody else's offers, whose length is
bounded."""


@dataclass(slots=True, kw_only=True)
class Publication:
    """Owned by the peer that publishes; ends with its m-line or its peer."""

    id: str
    peer_id: str
    kind: Kind
    mid: str
    stream: StreamId
    codecs: Sequence[Codec]
    "as answered to the publisher, under its payload types"
    encodable: frozenset[CodecName]
    "what the publisher could send instead"
    renegotiates: bool
    "False for WHIP: what it sends was settled by its only offer"
    live: bool = True
    "False while its page says that the source is muted or off"

    @property
    def codec(self) -> CodecName | None:
        """What it is sending."""
        return self.codecs[0].name if self.codecs else None

    def stream_config(self, transport: TransportId, ssrcs: Sequence[OfferedSsrc]) -> StreamConfig:
        """``ssrcs`` are those that the offer names for this m-line: of several, packets tell by MID which one it is."""
        named = ssrcs[0] if len(ssrcs) == 1 else None
        return StreamConfig(
            stream=self.stream,
            transport=transport,
            kind=self.kind,
            mid=self.mid,
            codecs=self.codecs,
            ssrc=None if named is None else named.ssrc,
            rtx_ssrc=None if named is None else named.rtx_ssrc,
        )
