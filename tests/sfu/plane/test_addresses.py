"""Which addresses the media port is offered on."""

from __future__ import annotations

import ifaddr
import pytest

from sfu.plane import addresses
from sfu.plane.addresses import local_addresses


def adapter(name: str, *ips: str | tuple[str, int, int]) -> ifaddr.Adapter:
    return ifaddr.Adapter(name, name, [ifaddr.IP(ip, 24, name) for ip in ips])


LOOPBACK = adapter("lo", "127.0.0.1", ("::1", 0, 0))
ETHERNET = adapter("eth0", "192.0.2.10", ("2001:db8::10", 0, 0), ("fe80::1", 0, 2))
OTHER = adapter("eth1", "198.51.100.4")


@pytest.fixture
def interfaces(monkeypatch: pytest.MonkeyPatch) -> list[ifaddr.Adapter]:
    present: list[ifaddr.Adapter] = []
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: present)
    monkeypatch.setattr(addresses, "_is_up", lambda name: name != "down0")
    return present


def local(*, announced: dict[str, str] | None = None, offer_loopback: bool = False) -> list[str]:
    return [address for address, _ in local_addresses(announced or {}, offer_loopback=offer_loopback)]


def test_every_address_of_every_interface_but_link_local(interfaces: list[ifaddr.Adapter]) -> None:
    interfaces += [LOOPBACK, ETHERNET, OTHER]
    assert local() == ["192.0.2.10", "198.51.100.4", "2001:db8::10"]


def test_loopback_only_when_asked_for_or_alone(interfaces: list[ifaddr.Adapter]) -> None:
    interfaces += [LOOPBACK]
    assert local() == ["127.0.0.1", "::1"]
    interfaces += [OTHER]
    assert local() == ["198.51.100.4"]
    assert local(offer_loopback=True) == ["127.0.0.1", "198.51.100.4", "::1"]


def test_an_interface_that_is_down_is_not_offered(interfaces: list[ifaddr.Adapter]) -> None:
    interfaces += [ETHERNET, adapter("down0", "203.0.113.1")]
    assert "203.0.113.1" not in local()


def test_addresses_that_nobody_can_reach_are_left_out(interfaces: list[ifaddr.Adapter]) -> None:
    interfaces += [adapter("odd", "0.0.0.0", "224.0.0.5", "169.254.3.4", "198.51.100.9")]
    assert local() == ["198.51.100.9"]


def test_announced_addresses_replace_what_was_found(interfaces: list[ifaddr.Adapter]) -> None:
    interfaces += [ETHERNET, OTHER]
    announced = {"192.0.2.10": "203.0.113.99"}
    assert local_addresses(announced, offer_loopback=True) == [("192.0.2.10", "203.0.113.99")]


def test_this_machines_own_addresses_are_read() -> None:
    assert "127.0.0.1" in local(offer_loopback=True)
    assert addresses._is_up("lo")
    assert addresses._is_up("no-such-interface0"), "an alias answers for itself when it is bound"
