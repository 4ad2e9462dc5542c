"""SDP fragments of WHIP's PATCH requests (RFC 8840, RFC 9725 §4.3). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_FRAGMENT_CHARS: Final = 16_000
MAX_CANDIDATES: Final = 64
MAX_CREDENTIAL_CHARS: Final = 256
"RFC 8839 §5.4"


class FragmentError(Exception):
    """Not a fragment that we take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    ufrag: str | None
    pwd: str | None
    candidates: tuple[str, ...]
    "``candidate:…`` without the leading ``a=``"


def parse(text: str) -> Fragment:
    """Raises FragmentError."""
    if len(text) > MAX_FRAGMENT_CHARS:
        raise FragmentError("too long")
    ufrag = pwd = None
    candidates: list[str] = []
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name == "a=ice-ufrag":
            ufrag = _credential(value)
        elif name == "a=ice-pwd":
            pwd = _credential(value)
        elif name == "a=candidate":
            candidates.append(f"candidate:{value}")
        elif name and not name.startswith(("a=", "m=")):
            raise FragmentError("neither an attribute nor a media line")
    if len(candidates) > MAX_CANDIDATES:
        raise FragmentError("too many candidates")
    if (ufrag is None) != (pwd is None):
        raise FragmentError("ice-ufrag and ice-pwd go together")
    return Fragment(ufrag=ufrag, pwd=pwd, candidates=tuple(candidates))


def with_credentials(offer: str, ufrag: str, pwd: str) -> str:
    """The offer as it would read after an ICE restart."""
    lines = []
    for line in offer.splitlines():
        if line.startswith("a=ice-ufrag:"):
            line = f"a=ice-ufrag:{ufrag}"
        elif line.startswith("a=ice-pwd:"):
            line = f"a=ice-pwd:{pwd}"
        elif line.startswith(("a=candidate:", "a=end-of-candidates")):
            continue  # of the network that was left
        lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def ufrag_of(description: str) -> str | None:
    """The first ice-ufrag: with BUNDLE there is one for all."""
    for line in description.splitlines():
        if line.startswith("a=ice-ufrag:"):
            return line.removeprefix("a=ice-ufrag:").strip()
    return None


def from_answer(answer: str) -> str:
    """What a client needs of the answer after an ICE restart: those of the first m-line."""
    kept: list[str] = []
    media_lines = 0
    for line in answer.splitlines():
        if line.startswith("m="):
            media_lines += 1
        if media_lines > 1:
            break
        if line.startswith(("a=ice-lite", "m=", "a=mid:", "a=ice-", "a=candidate:", "a=end-of-candidates")):
            if line not in kept:
                kept.append(line)
    return "\r\n".join(kept) + "\r\n"


def _credential(value: str) -> str:
    value = value.strip()
    # ice-char is ALPHA / DIGIT / "+" / "/" (RFC 8839 §5.4); browsers have been seen with "-" and "_".
    is_clean = value.isascii() and all(char.isalnum() or char in "+/-_" for char in value)
    if not is_clean or not 4 <= len(value) <= MAX_CREDENTIAL_CHARS:
        raise FragmentError("not a credential")
    return value
