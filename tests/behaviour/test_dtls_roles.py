"""The server's DTLS role: passive wherever the peer allows it, active only for a peer that waits (FFmpeg's WHIP)."""

from __future__ import annotations

import pytest

from sfu import Kind
from sfu.plane.seam import SrtpProfile
from tests.peer.browser import House


@pytest.mark.parametrize(
    ("offered", "answered"), [("actpass", "passive"), ("active", "passive"), ("passive", "active")]
)
async def test_the_answer_and_media_both_ways(offered: str, answered: str) -> None:
    async with House() as house:
        browser = house.add("a", setup=offered)
        browser.publish(Kind.AUDIO, Kind.VIDEO)
        answer = await browser.negotiate()
        assert answer.setup == answered
        await browser.connect()
        other = await house.join("b")
        await house.settle()
        for one, another in ((browser, other), (other, browser)):
            one.endpoint.send_rtp(one.audio().packet(one.peer.id.encode()))
            mid = another.mid_of(one, Kind.AUDIO)
            await house.until(lambda: [p.payload for p in another.received(mid)] == [one.peer.id.encode()])  # noqa: B023


async def test_as_server_the_strongest_profile_is_taken() -> None:
    async with House() as house:
        browser = await house.join("a")
        assert browser.dtls.srtp_keys()[0] == SrtpProfile.AEAD_AES_256_GCM
