from __future__ import annotations

from pathlib import Path

import pytest

from sfu import SfuConfig
from signaling.config import ApiConfig, Config, ConfigError, HttpConfig, Secret, load, parse


def test_no_file_gives_every_default() -> None:
    assert load(None) == Config()


def test_each_kind_of_value_is_read() -> None:
    config = parse(
        """
        [http]
        port = 9000
        [media]
        media_port = 7900
        offer_loopback = true
        dtls_handshake_timeout_s = 5
        video_codecs = ["H264"]
        [media.announced_addresses]
        "10.0.0.5" = "203.0.113.7"
        [api]
        token = "s3cret"
        [paths]
        var = "elsewhere"
        """,
        source="test",
    )
    assert config.http.port == 9000
    assert config.media == SfuConfig(
        media_port=7900,
        offer_loopback=True,
        dtls_handshake_timeout_s=5.0,
        video_codecs=("H264",),
        announced_addresses={"10.0.0.5": "203.0.113.7"},
    )
    assert config.api.token == Secret("s3cret")
    assert config.paths.var == Path("elsewhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[htpp]\nport = 1", "unknown key htpp (did you mean http?)"),
        ("[http]\nprot = 1", "unknown key http.prot (did you mean http.port?)"),
        ("[media]\nsimulcast = true", "unknown key media.simulcast"),
        ("http = 1", "http must be a table"),
        ('[http]\nport = "8080"', "http.port must be a whole number"),
        ("[http]\nport = true", "http.port must be a whole number"),
        ("[http]\nport = 65536", "http.port must be 1 to 65535, not 65536"),
        ("[http]\nhost = []", "http.host must be a string"),
        ('[http]\ntls_certificate = "a"', "http.tls_private_key is missing: certificate and key go together"),
        (
            '[http]\npublic_url = "video.example.org"',
            "http.public_url must be like https://video.example.org, not 'video.example.org'",
        ),
        ("[media]\nmedia_port = -1", "media.media_port must be 0 to 65535, not -1"),
        ("[media]\noffer_loopback = 1", "media.offer_loopback must be true or false"),
        ('[media]\ndtls_handshake_timeout_s = "1"', "media.dtls_handshake_timeout_s must be a number"),
        ("[media]\nvideo_codecs = [1]", "media.video_codecs[0] must be a string"),
        ('[media]\nvideo_codecs = "VP8"', "media.video_codecs must be an array"),
        ("[media]\nannounced_addresses = []", "media.announced_addresses must be a table"),
        (
            '[media]\nannounced_addresses = {"10.0.0.5" = "here"}',
            "media.announced_addresses must hold IP addresses, not 'here'",
        ),
        ("[api]\ntoken = 12345", "api.token must be a string"),
        (
            '[clinic]\nslug = "Demo/"',
            "clinic.slug must be lower-case letters, digits and hyphens, not 'Demo/'",
        ),
        ("[clinic]\nlanguages = []", "clinic.languages must name at least one"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, source="clinic.toml")
    assert str(refused.value) == f"clinic.toml: {message}"


def test_broken_toml_names_file_and_line() -> None:
    with pytest.raises(ConfigError, match=r"^clinic\.toml: .*line 2"):
        parse("[http]\nport = \n", source="clinic.toml")


def test_missing_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    with pytest.raises(ConfigError, match=r"none\.toml: No such file or directory"):
        load(missing)


def test_a_secret_is_not_shown() -> None:
    assert "s3cret" not in f"{ApiConfig(token=Secret('s3cret'))!r} {Secret('s3cret')}"


@pytest.mark.parametrize(
    ("http", "origin"),
    [
        (HttpConfig(), "http://127.0.0.1:8080"),
        (HttpConfig(host=""), "http://localhost:8080"),
        (HttpConfig(host="::1", port=80), "http://[::1]:80"),
        (HttpConfig(tls_certificate="c", tls_private_key="k"), "https://127.0.0.1:8080"),
        (HttpConfig(public_url="https://video.example.org/"), "https://video.example.org"),
    ],
)
def test_origin(http: HttpConfig, origin: str) -> None:
    assert http.origin == origin


def test_behind_a_proxy_that_ends_tls_browsers_still_come_securely() -> None:
    assert HttpConfig(public_url="https://video.example.org").is_secure
    assert HttpConfig(tls_certificate="c", tls_private_key="k", public_url="http://lan.example").is_secure
    assert not HttpConfig().is_secure
