"""Who a browser is: one signed cookie for each role, sent only to that role's pages.

Three cookies, so that a patient's and a clinician's window can stand side by side in one browser.
"""

from __future__ import annotations

import time

from aiohttp import web

from signaling import keys
from signaling.messages import Role
from signaling.rules import tokens
from signaling.service.state import Participant, ParticipantId

CLINICIAN_COOKIE_S = 43_200


def home(request: web.Request, role: Role) -> str:
    """The role's page; its WebSocket lies below."""
    slug = request.app[keys.CONFIG].clinic.slug
    return {Role.PATIENT: f"/{slug}", Role.CLINICIAN: f"/{slug}/desk", Role.GUEST: f"/{slug}/guest"}[role]


def remember(request: web.Request, response: web.StreamResponse, participant: Participant) -> None:
    value = participant.id
    max_age_s: int | None = None
    if participant.role is Role.CLINICIAN:
        max_age_s = CLINICIAN_COOKIE_S
        value = ParticipantId(f"{participant.id}:{int(time.time()) + max_age_s}")
    key = request.app[keys.SECRETS].session_key
    response.set_cookie(
        _name(participant.role),
        tokens.sign(key, participant.role, value),
        path=home(request, participant.role),
        max_age=max_age_s,
        httponly=True,
        secure=request.app[keys.CONFIG].http.is_secure,
        samesite="Lax",
    )


def forget(request: web.Request, response: web.StreamResponse, role: Role) -> None:
    response.del_cookie(_name(role), path=home(request, role))


def participant_of(request: web.Request, role: Role) -> Participant | None:
    """Whoever the cookie names, if they are still known. A clinician's sign-in outlives a restart."""
    key = request.app[keys.SECRETS].session_key
    value = tokens.unsign(key, role, request.cookies.get(_name(role), ""))
    if value is None:
        return None
    consultation = request.app[keys.CONSULTATION]
    if role is not Role.CLINICIAN:
        return consultation.participant(value, role)
    participant_id, _, expires = value.partition(":")
    if not expires.isdigit() or int(expires) < time.time():
        return None
    return consultation.participant(participant_id, role) or consultation.sign_in_again(participant_id)


def _name(role: Role) -> str:
    return f"venterom_{role}"
