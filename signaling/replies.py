"""Answers to requests that came to nothing: a page for people, ``application/problem+json`` for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from signaling import keys
from signaling.i18n import Language

PROGRAM_PREFIXES = ("/api/", "/whip/", "/whep/")


def _(message: str) -> str:
    """Marks a sentence for the catalogues; it is translated when the language is known."""
    return message


SENTENCES: Mapping[str, str] = {
    "not_found": _("We cannot find that page."),
    "guest_link_not_valid": _("This link is no longer valid. Ask whoever sent it for a new one."),
    "too_many_requests": _("That was too many attempts. Wait a minute and try again."),
    "too_many_patients": _("The waiting room is full just now. Try again in a few minutes."),
    "room_full": _("The call already has as many participants as it can take."),
    "name_missing": _("Write your name, so that your clinician knows who is waiting."),
    "name_too_long": _("That name is too long. Write at most 80 characters."),
    "wrong_code": _("That code is not right, or it has been used already."),
    "internal_error": _("Something went wrong with us. Try again."),
}
OTHERWISE = _("That did not work. Try again.")


def sentence(code: str, language: Language) -> str:
    """For people, in their language."""
    return language.gettext(SENTENCES.get(code, OTHERWISE))


def error(request: web.Request, *, status: int, code: str, headers: Mapping[str, str] | None = None) -> web.Response:
    if request.path.startswith(PROGRAM_PREFIXES):
        return problem(status=status, code=code, headers=headers)
    language = request.get(keys.LANGUAGE) or request.app[keys.LANGUAGES].default
    text = sentence(code, language)
    if wants_json(request):
        body = {"error": code, "text": text}
        return web.json_response(body, status=status, headers=headers)
    page = request.app[keys.PAGES].render("error.html", language, text=text, status=status)
    return web.Response(text=page, content_type="text/html", status=status, headers=headers)


def problem(*, status: int, code: str, detail: str = "", headers: Mapping[str, str] | None = None) -> web.Response:
    """Problem details (RFC 9457); ``code`` is the stable part."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code}
    if detail:
        body["detail"] = detail
    return web.Response(text=json.dumps(body), content_type="application/problem+json", status=status, headers=headers)


def wants_json(request: web.Request) -> bool:
    return "application/json" in request.headers.get("Accept", "")
