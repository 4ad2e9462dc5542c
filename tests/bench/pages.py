"""Loads a page over and over, as first-time visitors do: ``python -m tests.bench.pages URL RATE``.

It goes on until SIGTERM and then writes its figures. A page load is the document and everything of the same
origin that it names, modules' imports included, without a cache. Loads start at a steady pace whether or
not earlier ones are done.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import signal
import sys
import time
from urllib.parse import urldefrag, urljoin, urlsplit

import aiohttp

from tests.bench.figures import delay_summary_ms

MAX_FILES = 300
_LOAD_TIMEOUT_S = 10.0
_CONNECTIONS_PER_LOAD = 6
_IN_DOCUMENT = re.compile(r"""(?:src|href)=["']([^"']+)["']""")
_IN_MODULE = re.compile(r"""(?:from|import)\s*\(?\s*["']([^"']+)["']""")
_IN_STYLE = re.compile(r"""(?:url\(|@import )["']?([^"')]+)["']?""")
_LOADED_SUFFIXES = (".js", ".mjs", ".css", ".svg", ".png", ".ico", ".woff2", ".json", ".webmanifest")


def referenced(url: str, content_type: str, text: str) -> list[str]:
    """Addresses of the same origin that a browser loads after this file."""
    if "html" in content_type:
        pattern = _IN_DOCUMENT
    elif "javascript" in content_type:
        pattern = _IN_MODULE
    elif "css" in content_type:
        pattern = _IN_STYLE
    else:
        return []
    origin = urlsplit(url)[:2]
    found = (urldefrag(urljoin(url, reference)).url for reference in pattern.findall(text))
    return [
        address
        for address in found
        if urlsplit(address)[:2] == origin and urlsplit(address).path.endswith(_LOADED_SUFFIXES)
    ]


class PageLoads:
    """Counts loads and their durations."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self.files: list[str] = []
        self.durations_ns: list[int] = []
        self.failures = 0

    async def discover(self) -> None:
        """What belongs to the page; files that the server does not have are left out."""
        waiting = [self._url]
        while waiting and len(self.files) < MAX_FILES:
            url = waiting.pop(0)
            async with self._session.get(url) as response:
                if response.status != 200:
                    continue
                self.files.append(url)
                content_type = response.headers.get("Content-Type", "")
                if not content_type.startswith(("text/", "application/javascript")):
                    continue
                for address in referenced(url, content_type, await response.text()):
                    if address not in self.files and address not in waiting:
                        waiting.append(address)

    async def load(self) -> None:
        """One visitor."""
        start = time.monotonic_ns()
        limit = asyncio.Semaphore(_CONNECTIONS_PER_LOAD)

        async def fetch(url: str) -> None:
            async with limit, self._session.get(url) as response:
                response.raise_for_status()
                await response.read()

        try:
            async with asyncio.timeout(_LOAD_TIMEOUT_S):
                await fetch(self.files[0])
                await asyncio.gather(*map(fetch, self.files[1:]))
        except (aiohttp.ClientError, TimeoutError):
            self.failures += 1
        else:
            self.durations_ns.append(time.monotonic_ns() - start)


async def load_pages(url: str, rate: float) -> dict[str, object]:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        loads = PageLoads(session, url)
        await loads.discover()
        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count(1):
                group.create_task(loads.load())
                try:
                    await asyncio.wait_for(stop.wait(), start + number / rate - time.monotonic())
                    break
                except TimeoutError:
                    continue
    return {
        "files": len(loads.files),
        "loads": len(loads.durations_ns),
        "failures": loads.failures,
        "load_ms": delay_summary_ms(loads.durations_ns),
    }


def main() -> None:
    url, rate = sys.argv[1:]
    print(json.dumps(asyncio.run(load_pages(url, float(rate)))), flush=True)


if __name__ == "__main__":
    main()
