"""What the service remembers, all of it in memory and all of it bounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NewType

from sfu import Room
from signaling import messages
from signaling.errors import NotFound, TooMany
from signaling.messages import MediaKind, Presence, Role
from signaling.rules import call as call_rules
from signaling.rules import visit as visit_rules
from signaling.rules.call import CallEvent, CallState
from signaling.rules.visit import VisitEvent, VisitState
from signaling.service.media_link import MediaLink
from signaling.service.window import Window

ParticipantId = NewType("ParticipantId", str)
VisitId = NewType("VisitId", str)
CallId = NewType("CallId", str)

MAX_VISITS: Final = messages.MAX_WAITING
MAX_CLINICIANS: Final = 50
MAX_GUEST_LINKS: Final = 6
"unused links of one call"


@dataclass(slots=True, eq=False, kw_only=True)
class Participant:
    """A patient, clinician or guest, whether a window is open or not."""

    id: ParticipantId
    role: Role
    name: str
    away_since: float | None
    "when the last window went; None while one is open"
    window: Window | None = None
    call: Call | None = None
    visit: Visit | None = None
    "a patient's own"
    link: MediaLink | None = None
    epoch: int = 0
    "of the newest peer connection; counts up over all calls"
    presence: Presence = Presence.CONNECTING
    "of the media"
    sources: dict[MediaKind, bool] = field(default_factory=lambda: dict.fromkeys(MediaKind, True))

    def send(self, message: messages.ToPage) -> None:
        if self.window is not None:
            self.window.send(message)

    def is_away(self, now: float, after_s: float) -> bool:
        return self.away_since is not None and now - self.away_since >= after_s


@dataclass(slots=True, eq=False, kw_only=True)
class Visit:
    id: VisitId
    patient: Participant
    state: VisitState = VisitState.CREATED
    ready_since: float = 0.0
    outcome: CallState | None = None
    is_shown_away: bool = False
    "what the clinicians were last told"

    def apply(self, event: VisitEvent) -> None:
        """Raises IllegalEvent."""
        self.state = visit_rules.after(self.state, event)


@dataclass(slots=True, eq=False, kw_only=True)
class Call:
    id: CallId
    visit: Visit
    clinician: Participant
    room: Room
    rings_until: float
    state: CallState = CallState.OFFERED
    reason: str | None = None
    lost_since: float | None = None
    participants: dict[ParticipantId, Participant] = field(default_factory=dict)
    guest_links: set[str] = field(default_factory=set)

    def apply(self, event: CallEvent) -> None:
        """Raises IllegalEvent."""
        self.state = call_rules.after(self.state, event)

    @property
    def is_talking(self) -> bool:
        return self.state in call_rules.TALKING

    def owner_of(self, peer_id: str) -> Participant | None:
        """The participant whose current peer this is."""
        for participant in self.participants.values():
            if participant.link is not None and participant.link.peer_id == peer_id:
                return participant
        return None


class Registry:
    """Everyone and everything, found by id."""

    def __init__(self) -> None:
        self.participants: dict[ParticipantId, Participant] = {}
        self.visits: dict[VisitId, Visit] = {}
        self.calls: dict[CallId, Call] = {}

    def add_participant(self, participant: Participant) -> None:
        limit = {Role.PATIENT: MAX_VISITS, Role.CLINICIAN: MAX_CLINICIANS}.get(participant.role)
        if limit is not None and len(self.of_role(participant.role)) >= limit:
            raise TooMany(f"too_many_{participant.role}s")
        self.participants[participant.id] = participant

    def of_role(self, role: Role) -> list[Participant]:
        return [participant for participant in self.participants.values() if participant.role is role]

    def visit(self, visit_id: str) -> Visit:
        found = self.visits.get(VisitId(visit_id))
        if found is None:
            raise NotFound("no_such_visit", visit_id)
        return found

    def call_of(self, participant: Participant, call_id: str) -> Call:
        """The participant's own call, if that is the one they mean."""
        if participant.call is None or participant.call.id != call_id:
            raise NotFound("no_such_call", call_id)
        return participant.call
