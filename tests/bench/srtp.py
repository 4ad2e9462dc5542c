"""DTLS-SRTP of one client, and of the floor's peers (RFC 5763, RFC 5764)."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

from aiortc.rtcdtlstransport import SRTP_PROFILES, RTCCertificate
from OpenSSL import SSL
from pylibsrtp import Policy, Session, _binding

_ffi: Any = _binding.ffi
_lib: Any = _binding.lib
_MTU = 1200


class HandshakeFailed(Exception):
    """DTLS did not come about."""


class SrtpContext:
    """In-place protection; calls libsrtp without pylibsrtp's copies."""

    def __init__(self, policy: Policy) -> None:
        # Sending the same index twice must fail loudly: the nonce would repeat (RFC 7714 §8.1).
        policy.allow_repeat_tx = False
        policy.window_size = 1024
        self._session = Session(policy)
        self._handle: Any = self._session._srtp[0]
        self._length: Any = _ffi.new("int *")

    def protect(self, pointer: Any, length: int) -> int:
        """New length; negative when libsrtp refused."""
        self._length[0] = length
        return -1 if _lib.srtp_protect(self._handle, pointer, self._length) else self._length[0]

    def unprotect(self, pointer: Any, length: int) -> int:
        self._length[0] = length
        return -1 if _lib.srtp_unprotect(self._handle, pointer, self._length) else self._length[0]

    def protect_rtcp(self, pointer: Any, length: int) -> int:
        self._length[0] = length
        return -1 if _lib.srtp_protect_rtcp(self._handle, pointer, self._length) else self._length[0]

    def unprotect_rtcp(self, pointer: Any, length: int) -> int:
        self._length[0] = length
        return -1 if _lib.srtp_unprotect_rtcp(self._handle, pointer, self._length) else self._length[0]


class Identity:
    """One certificate for all clients of a process, as a browser has one for a page."""

    def __init__(self) -> None:
        self._certificate = RTCCertificate.generateCertificate()
        self.fingerprint = next(
            f"{item.algorithm} {item.value}"
            for item in self._certificate.getFingerprints()
            if item.algorithm == "sha-256"
        )

    @functools.cached_property
    def context(self) -> SSL.Context:
        return self._certificate._create_ssl_context(srtp_profiles=SRTP_PROFILES)


class DtlsSession:
    """One DTLS association over datagrams that the caller carries."""

    def __init__(self, identity: Identity, *, is_server: bool) -> None:
        self._ssl = SSL.Connection(identity.context)
        self._is_server = is_server
        if is_server:
            self._ssl.set_accept_state()
        else:
            self._ssl.set_connect_state()
        self.is_connected = False
        self.is_closed = False

    def advance(self, datagram: bytes = b"") -> list[bytes]:
        """Take one datagram in and return those to send."""
        if datagram:
            self._ssl.bio_write(datagram)
        try:
            if self.is_connected:
                self._ssl.recv(1500)
            else:
                self._ssl.do_handshake()
                self.is_connected = True
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.is_closed = True
        except SSL.Error as error:
            raise HandshakeFailed(str(error)) from error
        return self._outgoing()

    def repeat(self) -> list[bytes]:
        """The flight to send again when its time is over (RFC 6347 §4.2.4)."""
        self._ssl.DTLSv1_handle_timeout()
        return self._outgoing()

    def timeout_s(self) -> float | None:
        return self._ssl.DTLSv1_get_timeout()

    def close(self) -> list[bytes]:
        try:
            self._ssl.shutdown()
        except SSL.Error:
            pass
        return self._outgoing()

    def check_fingerprint(self, expected: str) -> None:
        """Raises HandshakeFailed unless the certificate is the one in the answer (RFC 8122 §5)."""
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            raise HandshakeFailed("the server showed no certificate")
        from cryptography.hazmat.primitives.serialization import Encoding

        digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
        if digest != expected.partition(" ")[2].replace(":", "").lower():
            raise HandshakeFailed("the server's certificate is not the one in its answer")

    @property
    def profile(self) -> str:
        return self._ssl.get_selected_srtp_profile().decode()

    def srtp(self) -> tuple[SrtpContext, SrtpContext]:
        """Contexts for receiving and for sending (RFC 5764 §4.2)."""
        selected = self._ssl.get_selected_srtp_profile()
        profile = next((item for item in SRTP_PROFILES if item.openssl_profile == selected), None)
        if profile is None:
            raise HandshakeFailed("no SRTP profile in common")
        material = self._ssl.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length)
        )
        keys = [profile.get_key_and_salt(material, index) for index in (0, 1)]
        own, other = (keys[1], keys[0]) if self._is_server else (keys[0], keys[1])
        receive = Policy(other, Policy.SSRC_ANY_INBOUND, srtp_profile=profile.libsrtp_profile)
        send = Policy(own, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile.libsrtp_profile)
        return SrtpContext(receive), SrtpContext(send)

    def _outgoing(self) -> list[bytes]:
        datagrams = []
        while True:
            try:
                datagrams.append(self._ssl.bio_read(_MTU + 300))
            except SSL.Error:
                return datagrams
