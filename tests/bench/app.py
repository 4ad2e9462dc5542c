"""The whole application as a process of its own, with a configuration of the bench."""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.processes import SERVER_CORE, ProcessFailed, spawn, stop

_WELCOME = "Venterom is running"


@dataclass(frozen=True, slots=True)
class AppServer:
    pid: int
    url: str
    page: str
    "what a patient opens"
    media_port: int
    token: str = field(repr=False)


@contextlib.contextmanager
def running_app(*, realtime: bool = False) -> Iterator[AppServer]:
    """``venterom serve`` on free ports, with WHIP and WHEP open to a token of ours."""
    token = secrets.token_urlsafe(32)
    http_port, media_port = _free_port(socket.SOCK_STREAM), _free_port(socket.SOCK_DGRAM)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        config = Path(directory) / "config.toml"
        config.write_text(
            f'[http]\nport = {http_port}\n[api]\ntoken = "{token}"\n[paths]\nvar = "{directory}/var"\n'
            f"[media]\nmedia_port = {media_port}\noffer_loopback = true\n"
        )
        process = spawn(
            ["-m", "signaling", "serve", "--config", str(config)],
            SERVER_CORE,
            realtime=realtime,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            _await_welcome(process)
            url = f"http://127.0.0.1:{http_port}"
            yield AppServer(process.pid, url, f"{url}/demo", media_port, token)
        finally:
            stop(process)


def _await_welcome(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if _WELCOME in line:
            return
    raise ProcessFailed("venterom serve did not start")


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
