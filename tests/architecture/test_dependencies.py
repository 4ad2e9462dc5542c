"""What is listed is used, what is used is listed, and the locks fit the lists."""

from __future__ import annotations

import ast
import json
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.test_locks import pins
from tests.architecture.tree import PACKAGES, ROOT

OURS = {*PACKAGES, "tests"}
OF_THE_SYSTEM = {"gi"}  # GStreamer's bindings: Debian's Python runs that script


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def listed(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def imported(*folders: str) -> set[str]:
    """Distributions that bring the foreign modules which the folders import."""
    modules = {
        name.partition(".")[0] for folder in folders for path in (ROOT / folder).rglob("*.py") for name in imports(path)
    }
    foreign = modules - set(sys.stdlib_module_names) - OURS - OF_THE_SYSTEM
    return {canonicalize_name(providers()[module][0]) for module in foreign}


def imports(path: Path) -> Iterable[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@cache
def providers() -> dict[str, list[str]]:
    return dict(packages_distributions())


def test_the_server_depends_on_exactly_what_it_imports() -> None:
    assert imported(*PACKAGES) == listed(project()["dependencies"])


def test_the_tests_import_nothing_that_is_not_listed() -> None:
    groups = project()["optional-dependencies"]
    assert imported("tests") - listed(project()["dependencies"]) - listed(groups["test"] + groups["dev"]) == set()


def test_python_locks_fit_the_lists() -> None:
    groups = project()["optional-dependencies"]
    for lock, requirements in {
        "requirements/run.txt": project()["dependencies"],
        "requirements/dev.txt": project()["dependencies"] + groups["test"] + groups["dev"],
    }.items():
        locked = pins(lock)
        for line in requirements:
            requirement = Requirement(line)
            assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), f"{line}, {lock}"


def test_npm_lock_fits_the_list() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    root = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"][""]
    groups = ("dependencies", "devDependencies")
    assert {group: root[group] for group in groups} == {group: package[group] for group in groups}
