from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp import web
from jinja2 import UndefinedError

from signaling import keys
from signaling.pages import Pages
from tests.signaling.clinic import PHONE


@pytest.fixture
def pages(app: web.Application) -> Pages:
    return app[keys.PAGES]


def render(app: web.Application, template: str, **values: object) -> str:
    language = app[keys.LANGUAGES].default
    return app[keys.PAGES].render(template, language, path="/demo", **values)


PAGES: dict[str, dict[str, object]] = {
    "patient.html": {"is_waiting": False, "error": None, "name": ""},
    "sign_in.html": {"error": None},
    "desk.html": {},
    "guest.html": {"is_in_call": False, "error": None, "name": ""},
    "error.html": {"text": "x", "status": 404},
}


@pytest.mark.parametrize("template", PAGES)
def test_every_page_shows_the_phone_and_the_languages_and_nothing_inline(app: web.Application, template: str) -> None:
    text = render(app, template, **PAGES[template])
    assert PHONE in text and 'name="language"' in text and '<html lang="nb"' in text
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|https?://(?!www\.w3\.org)", text)


@pytest.mark.parametrize("template", PAGES)
def test_ids_are_unique_and_labels_point_somewhere(app: web.Application, template: str) -> None:
    text = render(app, template, **PAGES[template])
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    pointed = re.findall(r'\b(?:for|aria-labelledby|aria-describedby)="([^"]+)"', text)
    assert {target for targets in pointed for target in targets.split()} <= set(ids)


def test_the_labels_of_the_call_are_those_of_the_seed(app: web.Application) -> None:
    text = render(app, "patient.html", **PAGES["patient.html"])
    controls = re.findall(r'<span class="control-text">([^<]+)</span>', text)
    assert controls == ["Snu kamera", "Skru av kamera", "Avslutt samtale", "Skru av mikrofon"]
    assert "Aksepter samtale" in text
    assert "Din behandler vil ta deg i mot så snart som mulig" in text
    assert "Hold vinduet åpent til din behandler tar kontakt" in text


def test_a_name_is_escaped(app: web.Application) -> None:
    text = render(app, "patient.html", is_waiting=False, error=None, name='"><script>alert(1)</script>')
    assert "<script>alert" not in text


def test_a_forgotten_value_is_a_mistake_and_not_an_empty_string(app: web.Application) -> None:
    with pytest.raises(UndefinedError):
        render(app, "error.html")


def test_templates_are_compiled_at_start(pages: Pages, tmp_path: Path) -> None:
    for environment in pages._environments.values():
        assert environment.cache is not None and len(environment.cache) == len(environment.list_templates())
