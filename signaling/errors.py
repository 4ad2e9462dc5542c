"""What can go wrong, by audience. Each error has a stable code; words for people are made at the edge.

AppError
├── Refused          a request that cannot be granted now; the connection goes on
│   ├── Forbidden    … because of who asks
│   ├── NotFound     … because it does not exist (any more)
│   └── TooMany      … because a bound is reached
└── ProtocolError    the other side does not speak our protocol; the connection is closed
"""

from __future__ import annotations

import enum


class CloseCode(enum.IntEnum):
    """Close codes of the WebSocket (RFC 6455 §7.4): the registered ones we use, and our own from 4000."""

    GOING_AWAY = 1001
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TAKEN_OVER = 4001
    "the same person opened another window; do not reconnect"
    OVER = 4002
    "the visit, or the guest's call, is over; do not reconnect"
    TOO_SLOW = 4003
    "messages were not read; reconnect"
    SILENT = 4004
    "no hello in time, or nothing heard for too long; reconnect"
    TOO_MANY_MESSAGES = 4005
    "reconnect, and send fewer"
    BAD_MESSAGE = 4400
    "not a message of this protocol; do not reconnect"
    WRONG_VERSION = 4406
    "the page is older or newer than the server; reload it"
    NOT_ALLOWED = 4403
    "this role may not send that message; do not reconnect"


class AppError(Exception):
    """``code`` is stable and for programs; the text is for logs and holds ids only."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


class Refused(AppError):
    status = 409


class Forbidden(Refused):
    status = 403


class NotFound(Refused):
    status = 404


class TooMany(Refused):
    status = 429


class ProtocolError(AppError):
    """The text never repeats what was sent."""

    def __init__(self, code: str, detail: str = "", *, close_code: CloseCode = CloseCode.BAD_MESSAGE) -> None:
        super().__init__(code, detail)
        self.close_code = close_code
