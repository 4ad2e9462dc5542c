"""How often one address may do what costs us something or could be guessed at."""

from __future__ import annotations

import ipaddress

from signaling.rules.rate import Rate, RateLimit


def caller_of(address: str | None) -> str:
    """Whom a limit counts: an IPv4 address, or an IPv6 network, for every subscriber has a whole /64 of addresses."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed.packed, 64), strict=False))


class Limits:
    def __init__(self) -> None:
        self.enter = RateLimit(Rate(burst=20, per_s=0.2))
        "patients behind one hospital's or operator's address share it"
        self.sign_in = RateLimit(Rate(burst=10, per_s=0.1))
        self.guest = RateLimit(Rate(burst=20, per_s=0.2))
        self.connect = RateLimit(Rate(burst=60, per_s=2.0))
        "WebSockets, reconnecting included"
        self.negotiations = RateLimit(Rate(burst=60, per_s=2.0))
        "offers and new peer connections of one participant: up to 50 ms each, and others may have to offer anew"
        self.messages = Rate(burst=200, per_s=20.0)
        "of one WebSocket"
