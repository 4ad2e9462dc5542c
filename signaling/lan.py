"""Serving phones on the local network: this machine's addresses, and HTTPS with a certificate of our own.

Without HTTPS no browser opens a camera for another machine's page (W3C Secure Contexts §3.1).
"""

from __future__ import annotations

import datetime
import io
import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import ifaddr
import segno
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signaling.first_run import write_private

CERTIFICATE_FILE = "lan-certificate.pem"
PRIVATE_KEY_FILE = "lan-private-key.pem"
LIFETIME = datetime.timedelta(days=397)  # Safari refuses longer ones
RENEW_BEFORE_END = datetime.timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    certificate: Path
    private_key: Path


def addresses() -> tuple[str, ...]:
    """IPv4 addresses that other machines may reach, the one of the default route first."""
    found = [
        ip.ip
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
        if isinstance(ip.ip, str) and not ipaddress.ip_address(ip.ip).is_loopback
    ]
    preferred = _default_route_address()
    return tuple(sorted(set(found), key=lambda address: (address != preferred, found.index(address))))


def _default_route_address() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address; connecting UDP sends nothing
        except OSError:
            return None
        return str(probe.getsockname()[0])


def ensure_certificate(var: Path, names: Collection[str], now: datetime.datetime) -> CertificateFiles:
    """Keep the certificate in ``var`` while it covers ``names`` (IP addresses), else make a new one."""
    files = CertificateFiles(certificate=var / CERTIFICATE_FILE, private_key=var / PRIVATE_KEY_FILE)
    if not _covers(files, names, now):
        key = ec.generate_private_key(ec.SECP256R1())
        pem, encryption = serialization.Encoding.PEM, serialization.NoEncryption()
        write_private(files.private_key, key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption))
        write_private(files.certificate, _self_signed(key, names, now).public_bytes(pem))
    return files


def _covers(files: CertificateFiles, names: Collection[str], now: datetime.datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        key = serialization.load_pem_private_key(files.private_key.read_bytes(), password=None)
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    covered = {str(address) for address in extension.value.get_values_for_type(x509.IPAddress)}
    return (
        covered >= set(names)
        and now < certificate.not_valid_after_utc - RENEW_BEFORE_END
        and key.public_key() == certificate.public_key()
    )


def _self_signed(key: ec.EllipticCurvePrivateKey, names: Collection[str], now: datetime.datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Venterom")])
    alternatives = [
        x509.DNSName("localhost"),
        *(x509.IPAddress(ipaddress.ip_address(name)) for name in names),
    ]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # phones whose clock is behind
        .not_valid_after(now - datetime.timedelta(days=1) + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def qr_code(url: str) -> str:
    """The address as a QR code of half-block characters, for a terminal."""
    drawn = io.StringIO()
    segno.make(url, micro=False).terminal(drawn, compact=True)
    return drawn.getvalue()
