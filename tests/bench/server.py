"""The SFU alone, without the application: ``python -m tests.bench.server SOCKET [--loop uvloop]``.

Commands are JSON lines over a Unix socket, one reply each; they stand for what the application does with a
page's messages. A peer both publishes and plays, as a browser does.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
from collections.abc import Awaitable, Callable
from typing import Any

from sfu import Peer, Sfu, SfuConfig, SfuError

_MAX_LINE_BYTES = 1 << 18


class BenchServer:
    """Carries out commands on one ``Sfu``."""

    def __init__(self, sfu: Sfu) -> None:
        self._sfu = sfu
        self._commands: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "add_peer": self._add_peer,
            "wish": self._wish,
            "answer": self._answer,
            "applied": self._applied,
            "stats": self._stats,
            "settle": self._settle,
        }
        self.finished = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One controller; when it goes, the server ends."""
        try:
            while line := await reader.readline():
                command = json.loads(line)
                try:
                    reply = await self._commands[command["op"]](command)
                except SfuError as error:
                    reply = {"error": f"{type(error).__name__}: {error}"}
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
        finally:
            writer.close()
            self.finished.set()

    def _peer(self, command: dict[str, Any]) -> Peer:
        room = self._sfu.room(command["room"])
        if room is None:
            raise KeyError(command["room"])
        return room.peers[command["peer"]]

    async def _add_peer(self, command: dict[str, Any]) -> dict[str, Any]:
        room = self._sfu.room(command["room"]) or self._sfu.create_room(command["room"])
        room.add_peer(command["peer"])
        return {}

    async def _wish(self, command: dict[str, Any]) -> dict[str, Any]:
        wish = self._peer(command).wish
        return {"audio": wish.audio, "video": wish.video, "revision": wish.revision}

    async def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        answer = await self._peer(command).answer(command["sdp"])
        return {"sdp": answer.sdp}

    async def _applied(self, command: dict[str, Any]) -> dict[str, Any]:
        self._peer(command).start_forwarding()
        return {}

    async def _stats(self, command: dict[str, Any]) -> dict[str, Any]:
        """The SFU's own snapshot, as text: the report prints its drops, nobody parses it."""
        return {"text": repr(self._sfu.stats())}

    async def _settle(self, command: dict[str, Any]) -> dict[str, Any]:
        """Collect garbage so that memory is compared like with like."""
        return {"collected": gc.collect()}


async def _main(control_path: str) -> None:
    sfu = Sfu(SfuConfig(media_port=0, offer_loopback=True))
    await sfu.start()
    gc.collect()
    gc.freeze()
    bench = BenchServer(sfu)
    server = await asyncio.start_unix_server(bench.serve, control_path, limit=_MAX_LINE_BYTES)
    print(json.dumps({"port": sfu.addresses()[0].port}), flush=True)
    await bench.finished.wait()
    server.close()
    await sfu.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("control_path")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    arguments = parser.parse_args()
    if arguments.loop == "uvloop":
        import uvloop

        uvloop.run(_main(arguments.control_path))
    else:
        asyncio.run(_main(arguments.control_path))


if __name__ == "__main__":
    main()
