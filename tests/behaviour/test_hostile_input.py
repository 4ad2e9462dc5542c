"""Whatever strangers and forgers send, a call goes on; each attack is counted under its reason; memory is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

from sfu.core.drop import DropReason
from tests.lab import hostile
from tests.lab.browsers import BrowserKind, Browsers
from tests.lab.consultation import Consultation, consultation
from tests.lab.emulator import SERVER_IPV4, SERVER_IPV6, Network
from tests.lab.fixtures import Cast
from tests.lab.hostile import Address, Wire
from tests.lab.server import MEDIA_PORT, Server
from tests.lab.waiting import wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.network,
    pytest.mark.timeout(90),
    pytest.mark.asyncio(loop_scope="session"),
]
MEMORY_GROWTH_BYTES = 24 << 20
"over all attacks; the flood alone carries more than that"
BIG_MTU = 9000


@dataclass(slots=True)
class Scene:
    """A call that goes on, and where its attackers stand."""

    server: Server
    held: Consultation
    wire: Wire
    "on the patient's line: can forge the patient's address and hear the patient's packets"
    patient: Address
    media: Address
    "the server's end of the patient's path"
    stranger: socket.socket
    "on another client's line"
    server_ufrag: str

    def forge(self, payload: bytes) -> None:
        self.wire.send(hostile.udp_packet(self.patient, self.media, payload))

    def strange(self, payload: bytes) -> None:
        self.stranger.sendto(payload, self.media)

    async def recording(self, packets: int) -> list[bytes]:
        """The patient's newest SRTP packets, as whole IP packets."""
        recorded: list[bytes] = []

        async def enough() -> bool:
            for packet in self.wire.heard():
                parsed = hostile.parse_udp(packet)
                if parsed and parsed[0] == self.patient and hostile.is_srtp(parsed[2]):
                    recorded.append(packet)
            return len(recorded) >= packets

        for _ in self.wire.heard():
            """Old packets are outside the replay window by now: forget them."""
        await wait_until(enough, 5.0, "the patient's packets are heard")
        return recorded[-packets:]

    async def drops(self) -> Counter[str]:
        """By reason, of strangers and of peers together."""
        stats = (await self.server.stats())["sfu"]
        total = Counter[str](stats["drops"])
        for room in stats["rooms"].values():
            for peer in room["peers"].values():
                total.update(peer["drops"])
        return total

    async def counted(self, reason: DropReason, before: Counter[str], times: int) -> None:
        async def check() -> bool:
            return (await self.drops())[reason] - before[reason] >= times

        await wait_until(check, 5.0, f"{times} drops are counted as {reason}")

    async def goes_on(self) -> None:
        """Both still see and hear each other, by the connection they had."""
        for tab in (self.held.patient, self.held.clinician):
            report = await tab.receives()
            assert report.state_changes == ["connecting", "connected"]
            assert report.connections_made == 1


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(
    lines: Network, browsers: Mapping[str, Browsers], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    """One call for all attacks: each must leave it as it was for the next."""
    await lines.heal()
    for namespace, interface in ((lines.clients["patient"], "wan0"), (lines.server, "leg1")):
        namespace.ip(f"link set {interface} mtu {BIG_MTU}")
    cast = Cast()
    chromium = BrowserKind.CHROMIUM
    async with Server(lines.server, tmp_path_factory.mktemp("hostile")) as server:
        people = (browsers["patient"], chromium), (browsers["clinician"], chromium)
        held = await consultation(server, cast, *people)
        path = (await held.patient.receives()).path
        assert path is not None and path.protocol == "udp"
        media = (path.remote_address, MEDIA_PORT)
        wire = Wire(lines.clients["patient"])
        family = socket.AF_INET6 if ":" in media[0] else socket.AF_INET
        with lines.clients["guest"].entered():
            stranger = socket.socket(family, socket.SOCK_DGRAM)
        sdp = await held.patient.page.evaluate("() => window.venteromProbe.newest().remoteDescription.sdp")
        ufrag = re.search(r"a=ice-ufrag:(\S+)", sdp)
        assert ufrag is not None
        with stranger, contextlib.closing(wire):
            patient = await patient_address(wire, media)
            yield Scene(server, held, wire, patient, media, stranger, ufrag.group(1))
        await cast.leave()


async def patient_address(wire: Wire, media: Address) -> Address:
    """Where the patient's SRTP really comes from: browsers report no port that can be relied on."""
    found: list[Address] = []

    async def heard() -> bool:
        parsed = map(hostile.parse_udp, wire.heard())
        found.extend(p[0] for p in parsed if p and p[1] == media and hostile.is_srtp(p[2]))
        return bool(found)

    assert media[0] in (SERVER_IPV4, SERVER_IPV6)
    await wait_until(heard, 5.0, "the patient's packets are heard")
    return found[0]


Attack = tuple[DropReason, int, Callable[[Scene], None]]


def repeatedly(times: int, send: Callable[[Scene], None]) -> Callable[[Scene], None]:
    def attack(scene: Scene) -> None:
        for _ in range(times):
            send(scene)

    return attack


DATAGRAMS: Mapping[str, Attack] = {
    "an empty datagram under the patient's address": (DropReason.EMPTY_DATAGRAM, 1, lambda s: s.forge(b"")),
    "a datagram like RTP of 3000 bytes under the patient's address": (
        DropReason.OVERSIZED_DATAGRAM,
        1,
        lambda s: s.forge(b"\x80" + os.urandom(2999)),
    ),
    "bytes of no protocol under the patient's address": (
        DropReason.UNKNOWN_PROTOCOL,
        20,
        repeatedly(20, lambda s: s.forge(b"\xff" + os.urandom(200))),
    ),
    "random bytes from a stranger": (
        DropReason.UNKNOWN_ADDRESS,
        50,
        repeatedly(50, lambda s: s.strange(bytes([200]) + os.urandom(300))),
    ),
    "a check with no more than a header": (
        DropReason.STUN_MALFORMED,
        1,
        lambda s: s.strange(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)),
    ),
    "a check without MESSAGE-INTEGRITY": (
        DropReason.STUN_BAD_INTEGRITY,
        1,
        lambda s: s.strange(hostile.binding_request(f"{s.server_ufrag}:x", password=None)),
    ),
    "a check with wrong integrity": (
        DropReason.STUN_BAD_INTEGRITY,
        1,
        lambda s: s.strange(hostile.binding_request(f"{s.server_ufrag}:x", password="guessed")),
    ),
    "a check with wrong integrity under the patient's address": (
        DropReason.STUN_BAD_INTEGRITY,
        1,
        lambda s: s.forge(hostile.binding_request(f"{s.server_ufrag}:x", password="guessed")),
    ),
    "a check for nobody": (
        DropReason.STUN_UNKNOWN_UFRAG,
        1,
        lambda s: s.strange(hostile.binding_request("nobody:x", password="guessed")),
    ),
    "an answer to a check that nobody made": (
        DropReason.STUN_NOT_A_REQUEST,
        1,
        lambda s: s.strange(hostile.binding_response()),
    ),
    "a flood of checks": (
        DropReason.STUN_RATE_LIMITED,
        100,
        repeatedly(5000, lambda s: s.strange(hostile.binding_request(f"{s.server_ufrag}:x", password="no"))),
    ),
    "RTP under the patient's address that nobody encrypted": (
        DropReason.SRTP_AUTH_FAILED,
        20,
        repeatedly(20, lambda s: s.forge(b"\x80\x60" + os.urandom(10) + bytes(200))),
    ),
    "a flood of DTLS from a stranger": (
        DropReason.UNKNOWN_ADDRESS,
        3000,
        repeatedly(3000, lambda s: s.strange(hostile.dtls_record(1000))),
    ),
}


@pytest.mark.parametrize("attack", DATAGRAMS.values(), ids=DATAGRAMS.keys())
async def test_datagrams(scene: Scene, attack: Attack) -> None:
    reason, times, send = attack
    before = await scene.drops()
    send(scene)
    await scene.counted(reason, before, times)
    await scene.goes_on()


async def test_a_flood_of_dtls_under_the_patients_address(scene: Scene) -> None:
    """More in one moment than a handshake ever has: the server finds them all when it looks again."""
    before = await scene.drops()
    with scene.server.paused():
        for _ in range(500):
            scene.forge(hostile.dtls_record(1000))
    await scene.counted(DropReason.DTLS_QUEUE_FULL, before, 100)
    await scene.goes_on()


async def test_rtp_of_the_call_from_an_unknown_address(scene: Scene) -> None:
    before = await scene.drops()
    for packet in await scene.recording(50):
        parsed = hostile.parse_udp(packet)
        assert parsed is not None
        scene.strange(parsed[2])
    await scene.counted(DropReason.UNKNOWN_ADDRESS, before, 50)
    await scene.goes_on()


async def test_replayed_srtp(scene: Scene) -> None:
    """Packets of this very call, under the right address, a second time."""
    before = await scene.drops()
    for packet in await scene.recording(50):
        scene.wire.send(packet)
    await scene.counted(DropReason.SRTP_REPLAYED, before, 50)
    await scene.goes_on()


@contextlib.contextmanager
def tcp_connection(scene: Scene, lines: Network) -> Iterator[socket.socket]:
    with lines.clients["guest"].entered():
        connection = socket.create_connection(scene.media, timeout=5)
    with connection:
        yield connection


async def test_a_tcp_frame_that_is_too_long(scene: Scene, lines: Network) -> None:
    before = await scene.drops()
    with tcp_connection(scene, lines) as connection:
        connection.sendall(b"\xff\xff" + bytes(1000))
        await scene.counted(DropReason.TCP_FRAME_TOO_LONG, before, 1)
    await scene.goes_on()


async def test_a_tcp_connection_that_says_nothing(scene: Scene, lines: Network) -> None:
    before = await scene.drops()
    with tcp_connection(scene, lines):

        async def closed() -> bool:
            return (await scene.drops())[DropReason.TCP_UNAUTHENTICATED] > before[DropReason.TCP_UNAUTHENTICATED]

        await wait_until(closed, 8.0, "the connection is closed")
    await scene.goes_on()


async def test_more_tcp_connections_than_one_address_may_have(scene: Scene, lines: Network) -> None:
    before = await scene.drops()
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(tcp_connection(scene, lines))
        await scene.counted(DropReason.TCP_TOO_MANY_CONNECTIONS, before, 1)
    await scene.goes_on()


@pytest.mark.parametrize(
    ("message", "counter"),
    [
        ("garbage", "websocket."),
        ('{"type": "hello"}', "websocket."),
        ('{"type": "ring", "visit": "x"}', "websocket."),
        ("[" * 50_000, "websocket."),
        ("x" * 5_000_000, "websocket.too_big"),
        (b"\x00\xff" * 1000, "websocket.binary"),
    ],
    ids=["garbage", "half a hello", "another's message first", "a deep nest", "megabytes", "binary"],
)
async def test_a_websocket_with_garbage(scene: Scene, message: str | bytes, counter: str) -> None:
    async def counted() -> int:
        counters: dict[str, int] = (await scene.server.stats())["signaling"]
        return sum(n for name, n in counters.items() if name.startswith(counter))

    before = await counted()
    async with scene.server.visitor() as visitor:
        async with visitor.post("/demo", data={"name": "Mallory"}) as entered:
            assert entered.status == 200, await entered.text()
        async with visitor.ws_connect("/demo/ws", max_msg_size=0) as attacker:
            with contextlib.suppress(ConnectionError):
                await (attacker.send_bytes(message) if isinstance(message, bytes) else attacker.send_str(message))
            closing = await asyncio.wait_for(attacker.receive(), 10)
            assert closing.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)

    async def one_more() -> bool:
        return await counted() > before

    await wait_until(one_more, 5.0, f"{counter} is counted")
    await scene.goes_on()


async def test_memory_stays_bounded(scene: Scene) -> None:
    """30,000 datagrams of strangers and 10,000 forged ones leave nothing behind."""
    before_bytes = scene.server.memory_bytes()
    for number in range(10_000):
        scene.strange(os.urandom(1200))
        scene.strange(hostile.binding_request(f"{number}:x", password="no"))
        scene.strange(hostile.dtls_record(1000))
        scene.forge(b"\x80\x60" + os.urandom(1100))
        if number % 100 == 0:
            await asyncio.sleep(0)
    await scene.goes_on()
    assert scene.server.memory_bytes() - before_bytes < MEMORY_GROWTH_BYTES


async def test_the_log_has_no_line_for_each_packet(scene: Scene) -> None:
    assert len(scene.server.log.splitlines()) < 200
