"""The process that moves packets between pairs of TUN devices; :mod:`tests.lab.emulator` starts it.

A process of its own, so that neither the test's event loop nor its garbage collector delays a packet. It
ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import select
import sys
import time
from typing import Any

from tests.lab.line import Line, LineCounters, LineSettings, ip_protocol

_MAX_PACKET_BYTES = 65536
_PACKETS_A_WAKEUP = 64
"from one device, so that a flood on one line cannot hold up the others"
_IDLE_S = 3600.0


class Direction:
    """From one TUN device to another through a line."""

    def __init__(self, source: int, destination: int, seed: int) -> None:
        self.source = source
        self.destination = destination
        self.line = Line(seed)
        self.under_way = 0


class Mover:
    """Reads, decides, waits and writes."""

    def __init__(self, directions: dict[str, Direction]) -> None:
        self._directions = directions
        self._by_source = {d.source: d for d in directions.values()}
        self._waiting: list[tuple[float, int, Direction, bytes]] = []
        self._order = 0
        self._commands = b""
        self._worst_lateness_s = 0.0

    def run(self, commands: int, answers: int) -> None:
        readers = [*self._by_source, commands]
        while True:
            timeout = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else _IDLE_S
            # Not poll(): its time-out has whole milliseconds only.
            readable, _, _ = select.select(readers, (), (), timeout)
            self._deliver_due()
            for fd in readable:
                if fd != commands:
                    self._take(self._by_source[fd])
                elif not self._obey(commands, answers):
                    return

    def _take(self, direction: Direction) -> None:
        line, destination = direction.line, direction.destination
        for _ in range(_PACKETS_A_WAKEUP):
            try:
                packet = os.read(direction.source, _MAX_PACKET_BYTES)
            except BlockingIOError:
                return
            now = time.monotonic()
            for due in line.admit(len(packet), ip_protocol(packet), now):
                if due <= now and not direction.under_way:
                    _write(destination, packet)
                    continue
                self._order += 1
                direction.under_way += 1
                heapq.heappush(self._waiting, (due, self._order, direction, packet))

    def _deliver_due(self) -> None:
        now = time.monotonic()
        waiting = self._waiting
        if waiting:
            self._worst_lateness_s = max(self._worst_lateness_s, now - waiting[0][0])
        while waiting and waiting[0][0] <= now:
            _, _, direction, packet = heapq.heappop(waiting)
            direction.under_way -= 1
            _write(direction.destination, packet)

    def _obey(self, commands: int, answers: int) -> bool:
        received = os.read(commands, _MAX_PACKET_BYTES)
        if not received:
            return False
        *lines, self._commands = (self._commands + received).split(b"\n")
        for text in lines:
            os.write(answers, json.dumps(self._answer(json.loads(text))).encode() + b"\n")
        return True

    def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Every command is answered with the counters as they were before it cleared them."""
        for name, settings in command.get("set", {}).items():
            self._directions[name].line.change(LineSettings(**settings))
        counters = {name: d.line.counters.as_dict() for name, d in self._directions.items()}
        lateness_s = self._worst_lateness_s
        if command.get("clear"):
            self._worst_lateness_s = 0.0
            for direction in self._directions.values():
                direction.line.counters = LineCounters()
        return {"counters": counters, "worst_lateness_s": lateness_s}


def _write(fd: int, packet: bytes) -> None:
    # A full device queue or an interface that goes down loses the packet, as on any line.
    with contextlib.suppress(OSError):
        os.write(fd, packet)


def main() -> None:
    """Arguments: seed, then for each direction its name, source and destination descriptor."""
    seed, *triples = sys.argv[1:]
    directions: dict[str, Direction] = {}
    for position in range(0, len(triples), 3):
        name, source, destination = triples[position : position + 3]
        directions[name] = Direction(int(source), int(destination), int(seed) * 1000 + position)
    # A packet that is due must not wait until a browser has used up its turn.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    os.write(1, b"{}\n")
    Mover(directions).run(0, 1)


if __name__ == "__main__":
    main()
