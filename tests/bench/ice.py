"""The controlling side of ICE toward an ICE-lite server: one pair, checked and kept alive (RFC 8445 §2.5)."""

from __future__ import annotations

import secrets
import string

from aioice import stun

from tests.bench.sdp import Credentials

CHECK_INTERVAL_S = 2.7
"how often Chromium checks an idle pair"
_ALPHABET = string.ascii_letters + string.digits
_PRIORITY = 1_845_501_695
"of a peer-reflexive candidate (RFC 8445 §5.1.2.1)"


def new_credentials(fingerprint: str) -> Credentials:
    """RFC 8839 §5.4: at least 24 and 128 bits of randomness."""
    ufrag = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    pwd = "".join(secrets.choice(_ALPHABET) for _ in range(24))
    return Credentials(ufrag=ufrag, pwd=pwd, fingerprint=fingerprint)


class CheckList:
    """Makes the checks of one pair and recognises their answers."""

    def __init__(self, local: Credentials, remote: Credentials) -> None:
        self._username = f"{remote.ufrag}:{local.ufrag}"
        self._key = remote.pwd.encode()
        self._tie_breaker = secrets.randbits(64)
        self._pending = b""
        self.sent = 0
        self.answered = 0

    def next_check(self) -> bytes:
        """A Binding request that nominates the pair (RFC 8445 §7.2.2)."""
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        request.attributes["USERNAME"] = self._username
        request.attributes["PRIORITY"] = _PRIORITY
        request.attributes["ICE-CONTROLLING"] = self._tie_breaker
        request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(self._key)
        request.add_fingerprint()
        self._pending = request.transaction_id
        self.sent += 1
        return bytes(request)

    def accepts(self, datagram: bytes) -> bool:
        """True for an authentic success response to the last check."""
        try:
            message = stun.parse_message(datagram)
        except ValueError:
            return False
        if message.transaction_id != self._pending or message.message_class is not stun.Class.RESPONSE:
            return False
        if not message.check_message_integrity(self._key):
            return False
        self.answered += 1
        return True
