"""Every fuzz target over its seeds and a fixed number of their mutations; ``python -m tests.fuzz`` runs longer."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import MAX_INPUT_BYTES, Target, load_targets, mutate

MUTATIONS = 2000
ROOT = Path(__file__).parents[2]
NAMES = sorted(load_targets())


@pytest.mark.parametrize("name", NAMES)
def test_target_survives_mutated_seeds(name: str) -> None:
    run(load_targets()[name], seed=name)


def run(target: Target, *, seed: str, mutations: int = MUTATIONS) -> None:
    rng = random.Random(seed)
    for data in (b"", *target.seeds):
        target.run(data)
    for _ in range(mutations):
        target.run(mutate(rng.choice(target.seeds), rng, target.seeds))


def test_a_parser_that_trusts_a_length_is_caught() -> None:
    """The runner itself: a planted fault of the commonest kind does not survive it."""

    def trusting(data: bytes) -> None:
        if len(data) > 4 and data[0] == 0x80:
            data[4 + data[1]]

    with pytest.raises(IndexError):
        run(Target(trusting, [b"\x80\x01abcdef"]), seed="planted")


def test_mutations_are_repeatable_and_bounded() -> None:
    seeds = [bytes(MAX_INPUT_BYTES), b"abc"]

    def made() -> list[bytes]:
        rng = random.Random(1)
        return [mutate(rng.choice(seeds), rng, seeds) for _ in range(200)]

    assert made() == made()
    assert len(set(made())) > 100
    assert max(map(len, made())) <= MAX_INPUT_BYTES


@pytest.mark.timeout(90)
def test_the_coverage_guided_runner_runs_a_target(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", "1", "--corpus", str(tmp_path), "payload"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=80, check=False)
    assert done.returncode == 0, done.stderr
    assert "payload: nothing found" in done.stdout
    assert any((tmp_path / "payload").iterdir())
