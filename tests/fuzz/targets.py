"""The registry of fuzz targets: one per parser of bytes or text that a peer controls.

A target takes any bytes and raises only when the parser misbehaves: it catches the parser's own named error and
checks what holds for whatever was accepted. To add one, write ``tests/fuzz/fuzz_<name>.py`` that calls
:func:`register`; it is found by its name, run for a moment by pytest, and for as long as wanted by
``python -m tests.fuzz``.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_INPUT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Target:
    run: Callable[[bytes], object]
    seeds: Sequence[bytes]
    "valid input, from which mutation starts"


TARGETS: dict[str, Target] = {}


def register(name: str, run: Callable[[bytes], object], seeds: Sequence[bytes]) -> None:
    """``name`` is unique and good as a directory's name; there is at least one seed."""
    if name in TARGETS:
        raise ValueError(f"fuzz target {name} is registered twice")
    if not seeds:
        raise ValueError(f"fuzz target {name} has no seed")
    TARGETS[name] = Target(run, tuple(seeds))


def load_targets() -> dict[str, Target]:
    """Import every ``fuzz_*.py`` beside this module."""
    for path in sorted(Path(__file__).parent.glob("fuzz_*.py")):
        importlib.import_module(f"tests.fuzz.{path.stem}")
    return TARGETS


def mutate(seed: bytes, rng: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """A few random edits of one seed: what a coverage-guided fuzzer does first."""
    data = bytearray(seed)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[at % len(data)] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
            case 2:
                del data[at : at + rng.choice((1, 1, 2, 4, 16))]
            case 3:
                data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16)))
            case 4 if others:
                other = rng.choice(others)
                data[at:] = other[rng.randrange(len(other) + 1) :]
            case _:
                del data[at:]
    return bytes(data[:MAX_INPUT_BYTES])
