"""One socket of the media port: drained fully, bounded a turn, and never lost to an error."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sfu.core.drop import DropReason
from sfu.plane.srtp import PacketBuffer
from sfu.plane.udp import BUFFER_BYTES, MAX_DATAGRAMS_PER_WAKE, UdpPort


class Receiver:
    """Keeps what a port receives; tests wait for it."""

    def __init__(self) -> None:
        self.buffer = PacketBuffer()
        self.datagrams: list[bytes] = []
        self.addresses: list[Any] = []
        self.times: list[float] = []
        self.react: Callable[[bytes], None] = lambda _: None
        self._changed = asyncio.Event()
        self.port = UdpPort("127.0.0.1", 0, self.buffer, self.received, lambda: 5.0)

    def received(self, port: UdpPort, size: int, address: Any, now: float) -> None:
        datagram = bytes(self.buffer.view[:size])
        self.datagrams.append(datagram)
        self.addresses.append(address)
        self.times.append(now)
        self._changed.set()
        self.react(datagram)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.datagrams) < count:
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    receiver.port.start()
    yield receiver
    receiver.port.close()


@pytest.fixture
def sender(receiver: Receiver) -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.connect(receiver.port.socket.getsockname())
        yield opened


async def test_datagrams_come_in_order_with_address_and_time(receiver: Receiver, sender: socket.socket) -> None:
    for number in range(5):
        sender.send(bytes((number,)))
    await receiver.until(5)
    assert receiver.datagrams == [bytes((n,)) for n in range(5)]
    assert set(receiver.addresses) == {sender.getsockname()}
    assert set(receiver.times) == {5.0}


async def test_it_goes_on_after_pauses(receiver: Receiver, sender: socket.socket) -> None:
    for number in range(1, 4):
        sender.send(b"x")
        await receiver.until(number)
        # Idle: the timer has found the socket empty, and waits for readiness again.
        while receiver.port._timer is not None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert receiver.datagrams == [b"x"] * 3


async def test_one_turn_is_bounded_and_nothing_is_left(receiver: Receiver, sender: socket.socket) -> None:
    count = MAX_DATAGRAMS_PER_WAKE + 50
    for _ in range(count):
        sender.send(b"x")
    assert receiver.port._drain()
    assert len(receiver.datagrams) == MAX_DATAGRAMS_PER_WAKE
    await receiver.until(count)


async def test_an_empty_and_an_oversized_datagram_are_handed_on(receiver: Receiver, sender: socket.socket) -> None:
    sender.send(b"")
    sender.send(bytes(9000))
    await receiver.until(2)
    assert receiver.datagrams[0] == b""
    assert len(receiver.datagrams[1]) > 1500


@pytest.mark.parametrize("wake", ["first", "later"])
async def test_a_mistake_of_ours_costs_one_turn_and_not_the_socket(
    receiver: Receiver, sender: socket.socket, wake: str
) -> None:
    """Whatever a packet may make us raise, the next one is read: the port belongs to everybody."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))

    def react(datagram: bytes) -> None:
        if datagram == b"bad":
            raise RuntimeError("a mistake")

    receiver.react = react
    if wake == "later":
        sender.send(b"good")
        await receiver.until(1)
    sender.send(b"bad")
    await receiver.until(2 if wake == "later" else 1)
    sender.send(b"after")
    await receiver.until(3 if wake == "later" else 2)
    assert receiver.datagrams[-1] == b"after"
    assert [str(context["exception"]) for context in errors] == ["a mistake"]


async def test_an_icmp_error_for_what_we_sent_is_no_end(receiver: Receiver, sender: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        address = gone.getsockname()
    for _ in range(3):
        assert receiver.port.send(b"x", address) in (None, DropReason.SEND_FAILED)
    sender.send(b"after")
    await receiver.until(1)
    assert receiver.datagrams == [b"after"]


async def test_sending_tells_why_it_failed(receiver: Receiver, sender: socket.socket) -> None:
    assert receiver.port.send(b"x", sender.getsockname()) is None
    assert sender.recv(10) == b"x"
    assert receiver.port.send(b"x", ("127.0.0.1", 0)) is DropReason.SEND_FAILED
    receiver.port.close()
    assert receiver.port.send(b"x", sender.getsockname()) is DropReason.SEND_FAILED


async def test_what_the_kernel_dropped_is_counted(receiver: Receiver, sender: socket.socket) -> None:
    receiver.port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    before = receiver.port.kernel_drops()
    for _ in range(100):
        sender.send(bytes(1000))
    assert receiver.port.kernel_drops() > before
    receiver.port.close()
    assert receiver.port.kernel_drops() == 0


def test_a_refusal_of_large_buffers_names_the_setting() -> None:
    port = UdpPort("127.0.0.1", 0, PacketBuffer(), lambda *_: None, lambda: 0.0)
    granted = port.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    port.close()
    assert ("net.core.rmem_max" in port.short_buffers) is (granted < 2 * BUFFER_BYTES)


def test_ipv6_takes_no_ipv4() -> None:
    port = UdpPort("::1", 0, PacketBuffer(), lambda *_: None, lambda: 0.0)
    assert port.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    port.close()


def test_a_taken_port_is_refused() -> None:
    port = UdpPort("127.0.0.1", 0, PacketBuffer(), lambda *_: None, lambda: 0.0)
    number = port.socket.getsockname()[1]
    with pytest.raises(OSError):
        UdpPort("127.0.0.1", number, PacketBuffer(), lambda *_: None, lambda: 0.0)
    port.close()
