"""One peer connection of a participant: offers in, answers out, the newest answer kept for a resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sfu import Kind, OfferRejected, Peer, PublicationInfo
from signaling import messages
from signaling.errors import ProtocolError
from signaling.messages import MediaKind


@dataclass(frozen=True, slots=True)
class _Newest:
    offer_id: int
    reply: messages.Answer | messages.OfferRefused


class MediaLink:
    """Calls for one link must not overlap; the owner's connection reads one message at a time."""

    def __init__(self, peer: Peer, *, epoch: int, participant_of_peer: Callable[[str], str]) -> None:
        self.peer = peer
        self.peer_id = peer.id
        self.epoch = epoch
        self._participant_of_peer = participant_of_peer
        self._newest: _Newest | None = None

    def wish(self) -> messages.Wish:
        wish = self.peer.wish
        return messages.Wish(epoch=self.epoch, audio=wish.audio, video=wish.video, revision=wish.revision)

    async def answer(self, offer: messages.Offer) -> messages.Answer | messages.OfferRefused:
        """The newest offer is answered again unchanged; an older one is a mistake of the page."""
        if self._newest is not None and offer.id <= self._newest.offer_id:
            if offer.id < self._newest.offer_id:
                raise ProtocolError("offer_out_of_order")
            return self._newest.reply
        reply: messages.Answer | messages.OfferRefused
        try:
            answer = await self.peer.answer(offer.sdp)
        except OfferRejected as error:
            reply = messages.OfferRefused(epoch=self.epoch, id=offer.id, reason=str(error.reason))
        else:
            reply = messages.Answer(
                epoch=self.epoch,
                id=offer.id,
                sdp=answer.sdp,
                publications=self._publications(answer.publications),
            )
        self._newest = _Newest(offer.id, reply)
        return reply

    def applied(self, offer_id: int) -> None:
        """Only the newest answer counts: an earlier one says nothing about what the page can receive now."""
        if self._newest is not None and offer_id == self._newest.offer_id:
            self.peer.start_forwarding()

    def set_source(self, kind: MediaKind, *, live: bool) -> None:
        self.peer.set_source(Kind(kind.value), live=live)

    def _publications(self, of_mid: Mapping[str, PublicationInfo]) -> dict[str, messages.Publication]:
        return {
            mid: messages.Publication(
                peer=self._participant_of_peer(info.peer_id),
                kind=MediaKind(info.kind.value),
                id=str(info.id),
            )
            for mid, info in of_mid.items()
        }
