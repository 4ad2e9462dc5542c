"""WHIP and WHEP resources, with the real SFU and a recorded offer."""

from __future__ import annotations

import pytest

from sfu import Sfu, errors, events
from signaling import sdpfrag
from signaling.errors import NotFound, Refused, TooMany
from signaling.service.stations import NotAcceptable, Stations
from tests.signaling.clinic import SDP

WHIP_OFFER = (SDP / "pyav_whip_offer.sdp").read_text(encoding="ascii")
WHEP_OFFER = (SDP / "chromium_av_recvonly.sdp").read_text(encoding="ascii")


@pytest.fixture
async def stations(sfu: Sfu) -> Stations:
    return Stations(sfu)


async def test_a_publisher_comes_and_goes(stations: Stations, sfu: Sfu) -> None:
    stations.create_room("gateway")
    station = await stations.publish("gateway", "camera", WHIP_OFFER)
    assert stations.station(station.id) is station
    assert "a=recvonly" in station.answer
    await stations.remove(station)
    with pytest.raises(NotFound, match="no_such_resource"):
        stations.station(station.id)
    room = sfu.room("gateway")
    assert room is not None and not room.peers


async def test_playing_a_peer_that_publishes_nothing_yet_is_possible(stations: Stations) -> None:
    stations.create_room("gateway")
    first = await stations.play("gateway", "camera", WHEP_OFFER)
    second = await stations.play("gateway", "camera", WHEP_OFFER)
    assert first.peer.id != second.peer.id


async def test_an_ice_restart_gives_new_credentials_and_a_new_etag(stations: Stations) -> None:
    stations.create_room("gateway")
    station = await stations.publish("gateway", "camera", WHIP_OFFER)
    etag, ufrag = station.etag, sdpfrag.ufrag_of(station.answer)
    await stations.restart(station, "abcd", "0123456789abcdef012345")
    assert station.etag != etag
    assert sdpfrag.ufrag_of(station.answer) not in (None, ufrag)
    assert sdpfrag.ufrag_of(station.offer) == "abcd"


async def test_a_peer_that_is_being_closed_is_not_restarted(stations: Stations) -> None:
    stations.create_room("gateway")
    station = await stations.publish("gateway", "camera", WHIP_OFFER)
    # As far as closing it has come before anyone is told.
    await station.peer.end()
    with pytest.raises(NotFound, match="no_such_resource"):
        await stations.restart(station, "abcd", "0123456789abcdef012345")


async def test_a_bad_offer_leaves_nothing_behind(stations: Stations, sfu: Sfu) -> None:
    stations.create_room("gateway")
    with pytest.raises(NotAcceptable):
        await stations.publish("gateway", "camera", "v=0\r\n")
    room = sfu.room("gateway")
    assert room is not None and not room.peers


async def test_refusals_have_names(stations: Stations, sfu: Sfu) -> None:
    stations.create_room("gateway")
    with pytest.raises(Refused, match="room_exists"):
        stations.create_room("gateway")
    with pytest.raises(Refused, match="bad_id"):
        stations.create_room("a.b")
    with pytest.raises(NotFound, match="no_such_room"):
        await stations.publish("nowhere", "camera", WHIP_OFFER)
    await stations.publish("gateway", "camera", WHIP_OFFER)
    with pytest.raises(Refused, match="peer_exists"):
        await stations.publish("gateway", "camera", WHIP_OFFER)
    for _ in range(sfu.config.max_peers_per_room - 1):
        await stations.play("gateway", "camera", WHEP_OFFER)
    with pytest.raises(TooMany, match="room_full"):
        await stations.play("gateway", "camera", WHEP_OFFER)


async def test_a_closed_peer_or_room_takes_its_resources_along(stations: Stations, sfu: Sfu) -> None:
    stations.create_room("gateway")
    camera = await stations.publish("gateway", "camera", WHIP_OFFER)
    player = await stations.play("gateway", "camera", WHEP_OFFER)
    await camera.peer.close()
    with pytest.raises(NotFound):
        stations.station(camera.id)
    await stations.remove_room("gateway")
    with pytest.raises(NotFound):
        stations.station(player.id)
    assert sfu.room("gateway") is None


async def test_a_room_that_is_being_closed_takes_nobody(stations: Stations, sfu: Sfu) -> None:
    stations.create_room("gateway")
    await stations.publish("gateway", "camera", WHIP_OFFER)
    room = sfu.room("gateway")
    assert room is not None
    refused = []

    def come(event: events.PeerClosed) -> None:
        try:
            room.add_peer("late")
        except errors.RoomClosed as error:
            refused.append(str(error))

    room.events.on(events.PeerClosed, come)
    await stations.remove_room("gateway")
    assert refused == ["room gateway is closed"]
    assert not room.peers and not sfu.plane.counters().transports


async def test_only_bare_rooms_are_removed(stations: Stations, sfu: Sfu) -> None:
    sfu.create_room("call")
    with pytest.raises(NotFound, match="no_such_room"):
        await stations.remove_room("call")


async def test_a_room_of_the_same_name_later_is_watched_too(stations: Stations) -> None:
    for _ in range(2):
        stations.create_room("gateway")
        station = await stations.publish("gateway", "camera", WHIP_OFFER)
        await station.peer.close()
        with pytest.raises(NotFound):
            stations.station(station.id)
        await stations.remove_room("gateway")
