"""A room's emitter."""

from __future__ import annotations

import dataclasses

import pytest

from sfu.events import CloseReason, Events, PeerClosed, PeerLost, RoomEvent


def test_handlers_get_their_own_kind_in_the_order_of_adding() -> None:
    events, seen = Events(), list[tuple[str, object]]()
    events.on(PeerLost, lambda event: seen.append(("first", event)))
    events.on(PeerLost, lambda event: seen.append(("second", event)))
    events.on(PeerClosed, lambda event: seen.append(("other", event)))
    lost = PeerLost(peer_id="a")
    events.emit(lost)
    assert seen == [("first", lost), ("second", lost)]


def test_a_removed_handler_hears_nothing() -> None:
    events, seen = Events(), list[PeerLost]()
    events.on(PeerLost, seen.append)
    events.off(PeerLost, seen.append)
    events.emit(PeerLost(peer_id="a"))
    assert seen == []


@pytest.mark.parametrize("kind", RoomEvent.__args__)
def test_events_are_frozen_and_name_a_peer(kind: type) -> None:
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert dataclasses.fields(kind)[0].name == "peer_id"


def test_reasons_are_stable_names() -> None:
    assert [reason.value for reason in CloseReason] == [
        "left",
        "ended_by_peer",
        "dtls_failed",
        "expired",
        "room_closed",
    ]
