"""Connectivity checks of the controlling side (RFC 8445 §7.2), right or wrong as a test wants them."""

from __future__ import annotations

import secrets

from aioice import stun

from sfu.plane.seam import IceCredentials

REMOTE_UFRAG = "them"
_PRIORITY = 1_845_501_695
"a peer-reflexive candidate's (RFC 8445 §5.1.2.1)"


def new_credentials() -> IceCredentials:
    return IceCredentials(ufrag=secrets.token_hex(6), pwd=secrets.token_hex(16))


def check(
    credentials: IceCredentials,
    *,
    nominate: bool = True,
    pwd: str | None = None,
    with_integrity: bool = True,
    role: str = "ICE-CONTROLLING",
) -> bytes:
    """``credentials`` are the server's; ``pwd`` replaces its password."""
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"{credentials.ufrag}:{REMOTE_UFRAG}"
    request.attributes["PRIORITY"] = _PRIORITY
    request.attributes[role] = secrets.randbits(64)
    if nominate:
        request.attributes["USE-CANDIDATE"] = None
    if with_integrity:
        request.add_message_integrity((credentials.pwd if pwd is None else pwd).encode())
        request.add_fingerprint()
    return bytes(request)


def accepted(request: bytes, response: bytes, pwd: str) -> stun.Message | None:
    """The response, if it answers this request and is authentic."""
    try:
        message = stun.parse_message(response)
    except ValueError:
        return None
    if message.transaction_id != request[8:20] or not message.check_message_integrity(pwd.encode()):
        return None
    return message
