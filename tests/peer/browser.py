"""A peer of a room as a browser is one: offers, checks, DTLS, SRTP; everything on real sockets."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

from sfu import Answer, Kind, Peer, Room, Sfu, SfuConfig
from sfu.core.media import Direction, HeaderExtension
from sfu.events import RoomEvent
from sfu.plane.seam import SrtpKeys, SrtpProfile
from tests.peer import ice
from tests.peer.endpoint import Endpoint, FramedEndpoint
from tests.peer.offers import CHROMIUM, Formats, OfferedLine, ReadAnswer, read_answer, write_offer
from tests.peer.rtp import AudioSource, Rtp, VideoSource
from tests.sfu.dtls_peer import DtlsPeer

E = TypeVar("E")
TIMEOUT_S = 5.0
STEP_S = 0.01
"how often a wait looks for changes that don't arrive on a socket"


class Browser:
    """Made by ``House.join``. ``lines`` are its m-lines; ``offer`` and ``apply`` do one round of negotiation."""

    def __init__(self, house: House, peer: Peer, formats: Formats, *, setup: str = "actpass") -> None:
        self.house, self.peer, self.formats, self.setup = house, peer, formats, setup
        self.lines: list[OfferedLine] = []
        self.answer: ReadAnswer | None = None
        self.publications: Mapping[str, tuple[str, Kind]] = {}
        self.endpoint = Endpoint()
        self.dtls = DtlsPeer(is_client=setup != "passive")
        self._is_shaking = False
        self._fed = 0
        self.ufrag = secrets.token_hex(4)
        self._transport_sequence = 0
        house.browsers.append(self)

    # Negotiation

    def publish(self, *kinds: Kind) -> None:
        for kind in kinds:
            rtx = secrets.randbits(31) | 1 if kind is Kind.VIDEO else 0
            self._add(kind, Direction.SENDONLY, ssrc=secrets.randbits(31) | 1, rtx_ssrc=rtx)

    def want(self) -> None:
        """As many receiving m-lines as the server wishes."""
        for kind, count in ((Kind.AUDIO, self.peer.wish.audio), (Kind.VIDEO, self.peer.wish.video)):
            while len(self.receiving(kind)) < count:
                self._add(kind, Direction.RECVONLY)

    def receiving(self, kind: Kind) -> list[OfferedLine]:
        return [line for line in self.lines if line.kind is kind and line.direction is Direction.RECVONLY]

    def _add(self, kind: Kind, direction: Direction, *, ssrc: int = 0, rtx_ssrc: int = 0) -> None:
        self.lines.append(
            OfferedLine(mid=str(len(self.lines)), kind=kind, direction=direction, ssrc=ssrc, rtx_ssrc=rtx_ssrc)
        )

    def offer(self) -> str:
        return write_offer(self.lines, self.formats, self.dtls.fingerprints, setup=self.setup, ufrag=self.ufrag)

    def apply(self, answer: Answer) -> ReadAnswer:
        self.answer = read_answer(answer.sdp)
        self.publications = {mid: (info.peer_id, info.kind) for mid, info in answer.publications.items()}
        assert (self.answer.setup == "passive") is (self.setup != "passive"), "the other role"
        return self.answer

    async def negotiate(self) -> ReadAnswer:
        """One whole round: offer, answer, applied."""
        self.want()
        answer = self.apply(await self.peer.answer(self.offer()))
        self.peer.start_forwarding()
        return answer

    async def play(self, publisher_id: str) -> ReadAnswer:
        """WHEP: receive one audio and one video of somebody."""
        for kind in (Kind.AUDIO, Kind.VIDEO):
            self._add(kind, Direction.RECVONLY)
        return self.apply(await self.peer.play(self.offer(), publisher_id))

    # Connecting

    async def connect(self, *, tcp: bool = False) -> None:
        answer = self.answer
        assert answer is not None
        if tcp:
            self.endpoint.close()
            self.endpoint = FramedEndpoint(answer.address("tcp"))
        self.endpoint.connect(answer.address("tcp" if tcp else "udp"))
        await self.check()
        await self.handshake()

    async def check(self, *, nominate: bool = True) -> None:
        assert self.answer is not None
        request = ice.check(self.answer.credentials, nominate=nominate)
        self.endpoint.send(request)
        credentials = self.answer.credentials
        await self.house.until(lambda: self.endpoint.accepts(request, credentials))

    async def handshake(self) -> None:
        self._is_shaking = True
        self.dtls.advance()
        self.carry()
        await self.house.until(lambda: self.dtls.is_connected)
        profile, send, receive = self.dtls.srtp_keys()
        # ``Endpoint.set_keys`` takes the server's view.
        self.endpoint.set_keys(SrtpKeys(profile=SrtpProfile(profile), receive=send, send=receive))
        await self.house.until(lambda: self.peer.is_connected)

    def carry(self) -> None:
        """DTLS records from and to the wire."""
        if not self._is_shaking:
            return
        for datagram in self.endpoint.dtls[self._fed :]:
            self.dtls.feed(datagram)
        if not self.dtls.is_connected:
            # Does nothing before OpenSSL's own timer has run out (RFC 6347 §4.2.4.1).
            self.dtls.ssl.DTLSv1_handle_timeout()
        self._fed = len(self.endpoint.dtls)
        for record in self.dtls.records():
            self.endpoint.send(record)

    async def join(self, *, tcp: bool = False) -> None:
        await self.negotiate()
        await self.connect(tcp=tcp)

    # Media

    def _extensions(self, mid: str) -> Mapping[int, bytes]:
        self._transport_sequence += 1
        ids = self.formats.ids
        return {
            ids[HeaderExtension.MID]: mid.encode(),
            ids[HeaderExtension.TRANSPORT_CC]: (self._transport_sequence & 0xFFFF).to_bytes(2),
        }

    def _sending(self, kind: Kind) -> OfferedLine:
        return next(line for line in self.lines if line.kind is kind and line.direction is Direction.SENDONLY)

    def audio(self) -> AudioSource:
        line = self._sending(Kind.AUDIO)
        return AudioSource(
            ssrc=line.ssrc, payload_type=self.formats.opus, extensions=lambda: self._extensions(line.mid)
        )

    def video(self) -> VideoSource:
        line = self._sending(Kind.VIDEO)
        assert self.formats.vp8 is not None
        return VideoSource(
            ssrc=line.ssrc,
            rtx_ssrc=line.rtx_ssrc,
            payload_type=self.formats.vp8,
            rtx_payload_type=self.formats.vp8 + 1,
            extensions=lambda: self._extensions(line.mid),
        )

    def received(self, mid: str) -> list[Rtp]:
        """Packets of the answered SSRC of this m-line, taken out."""
        assert self.answer is not None
        ssrcs = self.answer.lines[mid].ssrcs[:1]
        taken = [packet for packet in self.endpoint.rtp if packet.ssrc in ssrcs]
        self.endpoint.rtp = [packet for packet in self.endpoint.rtp if packet.ssrc not in ssrcs]
        return taken

    def mid_of(self, publisher: Browser | str, kind: Kind) -> str:
        """The m-line on which somebody's audio or video comes."""
        name = publisher if isinstance(publisher, str) else publisher.peer.id
        return next(mid for mid, carried in self.publications.items() if carried == (name, kind))

    def close(self) -> None:
        self.endpoint.close()


class House:
    """An SFU on loopback with one room; its events in order."""

    def __init__(self, **config: object) -> None:
        values: dict[str, object] = {"media_port": 0, "announced_addresses": {"127.0.0.1": "127.0.0.1"}}
        self.sfu = Sfu(SfuConfig(**values | config))  # type: ignore[arg-type]
        self.browsers: list[Browser] = []
        self.events: list[RoomEvent] = []
        self.room: Room

    async def __aenter__(self) -> Self:
        await self.sfu.start()
        self.room = self.open_room("room")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.sfu.close()
        for browser in self.browsers:
            browser.close()

    def open_room(self, room_id: str) -> Room:
        room = self.sfu.create_room(room_id)
        for event in RoomEvent.__args__:
            room.events.on(event, self.events.append)
        return room

    def seen(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def add(
        self, peer_id: str, formats: Formats = CHROMIUM, *, renegotiates: bool = True, setup: str = "actpass"
    ) -> Browser:
        peer = self.room.add_peer(peer_id, renegotiates=renegotiates)
        return Browser(self, peer, formats, setup=setup)

    async def join(self, peer_id: str, formats: Formats = CHROMIUM, *, tcp: bool = False) -> Browser:
        """A browser with camera and microphone, connected."""
        browser = self.add(peer_id, formats)
        browser.publish(Kind.AUDIO, Kind.VIDEO)
        await browser.join(tcp=tcp)
        return browser

    async def settle(self) -> None:
        """Every page offers again until nobody's wish is stale."""
        for _ in range(8):
            stale = [b for b in self.browsers if self.room.peers.get(b.peer.id) is b.peer and b.peer.renegotiates]
            before = [browser.peer.wish.revision for browser in stale]
            for browser in stale:
                await browser.negotiate()
            if before == [browser.peer.wish.revision for browser in stale]:
                return
        raise AssertionError("the wishes never settle")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds; meanwhile every browser reads its socket and answers DTLS."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        sockets = [b.endpoint.socket for b in self.browsers if b.endpoint.socket.fileno() >= 0]
        for each in sockets:
            loop.add_reader(each, arrived.set)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while True:
                    self.read()
                    if condition():
                        return
                    arrived.clear()
                    timer = loop.call_later(STEP_S, arrived.set)
                    await arrived.wait()
                    timer.cancel()
        finally:
            for each in sockets:
                loop.remove_reader(each)

    def read(self) -> None:
        for browser in self.browsers:
            if browser.endpoint.socket.fileno() >= 0:
                browser.endpoint.read()
                browser.carry()
