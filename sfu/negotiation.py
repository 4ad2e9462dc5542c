"""One peer's m-lines: from its offers to publications and subscriptions, and to our answers (DESIGN §5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfu.aiortc_adapter import DtlsRole
from sfu.core.codec_choice import sent_codec
from sfu.core.media import Codec, CodecName, HeaderExtension, Kind
from sfu.errors import OfferRejected
from sfu.events import RefusalReason, SubscriptionRefused
from sfu.plane.seam import ForwardId, StreamId
from sfu.publication import MAX_PUBLICATIONS, Publication
from sfu.sdp.answer import (
    AnswerPlan,
    MediaPlan,
    OutgoingTrack,
    ReceivePlan,
    SendPlan,
    received_extensions,
    sent_extensions,
    write_answer,
)
from sfu.sdp.codecs import choose_codecs, payload_type_map
from sfu.sdp.errors import OfferError
from sfu.sdp.offer import Offer, OfferedMedia, dtls_role, read_offer
from sfu.subscription import Subscription

if TYPE_CHECKING:
    from sfu.peer import Peer

_VIDEO = frozenset({CodecName.VP8, CodecName.VP9, CodecName.H264, CodecName.AV1})


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationInfo:
    """What a page is told of the publication on one of its receiving m-lines."""

    peer_id: str
    kind: Kind
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``publications`` is by mid, and holds only m-lines that carry something."""

    sdp: str
    publications: Mapping[str, PublicationInfo]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What an answer depends on outside its offer; a page whose last answer saw another has to offer again."""

    publications: frozenset[str]
    codecs: tuple[tuple[str, tuple[CodecName, ...]], ...]


class Negotiation:
    """Owned by its peer. Publications and subscriptions are by mid."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._publications: dict[str, Publication] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._only_from: str | None = None
        "WHEP: the one peer whose publications are played"
        self.decodes: frozenset[CodecName] | None = None
        "video codecs that the peer can receive; None until it has offered to"
        self.offers_video: frozenset[CodecName] = frozenset()
        "video codecs that it could send"
        self.takes_red = True
        "audio RED can be taken apart, as far as we know"
        self._role: DtlsRole | None = None
        self._answers = 0
        self._carrier: str | None = None
        "the m-line whose transport all others share (RFC 9143 §7.2)"
        self._wanted: _Wanted | None = None
        self._refused: set[tuple[str, CodecName | None]] = set()

    # Reading.

    def publications(self) -> Iterator[Publication]:
        return iter(self._publications.values())

    def subscriptions(self) -> Iterator[Subscription]:
        return iter(self._subscriptions.values())

    # An offer.

    def answer(self, sdp: str, publisher_id: str | None) -> Answer:
        """Take over what the offer says, line by line, and write the answer. Raises OfferRejected."""
        try:
            offer = read_offer(sdp)
            self._role = dtls_role(offer.setup, self._role)
        except OfferError as error:
            raise OfferRejected(error.problem.value, error.detail) from error
        if self._carrier is not None and offer.find(self._carrier) is None:
            # Browsers then begin a new DTLS association, even under the same ufrag.
            raise OfferRejected("transport_moved", "the m-line that carries the transport was stopped")
        self._only_from = publisher_id
        self._peer.remote_parameters(offer.ice_credentials, offer.fingerprints, self._role)
        self._learn_capabilities(offer)
        self._end_missing(offer)
        self._publish(offer)
        self._subscribe(offer)
        plan = self._plan(offer)
        if not plan.media:
            raise OfferRejected("nothing_acceptable", "no m-line has a codec that we forward")
        self._carrier = next(iter(plan.media))
        self._wanted = self._wanted_now()
        carried = {
            mid: PublicationInfo(peer_id=s.publication.peer_id, kind=s.kind, id=s.publication.id)
            for mid, s in self._subscriptions.items()
            if s.publication is not None
        }
        return Answer(sdp=write_answer(offer, plan), publications=carried)

    def start_forwarding(self) -> None:
        """The answer is set: add the forwards that it promised."""
        for subscription in self._subscriptions.values():
            self._start(subscription)

    def set_source(self, kind: Kind, *, live: bool) -> None:
        for publication in self._publications.values():
            if publication.kind is kind and publication.live != live:
                publication.live = live
                self._peer.room.plane.expect_media(publication.stream, live)

    # Changes elsewhere in the room.

    def update(self) -> None:
        """Recompute the wish; for a peer that cannot renegotiate, attach what came where it holds a place."""
        if not self._peer.renegotiates:
            self._assign()
            if self._peer.is_connected:
                self.start_forwarding()
            return
        wanted = [p for p in self._others() if self._takes(p)]
        audio = sum(p.kind is Kind.AUDIO for p in wanted)
        now = self._wanted_now()
        stale = self._wanted is not None and now != self._wanted
        if stale:
            self._wanted = now
        self._peer.set_wish(audio, len(wanted) - audio, stale=stale)

    def publication_gone(self, publication: Publication) -> None:
        """The plane has ended the forward with the stream."""
        self._refused = {refused for refused in self._refused if refused[0] != publication.id}
        for subscription in self._subscriptions.values():
            if subscription.publication is publication:
                subscription.publication = subscription.forward = None

    def codecs_changed(self, publication: Publication) -> None:
        """A publisher was answered with other codecs: what goes on under our forward has another payload type."""
        for subscription in self._subscriptions.values():
            if subscription.publication is publication and subscription.forward is not None:
                mapped = payload_type_map(publication.codecs, subscription.codecs)
                self._peer.room.plane.set_forward_codecs(subscription.forward, mapped)

    def close(self) -> None:
        """Subscriptions first, then publications (``docs/closing.md``)."""
        for mid in list(self._subscriptions):
            self._end_subscription(mid)
        for mid in list(self._publications):
            self._end_publication(mid)

    # Steps of an offer.

    def _learn_capabilities(self, offer: Offer) -> None:
        live = [m for m in offer.media if m.is_acceptable]
        receiving = [m for m in live if m.receives and not m.sends]
        video = [m for m in receiving if m.kind is Kind.VIDEO]
        audio = [m for m in receiving if m.kind is Kind.AUDIO]
        if video:
            self.decodes = frozenset(c.name for m in video for c in m.codecs) & _VIDEO
        if audio:
            self.takes_red = all(any(c.name is CodecName.RED for c in m.codecs) for m in audio)
        self.offers_video = frozenset(c.name for m in live if m.sends for c in m.codecs) & _VIDEO

    def _end_missing(self, offer: Offer) -> None:
        """M-lines that were stopped, or that changed their direction, their kind or all their codecs."""
        for mid, subscription in list(self._subscriptions.items()):
            media = offer.find(mid)
            if media is None or not media.is_acceptable or media.sends or not media.receives:
                self._end_subscription(mid)
            elif media.kind is not subscription.kind or not self._codecs_to_send(media):
                self._end_subscription(mid)
        for mid, publication in list(self._publications.items()):
            media = offer.find(mid)
            if media is None or not media.is_acceptable or not media.sends:
                self._end_publication(mid)
            elif media.kind is not publication.kind or not self._codecs_to_receive(media):
                self._end_publication(mid)

    def _publish(self, offer: Offer) -> None:
        """Add new publications; give old ones the codecs that the room now wants."""
        room = self._peer.room
        sending = [m for m in offer.media if m.is_acceptable and m.sends]
        extensions: dict[HeaderExtension, int] = {}
        for media in sending:
            extensions |= received_extensions(media)
        if sending:
            room.plane.set_receive_extensions(self._peer.transport, extensions)
        room.choose_codec()
        for media in sending:
            codecs = self._codecs_to_receive(media)
            publication = self._publications.get(media.mid)
            if publication is None:
                same_kind = sum(each.kind is media.kind for each in self._publications.values())
                if codecs and same_kind < MAX_PUBLICATIONS:
                    self._add_publication(media, codecs)
            elif self._peer.renegotiates and codecs != publication.codecs:
                publication.codecs = codecs
                room.plane.set_stream(publication.stream_config(self._peer.transport, media.ssrcs))
                room.codecs_changed(publication)

    def _codecs_to_receive(self, media: OfferedMedia) -> tuple[Codec, ...]:
        """What an answer asks this m-line to send, the first being what it will send."""
        if media.kind is Kind.AUDIO:
            # Whoever cannot be asked again has to suit everybody who may still come.
            red = self._peer.renegotiates and self._peer.room.sends_red()
            return choose_codecs(media.codecs, (CodecName.RED, CodecName.OPUS) if red else (CodecName.OPUS,))
        room = self._peer.room
        name = sent_codec(room.video_codec, room.preference, frozenset(c.name for c in media.codecs))
        return choose_codecs(media.codecs, [name])[:1] if name is not None else ()

    def _add_publication(self, media: OfferedMedia, codecs: tuple[Codec, ...]) -> None:
        room = self._peer.room
        assert media.kind is not None
        stream = StreamId(room.new_id())
        publication = Publication(
            id=f"publication-{stream}",
            peer_id=self._peer.id,
            kind=media.kind,
            mid=media.mid,
            stream=stream,
            codecs=codecs,
            encodable=frozenset(c.name for c in media.codecs) & _VIDEO,
            renegotiates=self._peer.renegotiates,
        )
        self._publications[media.mid] = publication
        room.plane.set_stream(publication.stream_config(self._peer.transport, media.ssrcs))
        room.publication_added(publication)

    def _subscribe(self, offer: Offer) -> None:
        """Keep a subscription for each receiving m-line, and put publications on those that are free."""
        for media in offer.media:
            if not media.is_acceptable or media.sends or not media.receives:
                continue
            assert media.kind is not None
            codecs = self._codecs_to_send(media)
            if not codecs:
                continue
            subscription = self._subscriptions.get(media.mid)
            if subscription is None:
                self._subscriptions[media.mid] = Subscription(
                    mid=media.mid,
                    kind=media.kind,
                    codecs=codecs,
                    extensions=sent_extensions(media),
                    allow_mixed=media.extmap_allow_mixed or offer.extmap_allow_mixed,
                )
            else:
                subscription.codecs = codecs
        self._assign()

    def _codecs_to_send(self, media: OfferedMedia) -> tuple[Codec, ...]:
        """Everything that the room may come to send, what it sends now first."""
        if media.kind is Kind.AUDIO:
            return choose_codecs(media.codecs, (CodecName.OPUS, CodecName.RED))
        room = self._peer.room
        return choose_codecs(media.codecs, (room.video_codec, *room.preference))

    def _assign(self) -> None:
        carried = {s.publication.id for s in self._subscriptions.values() if s.publication is not None}
        for publication in self._others():
            if publication.id in carried:
                continue
            free = [s for s in self._subscriptions.values() if s.publication is None and s.kind is publication.kind]
            fitting = [s for s in free if payload_type_map(publication.codecs, s.codecs)]
            if fitting and self._peer.renegotiates:
                fitting[0].attach(publication)
            elif fitting:
                # A place held since the only answer: its SSRCs have been told already.
                fitting[0].publication = publication
            elif (free or not self._takes(publication)) and not self._will_fit(publication):
                self._refuse(publication)

    def _will_fit(self, publication: Publication) -> bool:
        """Its publisher is about to be asked for another codec, which this peer decodes."""
        room = self._peer.room
        if publication.kind is not Kind.VIDEO or not publication.renegotiates:
            return False
        coming = sent_codec(room.video_codec, room.preference, publication.encodable)
        return coming != publication.codec and (self.decodes is None or coming in self.decodes)

    def _refuse(self, publication: Publication) -> None:
        key = (publication.id, publication.codec)
        if key not in self._refused:
            self._refused.add(key)
            self._peer.room.events.emit(
                SubscriptionRefused(
                    peer_id=self._peer.id,
                    publication_id=publication.id,
                    reason=RefusalReason.NO_COMMON_CODEC,
                )
            )

    def _plan(self, offer: Offer) -> AnswerPlan:
        media: dict[str, MediaPlan] = {}
        for each in offer.media:
            if not each.is_acceptable:
                continue
            if each.mid in self._publications:
                media[each.mid] = ReceivePlan(codecs=self._publications[each.mid].codecs)
            elif each.mid in self._subscriptions:
                subscription = self._subscriptions[each.mid]
                media[each.mid] = SendPlan(codecs=subscription.codecs, track=self._track(subscription))
            elif not each.sends and not each.receives and (codecs := self._codecs_to_send(each)):
                media[each.mid] = SendPlan(codecs=codecs, track=None)
        self._answers += 1
        assert self._role is not None
        return AnswerPlan(
            session_id=self._peer.transport,
            session_version=self._answers,
            role=self._role,
            credentials=self._peer.credentials,
            fingerprints=self._peer.room.certificate.fingerprints,
            addresses=self._peer.room.plane.addresses(),
            media=media,
        )

    def _track(self, subscription: Subscription) -> OutgoingTrack | None:
        """One stream id for each publishing peer: browsers play what shares it in sync (RFC 8830)."""
        publication = subscription.publication
        if publication is not None:
            stream_id, track_id = self._stream_name(publication.peer_id), publication.id
        elif self._only_from is not None:
            stream_id, track_id = self._stream_name(self._only_from), f"track-{subscription.mid}"
        else:
            return None
        has_rtx = any(c.rtx_payload_type is not None for c in subscription.codecs)
        return OutgoingTrack(
            stream_id=stream_id,
            track_id=track_id,
            ssrc=subscription.ssrc,
            rtx_ssrc=subscription.rtx_ssrc if has_rtx else None,
            cname=stream_id,
        )

    # Subscriptions and publications.

    def _start(self, subscription: Subscription) -> None:
        publication = subscription.publication
        if publication is None or subscription.forward is not None:
            return
        mapped = payload_type_map(publication.codecs, subscription.codecs)
        if not mapped:
            self._refuse(publication)
            return
        room = self._peer.room
        subscription.forward = ForwardId(room.new_id())
        has_rtx = any(c.rtx_payload_type is not None for c in subscription.codecs)
        room.plane.add_forward(
            subscription.forward_config(
                subscription.forward,
                self._peer.transport,
                mapped,
                cname=self._stream_name(publication.peer_id),
                has_rtx=has_rtx,
            )
        )

    def _end_subscription(self, mid: str) -> None:
        subscription = self._subscriptions.pop(mid)
        if subscription.forward is not None:
            self._peer.room.plane.remove_forward(subscription.forward)
        subscription.publication = subscription.forward = None

    def _end_publication(self, mid: str) -> None:
        self._peer.room.publication_removed(self._publications.pop(mid))

    # Looking around.

    def _others(self) -> list[Publication]:
        return [
            p
            for p in self._peer.room.publications()
            if p.peer_id != self._peer.id and self._only_from in (None, p.peer_id)
        ]

    def _takes(self, publication: Publication) -> bool:
        if publication.kind is Kind.AUDIO or self.decodes is None or publication.codec is None:
            return True
        return publication.codec in self.decodes

    def _wanted_now(self) -> _Wanted:
        room = self._peer.room
        codecs = []
        for mid, publication in self._publications.items():
            if publication.kind is Kind.VIDEO:
                name = sent_codec(room.video_codec, room.preference, publication.encodable)
                codecs.append((mid, () if name is None else (name,)))
            else:
                codecs.append((mid, (CodecName.RED,) if room.sends_red() else ()))
        return _Wanted(frozenset(p.id for p in self._others() if self._takes(p)), tuple(codecs))

    def _stream_name(self, peer_id: str) -> str:
        """Short and neutral: peer ids are the application's and need not be tokens."""
        return self._peer.room.stream_name(peer_id)
