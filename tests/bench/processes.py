"""Starts the server on one core and the generator on another, and takes the result."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER_CORE = 0
GENERATOR_CORE = 1
_STOP_TIMEOUT_S = 10.0
_CONNECT_ALLOWANCE_S = 120.0
_ROOT = Path(__file__).parents[2]


class ProcessFailed(Exception):
    """A process of the bench ended with an error; its own words are on stderr."""


@dataclass(frozen=True, slots=True)
class Server:
    pid: int
    port: int
    control_path: str


def spawn(arguments: Sequence[str], core: int, *, realtime: bool = False, **streams: Any) -> subprocess.Popen[str]:
    """A Python module pinned to a core; ``realtime`` keeps a shared machine's other work out of the delays."""

    def prepare() -> None:
        os.sched_setaffinity(0, {core})
        if realtime:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))

    return subprocess.Popen([sys.executable, *arguments], cwd=_ROOT, text=True, preexec_fn=prepare, **streams)


@contextlib.contextmanager
def bench_server(module: str, extra: Sequence[str] = (), *, realtime: bool = False) -> Iterator[Server]:
    """``tests.bench.server`` or ``tests.bench.floor``; it ends when its controller goes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        path = str(Path(directory) / "control")
        process = spawn(["-m", module, path, *extra], SERVER_CORE, realtime=realtime, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise ProcessFailed(f"{module} did not start")
            yield Server(process.pid, json.loads(line)["port"], path)
        finally:
            stop(process)


def generate(scenario: Mapping[str, Any], *, realtime: bool = False) -> dict[str, Any]:
    """Run the generator process on a scenario (``tests.bench.generator.Scenario``'s fields)."""
    process = spawn(
        ["-m", "tests.bench.generator"],
        GENERATOR_CORE,
        realtime=realtime,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        output, _ = process.communicate(
            json.dumps(scenario) + "\n", timeout=_CONNECT_ALLOWANCE_S + float(scenario["seconds"])
        )
    finally:
        stop(process)
    if process.returncode:
        raise ProcessFailed("the generator failed")
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
