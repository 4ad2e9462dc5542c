"""The command as an operator runs it: a process of its own, stopped by a signal."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import stat
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.signaling.command import COMMAND, ROOT, read_until, venterom, write_config

STOP_LIMIT_S = 10.0


def refusal(config: Path) -> str:
    """The one line that a start which fails prints."""
    done = subprocess.run([*COMMAND, "--config", config], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.rstrip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_a_signal_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with venterom(write_config(tmp_path)) as process:
        welcome = read_until(process, "API token")
        patient = re.search(r"Patient +(http://\S+/demo)\n", welcome)
        assert patient and re.search(r"Clinician +http://\S+/demo/desk#code=\S+", welcome)
        with urllib.request.urlopen(patient[1]) as page:
            assert page.status == 200
        process.send_signal(number)
        _, complaints = process.communicate(timeout=STOP_LIMIT_S)
        assert process.returncode == 0
        assert not re.search("Traceback|Warning|ERROR", complaints), complaints


def test_everything_written_is_private(tmp_path: Path) -> None:
    with venterom(write_config(tmp_path)) as process:
        read_until(process, "API token")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["var", "venterom.toml"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "var").iterdir()} == {0o600}


def test_on_the_local_network_it_speaks_https_and_says_that_the_browser_warns(tmp_path: Path) -> None:
    with venterom(write_config(tmp_path), "--lan") as process:
        welcome = read_until(process, "The browser will warn")
        patient = re.search(r"Patient +(https://\S+/demo)\n", welcome)
        assert patient and "\N{FULL BLOCK}" in welcome
        trust = ssl.create_default_context(cafile=tmp_path / "var" / "lan-certificate.pem")
        with urllib.request.urlopen(patient[1], context=trust) as page:
            assert page.status == 200


def test_a_taken_http_port_is_named_by_its_key(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = int(other.getsockname()[1])
        said = refusal(write_config(tmp_path, http_port=port))
    assert said == f"venterom: port {port} is taken: set another http.port in the configuration"


def test_a_taken_media_port_is_named_by_its_key(tmp_path: Path) -> None:
    with socket.create_server(("", 0)) as other:
        port = int(other.getsockname()[1])
        said = refusal(write_config(tmp_path, media_port=port))
    assert said == f"venterom: port {port} is taken: set another media.media_port in the configuration"


def test_an_announced_address_that_is_not_this_machines_is_named_by_its_key(tmp_path: Path) -> None:
    config = write_config(tmp_path, more='media.announced_addresses = { "192.0.2.1" = "198.51.100.1" }\n')
    assert refusal(config) == (
        "venterom: cannot open the media port, see media.announced_addresses: Cannot assign requested address"
    )


def test_an_unknown_key_stops_the_start(tmp_path: Path) -> None:
    config = write_config(tmp_path, more="http.prot = 1\n")
    assert refusal(config) == f"venterom: {config}: unknown key http.prot (did you mean http.port?)"


def test_an_unusable_certificate_is_named_by_its_keys(tmp_path: Path) -> None:
    config = write_config(tmp_path, more='http.tls_certificate = "no.pem"\nhttp.tls_private_key = "no.pem"\n')
    assert refusal(config) == (
        "venterom: http.tls_certificate and http.tls_private_key cannot be used: No such file or directory"
    )
