"""One browser's (or WHIP client's) peer connection: its ICE credentials, DTLS, publications and subscriptions."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from typing import TYPE_CHECKING

from sfu.aiortc_adapter import DtlsFailed, DtlsRole, DtlsSession
from sfu.core.drop import DropReason
from sfu.core.media import Kind
from sfu.errors import OfferRejected, PeerGone
from sfu.events import (
    CloseReason,
    PeerConnected,
    PeerInterrupted,
    PeerLost,
    PeerResumed,
    Wish,
    WishChanged,
)
from sfu.negotiation import Answer, Negotiation
from sfu.plane.seam import IceCredentials, PathChanged, PathProtocol, PathState, TransportId
from sfu.stats import PeerStats

if TYPE_CHECKING:
    from sfu.room import Room

log = logging.getLogger("sfu.peer")

_UFRAG_BYTES = 6
"""48 bits in base64: RFC 8445 §5.3 asks for 24; strangers must not guess which transports exist."""
_PWD_BYTES = 24
"""192 bits; RFC 8445 §5.3 asks for 128."""
MAX_OFFERS_PER_PEER = 1000
"""A page negotiates on joins, leaves and restarts only: more is a page in a loop."""


class Peer:
    """Made by ``Room.add_peer``. All methods run on the SFU's event loop."""

    def __init__(self, room: Room, peer_id: str, transport: TransportId, *, renegotiates: bool) -> None:
        self.id = peer_id
        self.room = room
        self.transport = transport
        self.renegotiates = renegotiates
        self.wish = Wish(audio=1, video=1, revision=1)
        self.is_connected = False
        self.state = "new"
        self.negotiation = Negotiation(self)
        self.drops: Counter[DropReason] = Counter()
        "what the plane handed up in vain"
        self._offers = 0
        self._closed = False
        self._credentials = self._new_credentials()
        self._dtls: DtlsSession | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._fingerprints: tuple[tuple[str, str], ...] = ()
        self._remote: IceCredentials | None = None
        self._path: PathProtocol | None = None
        room.plane.add_transport(transport, self._credentials)

    # What the application calls.

    async def answer(self, sdp: str) -> Answer:
        """Answer an offer. When its revision was stale by then, WishChanged has told so: the page offers again.

        After it: send the answer, and call ``start_forwarding`` when the page has set it. Raises OfferRejected,
        PeerGone.
        """
        self._admit_offer()
        answer = self.negotiation.answer(sdp, publisher_id=None)
        self.room.update()
        return answer

    async def play(self, sdp: str, publisher_id: str) -> Answer:
        """Answer an offer that receives what one peer publishes, now or later (WHEP)."""
        self._admit_offer()
        answer = self.negotiation.answer(sdp, publisher_id=publisher_id)
        self.room.update()
        return answer

    def start_forwarding(self) -> None:
        """The page has set the answer: subscriptions in it begin, video with a keyframe."""
        if not self._closed:
            self.negotiation.start_forwarding()

    def set_source(self, kind: Kind, *, live: bool) -> None:
        """The page muted or unmuted: absence of packets is then no interruption."""
        self.negotiation.set_source(kind, live=live)

    def add_candidate(self, candidate: str) -> None:
        """Accepted and not used: we answer checks from wherever they come (RFC 8445 §2.5)."""

    async def close(self) -> None:
        await self.room.close_peer(self, CloseReason.LEFT)

    def stats(self) -> PeerStats:
        return self.room.peer_stats(self)

    # What the negotiation calls.

    @property
    def credentials(self) -> IceCredentials:
        """What the next answer carries."""
        return self._credentials

    def remote_parameters(
        self, remote: IceCredentials, fingerprints: tuple[tuple[str, str], ...], role: DtlsRole
    ) -> None:
        """Check what an offer says of ICE and DTLS against what is running; begin what is not (RFC 8829 §5.9)."""
        if self._dtls is None:
            self._fingerprints = fingerprints
            self._remote = remote
            self._dtls = DtlsSession(
                self.room.certificate,
                role=role,
                send=self._send_dtls,
                handshake_timeout_s=self.room.config.dtls_handshake_timeout_s,
                on_closed=self._ended_by_peer,
            )
            return
        if set(fingerprints) != set(self._fingerprints):
            raise OfferRejected("fingerprint_changed", "the certificate of a running connection cannot change")
        if remote != self._remote:
            # RFC 8445 §9: new credentials of theirs ask for new ones of ours; media stays where it is meanwhile.
            self._remote = remote
            self._credentials = self._new_credentials()
            self.room.plane.restart_ice(self.transport, self._credentials)

    def set_wish(self, audio: int, video: int, *, stale: bool) -> None:
        """Tell the page when the counts differ, or when its last offer would now be answered differently."""
        audio, video = max(1, audio), max(1, video)
        if not stale and (audio, video) == (self.wish.audio, self.wish.video):
            return
        self.wish = Wish(audio=audio, video=video, revision=self.wish.revision + 1)
        if self.renegotiates:
            self.room.events.emit(WishChanged(peer_id=self.id, wish=self.wish))

    # What the plane reports, through the room.

    def dtls_received(self, datagram: bytes) -> None:
        if self._dtls is None or not self._dtls.receive(datagram):
            self.drops[DropReason.DTLS_QUEUE_FULL] += 1

    def path_changed(self, event: PathChanged) -> None:
        before, self.state = self.state, event.state.value
        match event.state:
            case PathState.CONNECTED:
                self._path = event.protocol
                if self._handshake is None and self._dtls is not None:
                    self._handshake = asyncio.create_task(self._connect(self._dtls), name=f"dtls-{self.id}")
                elif self.is_connected and before in (PathState.INTERRUPTED, PathState.LOST):
                    self.room.events.emit(PeerResumed(peer_id=self.id, path=self.path))
            case PathState.INTERRUPTED:
                if self.is_connected:
                    self.room.events.emit(PeerInterrupted(peer_id=self.id))
            case PathState.LOST:
                if self.is_connected:
                    self.room.events.emit(PeerLost(peer_id=self.id))
            case PathState.EXPIRED:
                self.room.close_soon(self, CloseReason.EXPIRED)

    @property
    def path(self) -> str:
        return "" if self._path is None else self._path.value

    # Called by the room, once.

    async def end(self) -> None:
        """Stop every task of ours; say goodbye to the browser."""
        self._closed = True
        if self._handshake is not None:
            self._handshake.cancel()
            await asyncio.gather(self._handshake, return_exceptions=True)
        if self._dtls is not None:
            await self._dtls.close()

    # Private.

    def _admit_offer(self) -> None:
        if self._closed:
            raise PeerGone(self.id)
        self._offers += 1
        if self._offers > MAX_OFFERS_PER_PEER:
            raise OfferRejected("too_many_offers", f"this peer has offered {MAX_OFFERS_PER_PEER} times")

    async def _connect(self, dtls: DtlsSession) -> None:
        try:
            keys = await dtls.handshake(self._fingerprints)
        except DtlsFailed as failure:
            log.info("x peer %s: %s", self.id, failure.reason.value)
            self.room.count_dtls_failure(failure.reason)
            self.room.close_soon(self, CloseReason.DTLS_FAILED)
            return
        self.room.plane.set_srtp_keys(self.transport, keys)
        self.is_connected = True
        log.info("= peer %s: connected by %s", self.id, self.path)
        if not self.renegotiates:
            # A WHEP player has no way to say that it has set the answer.
            self.negotiation.start_forwarding()
        self.room.events.emit(PeerConnected(peer_id=self.id, path=self.path))

    def _send_dtls(self, datagram: bytes) -> None:
        self.room.plane.send_dtls(self.transport, datagram)

    def _ended_by_peer(self) -> None:
        self.room.close_soon(self, CloseReason.ENDED_BY_PEER)

    @staticmethod
    def _new_credentials() -> IceCredentials:
        # RFC 8839 §5.4: ice-char is ALPHA, DIGIT, «+» and «/».
        ufrag = secrets.token_urlsafe(_UFRAG_BYTES).replace("-", "+").replace("_", "/")
        pwd = secrets.token_urlsafe(_PWD_BYTES).replace("-", "+").replace("_", "/")
        return IceCredentials(ufrag=ufrag, pwd=pwd)
