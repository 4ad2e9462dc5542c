"""How long the consultation waits for what, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    ring_s: float = 45.0
    "a call that nobody answered ends, and the visit keeps its place"

    away_after_s: float = 5.0
    "a participant without an open window counts as away: longer than a reload takes"

    visit_kept_s: float = 900.0
    "a place in the queue is kept this long without an open window (a phone's browser may unload the page)"

    call_lost_s: float = 120.0
    "a call whose line stays lost this long ends"

    guest_kept_s: float = 60.0
    "a guest without an open window leaves the call after this"

    clinician_kept_s: float = 43_200.0
    "a sign-in lasts twelve hours, a long working day"

    step_s: float = 0.5
    "how late a timer may fire"
