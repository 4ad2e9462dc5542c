"""What the emulator really does to packets of the kernel, measured by sockets at both ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import struct
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.lab.emulator import SERVER_IPV4, SERVER_IPV6, Network
from tests.lab.line import LineSettings

pytestmark = [pytest.mark.network, pytest.mark.timeout(60)]
PORT = 5000


@dataclass
class Ends:
    """Two UDP sockets, at the client's and the server's end of a line."""

    network: Network
    client: socket.socket
    server: socket.socket
    address: tuple[str, int]

    async def round_trip_times(self, count: int) -> list[float]:
        loop = asyncio.get_running_loop()
        times: list[float] = []
        for _ in range(count):
            began = time.monotonic()
            self.client.sendto(b"ping", self.address)
            _, peer = await asyncio.wait_for(loop.sock_recvfrom(self.server, 100), 5)
            self.server.sendto(b"pong", peer)
            await asyncio.wait_for(loop.sock_recv(self.client, 100), 5)
            times.append(time.monotonic() - began)
        return times

    async def flood(self, packets_per_s: float, size_bytes: int, duration_s: float) -> tuple[int, list[int], float]:
        """Packets sent; numbers of those received; their rate in bits per second of payload."""
        loop = asyncio.get_running_loop()
        received: list[int] = []
        arrivals: list[float] = []

        def drain() -> None:
            while True:
                try:
                    datagram = self.server.recv(2000)
                except BlockingIOError:
                    return
                received.append(struct.unpack_from("!I", datagram)[0])
                arrivals.append(time.monotonic())

        loop.add_reader(self.server, drain)
        began, sent = time.monotonic(), 0
        while (passed := time.monotonic() - began) < duration_s:
            while sent < passed * packets_per_s:
                self.client.sendto(struct.pack("!I", sent).ljust(size_bytes, b"x"), self.address)
                sent += 1
            await asyncio.sleep(0.001)
        quiet_since = len(received), time.monotonic()
        while time.monotonic() - quiet_since[1] < 0.4:
            if len(received) != quiet_since[0]:
                quiet_since = len(received), time.monotonic()
            await asyncio.sleep(0.02)
        loop.remove_reader(self.server)
        duration = (arrivals[-1] - arrivals[0]) if len(arrivals) > 1 else 1.0
        return sent, received, len(received) * size_bytes * 8 / duration


@pytest.fixture(params=[SERVER_IPV4, SERVER_IPV6])
def address(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with Network(["patient", "clinician"], seed=5) as network:
        yield network


@contextlib.contextmanager
def _open(network: Network, client: str, address: str) -> Iterator[Ends]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with network.server.entered():
        server = socket.socket(family, socket.SOCK_DGRAM)
    with network.clients[client].entered():
        sender = socket.socket(family, socket.SOCK_DGRAM)
    with server, sender:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        server.bind((address, PORT))
        server.setblocking(False)
        sender.setblocking(False)
        yield Ends(network, sender, server, (address, PORT))


@pytest.fixture
def ends(network: Network, address: str) -> Iterator[Ends]:
    with _open(network, "patient", address) as ends:
        yield ends


async def test_a_perfect_line_is_fast(ends: Ends) -> None:
    assert statistics.median(await ends.round_trip_times(100)) < 0.002


async def test_delay_both_ways(ends: Ends) -> None:
    delay = LineSettings(delay_s=0.04)
    await ends.network.set_line("patient", up=delay, down=delay)
    times = await ends.round_trip_times(20)
    assert 0.080 <= statistics.median(times) < 0.085
    assert 0.0 < await ends.network.worst_lateness_s() < max(times) - 0.080


async def test_loss_and_its_counter(ends: Ends) -> None:
    await ends.network.set_line("patient", up=LineSettings(loss=0.1))
    sent, received, _ = await ends.flood(1000, 200, 3.0)
    assert 1 - len(received) / sent == pytest.approx(0.1, abs=0.025)
    counters = await ends.network.counters()
    assert counters["patient.up"].lost == sent - len(received)
    assert counters["patient.up"].packets == len(received)


async def test_a_bottleneck_gives_its_rate_and_heals(ends: Ends) -> None:
    await ends.network.set_line("patient", up=LineSettings(rate_bps=500_000, queue_s=0.2))
    sent, received, rate_bps = await ends.flood(150, 1000, 3.0)
    assert rate_bps == pytest.approx(500_000, rel=0.07)
    assert len(received) < sent
    await ends.network.heal()
    sent, received, _ = await ends.flood(150, 1000, 0.5)
    assert len(received) == sent


async def test_lines_are_separate(network: Network) -> None:
    await network.set_line("patient", up=LineSettings(block_udp=True))
    with _open(network, "clinician", SERVER_IPV4) as ends:
        sent, received, _ = await ends.flood(100, 100, 0.3)
        assert len(received) == sent
    with _open(network, "patient", SERVER_IPV4) as ends:
        sent, received, _ = await ends.flood(100, 100, 0.3)
        assert received == []
    assert (await network.counters())["patient.up"].blocked == sent


async def test_ten_thousand_packets_a_second_pass_in_order(network: Network) -> None:
    """96 Mbit/s: more than any browser test sends."""
    with _open(network, "patient", SERVER_IPV4) as ends:
        sent, received, _ = await ends.flood(10_000, 1200, 2.0)
        assert sent > 15_000
        assert len(received) > sent * 0.999
        assert received == sorted(received)


async def test_clients_reach_the_server_and_not_the_machine(network: Network) -> None:
    with network.clients["patient"].entered(), socket.socket() as s:
        s.settimeout(0.3)
        with pytest.raises(OSError):
            s.connect(("192.0.2.2", 80))
