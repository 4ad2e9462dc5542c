"""The real server as its operator starts it, in a namespace, with its own configuration and ``var``."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import aiohttp.abc
import psutil

from tests.lab.emulator import SERVER_IPV4
from tests.lab.netns import Namespace, require_command
from tests.lab.waiting import wait_until

HTTP_PORT = 8080
MEDIA_PORT = 7882
_START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 10.0
_PRIORITY = -15
_DESK_ADDRESS = re.compile(r"^\s*Clinician\s+(\S+#code=\S+)", re.MULTILINE)
_COMPLAINT = re.compile(r"\b(ERROR|CRITICAL)\b|Traceback|never awaited|never retrieved|was destroyed")


class Server:
    """Enter it with ``async with``: it is then ready. Leaving it demands a clean end and a clean log."""

    def __init__(
        self,
        namespace: Namespace,
        directory: Path,
        *,
        host: str = SERVER_IPV4,
        video_codecs: Sequence[str] = (),
        media: Mapping[str, object] | None = None,
    ) -> None:
        self.origin = f"http://{f'[{host}]' if ':' in host else host}:{HTTP_PORT}"
        self.token = secrets.token_urlsafe(24)
        self.directory = directory
        self._namespace = namespace
        self._host = host
        self._log_path = directory / "server.log"
        self._config = directory / "venterom.toml"
        directory.mkdir(parents=True, exist_ok=True)
        options = dict(media or {}) | ({"video_codecs": list(video_codecs)} if video_codecs else {})
        self._config.write_text(self._toml(directory, options), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._start()
        self._http = self._session(aiohttp.DummyCookieJar())
        await wait_until(self._is_ready, _START_TIMEOUT_S, "the server is ready")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None and self._http is not None
        await self._http.close()
        self._process.send_signal(signal.SIGINT)
        try:
            await wait_until(self._has_ended, _STOP_TIMEOUT_S, "the server ends after Ctrl-C")
        finally:
            self._process.kill()
            self._process.wait()
        if error is None:
            assert self._process.returncode in (0, 130), f"the server ended with {self._process.returncode}"
            assert not self.complaints(), "\n".join(self.complaints())

    @property
    def log(self) -> str:
        """Everything that it printed so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def complaints(self) -> list[str]:
        """Lines of the log that a healthy server never writes."""
        return [line for line in self.log.splitlines() if _COMPLAINT.search(line)]

    @property
    def patient_address(self) -> str:
        return f"{self.origin}/demo"

    @property
    def desk_address(self) -> str:
        """The clinician's address with the one-time sign-in code, as printed."""
        found = _DESK_ADDRESS.search(self.log)
        if found is None:
            raise AssertionError(f"the clinician's address was not printed:\n{self.log}")
        return found.group(1)

    def memory_bytes(self) -> int:
        assert self._process is not None
        return int(psutil.Process(self._process.pid).memory_info().rss)

    @property
    def http(self) -> aiohttp.ClientSession:
        """Speaks to the server from inside its namespace."""
        assert self._http is not None
        return self._http

    def visitor(self) -> aiohttp.ClientSession:
        """A program that keeps cookies as a browser does, for this address too."""
        return self._session(aiohttp.CookieJar(unsafe=True))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """In this block the server does not run; what arrives waits in the kernel."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def stats(self) -> dict[str, Any]:
        """The server's own numbers: those of the SFU under ``sfu``, the application's under ``signaling``."""
        async with self.http.get("/api/stats", headers=self.authorization) as response:
            assert response.status == 200, await response.text()
            stats: dict[str, Any] = await response.json()
            return stats

    async def create_room(self, room: str) -> None:
        """A bare room for WHIP and WHEP."""
        async with self.http.post(f"/api/rooms/{room}", headers=self.authorization) as response:
            assert response.status == 201, await response.text()

    def _toml(self, directory: Path, media: Mapping[str, object]) -> str:
        tables: dict[str, Mapping[str, object]] = {
            "http": {"host": self._host, "port": HTTP_PORT},
            "media": {"media_port": MEDIA_PORT, **media},
            "api": {"token": self.token},
            "paths": {"var": str(directory / "var")},
        }
        lines: list[str] = []
        for name, table in tables.items():
            # Strings, numbers, booleans and arrays of them look the same in JSON and TOML.
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items()), ""]
        return "\n".join(lines)

    def _start(self) -> None:
        # The server must not outlive a test run that was killed.
        bound_to_us = [require_command("setpriv", "util-linux"), "--pdeathsig", "KILL"]
        serve = [sys.executable, "-m", "signaling", "serve", "--config", str(self._config)]
        with self._namespace.entered(), self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [*bound_to_us, *serve],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        # Before the browsers, which in life run on other machines.
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, self._process.pid, _PRIORITY)

    def _session(self, cookies: aiohttp.abc.AbstractCookieJar) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(socket_factory=self._socket, force_close=True)
        return aiohttp.ClientSession(connector=connector, base_url=self.origin, cookie_jar=cookies)

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, _ = address
        with self._namespace.entered():
            made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    async def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the server ended with {self._process.returncode}:\n{self.log}")
        try:
            async with self.http.get("/health/ready") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False

    async def _has_ended(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None
