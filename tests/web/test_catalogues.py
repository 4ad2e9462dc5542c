"""Every sentence for people is in every catalogue, translated, and in use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

from signaling.i18n import CATALOGUE, read_catalogue

ROOT = Path(__file__).parents[2]
LANGUAGES = ("nb", "en")
SOURCES = [
    ("signaling", [("**.py", "python")]),
    ("web/templates", [("**.html", "jinja2")]),
    ("web/js", [("**.js", "javascript")]),
]
KEYWORDS = {"_": None, "gettext": None, "t": None}


def sentences() -> Iterator[str]:
    for folder, methods in SOURCES:
        for _, _, message, _, _ in extract_from_dir(ROOT / folder, methods, keywords=KEYWORDS):
            assert isinstance(message, str)
            yield message


IN_USE = frozenset(sentences())


def test_extraction_finds_each_kind_of_source() -> None:
    assert {"We cannot find that page.", "Accept call", "Connecting again …"} <= IN_USE


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_is_complete(language: str) -> None:
    catalogue = read_catalogue(ROOT / "web" / "i18n" / language / CATALOGUE)
    translated = {message.id: message for message in catalogue if message.id}
    assert sorted(IN_USE - set(translated)) == [], "not in the catalogue"
    assert sorted(set(translated) - IN_USE) == [], "no longer in use"
    assert [message.id for message in translated.values() if not message.string] == [], "not translated"
    assert [message.id for message in translated.values() if message.fuzzy] == [], "fuzzy"


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_survive_translation(language: str) -> None:
    def placeholders(text: object) -> set[str]:
        return set(re.findall(r"\{\w+\}|%\(\w+\)s", str(text)))

    for message in read_catalogue(ROOT / "web" / "i18n" / language / CATALOGUE):
        assert placeholders(message.id) == placeholders(message.string), message.id


def test_english_says_what_the_source_says() -> None:
    for message in read_catalogue(ROOT / "web" / "i18n" / "en" / CATALOGUE):
        assert message.id == message.string or not message.id


def test_no_text_stands_outside_the_catalogues_in_a_template() -> None:
    """What remains of a template without markup, expressions and comments is no sentence."""
    for template in (ROOT / "web" / "templates").glob("*.html"):
        text = template.read_text(encoding="utf-8")
        # These blocks fill attributes.
        text = re.sub(r"\{% block (size|main_class|brand_link|body_attributes) %\}.*?\{% endblock %\}", "", text)
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<svg.*?</svg>|<[^>]*>", " ", text, flags=re.DOTALL)
        assert re.findall(r"[^\W\d_]{2,}", text) == [], template.name


def test_compiled_catalogues_are_not_kept() -> None:
    assert list((ROOT / "web").rglob("*.mo")) == []
