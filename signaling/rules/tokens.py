"""Signed values for cookies, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

MAX_SIGNED_CHARS: Final = 200
"longer input is refused before any hashing"


def sign(key: bytes, purpose: str, value: str) -> str:
    """``value.signature``. The purpose is signed too, so that one cookie cannot stand in for another."""
    return f"{value}.{_signature(key, purpose, value)}"


def unsign(key: bytes, purpose: str, signed: str) -> str | None:
    """The value, or None when the signature is not ours."""
    if len(signed) > MAX_SIGNED_CHARS or not signed.isascii():
        return None
    value, dot, signature = signed.rpartition(".")
    if not dot or not hmac.compare_digest(signature, _signature(key, purpose, value)):
        return None
    return value


def is_same(given: str, expected: str) -> bool:
    """Constant time in the content; two lengths are told apart by hashing both first."""
    return hmac.compare_digest(_digest(given), _digest(expected))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _signature(key: bytes, purpose: str, value: str) -> str:
    return hmac.new(key, f"{purpose}\0{value}".encode(), hashlib.sha256).hexdigest()
