from __future__ import annotations

import json

from aiohttp import web

from signaling import keys, replies


def test_each_sentence_is_translated(app: web.Application) -> None:
    nb = app[keys.LANGUAGES].default
    for code, english in replies.SENTENCES.items():
        assert replies.sentence(code, nb) != english, code


def test_an_unknown_code_still_gets_a_sentence(app: web.Application) -> None:
    assert replies.sentence("never_heard_of", app[keys.LANGUAGES].default) == "Det gikk ikke. Prøv igjen."


def test_problem_details_carry_the_stable_code() -> None:
    """RFC 9457 §3.1."""
    response = replies.problem(status=412, code="if_match_stale", detail="why")
    assert response.content_type == "application/problem+json"
    assert json.loads(response.text or "") == {
        "type": "about:blank",
        "title": "Precondition Failed",
        "status": 412,
        "code": "if_match_stale",
        "detail": "why",
    }
