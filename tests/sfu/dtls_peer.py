"""A DTLS peer straight on OpenSSL, as strange as a test wants it: key type, ciphers, flight size, role."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

RECORD_HEADER_BYTES = 13
PROFILES = b"SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"

KEY_AND_SALT_BYTES = {
    "SRTP_AEAD_AES_256_GCM": (32, 12),
    "SRTP_AEAD_AES_128_GCM": (16, 12),
    "SRTP_AES128_CM_SHA1_80": (16, 14),
}

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def make_certificate(key: PrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
    now = datetime.datetime.now(tz=datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


def split_records(flight: bytes) -> list[bytes]:
    records = []
    while flight:
        end = RECORD_HEADER_BYTES + int.from_bytes(flight[11:13], "big")
        records.append(flight[:end])
        flight = flight[end:]
    return records


class DtlsPeer:
    """Sans-I/O: ``feed`` datagrams, take ``datagrams``."""

    def __init__(
        self,
        *,
        is_client: bool,
        key: PrivateKey | None = None,
        profiles: bytes | None = PROFILES,
        ciphers: bytes | None = None,
        mtu_bytes: int = 1200,
        alpn: Sequence[bytes] = (),
    ) -> None:
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = make_certificate(key)
        digest = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
        self.fingerprints = [("sha-256", digest)]
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_QUERY_MTU)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(certificate)
        context.use_privatekey(key)
        if profiles is not None:
            context.set_tlsext_use_srtp(profiles)
        if ciphers is not None:
            context.set_cipher_list(ciphers)
        if alpn:
            context.set_alpn_protos(list(alpn))
        self.ssl = SSL.Connection(context)
        self.ssl.set_ciphertext_mtu(mtu_bytes)
        self._is_client = is_client
        if is_client:
            self.ssl.set_connect_state()
        else:
            self.ssl.set_accept_state()
        self.is_connected = False
        self.is_ended = False
        self.received_alert = False

    def advance(self) -> None:
        try:
            if not self.is_connected:
                self.ssl.do_handshake()
                self.is_connected = True
            while True:
                self.ssl.recv(1500)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.is_ended = True
        except SSL.Error:
            self.received_alert = bool(self.ssl.get_shutdown() & SSL.RECEIVED_SHUTDOWN)
            self.is_ended = True

    def feed(self, datagram: bytes) -> None:
        self.ssl.bio_write(datagram)
        self.advance()

    def records(self) -> list[bytes]:
        try:
            return split_records(self.ssl.bio_read(65536))
        except SSL.WantReadError:
            return []

    async def retransmit(self) -> None:
        """Wait for OpenSSL's own timer, then repeat the flight."""
        timeout_s = self.ssl.DTLSv1_get_timeout()
        assert timeout_s is not None
        await asyncio.sleep(timeout_s + 0.01)
        self.ssl.DTLSv1_handle_timeout()

    def srtp_keys(self) -> tuple[str, bytes, bytes]:
        """Profile, what this peer sends with, what it receives with (RFC 5764 §4.2)."""
        profile = self.ssl.get_selected_srtp_profile().decode()
        key, salt = {"SRTP_AEAD_AES_256_GCM": (32, 12), "SRTP_AEAD_AES_128_GCM": (16, 12)}.get(profile, (16, 14))
        material = self.ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        return (profile, client, server) if self._is_client else (profile, server, client)
