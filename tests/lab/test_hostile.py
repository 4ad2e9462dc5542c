"""The attacker's packets are what they claim to be: a kernel accepts them."""

from __future__ import annotations

import socket

import pytest
from aioice import stun

from tests.lab.hostile import Wire, binding_request, binding_response, dtls_record, is_srtp, parse_udp, udp_packet
from tests.lab.netns import Namespace, require_privilege


@pytest.mark.network
@pytest.mark.parametrize(("source", "destination"), [("10.1.0.9", "10.1.0.1"), ("fd11::9", "fd11::1")])
@pytest.mark.parametrize("payload", [b"", b"x", b"odd", bytes(2000)])
def test_a_forged_packet_arrives_under_the_address_it_names(source: str, destination: str, payload: bytes) -> None:
    require_privilege()
    namespace = Namespace("inner")
    namespace.add_nic("10.1.0.1/24", "fd11::1/64")
    namespace.ip("link set lo mtu 9000")
    wire = Wire(namespace, "lo")
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    with namespace.entered():
        receiver = socket.socket(family, socket.SOCK_DGRAM)
    with receiver:
        receiver.settimeout(2.0)
        receiver.bind((destination, 5000))
        packet = udp_packet((source, 4000), (destination, 5000), payload)
        wire.send(packet)
        received, peer = receiver.recvfrom(9000)
    assert (received, peer[:2]) == (payload, (source, 4000))
    assert ((source, 4000), (destination, 5000), payload) in [parse_udp(p) for p in wire.heard()]
    wire.close()
    namespace.close()


def test_other_packets_are_not_taken_for_udp() -> None:
    assert parse_udp(b"") is None
    assert parse_udp(bytes([0x45]) + bytes(40)) is None


def test_rtp_is_told_from_rtcp_and_the_rest() -> None:
    assert is_srtp(bytes([0x80, 96]) + bytes(20))
    assert not is_srtp(bytes([0x80, 200]) + bytes(20))
    assert not is_srtp(dtls_record(20))
    assert not is_srtp(binding_response())


def test_checks_are_signed_or_not() -> None:
    signed = stun.parse_message(binding_request("a:b", password="right"))
    assert signed.check_message_integrity(b"right")
    assert not signed.check_message_integrity(b"wrong")
    assert "MESSAGE-INTEGRITY" not in stun.parse_message(binding_request("a:b", password=None)).attributes
