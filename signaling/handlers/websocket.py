"""One WebSocket: reads messages one at a time, hands each to its use case, and writes what the service sends.

A dropped WebSocket changes nothing but the participant's presence: visit, call and peer connection
live in the service.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import WebSocketError, WSCloseCode, WSMsgType, web

from signaling import keys, messages
from signaling.errors import CloseCode, ProtocolError, Refused, TooMany
from signaling.handlers import cookies
from signaling.limits import caller_of
from signaling.messages import Hello, Role
from signaling.rules.rate import RateLimit
from signaling.service.consultation import Consultation
from signaling.service.state import Participant
from signaling.service.window import Window

HELLO_TIMEOUT_S: Final = 5.0
SILENCE_TIMEOUT_S: Final = 30.0
"pages ping every ten seconds"
HEARTBEAT_S: Final = 10.0
"finds dead connections of pages whose timers the browser has slowed down"
WRITE_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 2.0

logger = logging.getLogger("signaling.websocket")


async def patient(request: web.Request) -> web.StreamResponse:
    return await _serve(request, Role.PATIENT)


async def desk(request: web.Request) -> web.StreamResponse:
    return await _serve(request, Role.CLINICIAN)


async def guest(request: web.Request) -> web.StreamResponse:
    return await _serve(request, Role.GUEST)


async def _serve(request: web.Request, role: Role) -> web.StreamResponse:
    now = request.app[keys.CLOCK]()
    if not request.app[keys.LIMITS].connect.allows(caller_of(request.remote), now):
        raise TooMany("too_many_requests")
    socket = web.WebSocketResponse(
        heartbeat=HEARTBEAT_S,
        timeout=CLOSE_TIMEOUT_S,
        max_msg_size=messages.MAX_MESSAGE_BYTES,
        compress=False,  # a compressed message could grow a thousandfold in our memory
    )
    await socket.prepare(request)
    participant = cookies.participant_of(request, role)
    if participant is None:
        # Told by WebSocket and not by HTTP status, which a page cannot read.
        await socket.close(code=CloseCode.OVER, message=b"over")
        return socket
    window = Window()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_write(request, socket, window))
        try:
            code = await _Connection(request.app, socket, window, participant).read()
        except Exception:
            window.close(CloseCode.INTERNAL_ERROR)
            raise
        window.close(code)
    return socket


class _Connection:
    def __init__(
        self, app: web.Application, socket: web.WebSocketResponse, window: Window, participant: Participant
    ) -> None:
        self._consultation = app[keys.CONSULTATION]
        self._counters = app[keys.COUNTERS]
        self._clock = app[keys.CLOCK]
        self._rate = RateLimit(app[keys.LIMITS].messages, max_callers=1)
        self._negotiations = app[keys.LIMITS].negotiations
        self._socket = socket
        self._window = window
        self._participant = participant

    async def read(self) -> CloseCode:
        """Until the page goes, or has to."""
        try:
            hello = messages.parse(await self._receive(HELLO_TIMEOUT_S))
            if not isinstance(hello, Hello):
                raise ProtocolError("hello_expected")
            self._consultation.open_window(self._participant, self._window, hello.epoch)
            while True:
                await self._handle(messages.parse(await self._receive(SILENCE_TIMEOUT_S)))
        except ProtocolError as error:
            self._counters[f"websocket.{error.code}"] += 1
            logger.info("window of %s is closed: %s", self._participant.id, error.code)
            return error.close_code
        except _Gone:
            return CloseCode.GOING_AWAY
        finally:
            self._consultation.window_gone(self._participant, self._window)

    async def _receive(self, timeout_s: float) -> str:
        try:
            message = await self._socket.receive(timeout=timeout_s)
        except TimeoutError:
            raise ProtocolError("silent", close_code=CloseCode.SILENT) from None
        if message.type is WSMsgType.TEXT:
            if not self._rate.allows("", self._clock()):
                raise ProtocolError("too_many_messages", close_code=CloseCode.TOO_MANY_MESSAGES)
            return str(message.data)
        if message.type is WSMsgType.BINARY:
            raise ProtocolError("binary")
        if message.type is WSMsgType.ERROR and isinstance(message.data, WebSocketError):
            # aiohttp has sent the close frame already.
            if message.data.code == WSCloseCode.MESSAGE_TOO_BIG:
                raise ProtocolError("too_big", close_code=CloseCode.MESSAGE_TOO_BIG)
            raise ProtocolError("bad_frame")
        raise _Gone

    async def _handle(self, message: messages.FromPage) -> None:
        handler, roles = HANDLERS.get(type(message), (None, frozenset()))
        if handler is None:
            raise ProtocolError("hello_again")
        if self._participant.role not in roles:
            raise ProtocolError("not_allowed", close_code=CloseCode.NOT_ALLOWED)
        if isinstance(message, NEGOTIATIONS) and not self._negotiations.allows(self._participant.id, self._clock()):
            raise ProtocolError("too_many_offers", close_code=CloseCode.TOO_MANY_MESSAGES)
        try:
            await handler(self._consultation, self._participant, message)
        except Refused as error:
            self._window.send(messages.Refusal(code=error.code, of=messages.TYPE_OF[type(message)]))


class _Gone(Exception):
    """The connection is closed or broken."""


async def _write(request: web.Request, socket: web.WebSocketResponse, window: Window) -> None:
    try:
        while (message := await window.next()) is not None:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await socket.send_str(messages.dump(message))
    except (TimeoutError, ConnectionError):
        # The page takes nothing any more: a close frame would only queue up behind the rest.
        window.close(CloseCode.TOO_SLOW)
        if request.transport is not None:
            request.transport.abort()
        return
    code = window.close_code or CloseCode.GOING_AWAY
    await socket.close(code=code, message=code.name.lower().encode())


Handle = Callable[[Consultation, Participant, Any], Awaitable[None]]


async def _ping(consultation: Consultation, participant: Participant, message: messages.Ping) -> None:
    participant.send(messages.Pong())


async def _offer(consultation: Consultation, participant: Participant, message: messages.Offer) -> None:
    await consultation.offer(participant, message)


async def _applied(consultation: Consultation, participant: Participant, message: messages.Applied) -> None:
    consultation.applied(participant, message)


async def _source(consultation: Consultation, participant: Participant, message: messages.Source) -> None:
    consultation.source(participant, message)


async def _candidate(consultation: Consultation, participant: Participant, message: messages.Candidate) -> None:
    """An ICE-lite server needs no candidates (RFC 8445 §2.5); other implementations may send theirs."""


async def _rejoin(consultation: Consultation, participant: Participant, message: messages.Rejoin) -> None:
    consultation.rejoin(participant, message.epoch)


async def _ring(consultation: Consultation, participant: Participant, message: messages.Ring) -> None:
    consultation.ring(participant, message.visit)


async def _cancel(consultation: Consultation, participant: Participant, message: messages.Cancel) -> None:
    consultation.cancel(participant, message.call)


async def _accept(consultation: Consultation, participant: Participant, message: messages.Accept) -> None:
    consultation.accept(participant, message.call)


async def _decline(consultation: Consultation, participant: Participant, message: messages.Decline) -> None:
    consultation.decline(participant, message.call)


async def _hang_up(consultation: Consultation, participant: Participant, message: messages.HangUp) -> None:
    consultation.hang_up(participant, message.call)


async def _invite_guest(consultation: Consultation, participant: Participant, message: messages.InviteGuest) -> None:
    consultation.invite_guest(participant, message.call)


async def _leave(consultation: Consultation, participant: Participant, message: messages.Leave) -> None:
    consultation.leave(participant)


NEGOTIATIONS: Final = (messages.Offer, messages.Rejoin)
EVERYONE: Final = frozenset(Role)
CLINICIAN: Final = frozenset({Role.CLINICIAN})
PATIENT: Final = frozenset({Role.PATIENT})

HANDLERS: Final[Mapping[type[messages.FromPage], tuple[Handle, frozenset[Role]]]] = {
    messages.Ping: (_ping, EVERYONE),
    messages.Offer: (_offer, EVERYONE),
    messages.Applied: (_applied, EVERYONE),
    messages.Source: (_source, EVERYONE),
    messages.Candidate: (_candidate, EVERYONE),
    messages.Rejoin: (_rejoin, EVERYONE),
    messages.HangUp: (_hang_up, EVERYONE),
    messages.Ring: (_ring, CLINICIAN),
    messages.Cancel: (_cancel, CLINICIAN),
    messages.InviteGuest: (_invite_guest, CLINICIAN),
    messages.Accept: (_accept, PATIENT),
    messages.Decline: (_decline, PATIENT),
    messages.Leave: (_leave, frozenset({Role.PATIENT, Role.GUEST})),
}
