"""A module can be read in one sitting. (Functions: ruff's PLR0915 and C901.)"""

from __future__ import annotations

from tests.architecture.tree import ROOT, modules

MOST_LINES = 420


def test_modules_stay_short() -> None:
    lines = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}
