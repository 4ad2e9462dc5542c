"""SRTP in place: lengths, errors by name, and no index twice."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from sfu.core.drop import DropReason
from sfu.plane.seam import SrtpKeys, SrtpProfile
from sfu.plane.srtp import (
    REPLAY_WINDOW,
    PacketBuffer,
    contexts,
    drop_reason,
    protect,
    protect_rtcp,
    unprotect,
    unprotect_rtcp,
)
from tests.peer.rtp import Rtp
from tests.peer.srtp import Srtp
from tests.peer.virtual import new_keys

OVERHEAD = {
    SrtpProfile.AEAD_AES_256_GCM: 16,
    SrtpProfile.AEAD_AES_128_GCM: 16,
    SrtpProfile.AES128_CM_SHA1_80: 10,
}


def load(buffer: PacketBuffer, packet: bytes) -> None:
    buffer.data[: len(packet)] = packet
    buffer.size[0] = len(packet)


def packet(sequence: int, payload: bytes = b"payload") -> bytes:
    return Rtp(payload_type=96, sequence=sequence, timestamp=1, ssrc=7, payload=payload).write()


@pytest.mark.parametrize("profile", list(SrtpProfile))
@pytest.mark.parametrize("size", [0, 1, 1200, 1488, 2000])
def test_any_packet_that_fits_the_buffer_goes_both_ways(profile: SrtpProfile, size: int) -> None:
    keys = new_keys(profile)
    receiving, sending = contexts(keys)
    peer_out, peer_in = Srtp(profile, keys.receive, inbound=False), Srtp(profile, keys.send, inbound=True)
    buffer, clear = PacketBuffer(), packet(1, secrets.token_bytes(size))
    load(buffer, clear)
    assert protect(sending.session, buffer.cdata, buffer.size) == 0
    assert buffer.size[0] == len(clear) + OVERHEAD[profile]
    assert peer_in.unprotect(bytes(buffer.view[: buffer.size[0]])) == clear
    load(buffer, peer_out.protect(clear))
    assert unprotect(receiving.session, buffer.cdata, buffer.size) == 0
    assert bytes(buffer.view[: buffer.size[0]]) == clear


@pytest.mark.parametrize("profile", list(SrtpProfile))
def test_rtcp_goes_both_ways(profile: SrtpProfile) -> None:
    keys = new_keys(profile)
    receiving, sending = contexts(keys)
    buffer, clear = PacketBuffer(), b"\x80\xc9\x00\x01\x00\x00\x00\x07"
    load(buffer, clear)
    assert protect_rtcp(sending.session, buffer.cdata, buffer.size) == 0
    assert Srtp(profile, keys.send, inbound=True).unprotect_rtcp(bytes(buffer.view[: buffer.size[0]])) == clear
    load(buffer, Srtp(profile, keys.receive, inbound=False).protect_rtcp(clear))
    assert unprotect_rtcp(receiving.session, buffer.cdata, buffer.size) == 0
    assert bytes(buffer.view[: buffer.size[0]]) == clear


@pytest.mark.parametrize("profile", list(SrtpProfile))
def test_an_index_is_never_protected_twice(profile: SrtpProfile) -> None:
    _, sending = contexts(new_keys(profile))
    buffer = PacketBuffer()
    load(buffer, packet(5))
    assert protect(sending.session, buffer.cdata, buffer.size) == 0
    load(buffer, packet(5, b"something else"))
    assert drop_reason(protect(sending.session, buffer.cdata, buffer.size)) is DropReason.SRTP_REPLAYED


def test_what_does_not_authenticate_has_its_name() -> None:
    keys = new_keys()
    receiving, _ = contexts(keys)
    peer, buffer = Srtp(keys.profile, keys.receive, inbound=False), PacketBuffer()
    protected = [peer.protect(packet(n)) for n in range(REPLAY_WINDOW + 10)]

    def status(datagram: bytes) -> int:
        load(buffer, datagram)
        return int(unprotect(receiving.session, buffer.cdata, buffer.size))

    assert drop_reason(status(protected[1][:-1] + b"?")) is DropReason.SRTP_AUTH_FAILED
    assert status(protected[1]) == 0
    assert drop_reason(status(protected[1])) is DropReason.SRTP_REPLAYED
    assert status(protected[-1]) == 0
    assert drop_reason(status(protected[0])) is DropReason.SRTP_TOO_OLD


@pytest.mark.parametrize("size", range(12, 40))
def test_short_and_odd_packets_are_refused_whatever_they_say(size: int) -> None:
    receiving, _ = contexts(new_keys())
    buffer = PacketBuffer()
    for first in (0x80, 0x8F, 0x90, 0x9F, 0xB0, 0xBF):
        load(buffer, bytes((first, 96)) + b"\xff" * (size - 2))
        assert unprotect(receiving.session, buffer.cdata, buffer.size) != 0
        load(buffer, bytes((first, 201)) + b"\xff" * (size - 2))
        assert unprotect_rtcp(receiving.session, buffer.cdata, buffer.size) != 0


def test_keys_of_a_wrong_length_are_refused() -> None:
    keys = new_keys()
    with pytest.raises((ValueError, TypeError)):
        contexts(replace(keys, send=b"short"))


def test_keys_are_not_shown() -> None:
    keys = SrtpKeys(profile=SrtpProfile.AEAD_AES_256_GCM, receive=b"secret", send=b"secret")
    assert "secret" not in repr(keys)
