"""ICE-TCP passive: RFC 4571 framing and one connection's bounded writing (RFC 6544)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from sfu.core.drop import DropReason

MAX_FRAME_BYTES = 1500
MAX_QUEUE_BYTES = 64 * 1024
"""Above this the path is congested: video is dropped in whole frames until a keyframe, audio goes on."""
HARD_QUEUE_BYTES = 256 * 1024
"""Above this nothing more is queued: the reader on the other side has stopped."""
MAX_QUEUE_S = 0.25
KERNEL_QUEUE_BYTES = 8 * 1024
AUTHENTICATE_WITHIN_S = 5.0
MAX_UNAUTHENTICATED_BYTES = 8 * 1024
"""Sixty checks: a stranger's stream of tiny frames costs us far more than it costs to send."""
MAX_CONNECTIONS_PER_ADDRESS = 16
MAX_CONNECTIONS = 2048


class FrameError(ValueError):
    """A frame longer than MAX_FRAME_BYTES: the stream cannot be followed any more."""


class FrameReader:
    """Cuts a byte stream into RFC 4571 frames. Holds at most one incomplete frame."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes; empty frames are keepalives and left out. Raises FrameError."""
        data = self._pending + data if self._pending else data
        frames = []
        at, size = 0, len(data)
        while at + 2 <= size:
            length = data[at] << 8 | data[at + 1]
            if length > MAX_FRAME_BYTES:
                raise FrameError(f"frame of {length} bytes")
            if at + 2 + length > size:
                break
            if length:
                frames.append(data[at + 2 : at + 2 + length])
            at += 2 + length
        self._pending = data[at:]
        return frames


def frame(packet: bytes | bytearray | memoryview) -> bytes:
    """``packet`` with its RFC 4571 length before it."""
    return len(packet).to_bytes(2) + bytes(packet)


class TcpConnection(asyncio.Protocol):
    """One accepted connection. It becomes a path when an authenticated check arrives on it."""

    def __init__(
        self,
        opened: Callable[[TcpConnection], DropReason | None],
        received: Callable[[TcpConnection, bytes], None],
        closed: Callable[[TcpConnection, DropReason | None], None],
        clock: Callable[[], float],
    ) -> None:
        self._opened, self._received, self._closed, self._clock = opened, received, closed, clock
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._unauthenticated_bytes = 0
        self._written_bytes = 0
        self._marker: tuple[int, float] | None = None
        self._reason: DropReason | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.remote: tuple[str, int] = ("", 0)
        self.local: tuple[str, int] = ("", 0)

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.remote = transport.get_extra_info("peername")[:2]
        self.local = transport.get_extra_info("sockname")[:2]
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What the kernel has taken but not sent can be neither measured nor dropped: keep it small.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_QUEUE_BYTES)
        refused = self._opened(self)
        if refused is not None:
            self.close(refused)
            return
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(AUTHENTICATE_WITHIN_S, self.close, DropReason.TCP_UNAUTHENTICATED)

    def data_received(self, data: bytes) -> None:
        if self._deadline is not None:
            self._unauthenticated_bytes += len(data)
            if self._unauthenticated_bytes > MAX_UNAUTHENTICATED_BYTES:
                self.close(DropReason.TCP_UNAUTHENTICATED)
                return
        try:
            frames = self._frames.feed(data)
        except FrameError:
            self.close(DropReason.TCP_FRAME_TOO_LONG)
            return
        for packet in frames:
            if self._transport is None:
                return
            self._received(self, packet)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._deadline is not None:
            self._deadline.cancel()
        self._closed(self, self._reason)

    # Called by the plane.

    def authenticated(self) -> None:
        """A check with valid MESSAGE-INTEGRITY arrived: the connection may stay."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def congested(self) -> bool:
        """More is queued than MAX_QUEUE_BYTES, or a byte has been queued for longer than MAX_QUEUE_S."""
        if self._transport is None:
            return True
        queued = self._transport.get_write_buffer_size()
        if queued > MAX_QUEUE_BYTES:
            return True
        if self._marker is None:
            return False
        position, since = self._marker
        if self._written_bytes - queued >= position:
            self._marker = None
            return False
        return self._clock() - since > MAX_QUEUE_S

    def send(self, packet: bytes | bytearray | memoryview) -> bool:
        """Queue one framed packet; False when it was dropped because the reader has stopped."""
        if self._transport is None or self._transport.get_write_buffer_size() > HARD_QUEUE_BYTES:
            return False
        data = frame(packet)
        self._transport.write(data)
        self._written_bytes += len(data)
        if self._marker is None and self._transport.get_write_buffer_size():
            self._marker = (self._written_bytes, self._clock())
        return True

    def close(self, reason: DropReason | None = None) -> None:
        self._reason = self._reason or reason
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._transport is not None:
            self._transport.abort()
