"""ICE-lite: answers connectivity checks (RFC 8445 §2.5, §7.3) and says which transport a check is for.

Pure: no socket and no clock. A check costs strangers nothing to send, so the steps are ordered by price: length and
cookie, USERNAME, a table look-up, and only then parsing and HMAC.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from aioice import stun

from sfu.core.drop import DropReason

MAX_STUN_BYTES = 548
"""A check has no reason to exceed the smallest IPv4 MTU (RFC 8489 §6.1)."""

_MAGIC_COOKIE = b"\x21\x12\xa4\x42"
_BINDING_REQUEST = b"\x00\x01"
_USERNAME = 0x0006
_HEADER_BYTES = 20
_ROLE_CONFLICT = (487, "Role Conflict")


class CheckResult(enum.Enum):
    """What an authenticated check asks for."""

    VALID = enum.auto()
    NOMINATED = enum.auto()
    ROLE_CONFLICT = enum.auto()


@dataclass(frozen=True, slots=True)
class Check:
    """An authenticated check and the bytes to answer it with."""

    result: CheckResult
    response: bytes


def local_ufrag(datagram: memoryview) -> str | DropReason:
    """Our ufrag as named by a binding request's USERNAME, or why the datagram is of no use to us."""
    size = len(datagram)
    if size < _HEADER_BYTES or size > MAX_STUN_BYTES or datagram[4:8] != _MAGIC_COOKIE:
        return DropReason.STUN_MALFORMED
    if size != _HEADER_BYTES + (datagram[2] << 8 | datagram[3]):
        return DropReason.STUN_MALFORMED
    if datagram[0:2] != _BINDING_REQUEST:
        # Indications are keepalives (RFC 8445 §11); responses answer checks, which a lite agent never sends.
        return DropReason.STUN_NOT_A_REQUEST
    at = _HEADER_BYTES
    while at + 4 <= size:
        kind = datagram[at] << 8 | datagram[at + 1]
        length = datagram[at + 2] << 8 | datagram[at + 3]
        if kind == _USERNAME:
            name = bytes(datagram[at + 4 : at + 4 + length]).partition(b":")[0]
            return name.decode("ascii", "replace")
        at += 4 + (length + 3 & ~3)
    return DropReason.STUN_MALFORMED


def check(datagram: bytes, pwd: str, remote: tuple[str, int]) -> Check | DropReason:
    """Verify MESSAGE-INTEGRITY under our password and build the response (RFC 8445 §7.3, RFC 8489 §9.1.3)."""
    try:
        request = stun.parse_message(datagram)
    # The parser leaks what its unpackers raise on odd attributes; none of it is more than «malformed».
    except (ValueError, IndexError, KeyError, struct.error):
        return DropReason.STUN_MALFORMED
    key = pwd.encode()
    if not request.check_message_integrity(key):
        return DropReason.STUN_BAD_INTEGRITY
    if "ICE-CONTROLLED" in request.attributes:
        # A lite agent is always the controlled one (RFC 8445 §6.1.1): the other side has to switch.
        error = stun.Message(
            message_method=request.message_method,
            message_class=stun.Class.ERROR,
            transaction_id=request.transaction_id,
            attributes={"ERROR-CODE": _ROLE_CONFLICT},
        )
        error.add_message_integrity(key)
        return Check(CheckResult.ROLE_CONFLICT, bytes(error))
    response = stun.Message(
        message_method=request.message_method,
        message_class=stun.Class.RESPONSE,
        transaction_id=request.transaction_id,
        attributes={"XOR-MAPPED-ADDRESS": remote},
    )
    response.add_message_integrity(key)
    nominated = "USE-CANDIDATE" in request.attributes
    return Check(CheckResult.NOMINATED if nominated else CheckResult.VALID, bytes(response))
