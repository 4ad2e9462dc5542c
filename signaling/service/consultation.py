"""The use cases of a consultation: enter, wait, ring, answer, talk, invite a guest, hang up.

Nothing here waits for anything, except ``offer`` and ``run``. Every method either does the whole of what it
says or raises ``Refused`` and changes nothing. Whoever is concerned is told through their window; closing rooms
and peers is left to ``run``, which also fires the timers.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from sfu import Sfu, SfuError, errors
from signaling import messages
from signaling.errors import CloseCode, Forbidden, NotFound, Refused, TooMany
from signaling.messages import Presence, Role
from signaling.rules import call as call_rules
from signaling.rules import visit as visit_rules
from signaling.rules.call import CallEvent, CallState
from signaling.rules.machine import IllegalEvent
from signaling.rules.visit import VisitEvent, VisitState
from signaling.service import views
from signaling.service.lines import Lines
from signaling.service.state import (
    MAX_GUEST_LINKS,
    Call,
    CallId,
    Participant,
    ParticipantId,
    Registry,
    Visit,
    VisitId,
)
from signaling.service.timers import Timers
from signaling.service.upkeep import Upkeep
from signaling.service.window import Window

ID_BYTES: Final = 9
GUEST_TOKEN_BYTES: Final = 16
MAX_SIGNED_OUT: Final = 1000
"sign-outs remembered, so that a copy of their cookie opens nothing: far more than happen in a cookie's twelve hours"

logger = logging.getLogger("signaling.consultation")


class Consultation:
    def __init__(self, sfu: Sfu, *, timers: Timers, clock: Callable[[], float]) -> None:
        self._sfu = sfu
        self._timers = timers
        self._clock = clock
        self._registry = Registry()
        self._signed_out: dict[ParticipantId, None] = {}
        self._upkeep = Upkeep(self.step, timers.step_s)
        self._lines = Lines(on_change=self._line_changed, close_later=self._upkeep.close_later)
        self._is_queue_changed = False

    # Coming in

    def enter(self, name: str) -> Participant:
        """A patient gave a name and is ready."""
        now = self._clock()
        patient = self._new_participant(Role.PATIENT, name)
        visit = Visit(id=VisitId(_new_id()), patient=patient)
        visit.apply(VisitEvent.GAVE_DETAILS)
        visit.apply(VisitEvent.SAID_READY)
        visit.ready_since = now
        patient.visit = visit
        self._registry.visits[visit.id] = visit
        self._queue_changed()
        logger.info("visit %s is ready", visit.id)
        return patient

    def sign_in(self) -> Participant:
        return self._new_participant(Role.CLINICIAN, "")

    def sign_in_again(self, clinician_id: str) -> Participant | None:
        """A sign-in that outlived a restart of the server; None for one that ended with a sign-out."""
        if clinician_id in self._signed_out:
            return None
        return self._new_participant(Role.CLINICIAN, "", ParticipantId(clinician_id))

    def sign_out(self, clinician: Participant) -> None:
        if clinician.call is not None:
            raise Refused("in_a_call", clinician.id)
        self._signed_out[clinician.id] = None
        if len(self._signed_out) > MAX_SIGNED_OUT:
            del self._signed_out[next(iter(self._signed_out))]
        self._forget(clinician, CloseCode.OVER)

    def join_as_guest(self, token: str, name: str) -> Participant:
        """Use up a guest link."""
        for call in self._registry.calls.values():
            if token in call.guest_links and call.is_talking:
                break
        else:
            raise NotFound("guest_link_not_valid")
        # One place stays free: whoever reloads has two peers until the old one is closed.
        if len(call.participants) >= min(self._sfu.config.max_peers_per_room - 1, messages.MAX_PARTICIPANTS):
            raise TooMany("room_full", call.id)
        guest = self._new_participant(Role.GUEST, name)
        call.guest_links.discard(token)
        call.participants[guest.id] = guest
        guest.call = call
        self._tell(call)
        return guest

    def participant(self, participant_id: str, role: Role) -> Participant | None:
        found = self._registry.participants.get(ParticipantId(participant_id))
        return found if found is not None and found.role is role else None

    # Windows

    def open_window(self, participant: Participant, window: Window, epoch: int | None) -> None:
        """The participant's page is there, with peer connection ``epoch`` or none. It is told everything."""
        if participant.window is not None:
            participant.window.close(CloseCode.TAKEN_OVER)
        participant.window = window
        participant.away_since = None
        window.send(messages.Welcome(version=messages.VERSION, role=participant.role, participant=participant.id))
        if participant.role is Role.CLINICIAN:
            window.send(views.queue(self._registry, self._clock(), self._timers))
        if participant.visit is not None:
            window.send(views.visit(participant.visit))
            self._queue_changed()
        call = participant.call
        if call is None:
            window.send(messages.NoCall())
            return
        if call.is_talking and (participant.link is None or participant.link.epoch != epoch):
            # In a full room, or one that is being closed, the page is told that it has none, and asks again.
            with suppress(Refused):
                self._lines.attach(participant)
        self._tell(call)
        if participant.link is not None:
            window.send(participant.link.wish())

    def window_gone(self, participant: Participant, window: Window) -> None:
        if participant.window is window:
            participant.window = None
            participant.away_since = self._clock()

    # The clinician

    def ring(self, clinician: Participant, visit_id: str) -> None:
        visit = self._registry.visit(visit_id)
        now = self._clock()
        if clinician.call is not None:
            raise Refused("in_a_call", clinician.id)
        if visit.patient.is_away(now, self._timers.away_after_s):
            raise Refused("patient_away", visit.id)
        with _illegal_is_refused():
            visit_rules.after(visit.state, VisitEvent.RANG)
        call_id = CallId(_new_id())
        try:
            room = self._sfu.create_room(call_id)
        except SfuError as error:
            raise TooMany("too_many_calls", visit.id) from error
        visit.apply(VisitEvent.RANG)
        visit.outcome = None
        call = Call(id=call_id, visit=visit, clinician=clinician, room=room, rings_until=now + self._timers.ring_s)
        self._lines.watch(call)
        self._registry.calls[call.id] = call
        for participant in (visit.patient, clinician):
            call.participants[participant.id] = participant
            participant.call = call
            participant.presence = Presence.CONNECTING
        logger.info("call %s rings for visit %s", call.id, visit.id)
        self._tell(call)
        self._queue_changed()

    def cancel(self, clinician: Participant, call_id: str) -> None:
        self._end(self._registry.call_of(clinician, call_id), CallEvent.CANCEL, None)

    def invite_guest(self, clinician: Participant, call_id: str) -> None:
        call = self._registry.call_of(clinician, call_id)
        if not call.is_talking:
            raise Refused("not_talking", call.id)
        if len(call.guest_links) >= MAX_GUEST_LINKS:
            raise TooMany("too_many_guest_links", call.id)
        token = secrets.token_urlsafe(GUEST_TOKEN_BYTES)
        call.guest_links.add(token)
        clinician.send(messages.GuestLink(call=call.id, token=token))

    # The patient

    def accept(self, patient: Participant, call_id: str) -> None:
        call = self._registry.call_of(patient, call_id)
        with _illegal_is_refused():
            call.apply(CallEvent.ACCEPT)
            call.visit.apply(VisitEvent.ACCEPTED)
        logger.info("call %s is accepted", call.id)
        for participant in call.participants.values():
            # Whoever has no window now gets a peer connection when it returns.
            if participant.window is not None:
                self._lines.attach(participant)
        self._tell(call)
        for participant in call.participants.values():
            if participant.link is not None:
                participant.send(participant.link.wish())
        self._queue_changed()

    def decline(self, patient: Participant, call_id: str) -> None:
        self._end(self._registry.call_of(patient, call_id), CallEvent.DECLINE, None)

    def leave(self, participant: Participant) -> None:
        """A patient gives up the place in the queue; a guest leaves the call."""
        if participant.role is Role.GUEST and participant.call is not None:
            self._guest_gone(participant.call, participant)
        elif participant.visit is not None:
            with _illegal_is_refused():
                participant.visit.apply(VisitEvent.WALKED_OUT)
            self._visit_over(participant.visit)
        else:
            raise Forbidden("nothing_to_leave", participant.id)

    # Anyone in the call

    def hang_up(self, participant: Participant, call_id: str) -> None:
        """The patient or the clinician ends the call for everyone; a guest only leaves."""
        call = self._registry.call_of(participant, call_id)
        if participant.role is Role.GUEST:
            self._guest_gone(call, participant)
        else:
            self._end(call, CallEvent.HANG_UP, f"hung_up_by_{participant.role}")

    async def offer(self, participant: Participant, offer: messages.Offer) -> None:
        link = participant.link
        if link is None or link.epoch != offer.epoch:
            return  # of a peer connection that is already replaced; the page has been told
        # A peer that is being closed answers no more; its page is told when that is done.
        with suppress(errors.PeerGone):
            participant.send(await link.answer(offer))

    def applied(self, participant: Participant, applied: messages.Applied) -> None:
        if participant.link is not None and participant.link.epoch == applied.epoch:
            participant.link.applied(applied.id)

    def source(self, participant: Participant, source: messages.Source) -> None:
        if participant.link is None or participant.link.epoch != source.epoch or participant.call is None:
            return
        participant.link.set_source(source.kind, live=source.live)
        if participant.sources[source.kind] is not source.live:
            participant.sources[source.kind] = source.live
            self._tell(participant.call)

    def rejoin(self, participant: Participant, epoch: int) -> None:
        """The page's peer connection is beyond repair, or the server's is gone: start a new one."""
        call = participant.call
        if call is None or not call.is_talking or (participant.link is not None and epoch != participant.epoch):
            return  # a new one is already on its way
        link = self._lines.attach(participant)
        self._tell(call)
        participant.send(link.wish())

    # Timers

    async def run(self) -> None:
        """Owns everything that happens later. Ends when cancelled."""
        await self._upkeep.run()

    async def close(self) -> None:
        """End every call and close every window. After this nothing may be called."""
        for participant in self._registry.participants.values():
            if participant.window is not None:
                participant.window.close(CloseCode.GOING_AWAY)
        for call in list(self._registry.calls.values()):
            await call.room.close()

    def step(self) -> None:
        """Fire what is due by now, and tell the clinicians if the queue has changed."""
        now = self._clock()
        for call in list(self._registry.calls.values()):
            self._step_call(call, now)
        for participant in list(self._registry.participants.values()):
            self._step_participant(participant, now)
        if self._is_queue_changed:
            self._is_queue_changed = False
            clinicians = self._registry.of_role(Role.CLINICIAN)
            if clinicians:
                queue = views.queue(self._registry, now, self._timers)
                for clinician in clinicians:
                    clinician.send(queue)

    def _step_call(self, call: Call, now: float) -> None:
        if call.state is CallState.OFFERED and now >= call.rings_until:
            self._end(call, CallEvent.RING_TIMED_OUT, None)
            return
        for participant in list(call.participants.values()):
            if participant.role is Role.GUEST:
                if participant.is_away(now, self._timers.guest_kept_s):
                    self._guest_gone(call, participant)
            elif participant.presence is Presence.CONNECTING and participant.is_away(now, self._timers.guest_kept_s):
                # Closed the window before any media flowed, so that the SFU has no silence to notice.
                participant.presence = Presence.LOST
                self._line_changed(call, participant)
        if call.lost_since is not None and now - call.lost_since >= self._timers.call_lost_s:
            self._end(call, CallEvent.GIVE_UP, "line_lost")

    def _step_participant(self, participant: Participant, now: float) -> None:
        if participant.visit is not None:
            visit = participant.visit
            is_away = participant.is_away(now, self._timers.away_after_s)
            if is_away is not visit.is_shown_away:
                visit.is_shown_away = is_away
                self._queue_changed()
            is_waiting = visit.state is VisitState.READY
            if is_waiting and participant.is_away(now, self._timers.visit_kept_s):
                visit.apply(VisitEvent.STAYED_AWAY)
                self._visit_over(visit)
        elif participant.role is Role.CLINICIAN and participant.call is None:
            if participant.is_away(now, self._timers.clinician_kept_s):
                self._forget(participant, CloseCode.OVER)

    # Consequences

    def _line_changed(self, call: Call, participant: Participant) -> None:
        """The SFU, or a timer, says something new of a participant's line."""
        visit = call.visit
        principals = (call.clinician, visit.patient)
        if participant in principals and participant.presence is Presence.LOST:
            if call.state in (CallState.ACCEPTED, CallState.CONNECTED):
                call.apply(CallEvent.LINE_LOST)
                call.lost_since = self._clock()
                visit.apply(VisitEvent.LINE_LOST)
                self._queue_changed()
        elif all(each.presence is Presence.CONNECTED for each in principals):
            if call.state is CallState.ACCEPTED:
                call.apply(CallEvent.MEDIA_FLOWS)
            elif call.state is CallState.RECONNECTING:
                call.apply(CallEvent.LINE_BACK)
                call.lost_since = None
                visit.apply(VisitEvent.LINE_BACK)
                self._queue_changed()
        self._tell(call)

    def _end(self, call: Call, event: CallEvent, reason: str | None) -> None:
        with _illegal_is_refused():
            call.apply(event)
        call.reason = reason
        logger.info("call %s is over: %s", call.id, call.state)
        for participant in call.participants.values():
            # The room closes all peers at once.
            participant.link = None
        self._tell(call)
        del self._registry.calls[call.id]
        self._upkeep.close_later(call.room)
        for participant in list(call.participants.values()):
            participant.call = None
            if participant.role is Role.GUEST:
                self._forget(participant, CloseCode.OVER)
        visit = call.visit
        if call.state in call_rules.UNANSWERED:
            visit.apply(VisitEvent.CALL_OVER_UNANSWERED)
            visit.outcome = call.state
            visit.patient.send(views.visit(visit))
        else:
            visit.apply(VisitEvent.CALL_ENDED)
            self._visit_over(visit)
        self._queue_changed()

    def _guest_gone(self, call: Call, guest: Participant) -> None:
        self._lines.detach(guest)
        del call.participants[guest.id]
        guest.call = None
        self._forget(guest, CloseCode.OVER)
        self._tell(call)

    def _visit_over(self, visit: Visit) -> None:
        logger.info("visit %s is over: %s", visit.id, visit.state)
        visit.patient.send(views.visit(visit))
        del self._registry.visits[visit.id]
        self._forget(visit.patient, CloseCode.OVER)
        self._queue_changed()

    def _forget(self, participant: Participant, code: CloseCode) -> None:
        del self._registry.participants[participant.id]
        if participant.window is not None:
            participant.window.close(code)

    # Small things

    def _new_participant(self, role: Role, name: str, participant_id: ParticipantId | None = None) -> Participant:
        participant = Participant(
            id=participant_id or ParticipantId(_new_id()), role=role, name=name, away_since=self._clock()
        )
        self._registry.add_participant(participant)
        return participant

    def _tell(self, call: Call) -> None:
        now = self._clock()
        for participant in call.participants.values():
            participant.send(views.call(call, participant, now, self._timers))

    def _queue_changed(self) -> None:
        self._is_queue_changed = True
        self._upkeep.wake()


class _illegal_is_refused:
    """An event that the tables do not know is the asker's mistake, or a race that somebody else won."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, IllegalEvent):
            raise Refused("not_now", str(error)) from error


def _new_id() -> str:
    return secrets.token_hex(ID_BYTES)
