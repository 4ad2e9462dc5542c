"""The media port: which sockets are open, and what becomes of them."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest

from sfu.core.drop import DropReason
from sfu.plane import listeners, tcp
from sfu.plane.listeners import MediaPort
from sfu.plane.seam import MediaAddress
from sfu.plane.srtp import PacketBuffer
from sfu.plane.tcp import TcpConnection, frame
from sfu.plane.udp import UdpPort


class Sink:
    """A demultiplexer that keeps everything."""

    def __init__(self) -> None:
        self.buffer = PacketBuffer()
        self.udp: list[tuple[str, bytes]] = []
        self.tcp: list[bytes] = []
        self.closed = 0
        self.drops: Counter[DropReason] = Counter()
        self._changed = asyncio.Event()

    def udp_received(self, port: UdpPort, size: int, address: Any, now: float) -> None:
        self.udp.append((port.address, bytes(self.buffer.view[:size])))
        self._changed.set()

    def tcp_received(self, connection: TcpConnection, packet: bytes) -> None:
        self.tcp.append(packet)
        self._changed.set()

    def tcp_closed(self, connection: TcpConnection) -> None:
        self.closed += 1
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def sink() -> Sink:
    return Sink()


Make = Callable[..., MediaPort]


@pytest.fixture
async def make(sink: Sink) -> AsyncIterator[Make]:
    made = []

    def make_port(
        port: int = 0, announced: Mapping[str, str] | None = None, *, offer_loopback: bool = False
    ) -> MediaPort:
        made.append(
            MediaPort(
                port,
                {"127.0.0.1": "203.0.113.9"} if announced is None else announced,
                sink.buffer,
                sink,
                sink.drops,
                offer_loopback=offer_loopback,
            )
        )
        return made[-1]

    yield make_port
    for port in made:
        await port.close()


async def connect(port: MediaPort) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port.port)


async def test_udp_and_tcp_share_one_number(make: Make, sink: Sink) -> None:
    port = make()
    await port.open()
    assert port.addresses() == [MediaAddress(local="127.0.0.1", announced="203.0.113.9", port=port.port)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"by udp", ("127.0.0.1", port.port))
    _, writer = await connect(port)
    writer.write(frame(b"by tcp"))
    await sink.until(lambda: bool(sink.udp and sink.tcp))
    assert (sink.udp, sink.tcp) == ([("127.0.0.1", b"by udp")], [b"by tcp"])
    writer.close()
    await sink.until(lambda: sink.closed == 1)


async def test_both_families_under_the_same_number(make: Make, sink: Sink) -> None:
    port = make(announced={"127.0.0.1": "127.0.0.1", "::1": "::1"})
    await port.open()
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.sendto(host.encode(), (host, port.port))
    await sink.until(lambda: len(sink.udp) == 2)
    assert dict(sink.udp) == {"127.0.0.1": b"127.0.0.1", "::1": b"::1"}


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
async def test_a_taken_port_is_an_error_and_nothing_stays_open(make: Make, kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = make(taken.getsockname()[1])
        with pytest.raises(OSError):
            await port.open()
        assert port.addresses() == []


async def test_any_free_port_is_free_for_both(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is free for UDP may be taken for TCP: another is tried."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        numbers = iter([number, 0])

        class Chosen(UdpPort):
            def __init__(self, address: str, port: int, *rest: Any) -> None:
                super().__init__(address, next(numbers), *rest)

        monkeypatch.setattr(listeners, "UdpPort", Chosen)
        port = make()
        await port.open()
        assert port.port not in (0, number)


async def test_addresses_are_followed(make: Make, sink: Sink) -> None:
    port = make()
    await port.open()
    assert not await port._follow([("127.0.0.1", "203.0.113.9")])
    assert await port._follow([("127.0.0.1", "203.0.113.9"), ("127.0.0.2", "127.0.0.2")])
    assert [address.local for address in port.addresses()] == ["127.0.0.1", "127.0.0.2"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.2", port.port))
    await sink.until(lambda: bool(sink.udp))
    assert await port._follow([("127.0.0.2", "127.0.0.2")])
    assert [address.local for address in port.addresses()] == ["127.0.0.2"]
    with pytest.raises(ConnectionRefusedError):
        await connect(port)


async def test_an_address_that_cannot_be_bound_yet_is_tried_again_and_said_once(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    port = make()
    await port.open()
    wanted = [("127.0.0.1", "203.0.113.9"), ("192.0.2.1", "192.0.2.1")]
    with caplog.at_level(logging.WARNING, "sfu.plane"):
        assert not await port._follow(wanted)
        assert not await port._follow(wanted)
    assert len([r for r in caplog.records if "cannot listen" in r.message]) == 1
    assert len(port.addresses()) == 1


async def test_the_watcher_tells_only_changes(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "RESCAN_S", 0)
    port = make()
    await port.open()
    rounds = iter([[("127.0.0.1", "a")], [("127.0.0.1", "a"), ("127.0.0.2", "b")]])
    monkeypatch.setattr(port, "_wanted", lambda: next(rounds))
    told: list[Sequence[MediaAddress]] = []
    # The list of rounds ends, and with it the watcher.
    with pytest.raises(RuntimeError):
        await port.watch(told.append)
    assert [[a.local for a in each] for each in told] == [["127.0.0.1", "127.0.0.2"]]


async def test_the_watcher_outlives_a_moment_without_file_descriptors(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listeners, "RESCAN_S", 0)
    port = make()
    await port.open()
    failures = iter([OSError(errno.EMFILE, "Too many open files")] * 3)

    def wanted() -> list[tuple[str, str]]:
        for failure in failures:
            raise failure
        return [("127.0.0.1", "a"), ("127.0.0.2", "b")]

    monkeypatch.setattr(port, "_wanted", wanted)
    changed = asyncio.Event()
    watching = asyncio.create_task(port.watch(lambda _: changed.set()))
    async with asyncio.timeout(5):
        await changed.wait()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert len([r for r in caplog.records if "cannot read the network interfaces" in r.message]) == 1


async def test_connections_of_one_address_are_limited(make: Make, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_CONNECTIONS_PER_ADDRESS", 3)
    port = make()
    await port.open()
    pairs = [await connect(port) for _ in range(5)]
    await sink.until(lambda: sink.closed == 2)
    assert sink.drops == {DropReason.TCP_TOO_MANY_CONNECTIONS: 2}
    pairs[0][1].write(frame(b"still here"))
    await sink.until(lambda: bool(sink.tcp))
    pairs[0][1].close()
    await sink.until(lambda: sink.closed == 3)
    pairs.append(await connect(port))
    pairs[-1][1].write(frame(b"room again"))
    await sink.until(lambda: len(sink.tcp) == 2)
    for _, writer in pairs:
        writer.close()


async def test_a_subscribers_ipv6_addresses_are_one(make: Make, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_CONNECTIONS_PER_ADDRESS", 2)
    port = make()

    def refused(address: str) -> DropReason | None:
        connection = TcpConnection(port._tcp_opened, sink.tcp_received, port._tcp_closed, lambda: 0.0)
        connection.remote = (address, 1)
        return port._tcp_opened(connection)

    assert [refused(f"2001:db8:1:2::{number}") for number in range(3)] == [
        None,
        None,
        DropReason.TCP_TOO_MANY_CONNECTIONS,
    ]
    assert refused("2001:db8:1:3::1") is None
    assert refused("fe80::1%eth0") is None
    port._connections.clear()


async def test_all_connections_together_are_limited(make: Make, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_CONNECTIONS", 1)
    port = make()
    await port.open()
    pairs = [await connect(port) for _ in range(2)]
    await sink.until(lambda: sink.closed == 1)
    assert sink.drops == {DropReason.TCP_TOO_MANY_CONNECTIONS: 1}
    for _, writer in pairs:
        writer.close()


async def test_closing_closes_everything(make: Make, sink: Sink) -> None:
    port = make()
    await port.open()
    _, writer = await connect(port)
    writer.write(frame(b"x"))
    await sink.until(lambda: bool(sink.tcp))
    await port.close()
    assert sink.closed == 1 and port.addresses() == [] and port.kernel_drops() == 0
    with pytest.raises(ConnectionRefusedError):
        await connect(port)
    writer.close()
    again = make(port.port)
    await again.open()
    assert again.port == port.port
