"""The media side of calls: who holds which peer connection, and what the SFU says of it.

Peer ids are made anew for every peer connection, so that an event of a replaced one finds nobody.
"""

from __future__ import annotations

from collections.abc import Callable

from sfu import Peer, Room, errors, events
from signaling import messages
from signaling.errors import NotFound, Refused, TooMany
from signaling.messages import MediaKind, Presence
from signaling.service.media_link import MediaLink
from signaling.service.state import Call, Participant


class Lines:
    def __init__(
        self, *, on_change: Callable[[Call, Participant], None], close_later: Callable[[Peer | Room], None]
    ) -> None:
        self._on_change = on_change
        self._close_later = close_later

    def watch(self, call: Call) -> None:
        """Hear what the SFU says of the call's peers, until the room closes."""
        on = call.room.events.on
        on(events.PeerConnected, lambda event: self._present(call, event.peer_id, Presence.CONNECTED))
        on(events.PeerResumed, lambda event: self._present(call, event.peer_id, Presence.CONNECTED))
        on(events.PeerInterrupted, lambda event: self._present(call, event.peer_id, Presence.INTERRUPTED))
        on(events.PeerLost, lambda event: self._present(call, event.peer_id, Presence.LOST))
        on(events.PeerClosed, lambda event: self._closed(call, event))
        on(events.WishChanged, lambda event: self._wish_changed(call, event))
        on(events.SubscriptionRefused, lambda event: self._not_received(call, event))

    def attach(self, participant: Participant) -> MediaLink:
        """Give the participant a new peer connection in place of any earlier one."""
        call = participant.call
        assert call is not None
        self.detach(participant)
        try:
            peer = call.room.add_peer(f"{participant.id}.{participant.epoch + 1}")
        except errors.RoomFull as error:
            raise TooMany("room_full", call.id) from error
        except errors.PeerExists as error:
            raise Refused("peer_exists", call.id) from error
        except errors.RoomClosed as error:
            raise NotFound("no_such_call", call.id) from error
        participant.epoch += 1
        participant.link = MediaLink(peer, epoch=participant.epoch, participant_of_peer=participant_of)
        participant.presence = Presence.CONNECTING
        participant.sources = dict.fromkeys(MediaKind, True)
        return participant.link

    def detach(self, participant: Participant) -> None:
        if participant.link is not None:
            link, participant.link = participant.link, None
            self._close_later(link.peer)

    def _present(self, call: Call, peer_id: str, presence: Presence) -> None:
        participant = call.owner_of(peer_id)
        if participant is not None and participant.presence is not presence:
            participant.presence = presence
            self._on_change(call, participant)

    def _closed(self, call: Call, event: events.PeerClosed) -> None:
        participant = call.owner_of(event.peer_id)
        if participant is None:
            return
        # The page learns from the missing epoch that it has to ask for a new peer connection.
        participant.link = None
        participant.presence = Presence.LOST
        self._on_change(call, participant)

    def _wish_changed(self, call: Call, event: events.WishChanged) -> None:
        participant = call.owner_of(event.peer_id)
        if participant is not None and participant.link is not None:
            participant.send(participant.link.wish())

    def _not_received(self, call: Call, event: events.SubscriptionRefused) -> None:
        participant = call.owner_of(event.peer_id)
        if participant is not None:
            participant.send(messages.NotReceived(publication=str(event.publication_id), reason=str(event.reason)))


def participant_of(peer_id: str) -> str:
    return peer_id.partition(".")[0]
