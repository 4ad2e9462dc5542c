from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import i18n, paths


@pytest.fixture(scope="module")
def languages() -> i18n.Languages:
    return i18n.load(paths.web_root() / "i18n", ("nb", "en"))


@pytest.mark.parametrize(
    ("chosen", "accept", "expected"),
    [
        (None, "", "nb"),
        (None, "en-GB,en;q=0.9", "en"),
        (None, "de,fr;q=0.8", "nb"),
        (None, "de,en;q=0.8", "en"),
        (None, "en;q=0.5,nb-NO;q=0.9", "nb"),
        (None, "nn-NO,en;q=0.9", "nb"),
        (None, "no", "nb"),
        (None, "en;q=0", "nb"),
        (None, "en;q=much", "nb"),
        ("en", "nb", "en"),
        ("xx", "en", "en"),
    ],
)
def test_choice_before_browser_before_default(
    languages: i18n.Languages, chosen: str | None, accept: str, expected: str
) -> None:
    assert languages.choose(chosen, accept).code == expected


@given(st.text(max_size=500))
def test_any_header_chooses_something(header: str) -> None:
    offered = i18n.load(paths.web_root() / "i18n", ("nb",))
    assert offered.choose(None, header).code == "nb"


def test_pages_and_modules_speak_from_one_source(languages: i18n.Languages) -> None:
    nb = languages.get("nb")
    assert nb is not None
    assert nb.gettext("Accept call") == json.loads(nb.json)["Accept call"] == "Aksepter samtale"


def test_names_are_in_the_language_itself(languages: i18n.Languages) -> None:
    assert [language.name for language in languages] == ["Bokmål", "English"]


def test_a_missing_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'se'"):
        i18n.load(tmp_path, ("se",))
