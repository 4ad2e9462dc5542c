"""An attacker's tools: packets under somebody else's address, recordings of a call, forged checks."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator

from aioice import stun

from tests.lab.line import UDP
from tests.lab.netns import Namespace

_ETH_P_ALL = 3
_MAX_PACKET_BYTES = 65536
_HOP_LIMIT = 64
Address = tuple[str, int]


def udp_packet(source: Address, destination: Address, payload: bytes) -> bytes:
    """A whole IP packet (RFC 768, RFC 791, RFC 8200); the kernel fills in IPv4's own checksum."""
    from_ip, to_ip = ipaddress.ip_address(source[0]), ipaddress.ip_address(destination[0])
    size = 8 + len(payload)
    header = struct.pack("!HHHH", source[1], destination[1], size, 0)
    pseudo = from_ip.packed + to_ip.packed + struct.pack("!II", size, UDP)
    checksum = _checksum(pseudo + header + payload) or 0xFFFF
    datagram = header[:6] + struct.pack("!H", checksum) + payload
    if from_ip.version == 4:
        start = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0, _HOP_LIMIT, UDP, 0)
        return start + from_ip.packed + to_ip.packed + datagram
    return struct.pack("!IHBB", 0x6000_0000, size, UDP, _HOP_LIMIT) + from_ip.packed + to_ip.packed + datagram


def parse_udp(packet: bytes) -> tuple[Address, Address, bytes] | None:
    """Source, destination and payload of a UDP packet without IP options; None of anything else."""
    if len(packet) < 28:
        return None
    if packet[0] == 0x45 and packet[9] == UDP:
        addresses, datagram = (packet[12:16], packet[16:20]), packet[20:]
    elif packet[0] >> 4 == 6 and packet[6] == UDP and len(packet) >= 48:
        addresses, datagram = (packet[8:24], packet[24:40]), packet[40:]
    else:
        return None
    ports = struct.unpack_from("!HH", datagram)
    source, destination = ((str(ipaddress.ip_address(a)), port) for a, port in zip(addresses, ports, strict=True))
    return source, destination, datagram[8:]


class Wire:
    """Hears and sends raw packets where a client is: on its side of its line."""

    def __init__(self, namespace: Namespace, interface: str = "wan0") -> None:
        with namespace.entered():
            self._tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
            self._raw = {
                4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
                6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW),
            }
        self._tap.bind((interface, _ETH_P_ALL))
        self._tap.setblocking(False)

    def close(self) -> None:
        for opened in (self._tap, *self._raw.values()):
            opened.close()

    def heard(self) -> Iterator[bytes]:
        """Packets that passed since the last time, as far as the kernel kept them."""
        with contextlib.suppress(BlockingIOError):
            while True:
                yield self._tap.recv(_MAX_PACKET_BYTES)

    def send(self, packet: bytes) -> None:
        """A whole IP packet, whatever source it names."""
        parsed = parse_udp(packet)
        assert parsed is not None
        destination = parsed[1]
        self._raw[packet[0] >> 4].sendto(packet, (destination[0], 0))


def is_srtp(payload: bytes) -> bool:
    """RTP and not RTCP (RFC 5761 §4, RFC 7983 §7)."""
    return len(payload) > 12 and 128 <= payload[0] <= 191 and not 192 <= payload[1] <= 223


def binding_request(username: str, *, password: str | None) -> bytes:
    """A connectivity check; without a password it carries no MESSAGE-INTEGRITY."""
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    request.attributes["USERNAME"] = username
    request.attributes["PRIORITY"] = 1
    request.attributes["ICE-CONTROLLING"] = int.from_bytes(os.urandom(8), "big")
    if password is not None:
        request.add_message_integrity(password.encode())
    return bytes(request)


def binding_response() -> bytes:
    """An answer to a check that nobody made."""
    return bytes(stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.RESPONSE))


def dtls_record(size_bytes: int) -> bytes:
    """A handshake record of DTLS 1.2 with noise in it (RFC 6347 §4.1)."""
    body = os.urandom(size_bytes)
    return struct.pack("!BHHIHH", 22, 0xFEFD, 0, 0, 7, len(body)) + body


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
