"""Languages of the pages and of their modules, both from the same gettext catalogues.

The ``.po`` files are compiled in memory at start, so that no compiled file can be older than its source.
"""

from __future__ import annotations

import gettext
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

CATALOGUE: Final = "LC_MESSAGES/messages.po"
MAX_ACCEPT_LANGUAGE_CHARS: Final = 400
ALIASES: Final[Mapping[str, str]] = {"no": "nb", "nn": "nb"}
"until there is a nynorsk catalogue, its readers get bokmål and not English"


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    code: str
    name: str
    "in the language itself"
    translations: gettext.NullTranslations
    json: bytes
    "msgid → translation, for the modules"
    version: str
    "of the JSON, for its address"

    def gettext(self, message: str) -> str:
        return self.translations.gettext(message)


class Languages:
    """The languages that the operator offers, the default one first."""

    def __init__(self, offered: Sequence[Language]) -> None:
        self._by_code = {language.code: language for language in offered}
        self.default = offered[0]

    def __iter__(self) -> Iterator[Language]:
        return iter(self._by_code.values())

    def get(self, code: str) -> Language | None:
        return self._by_code.get(code)

    def choose(self, chosen: str | None, accept_language: str) -> Language:
        """What the visitor chose, else what the browser prefers (RFC 9110 §12.5.4), else the default."""
        if chosen is not None and chosen in self._by_code:
            return self._by_code[chosen]
        for tag in _by_preference(accept_language):
            primary = tag.partition("-")[0]
            language = self._by_code.get(primary) or self._by_code.get(ALIASES.get(primary, ""))
            if language is not None:
                return language
        return self.default


def load(root: Path, codes: Sequence[str]) -> Languages:
    """Raises ValueError when a language has no catalogue."""
    return Languages([_load_one(root, code) for code in codes])


def read_catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


def _load_one(root: Path, code: str) -> Language:
    path = root / code / CATALOGUE
    if not path.is_file():
        raise ValueError(f"languages: there is no translation for {code!r}")
    catalogue = read_catalogue(path)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    words = {
        message.id: message.string
        for message in catalogue
        if isinstance(message.id, str) and message.id and isinstance(message.string, str) and message.string
    }
    as_json = json.dumps(words, ensure_ascii=False, sort_keys=True).encode()
    return Language(
        code=code,
        # «norsk bokmål», «norsk nynorsk»: the second word is the one that tells them apart.
        name=(Locale.parse(code).get_language_name(code) or code).removeprefix("norsk ").capitalize(),
        translations=gettext.GNUTranslations(compiled),
        json=as_json,
        version=hashlib.sha256(as_json).hexdigest()[:12],
    )


def _by_preference(accept_language: str) -> list[str]:
    weighted = []
    for position, part in enumerate(accept_language[:MAX_ACCEPT_LANGUAGE_CHARS].split(",")):
        tag, _, parameter = part.strip().lower().partition(";")
        weight = parameter.strip().removeprefix("q=") if parameter else "1"
        try:
            weighted.append((-float(weight), position, tag))
        except ValueError:
            continue
    return [tag for weight, _, tag in sorted(weighted) if weight < 0]
