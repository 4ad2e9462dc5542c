"""ICE-lite's answers, and how cheaply the rest is refused (RFC 8445 §7.3, RFC 8489)."""

from __future__ import annotations

import secrets
import struct

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from sfu.core.drop import DropReason
from sfu.plane.ice import MAX_STUN_BYTES, Check, CheckResult, check, local_ufrag
from tests.peer import ice

OURS = ice.new_credentials()
REMOTE = ("192.0.2.7", 40_000)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def request(*attributes: bytes, kind: int = 1, cookie: int = 0x2112A442, length: int | None = None) -> bytes:
    body = b"".join(attributes)
    return struct.pack("!HHI", kind, len(body) if length is None else length, cookie) + bytes(12) + body


USERNAME = attribute(0x0006, b"abcd:them")


def ufrag(datagram: bytes) -> str | DropReason:
    return local_ufrag(memoryview(datagram))


@pytest.mark.parametrize(
    ("datagram", "expected"),
    [
        (request(USERNAME), "abcd"),
        (request(attribute(0x8022, b"agent"), USERNAME), "abcd"),
        (request(attribute(0x0006, b"abcd")), "abcd"),
        (request(attribute(0x0006, b"")), ""),
        (b"", DropReason.STUN_MALFORMED),
        (request(USERNAME)[:19], DropReason.STUN_MALFORMED),
        (request(USERNAME) + b"x", DropReason.STUN_MALFORMED),
        (request(USERNAME, cookie=1), DropReason.STUN_MALFORMED),
        (request(USERNAME, length=8), DropReason.STUN_MALFORMED),
        (request(), DropReason.STUN_MALFORMED),
        (request(attribute(0x8022, bytes(MAX_STUN_BYTES)), USERNAME), DropReason.STUN_MALFORMED),
        (request(USERNAME, kind=0x0011), DropReason.STUN_NOT_A_REQUEST),
        (request(USERNAME, kind=0x0101), DropReason.STUN_NOT_A_REQUEST),
        (request(USERNAME, kind=0x0003), DropReason.STUN_NOT_A_REQUEST),
    ],
)
def test_whom_a_check_is_for_is_read_without_parsing_it(datagram: bytes, expected: str | DropReason) -> None:
    assert ufrag(datagram) == expected


@pytest.mark.parametrize("nominate", [False, True])
def test_a_good_check_is_answered_with_the_address_it_came_from(nominate: bool) -> None:
    asked = ice.check(OURS, nominate=nominate)
    answer = check(asked, OURS.pwd, REMOTE)
    assert isinstance(answer, Check)
    assert answer.result is (CheckResult.NOMINATED if nominate else CheckResult.VALID)
    response = ice.accepted(asked, answer.response, OURS.pwd)
    assert response is not None and response.message_class is stun.Class.RESPONSE
    assert response.attributes["XOR-MAPPED-ADDRESS"] == REMOTE


def test_an_ipv6_address_is_mapped_too() -> None:
    asked = ice.check(OURS)
    answer = check(asked, OURS.pwd, ("2001:db8::5", 5))
    assert isinstance(answer, Check)
    response = ice.accepted(asked, answer.response, OURS.pwd)
    assert response is not None and response.attributes["XOR-MAPPED-ADDRESS"] == ("2001:db8::5", 5)


def test_a_peer_that_would_be_controlled_is_told_to_switch() -> None:
    asked = ice.check(OURS, role="ICE-CONTROLLED")
    answer = check(asked, OURS.pwd, REMOTE)
    assert isinstance(answer, Check) and answer.result is CheckResult.ROLE_CONFLICT
    response = ice.accepted(asked, answer.response, OURS.pwd)
    assert response is not None and response.message_class is stun.Class.ERROR
    assert response.attributes["ERROR-CODE"][0] == 487


def after_integrity(datagram: bytes) -> bytes:
    """USE-CANDIDATE appended behind MESSAGE-INTEGRITY, where anybody can write (RFC 8489 §9)."""
    message = stun.parse_message(datagram)
    for name in ("FINGERPRINT", "USE-CANDIDATE"):
        message.attributes.pop(name, None)
    message.attributes.pop("MESSAGE-INTEGRITY")
    message.add_message_integrity(OURS.pwd.encode())
    signed = bytes(message) + attribute(0x0025, b"")
    return signed[:2] + struct.pack("!H", len(signed) - 20) + signed[4:]


def test_what_stands_behind_the_integrity_does_not_nominate() -> None:
    answer = check(after_integrity(ice.check(OURS, nominate=False)), OURS.pwd, REMOTE)
    assert isinstance(answer, Check) and answer.result is CheckResult.VALID


@pytest.mark.parametrize(
    "datagram",
    [
        ice.check(OURS, pwd="wrong"),
        ice.check(OURS, with_integrity=False),
        request(USERNAME),
        request(USERNAME, attribute(0x0008, bytes(20))),
        request(USERNAME, attribute(0x0008, b"")),
    ],
)
def test_without_valid_integrity_there_is_no_answer(datagram: bytes) -> None:
    assert check(datagram, OURS.pwd, REMOTE) is DropReason.STUN_BAD_INTEGRITY


def test_a_check_changed_on_its_way_is_refused() -> None:
    good = ice.check(OURS, nominate=False)
    # The fingerprint behind it is optional, and its attribute one that may be passed over.
    for at in range(20, len(good) - 8):
        changed = bytearray(good)
        changed[at] ^= 0x01
        assert isinstance(check(bytes(changed), OURS.pwd, REMOTE), DropReason)


@given(st.binary(max_size=80), st.binary(max_size=200))
def test_no_bytes_make_it_raise(head: bytes, tail: bytes) -> None:
    for datagram in (head + tail, request(USERNAME, tail), request(USERNAME, attribute(0x0020, tail))):
        named = ufrag(datagram)
        assert isinstance(named, str | DropReason)
        assert isinstance(check(datagram, OURS.pwd, REMOTE), DropReason)


@given(st.integers(0, 0xFFFF), st.binary(max_size=40))
def test_an_odd_attribute_in_a_signed_check_is_passed_over_or_refused(kind: int, value: bytes) -> None:
    """Whoever knows the password may still write nonsense."""
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{OURS.ufrag}:them"
    plain = bytes(message) + attribute(kind, value)
    plain = plain[:2] + struct.pack("!H", len(plain) - 20) + plain[4:]
    signed = plain[:2] + struct.pack("!H", len(plain) + 24 - 20) + plain[4:]
    mac = stun.message_integrity(plain, OURS.pwd.encode())
    answer = check(signed + attribute(0x0008, mac), OURS.pwd, REMOTE)
    assert isinstance(answer, Check | DropReason)


def test_a_name_that_is_no_ascii_is_no_ufrag_of_ours() -> None:
    assert ufrag(request(attribute(0x0006, secrets.token_bytes(3) + b"\xff:x"))) != OURS.ufrag
