"""Which local addresses the media port is offered on."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import sys
from collections.abc import Mapping, Sequence

import ifaddr

# netdevice(7), linux/if.h
_IFF_UP = 0x1
_SIOCGIFFLAGS = 0x8913
_IFNAMSIZ = 16
_IFREQ_BYTES = 40


def local_addresses(announced: Mapping[str, str], *, offer_loopback: bool) -> list[tuple[str, str]]:
    """Pairs of (local address to bind, address to announce).

    With ``announced`` empty: every address of every interface that is up. Loopback is offered only when nothing else
    is there, or when asked for. Link-local IPv6 is left out: a browser would need our zone to reach it (RFC 4007 §6).
    """
    if announced:
        return sorted(announced.items())
    found = _scan()
    outward = [a for a in found if not ipaddress.ip_address(a).is_loopback]
    chosen = found if offer_loopback or not outward else outward
    return [(a, a) for a in chosen]


def _scan() -> Sequence[str]:
    addresses = []
    for adapter in ifaddr.get_adapters():
        if not _is_up(adapter.name):
            continue
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            address = ipaddress.ip_address(text)
            if not (address.is_link_local or address.is_unspecified or address.is_multicast):
                addresses.append(str(address))
    return sorted(set(addresses), key=lambda a: (":" in a, a))


def _is_up(interface: str) -> bool:
    """By ioctl rather than from /sys: this runs on the event loop."""
    request = interface.encode()[: _IFNAMSIZ - 1].ljust(_IFREQ_BYTES, b"\0")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request)
    except OSError:
        # Gone since it was listed; its addresses answer for themselves when bound.
        return True
    return bool(int.from_bytes(answer[_IFNAMSIZ : _IFNAMSIZ + 2], sys.byteorder) & _IFF_UP)
