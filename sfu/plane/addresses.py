"""Which local addresses the media port is offered on."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path

import ifaddr

_IFF_UP = 0x1
_SYS_CLASS_NET = Path("/sys/class/net")


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
    flags = _SYS_CLASS_NET / interface / "flags"
    try:
        return bool(int(flags.read_text(), 16) & _IFF_UP)
    except (OSError, ValueError):
        # An alias such as eth0:1 has no entry of its own; its addresses answer for themselves when bound.
        return True
