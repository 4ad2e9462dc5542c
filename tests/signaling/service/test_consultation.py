"""The use cases, with the real SFU and a clock that tests turn."""

from __future__ import annotations

from typing import TypeVar

import pytest

from sfu import Sfu, events
from signaling import messages
from signaling.errors import CloseCode, NotFound, Refused, TooMany
from signaling.messages import Presence, Role
from signaling.rules.call import CallState
from signaling.rules.visit import VisitState
from signaling.service.consultation import Consultation
from signaling.service.state import MAX_GUEST_LINKS, Participant
from signaling.service.timers import Timers
from signaling.service.window import Window
from tests.signaling.clinic import FIRST_OFFER
from tests.signaling.service.clock import Clock

Message = TypeVar("Message", bound=messages.ToPage)


class Clinic:
    def __init__(self, sfu: Sfu, clock: Clock) -> None:
        self.consultation = Consultation(sfu, timers=Timers(), clock=clock)
        self.patient = self.consultation.enter("Kari")
        self.clinician = self.consultation.sign_in()
        self.patient_window = self.open(self.patient)
        self.clinician_window = self.open(self.clinician)

    def open(self, participant: Participant, epoch: int | None = None) -> Window:
        window = Window()
        self.consultation.open_window(participant, window, epoch)
        return window

    def close(self, participant: Participant) -> None:
        assert participant.window is not None
        self.consultation.window_gone(participant, participant.window)

    @property
    def visit_id(self) -> str:
        assert self.patient.visit is not None
        return self.patient.visit.id

    def ring(self) -> str:
        self.consultation.ring(self.clinician, self.visit_id)
        assert self.clinician.call is not None
        return self.clinician.call.id

    def accept(self) -> str:
        call_id = self.ring()
        self.consultation.accept(self.patient, call_id)
        return call_id

    def line(self, participant: Participant, event: type[events.PeerConnected] | type[events.PeerLost]) -> None:
        """What the SFU would say."""
        assert participant.call is not None and participant.link is not None
        peer_id = participant.link.peer_id
        if event is events.PeerConnected:
            participant.call.room.events.emit(events.PeerConnected(peer_id=peer_id, path="udp"))
        else:
            participant.call.room.events.emit(events.PeerLost(peer_id=peer_id))

    def connect_both(self) -> None:
        self.line(self.patient, events.PeerConnected)
        self.line(self.clinician, events.PeerConnected)


@pytest.fixture
async def clinic(sfu: Sfu, clock: Clock) -> Clinic:
    return Clinic(sfu, clock)


async def last(window: Window, kind: type[Message]) -> Message:
    """The newest message of a type among those that were sent so far."""
    window.close(CloseCode.OVER)
    found = None
    while (message := await window.next()) is not None:
        if isinstance(message, kind):
            found = message
    assert found is not None, f"no {kind.__name__}"
    return found


async def test_clinicians_see_who_waits_and_who_has_gone(clinic: Clinic, clock: Clock) -> None:
    clock.now += 70
    clinic.close(clinic.patient)
    clock.now += Timers().away_after_s
    clinic.consultation.step()
    (visit,) = (await last(clinic.clinician_window, messages.Queue)).visits
    assert (visit.name, visit.waiting_s, visit.is_here) == ("Kari", 75, False)


async def test_ringing_reaches_both_and_makes_no_peers(clinic: Clinic, sfu: Sfu) -> None:
    call_id = clinic.ring()
    call = await last(clinic.patient_window, messages.Call)
    assert (call.id, call.state, call.epoch) == (call_id, CallState.OFFERED, None)
    room = sfu.room(call_id)
    assert room is not None and not room.peers


async def test_accepting_gives_both_a_peer_connection_and_a_wish(clinic: Clinic) -> None:
    clinic.accept()
    for window in (clinic.patient_window, clinic.clinician_window):
        assert (await last(window, messages.Wish)).epoch == 1
    assert clinic.patient.visit is not None and clinic.patient.visit.state is VisitState.IN_CALL


@pytest.mark.parametrize(
    ("end", "outcome"),
    [("decline", CallState.DECLINED), ("cancel", CallState.CANCELLED), ("wait", CallState.NO_ANSWER)],
)
async def test_an_unanswered_call_keeps_the_place(clinic: Clinic, clock: Clock, end: str, outcome: CallState) -> None:
    assert clinic.patient.visit is not None
    since = clinic.patient.visit.ready_since
    call_id = clinic.ring()
    if end == "decline":
        clinic.consultation.decline(clinic.patient, call_id)
    elif end == "cancel":
        clinic.consultation.cancel(clinic.clinician, call_id)
    else:
        clock.now += Timers().ring_s
        clinic.consultation.step()
    assert clinic.patient.visit.state is VisitState.READY
    assert (clinic.patient.visit.outcome, clinic.patient.visit.ready_since) == (outcome, since)
    assert clinic.patient.call is None and clinic.clinician.call is None
    assert (await last(clinic.clinician_window, messages.Call)).state is outcome
    clinic.ring()


async def test_media_both_ways_connects_the_call(clinic: Clinic) -> None:
    clinic.accept()
    call = clinic.patient.call
    assert call is not None
    states = []
    for participant in (clinic.patient, clinic.clinician):
        clinic.line(participant, events.PeerConnected)
        states.append(call.state)
    assert states == [CallState.ACCEPTED, CallState.CONNECTED]


async def test_a_lost_line_comes_back(clinic: Clinic) -> None:
    clinic.accept()
    clinic.connect_both()
    clinic.line(clinic.patient, events.PeerLost)
    call, visit = clinic.patient.call, clinic.patient.visit
    assert call is not None and visit is not None
    assert (call.state, visit.state) == (CallState.RECONNECTING, VisitState.LOST)
    clinic.line(clinic.patient, events.PeerConnected)
    assert (call.state, visit.state) == (CallState.CONNECTED, VisitState.IN_CALL)


async def test_a_line_that_stays_lost_ends_the_call(clinic: Clinic, clock: Clock) -> None:
    clinic.accept()
    clinic.connect_both()
    clinic.line(clinic.patient, events.PeerLost)
    clock.now += Timers().call_lost_s
    clinic.consultation.step()
    ended = await last(clinic.clinician_window, messages.Call)
    assert (ended.state, ended.reason) == (CallState.ENDED, "line_lost")


async def test_a_page_closed_before_any_media_counts_as_a_lost_line(clinic: Clinic, clock: Clock) -> None:
    clinic.accept()
    clinic.close(clinic.patient)
    clock.now += Timers().guest_kept_s
    clinic.consultation.step()
    assert clinic.clinician.call is not None and clinic.clinician.call.state is CallState.RECONNECTING


async def test_a_window_that_returns_with_its_peer_connection_keeps_it(clinic: Clinic) -> None:
    clinic.accept()
    link = clinic.patient.link
    clinic.close(clinic.patient)
    window = clinic.open(clinic.patient, epoch=1)
    assert clinic.patient.link is link
    assert (await last(window, messages.Wish)).epoch == 1


async def test_a_window_that_returns_without_one_gets_a_new_one(clinic: Clinic) -> None:
    clinic.accept()
    clinic.close(clinic.patient)
    window = clinic.open(clinic.patient)
    assert (await last(window, messages.Wish)).epoch == 2


async def test_a_second_window_takes_over(clinic: Clinic) -> None:
    clinic.open(clinic.patient)
    assert clinic.patient_window.close_code is CloseCode.TAKEN_OVER
    assert clinic.patient.window is not None and not clinic.patient.window.is_closed


async def test_the_late_goodbye_of_a_replaced_window_is_not_an_absence(clinic: Clinic) -> None:
    clinic.open(clinic.patient)
    clinic.consultation.window_gone(clinic.patient, clinic.patient_window)
    assert clinic.patient.away_since is None


async def test_a_closed_peer_asks_the_page_to_rejoin(clinic: Clinic, sfu: Sfu) -> None:
    call_id = clinic.accept()
    room = sfu.room(call_id)
    assert room is not None and clinic.patient.link is not None
    await room.peers[clinic.patient.link.peer_id].close()
    assert clinic.patient.link is None
    clinic.consultation.rejoin(clinic.patient, 1)
    clinic.consultation.rejoin(clinic.patient, 1)
    assert (await last(clinic.patient_window, messages.Wish)).epoch == 2, "asking twice gives one"


async def test_a_reload_in_a_full_room_is_helped_when_there_is_room_again(clinic: Clinic, sfu: Sfu) -> None:
    call_id = clinic.accept()
    room = sfu.room(call_id)
    assert room is not None
    cameras = [room.add_peer(f"camera{number}") for number in range(sfu.config.max_peers_per_room - len(room.peers))]
    clinic.close(clinic.patient)
    window = clinic.open(clinic.patient)
    assert clinic.patient.link is None
    assert (await last(window, messages.Call)).epoch is None
    await cameras[0].close()
    clinic.open(clinic.patient)
    assert clinic.patient.link is not None and clinic.patient.link.epoch == 2


async def test_a_call_takes_no_more_guests_than_its_room(clinic: Clinic, sfu: Sfu) -> None:
    call_id = clinic.accept()
    clinic.consultation.invite_guest(clinic.clinician, call_id)
    assert clinic.clinician.call is not None
    for number in range(sfu.config.max_peers_per_room - 3):
        (token,) = clinic.clinician.call.guest_links
        clinic.consultation.join_as_guest(token, str(number))
        clinic.consultation.invite_guest(clinic.clinician, call_id)
    (token,) = clinic.clinician.call.guest_links
    with pytest.raises(TooMany, match="room_full"):
        clinic.consultation.join_as_guest(token, "one more")


async def test_hanging_up_ends_it_for_everyone(clinic: Clinic) -> None:
    call_id = clinic.accept()
    clinic.consultation.hang_up(clinic.patient, call_id)
    assert (await last(clinic.clinician_window, messages.Call)).reason == "hung_up_by_patient"
    assert clinic.patient_window.close_code is CloseCode.OVER
    assert clinic.consultation.participant(clinic.patient.id, Role.PATIENT) is None


async def test_a_guest_link_works_once_and_only_in_its_call(clinic: Clinic) -> None:
    call_id = clinic.accept()
    clinic.consultation.invite_guest(clinic.clinician, call_id)
    token = (await last(clinic.clinician_window, messages.GuestLink)).token
    guest = clinic.consultation.join_as_guest(token, "Tolk")
    with pytest.raises(NotFound, match="guest_link_not_valid"):
        clinic.consultation.join_as_guest(token, "Tolk")
    window = clinic.open(guest)
    clinic.consultation.hang_up(guest, call_id)
    assert clinic.patient.call is not None, "a guest who hangs up only leaves"
    assert window.close_code is CloseCode.OVER


async def test_guest_links_and_guests_are_bounded(clinic: Clinic) -> None:
    call_id = clinic.accept()
    for _ in range(MAX_GUEST_LINKS):
        clinic.consultation.invite_guest(clinic.clinician, call_id)
    with pytest.raises(TooMany, match="too_many_guest_links"):
        clinic.consultation.invite_guest(clinic.clinician, call_id)


async def test_a_guest_who_stays_away_leaves(clinic: Clinic, clock: Clock) -> None:
    call_id = clinic.accept()
    clinic.consultation.invite_guest(clinic.clinician, call_id)
    token = (await last(clinic.clinician_window, messages.GuestLink)).token
    guest = clinic.consultation.join_as_guest(token, "Tolk")
    clock.now += Timers().guest_kept_s
    clinic.consultation.step()
    assert clinic.consultation.participant(guest.id, Role.GUEST) is None


async def test_muting_is_told_to_the_others(clinic: Clinic) -> None:
    clinic.accept()
    muted = messages.Source(epoch=1, kind=messages.MediaKind.AUDIO, live=False)
    clinic.consultation.source(clinic.patient, muted)
    call = await last(clinic.clinician_window, messages.Call)
    assert {each.role: each.audio for each in call.participants} == {Role.PATIENT: False, Role.CLINICIAN: True}


async def test_what_is_not_possible_now_is_refused_and_changes_nothing(clinic: Clinic) -> None:
    with pytest.raises(NotFound, match="no_such_visit"):
        clinic.consultation.ring(clinic.clinician, "x")
    call_id = clinic.ring()
    with pytest.raises(Refused, match="in_a_call"):
        clinic.consultation.ring(clinic.clinician, clinic.visit_id)
    with pytest.raises(Refused, match="not_now"):
        clinic.consultation.ring(clinic.consultation.sign_in(), clinic.visit_id)
    with pytest.raises(Refused, match="not_now"):
        clinic.consultation.leave(clinic.patient)
    with pytest.raises(Refused, match="not_talking"):
        clinic.consultation.invite_guest(clinic.clinician, call_id)
    with pytest.raises(Refused, match="in_a_call"):
        clinic.consultation.sign_out(clinic.clinician)
    clinic.consultation.accept(clinic.patient, call_id)
    with pytest.raises(Refused, match="not_now"):
        clinic.consultation.accept(clinic.patient, call_id)
    assert clinic.patient.call is not None and clinic.patient.call.state is CallState.ACCEPTED


async def test_an_absent_patient_is_not_rung(clinic: Clinic, clock: Clock) -> None:
    clinic.close(clinic.patient)
    clock.now += Timers().away_after_s
    with pytest.raises(Refused, match="patient_away"):
        clinic.ring()


async def test_a_place_is_kept_for_a_while_and_then_given_up(clinic: Clinic, clock: Clock) -> None:
    clinic.close(clinic.patient)
    clock.now += Timers().visit_kept_s - 1
    clinic.consultation.step()
    assert clinic.consultation.participant(clinic.patient.id, Role.PATIENT) is clinic.patient
    clock.now += 1
    clinic.consultation.step()
    assert clinic.consultation.participant(clinic.patient.id, Role.PATIENT) is None


async def test_leaving_gives_up_the_place(clinic: Clinic) -> None:
    clinic.consultation.leave(clinic.patient)
    assert (await last(clinic.patient_window, messages.Visit)).state is VisitState.LEFT
    clinic.consultation.step()
    assert (await last(clinic.clinician_window, messages.Queue)).visits == ()


async def test_a_clinician_who_is_away_for_a_day_is_signed_out(clinic: Clinic, clock: Clock) -> None:
    clinic.close(clinic.clinician)
    clock.now += Timers().clinician_kept_s
    clinic.consultation.step()
    assert clinic.consultation.participant(clinic.clinician.id, Role.CLINICIAN) is None


async def test_closing_tells_every_window(clinic: Clinic, sfu: Sfu) -> None:
    call_id = clinic.accept()
    await clinic.consultation.close()
    assert clinic.patient_window.close_code is CloseCode.GOING_AWAY
    assert sfu.room(call_id) is None


async def test_presence_is_told(clinic: Clinic) -> None:
    clinic.accept()
    clinic.line(clinic.patient, events.PeerConnected)
    call = await last(clinic.clinician_window, messages.Call)
    assert {each.role: each.presence for each in call.participants} == {
        Role.PATIENT: Presence.CONNECTED,
        Role.CLINICIAN: Presence.CONNECTING,
    }


async def test_an_offer_to_a_peer_that_is_being_closed_is_passed_over(clinic: Clinic) -> None:
    clinic.accept()
    link = clinic.patient.link
    assert link is not None
    # As far as closing it has come before anyone is told.
    await link.peer.end()
    offer = messages.Offer(epoch=link.epoch, id=1, revision=1, sdp=FIRST_OFFER)
    await clinic.consultation.offer(clinic.patient, offer)
    clinic.patient_window.close(CloseCode.OVER)
    sent = []
    while (message := await clinic.patient_window.next()) is not None:
        sent.append(type(message))
    assert messages.Wish in sent and messages.Answer not in sent and messages.OfferRefused not in sent


async def test_a_mistake_of_a_listener_leaves_nothing_of_a_call_behind(
    clinic: Clinic, sfu: Sfu, caplog: pytest.LogCaptureFixture
) -> None:
    call_id = clinic.accept()
    link = clinic.patient.link
    room = sfu.room(call_id)
    assert link is not None and room is not None
    await link.answer(messages.Offer(epoch=link.epoch, id=1, revision=1, sdp=FIRST_OFFER))

    def fail(event: events.PublicationRemoved) -> None:
        raise RuntimeError("planted")

    room.events.on(events.PublicationRemoved, fail)
    await room.close()
    assert "planted" in caplog.text
    assert not sfu.plane.counters().transports
