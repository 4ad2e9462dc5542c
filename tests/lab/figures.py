"""``make matrix``: run the tests that demand figures, and write what they measured to docs/bad-lines.md."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.lab.fixtures import ARTIFACTS_DIRECTORY

PAGE = Path(__file__).parents[2] / "docs" / "bad-lines.md"
MEASURED = ARTIFACTS_DIRECTORY / "measured.txt"
HEAD = """# Calls on bad lines, measured

Real browsers, the real server, and an emulated line for each person (`tests/lab/emulator.py`). Reproduced by

    make matrix

alone on a machine. `lateness_s` is by how much the emulator was late at worst: above a few hundredths the machine was
busy, and the figures say more of it than of the server. What each test demands stands in `tests/behaviour/`.

"""


def page(lines: list[str], passed: bool, when: str, processors: int) -> str:
    """The page's text; ``lines`` are ``test: name value, …``."""
    rows = []
    for line in lines:
        test, _, numbers = line.partition(": ")
        rows.append(f"| `{test}` | {numbers} |")
    verdict = "all demands met" if passed else "**not all demands met**"
    table = "\n".join(["| test | measured |", "|---|---|", *rows])
    return f"{HEAD}{when}, {processors} processors: {verdict}.\n\n{table}\n"


def main() -> int:
    MEASURED.unlink(missing_ok=True)
    result = subprocess.run([sys.executable, "-m", "pytest", "-m", "figures", "tests/behaviour"], check=False)
    lines = MEASURED.read_text(encoding="utf-8").splitlines() if MEASURED.exists() else []
    text = page(lines, result.returncode == 0, time.strftime("%Y-%m-%d"), os.cpu_count() or 0)
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
