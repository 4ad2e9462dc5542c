"""Runs the strangers: other people's WebRTC stacks, each as a process inside a namespace."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.netns import Namespace, require_command
from tests.lab.server import Server
from tests.lab.waiting import wait_until

_DIRECTORY = Path(__file__).with_name("strangers")
_GRACE_S = 20.0
"over its own bounded time: gathering, the exchange, its end"
_SYSTEM_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One stranger: what runs it, and the codec it is told."""

    file: str
    codec: str = ""

    def command(self) -> list[str]:
        path = str(_DIRECTORY / self.file)
        if self.file.endswith(".mjs"):
            return [require_command("node", "nodejs"), path]
        # GStreamer's bindings come with the system's Python only.
        return [_SYSTEM_PYTHON if self.file == "gstreamer.py" else sys.executable, path]


GSTREAMER_VP8 = Script(file="gstreamer.py", codec="vp8")
GSTREAMER_H264 = Script(file="gstreamer.py", codec="h264")
GSTREAMER_PLAY = Script(file="gstreamer.py", codec="play")
FFMPEG_H264 = Script(file="ffmpeg_publish.py")
LIBDATACHANNEL_VP8 = Script(file="datachannel_publish.mjs")
WERIFT_PLAY = Script(file="werift_play.mjs")


class Stranger:
    """A stranger at work. It ends by itself; ``said`` waits for that."""

    def __init__(self, script: Script, namespace: Namespace, server: Server, path: str, seconds: float) -> None:
        self._seconds = seconds
        self._name = script.file
        # A file, not a pipe: nobody reads while it works.
        self._output = server.directory / f"{path.strip('/').replace('/', '-')}.log"
        environment = {
            "VENTEROM_URL": server.origin + path,
            "VENTEROM_TOKEN": server.token,
            "VENTEROM_SECONDS": str(seconds),
            "VENTEROM_CODEC": script.codec,
        }
        bound_to_us = [require_command("setpriv", "util-linux"), "--pdeathsig", "KILL"]
        with namespace.entered(), self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [*bound_to_us, *script.command()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | environment,
            )

    async def said(self) -> dict[str, Any]:
        """What it printed last; fails when it says that it failed, or does not end."""

        async def ended() -> bool:
            return self._process.poll() is not None

        try:
            await wait_until(ended, self._seconds + _GRACE_S, f"{self._name} ends")
        finally:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        output = self._output.read_text(encoding="utf-8", errors="replace")
        if self._process.returncode != 0:
            raise AssertionError(f"{self._name} failed ({self._process.returncode}):\n{output}")
        said: dict[str, Any] = json.loads(output.splitlines()[-1])
        return said
