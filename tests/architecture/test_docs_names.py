"""What the documentation names as ``file.py:name`` exists there, and so do the files that it links to."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

REFERENCE = re.compile(r"(?P<file>[\w./-]+\.py):(?P<name>[A-Za-z_][\w.]*)")
LINK = re.compile(r"\]\((?P<target>[^)#\s]+)[^)]*\)")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def names(source: str) -> set[str]:
    """Functions, classes, constants and members, members as ``Class.member``."""
    found: set[str] = set()

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    found.add(prefix + name)
                case ast.ClassDef(name=name, body=members):
                    found.add(prefix + name)
                    visit(members, f"{prefix}{name}.")
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                    found.add(prefix + name)
                case _:
                    pass

    visit(ast.parse(source).body, "")
    return found


def test_names_are_found_where_they_are_defined() -> None:
    source = "LIMIT = 1\nclass Room:\n    id: str\n    async def close(self): ...\ndef forward(): ..."
    assert names(source) == {"LIMIT", "Room", "Room.id", "Room.close", "forward"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = []
    for reference in REFERENCE.finditer(text):
        file = ROOT / reference["file"]
        if not file.is_file() or reference["name"].rstrip(".") not in names(file.read_text(encoding="utf-8")):
            missing.append(reference[0])
    for link in LINK.finditer(text):
        if "://" not in link["target"] and not (page.parent / link["target"]).exists():
            missing.append(link["target"])
    assert missing == []
