"""The command ``venterom serve`` as a process, with ports and a ``var`` of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-W", "error", "-m", "signaling", "serve")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def write_config(directory: Path, *, http_port: int = 0, media_port: int = 0, more: str = "") -> Path:
    """A configuration with free ports unless they are given, and ``var`` in ``directory``."""
    path = directory / "venterom.toml"
    path.write_text(
        f"http.port = {http_port or free_port()}\nmedia.media_port = {media_port}\n"
        f'paths.var = "{directory / "var"}"\n{more}'
    )
    return path


@contextmanager
def venterom(
    config: Path,
    *arguments: str,
    command: Sequence[str | Path] = COMMAND,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*command, "--config", config, *arguments],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], ending: str) -> str:
    """What was printed, up to and with the first line that contains ``ending``."""
    assert process.stdout and process.stderr
    printed = ""
    for line in process.stdout:
        printed += line
        if ending in line:
            return printed
    pytest.fail(f"ended after {printed!r}: {process.stderr.read()}")
