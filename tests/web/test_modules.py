"""Which module may know what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

JS = Path(__file__).parents[2] / "web" / "js"
MODULES = sorted(JS.glob("*.js"))
KNOW_NO_PAGE = ("protocol.js", "media.js", "devices.js")
PAGES = {"patient.js", "desk.js", "guest.js", "sign_in.js"}


@pytest.mark.parametrize("name", KNOW_NO_PAGE)
def test_protocol_and_media_know_no_page(name: str) -> None:
    """Other clients, and the load generator, can use them as they are."""
    text = (JS / name).read_text(encoding="utf-8")
    assert not re.search(r"\b(document|window|location)\b\s*[.\[]", text)
    imported = set(re.findall(r'^import .* from "\./([^"]+)"', text, re.MULTILINE))
    assert imported <= set(KNOW_NO_PAGE)


def test_no_module_imports_a_page_s_controller() -> None:
    for module in MODULES:
        imported = set(re.findall(r'^import .* from "\./([^"]+)"', module.read_text(encoding="utf-8"), re.MULTILINE))
        assert not imported & PAGES, module.name


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_no_module_makes_html_of_strings_or_calls_elsewhere(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|console\.", text
    )
    assert not re.search(r"[\"'`](https?|wss?)://", text)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_modules_stay_short(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 400
