"""Locks name versions and hashes and nothing else: no address of any registry, mirror or page."""

from __future__ import annotations

import json
import re

import pytest

from tests.architecture.tree import ROOT

PYTHON_LOCKS = ("requirements/run.txt", "requirements/dev.txt")
URL = re.compile(r"[a-z+]+://|--(extra-)?index|--find-links|--trusted-host|resolved")
PINNED = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?P<marker> ; .*)?(?P<hashes>( --hash=sha256:[0-9a-f]{64})+)"
)


def requirements(lock: str) -> list[str]:
    """One line per package, continuation lines joined."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    joined = re.sub(r" \\\n +", " ", text)
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def pins(lock: str) -> dict[str, str]:
    found = [PINNED.fullmatch(line) for line in requirements(lock)]
    return {match["name"]: match["version"] for match in found if match}


@pytest.mark.parametrize("lock", [*PYTHON_LOCKS, "package-lock.json"])
def test_no_address(lock: str) -> None:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if URL.search(line)] == []


@pytest.mark.parametrize("lock", PYTHON_LOCKS)
def test_every_python_package_is_pinned_and_hashed(lock: str) -> None:
    assert [line for line in requirements(lock) if not PINNED.fullmatch(line)] == []
    assert pins(lock)


def test_tests_run_on_the_versions_that_are_served() -> None:
    assert pins("requirements/run.txt").items() <= pins("requirements/dev.txt").items()


def test_every_npm_package_is_hashed() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert len(packages) > 1
    assert [path for path, entry in packages.items() if path and "integrity" not in entry] == []


def test_npm_is_told_to_leave_addresses_out() -> None:
    assert "omit-lockfile-registry-resolved=true" in (ROOT / ".npmrc").read_text(encoding="utf-8").splitlines()


def test_npm_versions_are_exact() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert [name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
