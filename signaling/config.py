"""The operator's choices: frozen dataclasses, and a loader that takes TOML and refuses what it does not know.

``config.example.toml`` names every key; a test compares the two.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sfu import SfuConfig

MAX_PORT = 65_535
Table = TypeVar("Table")


class ConfigError(Exception):
    """The configuration cannot be used. The text is one line for the operator and names the key."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A string that neither ``repr`` nor a log shows. False when empty."""

    value: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """Where pages, signaling, WHIP and WHEP are served."""

    host: str = "127.0.0.1"
    "Address to listen on. Empty: every address of this machine."

    port: int = 8080
    "TCP port."

    public_url: str = ""
    "What browsers type, when a reverse proxy stands in front. Empty: made of scheme, host and port."

    tls_certificate: str = ""
    "PEM file with the certificate chain. Empty: plain HTTP."

    tls_private_key: str = ""
    "PEM file with the private key."

    def __post_init__(self) -> None:
        if not 1 <= self.port <= MAX_PORT:
            raise ValueError(f"port must be 1 to {MAX_PORT}, not {self.port}")
        if bool(self.tls_certificate) != bool(self.tls_private_key):
            missing = "tls_private_key" if self.tls_certificate else "tls_certificate"
            raise ValueError(f"{missing} is missing: certificate and key go together")
        if self.public_url and not _is_origin(self.public_url):
            raise ValueError(f"public_url must be like https://video.example.org, not {self.public_url!r}")

    @property
    def origin(self) -> str:
        """Scheme, host and port as browsers see them (RFC 6454), without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        scheme = "https" if self.tls_certificate else "http"
        host = self.host or "localhost"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def is_secure(self) -> bool:
        """Browsers come by HTTPS, if need be as far as a reverse proxy only."""
        return bool(self.tls_certificate) or self.origin.startswith("https:")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiConfig:
    """WHIP and WHEP."""

    token: Secret = Secret()
    "Bearer token for /api, /whip and /whep. Empty: they are turned off."


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicConfig:
    """The one clinic of this server."""

    slug: str = "demo"
    "The clinic's part of its addresses: /demo."

    name: str = "Demoklinikken"
    "As patients read it."

    phone: str = ""
    "Shown to patients whose call fails. Empty: no number is shown."

    languages: tuple[str, ...] = ("nb", "en")
    "Languages of the pages, the default one first."

    def __post_init__(self) -> None:
        if not (self.slug.isascii() and self.slug.replace("-", "").isalnum() and self.slug == self.slug.lower()):
            raise ValueError(f"slug must be lower-case letters, digits and hyphens, not {self.slug!r}")
        if not self.languages:
            raise ValueError("languages must name at least one")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathsConfig:
    """Where the server writes."""

    var: Path = Path("var")
    "Directory for everything the server writes, made at the first start. Relative to the working directory."


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration; each field is a table of the file."""

    http: HttpConfig = field(default_factory=HttpConfig)
    media: SfuConfig = field(default_factory=SfuConfig)
    api: ApiConfig = field(default_factory=ApiConfig)
    clinic: ClinicConfig = field(default_factory=ClinicConfig)
    paths: PathsConfig = field(default_factory=PathsConfig)


def _is_origin(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path in ("", "/") and not parts.query


def load(path: Path | None) -> Config:
    """Read the file, or take every default. Raises ConfigError."""
    if path is None:
        return Config()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    return parse(text, source=str(path))


def parse(text: str, *, source: str) -> Config:
    """Raises ConfigError, which begins with ``source``."""
    try:
        return _read_table(Config, tomllib.loads(text), "")
    except (tomllib.TOMLDecodeError, ConfigError) as error:
        raise ConfigError(f"{source}: {error}") from error


def _read_table(cls: type[Table], table: Mapping[str, object], prefix: str) -> Table:
    hints = typing.get_type_hints(cls)
    for key in table:
        if key not in hints:
            close = difflib.get_close_matches(key, hints, n=1)
            hint = f" (did you mean {prefix}{close[0]}?)" if close else ""
            raise ConfigError(f"unknown key {prefix}{key}{hint}")
    values = {key: _read_value(hints[key], value, f"{prefix}{key}") for key, value in table.items()}
    try:
        return cls(**values)
    except ValueError as error:
        raise ConfigError(f"{prefix}{error}") from error


def _read_value(hint: Any, value: object, key: str) -> object:
    origin = typing.get_origin(hint)
    if origin is tuple and isinstance(value, list):
        item_hint = typing.get_args(hint)[0]
        return tuple(_read_value(item_hint, item, f"{key}[{i}]") for i, item in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        item_hint = typing.get_args(hint)[1]
        return {name: _read_value(item_hint, item, f"{key}.{name}") for name, item in value.items()}
    if origin is None and not isinstance(value, list | dict):
        return _read_scalar(hint, value, key)
    if dataclasses.is_dataclass(hint) and hint is not Secret and isinstance(value, dict):
        return _read_table(typing.cast("type[object]", hint), value, f"{key}.")
    raise _wrong_type(hint, key)


def _read_scalar(hint: Any, value: object, key: str) -> object:
    if hint is float and type(value) is int:
        return float(value)
    if hint in (bool, int, float, str):
        if type(value) is hint:
            return value
    elif hint in (Path, Secret) or (isinstance(hint, type) and issubclass(hint, enum.StrEnum)):
        if isinstance(value, str):
            return _from_text(hint, value, key)
    raise _wrong_type(hint, key)


def _from_text(hint: Any, text: str, key: str) -> object:
    try:
        return hint(text)
    except ValueError:
        raise ConfigError(f"{key} must be one of {', '.join(hint)}, not {text!r}") from None


def _wrong_type(hint: Any, key: str) -> ConfigError:
    """The value itself is not quoted: it may be a secret under a mistyped key."""
    kind = typing.get_origin(hint) or hint
    words = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        tuple: "an array",
        Mapping: "a table",
    }
    expected = "a table" if dataclasses.is_dataclass(hint) and hint is not Secret else "a string"
    return ConfigError(f"{key} must be {words.get(kind, expected)}")
