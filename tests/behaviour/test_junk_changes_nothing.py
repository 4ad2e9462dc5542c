"""Whatever strangers and forgers send to the media port: the call goes on, each kind is counted, memory stays bounded.

The same with stock browsers and forged source addresses: ``test_hostile_input.py``.
"""

from __future__ import annotations

import random
import socket
import tracemalloc
from collections.abc import AsyncIterator, Callable

import pytest

from sfu import Kind
from sfu.aiortc_adapter import QUEUE_DATAGRAMS
from sfu.core.drop import DropReason
from sfu.events import PeerClosed, PeerInterrupted
from tests.peer import ice
from tests.peer.browser import Browser, House
from tests.peer.rtp import AudioSource

FLOOD = 600
RANDOM = random.Random(5766)
DTLS_JUNK = bytes((22, 254, 253)) + bytes(8) + b"\x00\x40" + bytes(64)


class Scene:
    def __init__(self, house: House, first: Browser, second: Browser) -> None:
        self.house, self.first, self.second = house, first, second
        self.source: AudioSource = first.audio()
        self.stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.stranger.connect(first.endpoint.server)

    def drops(self) -> dict[DropReason, int]:
        return dict(self.house.sfu.stats().drops)

    def peer_drops(self) -> dict[DropReason, int]:
        return dict(self.first.peer.stats().drops)

    async def call_goes_on(self) -> None:
        self.first.endpoint.send_rtp(self.source.packet(b"alive"))
        mid = self.second.mid_of(self.first, Kind.AUDIO)
        await self.house.until(lambda: [p.payload for p in self.second.received(mid)] == [b"alive"])
        assert not self.house.seen(PeerClosed) and not self.house.seen(PeerInterrupted)
        assert set(self.house.room.peers) == {"a", "b"}

    async def flood(self, datagram: Callable[[], bytes], send: Callable[[bytes], object]) -> None:
        """In portions that the socket's buffer holds; the call goes on between them."""
        for _ in range(FLOOD // 100):
            for _ in range(100):
                send(datagram())
            await self.call_goes_on()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with House() as house:
        first, second = await house.join("a"), await house.join("b")
        await house.settle()
        scene = Scene(house, first, second)
        yield scene
        scene.stranger.close()


STRANGERS: dict[str, tuple[Callable[[Scene], bytes], DropReason]] = {
    "empty": (lambda _: b"", DropReason.EMPTY_DATAGRAM),
    "oversized": (lambda _: b"\x80" * 4000, DropReason.OVERSIZED_DATAGRAM),
    "random": (lambda _: bytes((RANDOM.randrange(4, 256),)) + RANDOM.randbytes(60), DropReason.UNKNOWN_ADDRESS),
    "rtp": (lambda _: b"\x80\x6f" + RANDOM.randbytes(100), DropReason.UNKNOWN_ADDRESS),
    "dtls": (lambda _: DTLS_JUNK, DropReason.UNKNOWN_ADDRESS),
    "no stun": (lambda _: b"\x00\x01" + RANDOM.randbytes(40), DropReason.STUN_MALFORMED),
    "stun for nobody": (lambda _: ice.check(ice.new_credentials()), DropReason.STUN_UNKNOWN_UFRAG),
}


@pytest.mark.parametrize("kind", STRANGERS)
async def test_strangers(scene: Scene, kind: str) -> None:
    make, reason = STRANGERS[kind]
    await scene.flood(lambda: make(scene), scene.stranger.send)
    await scene.house.until(lambda: scene.drops() == {reason: FLOOD})
    assert scene.peer_drops() == {}


@pytest.mark.parametrize("with_integrity", [False, True])
async def test_checks_of_somebody_who_saw_the_ufrag_but_not_the_password(scene: Scene, with_integrity: bool) -> None:
    assert scene.first.answer is not None
    credentials = scene.first.answer.credentials
    await scene.flood(lambda: ice.check(credentials, pwd="a guess", with_integrity=with_integrity), scene.stranger.send)
    await scene.house.until(lambda: sum(scene.peer_drops().values()) == FLOOD)
    assert set(scene.peer_drops()) <= {DropReason.STUN_BAD_INTEGRITY, DropReason.STUN_RATE_LIMITED}
    await scene.first.check()


async def test_replayed_srtp(scene: Scene) -> None:
    recorded = scene.first.endpoint.protect(scene.source.packet(b"recorded"))
    scene.first.endpoint.send(recorded)
    await scene.house.until(lambda: len(scene.second.endpoint.rtp) == 1)
    scene.second.endpoint.take_rtp()
    await scene.flood(lambda: recorded, scene.first.endpoint.send)
    await scene.house.until(lambda: scene.peer_drops() == {DropReason.SRTP_REPLAYED: FLOOD})


async def test_forged_srtp_and_nonsense_from_a_validated_address(scene: Scene) -> None:
    kinds = [b"\x80\x6f" + bytes(60), b"\x80\xc9" + bytes(60), b"\x50" * 50]
    await scene.flood(lambda: RANDOM.choice(kinds), scene.first.endpoint.send)
    await scene.house.until(lambda: sum(scene.peer_drops().values()) == FLOOD)
    assert set(scene.peer_drops()) == {DropReason.SRTP_AUTH_FAILED, DropReason.UNKNOWN_PROTOCOL}


async def test_a_dtls_flood_from_a_validated_address(scene: Scene) -> None:
    """After the handshake and in bursts beyond what an association queues: the surplus is counted."""
    for _ in range(5):
        for _ in range(200):
            scene.first.endpoint.send(DTLS_JUNK)
        await scene.call_goes_on()
    dtls = scene.first.peer._dtls
    assert dtls is not None and len(dtls._pipe._inbox) <= QUEUE_DATAGRAMS
    assert scene.peer_drops().get(DropReason.DTLS_QUEUE_FULL, 0) > 0
    await scene.first.peer.close()
    await scene.house.until(lambda: scene.first.dtls.is_ended)


async def test_junk_during_the_handshake_does_not_end_it(scene: Scene) -> None:
    third = scene.house.add("c")
    third.publish(Kind.AUDIO)
    await third.negotiate()
    assert third.answer is not None
    third.endpoint.connect(third.answer.address())
    await third.check()
    # A well-formed record in the clear, such as an alert, would end it: until there are keys, whoever can forge the
    # peer's address can forge its records.
    for junk in (b"\x14", b"\x3f" * 30, bytes((22, 1, 1)) + bytes(30), bytes((22, 254, 253)) + RANDOM.randbytes(40)):
        third.endpoint.send(junk)
    await third.handshake()


async def test_memory_stays_bounded(scene: Scene) -> None:
    """What a flood leaves behind does not grow with its length."""

    async def everything() -> None:
        for make, _ in STRANGERS.values():
            for _ in range(50):
                scene.stranger.send(make(scene))
        for _ in range(50):
            scene.first.endpoint.send(b"\x80\x6f" + RANDOM.randbytes(60))
            scene.first.endpoint.send(DTLS_JUNK)
        await scene.call_goes_on()

    for _ in range(3):
        await everything()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(12):
        await everything()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 256 * 1024
