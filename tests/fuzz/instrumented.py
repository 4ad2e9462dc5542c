"""Runs one target under Atheris, with our packages instrumented for coverage; started by ``python -m tests.fuzz``."""

from __future__ import annotations

import sys

import atheris


def main() -> None:
    with atheris.instrument_imports(include=["sfu", "signaling"]):
        from tests.fuzz.targets import load_targets

        target = load_targets()[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
