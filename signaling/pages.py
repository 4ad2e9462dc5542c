"""Rendered pages: one Jinja environment for each language, every template compiled at start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from signaling.assets import Assets
from signaling.config import Config
from signaling.i18n import Language, Languages


class Pages:
    def __init__(self, root: Path, languages: Languages, assets: Assets, config: Config) -> None:
        self._environments = {
            language.code: _environment(root, language, languages, assets, config) for language in languages
        }

    def render(self, template: str, language: Language, **values: Any) -> str:
        return self._environments[language.code].get_template(template).render(**values)


def _environment(root: Path, language: Language, languages: Languages, assets: Assets, config: Config) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(root),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(
        asset=assets.url,
        clinic=config.clinic,
        language=language,
        languages=list(languages),
        home=f"/{config.clinic.slug}",
        catalogue=f"/i18n/{language.code}.json?v={language.version}",
    )
    for name in environment.list_templates():
        environment.get_template(name)
    return environment
