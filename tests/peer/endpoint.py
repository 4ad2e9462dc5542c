"""One socket of a peer, its keys, and everything that came to it."""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Iterable
from typing import TypeVar

from sfu.core import rtcp
from sfu.plane.seam import IceCredentials, SrtpKeys
from tests.peer import ice
from tests.peer.rtp import Rtp, read_rtp
from tests.peer.srtp import Srtp

Address = tuple[str, int]
P = TypeVar("P")


class Endpoint:
    """Sends what it is told and sorts what it receives (RFC 7983 §7). Never drops anything silently."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.socket = self._open(host)
        self.address: Address = self.socket.getsockname()[:2]
        self.srtp_in: Srtp | None = None
        self.srtp_out: Srtp | None = None
        self.raw: deque[bytes] = deque(maxlen=500)
        "SRTP packets as they came, each once"
        self.repeated: deque[bytes] = deque(maxlen=100)
        "those that came again to the bit: retransmissions where RTX was not negotiated"
        self.rtp: list[Rtp] = []
        self.rtcp: list[rtcp.Packet] = []
        self.stun: list[bytes] = []
        self.dtls: list[bytes] = []

    def _open(self, host: str) -> socket.socket:
        opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.bind((host, 0))
        return opened

    def move(self) -> None:
        """Go on from another port, as after a change of network; the old one is closed."""
        host = self.address[0]
        self.socket.close()
        self.socket = self._open(host)
        self.address = self.socket.getsockname()[:2]

    def close(self) -> None:
        self.socket.close()

    # Sending

    def connect(self, server: Address) -> None:
        self.server = server

    def send(self, datagram: bytes) -> None:
        self.socket.sendto(datagram, self.server)

    def send_rtp(self, packets: Rtp | Iterable[Rtp]) -> None:
        for packet in [packets] if isinstance(packets, Rtp) else packets:
            self.send(self.protect(packet))

    def protect(self, packet: Rtp) -> bytes:
        assert self.srtp_out is not None
        return self.srtp_out.protect(packet.write())

    def send_rtcp(self, *packets: bytes) -> None:
        assert self.srtp_out is not None
        self.send(self.srtp_out.protect_rtcp(b"".join(packets)))

    # Receiving

    def set_keys(self, keys: SrtpKeys) -> None:
        """``keys`` are the server's: what it receives with is what we send with."""
        self.srtp_out = Srtp(keys.profile, keys.receive, inbound=False)
        self.srtp_in = Srtp(keys.profile, keys.send, inbound=True)

    def read(self) -> int:
        """Take everything that has arrived; how many datagrams."""
        count = 0
        while True:
            try:
                datagram = self.socket.recv(4096)
            except (BlockingIOError, ConnectionRefusedError):
                return count
            count += 1
            self.take(datagram)

    def take(self, datagram: bytes) -> None:
        first = datagram[0]
        if first < 4:
            self.stun.append(datagram)
        elif 20 <= first <= 63:
            self.dtls.append(datagram)
        else:
            assert 128 <= first <= 191, "neither STUN nor DTLS nor RTP"
            assert self.srtp_in is not None, "media before keys"
            if 192 <= datagram[1] <= 223:
                self.rtcp += rtcp.parse_compound(self.srtp_in.unprotect_rtcp(datagram))
            elif datagram in self.raw:
                self.repeated.append(datagram)
            else:
                self.raw.append(datagram)
                self.rtp.append(read_rtp(self.srtp_in.unprotect(datagram)))

    def take_rtp(self) -> list[Rtp]:
        """What came since the last call."""
        taken, self.rtp = self.rtp, []
        return taken

    def take_rtcp(self, kind: type[P]) -> list[P]:
        """RTCP packets of this kind that came since they were last taken."""
        taken: list[P] = [packet for packet in self.rtcp if isinstance(packet, kind)]
        self.rtcp = [packet for packet in self.rtcp if not isinstance(packet, kind)]
        return taken

    def accepts(self, request: bytes, credentials: IceCredentials) -> bool:
        """An authentic answer to this check has come."""
        return any(ice.accepted(request, response, credentials.pwd) is not None for response in self.stun)


class FramedEndpoint(Endpoint):
    """The same over ICE-TCP: RFC 4571 framing on a connection."""

    def __init__(self, server: Address, *, receive_buffer_bytes: int | None = None) -> None:
        self._receive_buffer_bytes = receive_buffer_bytes
        self._pending = b""
        self.is_closed = False
        self.server = server
        super().__init__()

    def _open(self, host: str) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if self._receive_buffer_bytes is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer_bytes)
        opened.connect(self.server)
        opened.setblocking(False)
        return opened

    def send(self, datagram: bytes) -> None:
        self.socket.sendall(struct.pack("!H", len(datagram)) + datagram)

    def read(self) -> int:
        count = 0
        while not self.is_closed:
            try:
                data = self.socket.recv(65536)
            except BlockingIOError:
                break
            except ConnectionError:
                data = b""
            self.is_closed = not data
            self._pending += data
        while len(self._pending) >= 2:
            end = 2 + int.from_bytes(self._pending[:2])
            if len(self._pending) < end:
                break
            self.take(self._pending[2:end])
            self._pending = self._pending[end:]
            count += 1
        return count
