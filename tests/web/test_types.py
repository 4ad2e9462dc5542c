"""The modules' JSDoc types hold (``tsc --checkJs``, strict)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(60)
def test_the_modules_pass_the_type_check() -> None:
    done = subprocess.run(
        ["node_modules/.bin/tsc", "--project", "web"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_type_check_is_strict_and_sees_every_module() -> None:
    config = (ROOT / "web" / "tsconfig.json").read_text(encoding="utf-8")
    for setting in ('"strict": true', '"checkJs": true', '"include": ["js/*.js"]'):
        assert setting in config
    assert "@ts-ignore" not in "".join(path.read_text(encoding="utf-8") for path in (ROOT / "web" / "js").glob("*.js"))
