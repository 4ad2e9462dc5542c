"""ICE-TCP: framing, who may stay connected, and what is written to a slow reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.drop import DropReason
from sfu.plane import tcp
from sfu.plane.tcp import MAX_FRAME_BYTES, FrameError, FrameReader, TcpConnection, frame

# Framing


@given(st.lists(st.binary(max_size=60), max_size=20), st.data())
def test_frames_come_out_whole_however_the_stream_is_cut(packets: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frame(packet) for packet in packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    reader, out = FrameReader(), []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        out += reader.feed(stream[begin:end])
    assert out == [packet for packet in packets if packet]


def test_a_frame_of_the_largest_size_passes_and_one_byte_more_ends_the_stream() -> None:
    assert FrameReader().feed(frame(bytes(MAX_FRAME_BYTES))) == [bytes(MAX_FRAME_BYTES)]
    with pytest.raises(FrameError):
        FrameReader().feed(frame(bytes(MAX_FRAME_BYTES + 1))[:2])


@given(st.binary(max_size=5000))
def test_whatever_comes_at_most_one_frame_is_held(stream: bytes) -> None:
    reader = FrameReader()
    for at in range(0, len(stream), 7):
        try:
            reader.feed(stream[at : at + 7])
        except FrameError:
            return
        assert len(reader._pending) < MAX_FRAME_BYTES + 2


# Connections


class Server:
    """Accepts connections and keeps what they tell."""

    def __init__(self) -> None:
        self.now = 0.0
        self.address = ("", 0)
        self.connections: list[TcpConnection] = []
        self.received: list[bytes] = []
        self.closed: list[DropReason | None] = []
        self.refuse: DropReason | None = None
        self.ended = asyncio.Event()
        self.arrived = asyncio.Event()

    def make(self) -> TcpConnection:
        connection = TcpConnection(self._opened, self._received, self._closed, lambda: self.now)
        self.connections.append(connection)
        return connection

    def _opened(self, connection: TcpConnection) -> DropReason | None:
        return self.refuse

    def _received(self, connection: TcpConnection, packet: bytes) -> None:
        self.received.append(packet)
        self.arrived.set()

    def _closed(self, connection: TcpConnection, reason: DropReason | None) -> None:
        self.closed.append(reason)
        self.ended.set()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(5):
            return await asyncio.open_connection(*self.address)

    async def end(self) -> DropReason | None:
        async with asyncio.timeout(5):
            await self.ended.wait()
        return self.closed[-1]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.get_running_loop().create_server(server.make, "127.0.0.1", 0)
    server.address = listening.sockets[0].getsockname()
    yield server
    listening.close()
    for connection in server.connections:
        connection.close()
    await asyncio.sleep(0)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        pass


async def arrived(server: Server, count: int) -> None:
    async with asyncio.timeout(5):
        while len(server.received) < count:
            server.arrived.clear()
            await server.arrived.wait()


async def test_packets_go_both_ways(server: Server) -> None:
    reader, writer = await server.connect()
    writer.write(frame(b"one") + frame(b"") + frame(b"two"))
    await arrived(server, 2)
    assert server.received == [b"one", b"two"]
    (connection,) = server.connections
    assert connection.remote == writer.get_extra_info("sockname")
    assert connection.send(b"back")
    assert await reader.readexactly(6) == frame(b"back")
    await close(writer)
    assert await server.end() is None


async def test_a_frame_that_is_too_long_closes(server: Server) -> None:
    _, writer = await server.connect()
    writer.write(frame(bytes(MAX_FRAME_BYTES + 1)))
    assert await server.end() is DropReason.TCP_FRAME_TOO_LONG
    assert server.received == []
    await close(writer)


async def test_who_is_refused_is_closed_at_once(server: Server) -> None:
    server.refuse = DropReason.TCP_TOO_MANY_CONNECTIONS
    _, writer = await server.connect()
    assert await server.end() is DropReason.TCP_TOO_MANY_CONNECTIONS
    await close(writer)


async def test_who_does_not_authenticate_in_time_is_closed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "AUTHENTICATE_WITHIN_S", 0.05)
    _, writer = await server.connect()
    assert await server.end() is DropReason.TCP_UNAUTHENTICATED
    await close(writer)


async def test_who_sends_much_before_the_check_is_closed_and_nothing_is_looked_at(server: Server) -> None:
    _, writer = await server.connect()
    writer.write(frame(b"x") * tcp.MAX_UNAUTHENTICATED_BYTES)
    assert await server.end() is DropReason.TCP_UNAUTHENTICATED
    assert len(server.received) * len(frame(b"x")) <= tcp.MAX_UNAUTHENTICATED_BYTES
    await close(writer)


async def test_whoever_has_authenticated_sends_as_much_as_it_likes(server: Server) -> None:
    _, writer = await server.connect()
    writer.write(frame(b"x"))
    await arrived(server, 1)
    server.connections[0].authenticated()
    packets = 2 * tcp.MAX_UNAUTHENTICATED_BYTES // 1000
    writer.write(frame(bytes(1000)) * packets)
    await arrived(server, 1 + packets)
    await close(writer)


async def test_the_deadline_is_five_seconds_and_ends_with_the_check(server: Server) -> None:
    _, writer = await server.connect()
    writer.write(frame(b"x"))
    await arrived(server, 1)
    (connection,) = server.connections
    deadline = connection._deadline
    assert deadline is not None
    assert 4.0 < deadline.when() - asyncio.get_running_loop().time() <= 5.0
    connection.authenticated()
    assert deadline.cancelled()
    await close(writer)


async def test_a_reader_that_stopped_is_congested_and_finally_gets_nothing(server: Server) -> None:
    _, writer = await server.connect()
    writer.write(frame(b"x"))
    await arrived(server, 1)
    (connection,) = server.connections
    assert not connection.congested()
    packet = bytes(1000)
    sent = 0
    while connection.send(packet):
        sent += 1
        assert sent < 100_000
    assert connection.congested()
    assert connection._transport is not None
    assert connection._transport.get_write_buffer_size() <= tcp.HARD_QUEUE_BYTES + len(packet) + 2
    await close(writer)


async def test_a_byte_that_waits_too_long_is_congestion_too(server: Server) -> None:
    reader, writer = await server.connect()
    writer.write(frame(b"x"))
    await arrived(server, 1)
    (connection,) = server.connections
    assert connection._transport is not None
    while not connection._transport.get_write_buffer_size():
        connection.send(bytes(1000))
    assert connection._transport.get_write_buffer_size() < tcp.MAX_QUEUE_BYTES
    assert not connection.congested()
    server.now = tcp.MAX_QUEUE_S + 0.01
    assert connection.congested()
    async with asyncio.timeout(5):
        while connection._transport.get_write_buffer_size():
            await reader.read(1 << 20)
    assert not connection.congested(), "it has all been taken"
    await close(writer)


async def test_after_the_end_nothing_is_sent(server: Server) -> None:
    _, writer = await server.connect()
    await close(writer)
    await server.end()
    (connection,) = server.connections
    assert not connection.send(b"x")
    assert connection.congested()
    connection.close()
