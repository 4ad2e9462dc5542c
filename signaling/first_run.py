"""What the server makes for itself: the directory ``var`` and the secrets in it, for its user only."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from signaling.config import Secret

SESSION_KEY_BYTES = 32
API_TOKEN_BYTES = 32
DESK_CODE_BYTES = 9  # 72 bits: short enough to type, too long to guess

SESSION_KEY_FILE = "session-key"
API_TOKEN_FILE = "api-token"
DESK_CODE_FILE = "desk-code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What the application signs and checks with."""

    session_key: bytes = field(repr=False)
    "Signs session cookies; kept over restarts."

    desk_code: str = field(repr=False)
    "Signs in one clinician, once; the application counts it as used, and a restart makes a new one."


def open_secrets(var: Path) -> Secrets:
    """Read the secrets, and make those that are missing. Raises OSError."""
    return Secrets(
        session_key=bytes.fromhex(_read_or_make(var / SESSION_KEY_FILE, secrets.token_hex(SESSION_KEY_BYTES))),
        desk_code=_read_or_make(var / DESK_CODE_FILE, secrets.token_urlsafe(DESK_CODE_BYTES)),
    )


def renew_desk_code(var: Path) -> None:
    """Forget the code of the last start; ``open_secrets`` then makes a new one."""
    (var / DESK_CODE_FILE).unlink(missing_ok=True)


def demo_api_token(var: Path) -> Secret:
    """The bearer token of a server that runs without a configuration file."""
    return Secret(_read_or_make(var / API_TOKEN_FILE, secrets.token_urlsafe(API_TOKEN_BYTES)))


def write_private(path: Path, content: bytes) -> None:
    """Replace the file as a whole, with mode 0600 from its first byte on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    partial.replace(path)


def _read_or_make(path: Path, fresh: str) -> str:
    if not path.exists():
        write_private(path, f"{fresh}\n".encode())
    text = path.read_text(encoding="ascii").strip()
    if len(text) < len(fresh):
        # A truncated key would sign with less than it promises.
        raise OSError(f"{path} is damaged: delete it and start again")
    return text
