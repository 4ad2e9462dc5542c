"""``python -m tests.fuzz [--seconds N] [--corpus DIR] [target …]``: coverage-guided fuzzing by libFuzzer (Atheris).

Each target runs in a process of its own, because libFuzzer ends the process it runs in. Inputs that reach new code are
kept in the corpus and used the next time; one that fails is written there as ``crash-…`` and shown.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import MAX_INPUT_BYTES, load_targets

ROOT = Path(__file__).parents[2]
START_UP_S = 60
INPUT_TIMEOUT_S = 5
"a single input that takes longer is a finding too"


def main() -> int:
    names = sorted(load_targets())
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--corpus", type=Path, default=ROOT / "var" / "fuzz")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(names):
        parser.error(f"unknown target {', '.join(sorted(unknown))}")
    found = [name for name in options.targets or names if not _survives(name, options.seconds, options.corpus / name)]
    return 1 if found else 0


def _survives(name: str, seconds: int, corpus: Path) -> bool:
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(load_targets()[name].seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    command = [
        *(sys.executable, "-m", "tests.fuzz.instrumented", name),
        f"-max_total_time={seconds}",
        f"-max_len={MAX_INPUT_BYTES}",
        f"-timeout={INPUT_TIMEOUT_S}",
        f"-artifact_prefix={corpus}/",
        str(corpus),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + START_UP_S, check=False)
    print(f"{name}: {'nothing found' if done.returncode == 0 else 'FAILED'}; {_last_status(done.stderr)}", flush=True)
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n", flush=True)
    return done.returncode == 0


def _last_status(output: str) -> str:
    """libFuzzer's last line of progress: inputs run, code covered."""
    lines = [line for line in output.splitlines() if line.startswith(("#", "Done "))]
    return lines[-1].strip() if lines else "no progress reported"


if __name__ == "__main__":
    sys.exit(main())
