"""One open window of a participant, as the service sees it: where messages are put, and a way to close it."""

from __future__ import annotations

import asyncio
from typing import Final

from signaling.errors import CloseCode
from signaling.messages import ToPage

MAX_QUEUED: Final = 64
"messages; a page that lets more wait is closed as too slow, and gets the whole state when it returns"


class Window:
    """The service puts messages in without waiting; the connection's writer takes them out."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[ToPage | None] = asyncio.Queue()
        self.close_code: CloseCode | None = None

    @property
    def is_closed(self) -> bool:
        return self.close_code is not None

    def send(self, message: ToPage) -> None:
        if self.is_closed:
            return
        # The bound is checked here, and not by the queue, so that the mark for closing always has room.
        if self._messages.qsize() >= MAX_QUEUED:
            self.close(CloseCode.TOO_SLOW)
        else:
            self._messages.put_nowait(message)

    def close(self, code: CloseCode) -> None:
        """What was sent before is still delivered, except to a page that is too slow."""
        if self.is_closed:
            return
        self.close_code = code
        if code is CloseCode.TOO_SLOW:
            while not self._messages.empty():
                self._messages.get_nowait()
        self._messages.put_nowait(None)

    async def next(self) -> ToPage | None:
        """The next message to write; None when the window is to be closed."""
        return await self._messages.get()
