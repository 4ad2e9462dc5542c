"""An ICE restart: media flows on the old path until the new one is nominated, and only there afterwards."""

from __future__ import annotations

import pytest

from sfu import Kind
from sfu.core.drop import DropReason
from sfu.errors import OfferRejected
from sfu.events import PeerClosed, PeerConnected, PeerInterrupted
from tests.peer import ice
from tests.peer.browser import House


async def test_a_phone_changes_its_network_in_the_middle_of_a_call() -> None:
    async with House() as house:
        phone, desk = await house.join("phone"), await house.join("desk")
        await house.settle()
        old = phone.answer
        assert old is not None
        source, mid = phone.audio(), desk.mid_of(phone, Kind.AUDIO)

        async def says(text: bytes) -> None:
            phone.endpoint.send_rtp(source.packet(text))
            await house.until(lambda: [p.payload for p in desk.received(mid)] == [text])

        await says(b"before")
        phone.ufrag = "renewed"
        renewed = await phone.negotiate()
        assert renewed.credentials != old.credentials
        await says(b"offered and answered, still on the old path")
        keeps = ice.check(old.credentials)
        phone.endpoint.send(keeps)
        await house.until(lambda: phone.endpoint.accepts(keeps, old.credentials))

        phone.endpoint.move()
        await phone.check(nominate=False)
        await says(b"validated")
        await phone.check()
        await says(b"nominated")
        desk.endpoint.send_rtp(desk.audio().packet(b"back"))
        await house.until(lambda: [p.payload for p in phone.received(phone.mid_of(desk, Kind.AUDIO))] == [b"back"])

        before = house.sfu.stats().drops.get(DropReason.STUN_UNKNOWN_UFRAG, 0)
        phone.endpoint.send(ice.check(old.credentials))
        await house.until(lambda: house.sfu.stats().drops.get(DropReason.STUN_UNKNOWN_UFRAG, 0) == before + 1)
        assert not house.seen(PeerInterrupted) and not house.seen(PeerClosed)
        assert len(house.seen(PeerConnected)) == 2, "no second handshake"


async def test_a_restart_with_another_certificate_is_refused_and_the_call_goes_on() -> None:
    async with House() as house:
        phone, desk = await house.join("phone"), await house.join("desk")
        await house.settle()
        right = phone.dtls.fingerprints
        phone.ufrag = "renewed"
        phone.dtls.fingerprints = [("sha-256", ":".join(["CD"] * 32))]
        with pytest.raises(OfferRejected):
            await phone.negotiate()
        phone.dtls.fingerprints = right
        phone.endpoint.send_rtp(phone.audio().packet(b"on"))
        await house.until(lambda: [p.payload for p in desk.received(desk.mid_of(phone, Kind.AUDIO))] == [b"on"])
