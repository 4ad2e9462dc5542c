"""Bad lines in user space: this kernel may lack netem, but TUN devices it has.

The network is a star. The server's namespace has a NIC; each client has a namespace of its own and a line
of its own to the server, so that loss can be laid on one leg alone. «Up» is from the client to the server.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from tests.lab.line import LineCounters, LineSettings
from tests.lab.netns import Namespace, require_privilege

SERVER_IPV4 = "10.96.0.1"
SERVER_IPV6 = "fd96::1"
_MTU_BYTES = 1500
_ANSWER_TIMEOUT_S = 10.0


class Network:
    """A server's namespace and one for each client, joined by lines. Enter it with ``async with``."""

    def __init__(self, clients: Sequence[str], *, seed: int = 1) -> None:
        self._names = tuple(clients)
        self._seed = seed
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        require_privilege()
        self.server = Namespace("server")
        self.clients = {name: Namespace(name) for name in self._names}

    async def __aenter__(self) -> Self:
        self.server.add_nic(f"{SERVER_IPV4}/24", f"{SERVER_IPV6}/64", gateway="10.96.0.254")
        descriptors: list[int] = []
        arguments: list[str] = []
        for number, (name, client) in enumerate(self.clients.items(), 1):
            near, far = self._lay_line(number, client)
            descriptors += [near, far]
            arguments += [f"{name}.up", str(near), str(far), f"{name}.down", str(far), str(near)]
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.lab.emulator_process", str(self._seed), *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=descriptors,
        )
        for descriptor in descriptors:
            os.close(descriptor)
        await self._answer()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await asyncio.wait_for(self._process.wait(), _ANSWER_TIMEOUT_S)
        for namespace in (self.server, *self.clients.values()):
            namespace.close()

    async def set_line(self, client: str, *, up: LineSettings | None = None, down: LineSettings | None = None) -> None:
        """Change one leg while it runs; a direction that is not given stays as it is."""
        directions = {f"{client}.up": up, f"{client}.down": down}
        await self._command({"set": {name: asdict(s) for name, s in directions.items() if s is not None}})

    async def heal(self) -> None:
        """Make every line perfect again and clear the counters."""
        perfect = asdict(LineSettings())
        names = [f"{client}.{way}" for client in self._names for way in ("up", "down")]
        await self._command({"set": dict.fromkeys(names, perfect), "clear": True})

    async def counters(self) -> dict[str, LineCounters]:
        """By ``client.up`` and ``client.down``."""
        return {name: LineCounters(**c) for name, c in (await self._command({}))["counters"].items()}

    async def worst_lateness_s(self) -> float:
        """By how much a packet came later than its line would have it, at worst, since the lines were healed.

        More than some milliseconds: the machine was too busy for what is measured to mean anything.
        """
        return float((await self._command({}))["worst_lateness_s"])

    def _lay_line(self, number: int, client: Namespace) -> tuple[int, int]:
        """The server's end has no address: the server is known by its NIC's address on every line."""
        near = client.open_tun("wan0", mtu=_MTU_BYTES)
        far = self.server.open_tun(f"leg{number}", mtu=_MTU_BYTES)
        client.ip(
            f"addr add 10.96.{number}.2/24 dev wan0",
            f"addr add fd96:{number}::2/64 dev wan0 nodad",
            "route add default dev wan0",
            "route add ::/0 dev wan0",
        )
        self.server.ip(
            f"route add 10.96.{number}.0/24 dev leg{number} src {SERVER_IPV4}",
            f"route add fd96:{number}::/64 dev leg{number} src {SERVER_IPV6}",
        )
        return near, far

    async def _command(self, command: dict[str, object]) -> dict[str, Any]:
        assert self._process is not None and self._process.stdin is not None
        async with self._turn:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), _ANSWER_TIMEOUT_S)
        if not line:
            raise RuntimeError("the network emulator ended; its error is on standard error")
        answer: dict[str, Any] = json.loads(line)
        return answer
