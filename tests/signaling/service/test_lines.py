from __future__ import annotations

import pytest

from sfu import Peer, Room, Sfu, events
from signaling.errors import TooMany
from signaling.messages import Presence, Role
from signaling.service.lines import Lines, participant_of
from signaling.service.state import Call, CallId, Participant, ParticipantId, Visit, VisitId


class Story:
    def __init__(self, sfu: Sfu) -> None:
        self.changed: list[tuple[Participant, Presence]] = []
        self.doomed: list[Peer | Room] = []
        self.lines = Lines(
            on_change=lambda _, who: self.changed.append((who, who.presence)), close_later=self.doomed.append
        )
        self.room = sfu.create_room("call")
        patient, clinician = (self.person(role) for role in (Role.PATIENT, Role.CLINICIAN))
        visit = Visit(id=VisitId("v"), patient=patient)
        self.call = Call(id=CallId("call"), visit=visit, clinician=clinician, room=self.room, rings_until=0.0)
        for each in (patient, clinician):
            each.call = self.call
            self.call.participants[each.id] = each
        self.patient = patient
        self.lines.watch(self.call)

    def person(self, role: Role) -> Participant:
        return Participant(id=ParticipantId(role.value), role=role, name="", away_since=None)


@pytest.fixture
async def story(sfu: Sfu) -> Story:
    return Story(sfu)


async def test_what_the_sfu_says_becomes_presence(story: Story) -> None:
    peer_id = story.lines.attach(story.patient).peer_id
    emit = story.room.events.emit
    emit(events.PeerConnected(peer_id=peer_id, path="udp"))
    emit(events.PeerInterrupted(peer_id=peer_id))
    emit(events.PeerResumed(peer_id=peer_id, path="tcp"))
    emit(events.PeerLost(peer_id=peer_id))
    emit(events.PeerLost(peer_id=peer_id))
    assert [presence for _, presence in story.changed] == [
        Presence.CONNECTED,
        Presence.INTERRUPTED,
        Presence.CONNECTED,
        Presence.LOST,
    ]


async def test_a_replaced_peer_has_nothing_more_to_say(story: Story) -> None:
    old = story.lines.attach(story.patient)
    new = story.lines.attach(story.patient)
    assert (old.epoch, new.epoch) == (1, 2)
    assert story.doomed == [old.peer]
    story.room.events.emit(events.PeerLost(peer_id=old.peer_id))
    story.room.events.emit(events.PeerClosed(peer_id=old.peer_id, reason=events.CloseReason.LEFT))
    assert story.changed == [] and story.patient.link is new


async def test_a_closed_peer_leaves_no_link(story: Story) -> None:
    link = story.lines.attach(story.patient)
    await link.peer.close()
    assert story.patient.link is None
    assert story.changed == [(story.patient, Presence.LOST)]


async def test_a_full_room_is_refused_by_name(story: Story, sfu: Sfu) -> None:
    for number in range(sfu.config.max_peers_per_room):
        story.room.add_peer(str(number))
    with pytest.raises(TooMany, match="room_full"):
        story.lines.attach(story.patient)


def test_a_peer_s_id_names_its_participant() -> None:
    assert participant_of("abc.12") == "abc"
    assert participant_of("camera") == "camera"
