"""The messages of the WebSocket, version 1: what they are. ``docs/protocol.md`` says what they mean.

Pure: ``parse`` takes what a page sent, ``dump`` makes what a page gets. Both sides' messages are read
strictly by the same schema, so that other implementations can check themselves against it.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from signaling import schema
from signaling.errors import CloseCode, ProtocolError
from signaling.rules.call import CallState
from signaling.rules.visit import VisitState
from signaling.schema import Chars, Items

VERSION: Final = 1

MAX_SDP_CHARS: Final = 64_000
"Chromium's offer with eight received peers has about 45,000"
MAX_MESSAGE_BYTES: Final = 128_000
"an SDP of the largest size, every line feed of it escaped, and room for the rest"
MAX_NAME_CHARS: Final = 80
MAX_CANDIDATE_CHARS: Final = 512
MAX_WAITING: Final = 200
"visits in one queue message"
MAX_PARTICIPANTS: Final = 16
MAX_PUBLICATIONS: Final = 64
"m-lines of one answer that carry something"

Id: TypeAlias = Annotated[str, Chars(64, least=1)]
Code: TypeAlias = Annotated[str, Chars(64, least=1)]
Name: TypeAlias = Annotated[str, Chars(MAX_NAME_CHARS)]
Sdp: TypeAlias = Annotated[str, Chars(MAX_SDP_CHARS, least=1)]


class Role(enum.StrEnum):
    PATIENT = "patient"
    CLINICIAN = "clinician"
    GUEST = "guest"


class MediaKind(enum.StrEnum):
    AUDIO = "audio"
    VIDEO = "video"


class Presence(enum.StrEnum):
    """How a participant's line is, as the server sees it."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    AWAY = "away"
    "no window is open"


# From the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    version: int
    epoch: int | None
    "of the peer connection that this window still holds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    epoch: int
    id: int
    revision: int
    sdp: Sdp


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    epoch: int
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    epoch: int
    kind: MediaKind
    live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    epoch: int
    candidate: Annotated[str, Chars(MAX_CANDIDATE_CHARS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejoin:
    epoch: int
    "of the peer connection that is beyond repair"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    visit: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    call: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    call: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    call: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    call: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteGuest:
    call: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    pass


# To the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    version: int
    role: Role
    participant: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingVisit:
    id: Id
    name: Name
    state: VisitState
    waiting_s: int
    is_here: bool
    outcome: CallState | None
    "of the visit's last call, when it came to nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    visits: Annotated[tuple[WaitingVisit, ...], Items(MAX_WAITING)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    state: VisitState
    outcome: CallState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    id: Id
    name: Name
    role: Role
    presence: Presence
    audio: bool
    video: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    id: Id
    visit: Id
    state: CallState
    reason: Code | None
    epoch: int | None
    "the peer connection this window should hold; None: none"
    participants: Annotated[tuple[Participant, ...], Items(MAX_PARTICIPANTS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCall:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    epoch: int
    audio: int
    video: int
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    peer: Id
    kind: MediaKind
    id: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    epoch: int
    id: int
    sdp: Sdp
    publications: Annotated[Mapping[Id, Publication], Items(MAX_PUBLICATIONS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRefused:
    epoch: int
    id: int
    reason: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReceived:
    publication: Id
    reason: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestLink:
    call: Id
    token: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    code: Code
    of: Code
    "the type of the message that was refused"


FromPage: TypeAlias = (
    Hello | Ping | Offer | Applied | Source | Candidate | Rejoin
    | Ring | Cancel | Accept | Decline | HangUp | InviteGuest | Leave
)  # fmt: skip
ToPage: TypeAlias = (
    Welcome | Pong | Queue | Visit | Call | NoCall
    | Wish | Answer | OfferRefused | NotReceived | GuestLink | Refusal
)  # fmt: skip

FROM_PAGE: Final[Mapping[str, type[FromPage]]] = {
    "hello": Hello,
    "ping": Ping,
    "offer": Offer,
    "applied": Applied,
    "source": Source,
    "candidate": Candidate,
    "rejoin": Rejoin,
    "ring": Ring,
    "cancel": Cancel,
    "accept": Accept,
    "decline": Decline,
    "hang_up": HangUp,
    "invite_guest": InviteGuest,
    "leave": Leave,
}
TO_PAGE: Final[Mapping[str, type[ToPage]]] = {
    "welcome": Welcome,
    "pong": Pong,
    "queue": Queue,
    "visit": Visit,
    "call": Call,
    "no_call": NoCall,
    "wish": Wish,
    "answer": Answer,
    "refused": OfferRefused,
    "not_received": NotReceived,
    "guest_link": GuestLink,
    "error": Refusal,
}
TYPE_OF: Final[Mapping[type[FromPage | ToPage], str]] = {
    cls: name for table in (FROM_PAGE, TO_PAGE) for name, cls in table.items()
}


def dump(message: FromPage | ToPage) -> str:
    fields = {"type": TYPE_OF[type(message)], **schema.write(message)}
    return json.dumps(fields, separators=(",", ":"))


def parse(text: str) -> FromPage:
    """What a page sent. Raises ProtocolError."""
    message = _parse(text, FROM_PAGE)
    if isinstance(message, Hello) and message.version != VERSION:
        raise ProtocolError("wrong_version", close_code=CloseCode.WRONG_VERSION)
    return message  # type: ignore[return-value]  # the table holds nothing else


def parse_to_page(text: str) -> ToPage:
    """What the server sent; for clients in Python. Raises ProtocolError."""
    return _parse(text, TO_PAGE)  # type: ignore[return-value]  # the table holds nothing else


def _parse(text: str, table: Mapping[str, type[FromPage]] | Mapping[str, type[ToPage]]) -> FromPage | ToPage:
    if len(text) > MAX_MESSAGE_BYTES:
        raise ProtocolError("too_big", close_code=CloseCode.MESSAGE_TOO_BIG)
    try:
        fields = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ProtocolError("not_json") from None
    if not isinstance(fields, dict):
        raise ProtocolError("not_an_object")
    kind = fields.pop("type", None)
    cls = table.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ProtocolError("unknown_type")
    return schema.read(cls, fields, str(kind))


def _refuse_constant(name: Literal["NaN", "Infinity", "-Infinity"] | str) -> object:
    raise ValueError(name)
