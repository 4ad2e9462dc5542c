"""The one-time code that signs in one clinician."""

from __future__ import annotations

from signaling.rules import tokens


class DeskCode:
    def __init__(self, code: str) -> None:
        self._code: str | None = code

    def redeem(self, given: str) -> bool:
        """True once, for the right code. Callers limit how often they ask."""
        if self._code is None or not tokens.is_same(given.strip(), self._code):
            return False
        self._code = None
        return True
