from __future__ import annotations

import datetime
import ipaddress
import ssl
import stat
from pathlib import Path

from cryptography import x509

from signaling import lan

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)


def read(files: lan.CertificateFiles) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes())


def test_addresses_can_be_reached_by_others() -> None:
    found = lan.addresses()
    assert len(set(found)) == len(found)
    assert not any(ipaddress.ip_address(address).is_loopback for address in found)


def test_certificate_names_every_address_and_loads_with_its_key(tmp_path: Path) -> None:
    files = lan.ensure_certificate(tmp_path, ("192.0.2.7", "198.51.100.7"), NOW)
    names = read(files).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(ip) for ip in names.get_values_for_type(x509.IPAddress)} == {"192.0.2.7", "198.51.100.7"}
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(files.certificate, files.private_key)
    assert stat.S_IMODE(files.private_key.stat().st_mode) == 0o600


def test_certificate_is_kept_while_it_fits(tmp_path: Path) -> None:
    first = read(lan.ensure_certificate(tmp_path, ("192.0.2.7", "192.0.2.8"), NOW))
    same = read(lan.ensure_certificate(tmp_path, ("192.0.2.8",), NOW + datetime.timedelta(days=300)))
    assert same == first


def test_certificate_is_renewed_for_a_new_address_before_its_end_and_when_damaged(tmp_path: Path) -> None:
    files = lan.ensure_certificate(tmp_path, ("192.0.2.7",), NOW)
    first = read(files)
    moved = read(lan.ensure_certificate(tmp_path, ("192.0.2.8",), NOW))
    late = read(lan.ensure_certificate(tmp_path, ("192.0.2.8",), NOW + datetime.timedelta(days=380)))
    files.private_key.write_text("")
    mended = read(lan.ensure_certificate(tmp_path, ("192.0.2.8",), NOW + datetime.timedelta(days=380)))
    assert len({first.serial_number, moved.serial_number, late.serial_number, mended.serial_number}) == 4


def test_qr_code_fits_a_terminal() -> None:
    lines = lan.qr_code("https://192.168.100.100:8080/demo").splitlines()
    assert 10 < len(lines) <= 24
