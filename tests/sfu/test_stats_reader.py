"""From ids to names: what a peer's statistics say, uplink and downlink apart."""

from __future__ import annotations

from sfu import Kind
from sfu.core.drop import DropReason
from tests.peer.browser import House
from tests.peer.offers import FIREFOX


async def test_uplink_and_downlink_by_name(house: House) -> None:
    first, second = await house.join("a"), await house.join("b", FIREFOX)
    await house.settle()
    audio, video = first.audio(), first.video()
    first.endpoint.send_rtp([*(audio.packet() for _ in range(3)), *video.keyframe(2)])
    await house.until(lambda: len(second.endpoint.rtp) == 5)
    stats = house.room.stats()
    up = {p.kind: p for p in stats.peers["a"].publications}
    assert {kind: (p.codec, p.packets, p.live) for kind, p in up.items()} == {
        Kind.AUDIO: ("OPUS", 3, True),
        Kind.VIDEO: ("VP8", 2, True),
    }
    down = {s.kind: s for s in stats.peers["b"].subscriptions}
    assert {kind: (s.peer_id, s.packets, s.publication_id) for kind, s in down.items()} == {
        kind: ("a", p.packets, p.id) for kind, p in up.items()
    }
    assert stats.video_codec == "VP8"
    assert (stats.peers["b"].path, stats.peers["b"].state, stats.peers["b"].id) == ("udp", "connected", "b")
    assert stats.peers["b"].packets_sent >= 5


async def test_a_place_that_carries_nothing_is_not_counted(house: House) -> None:
    browser = await house.join("a")
    assert browser.peer.stats().subscriptions == []


async def test_drops_of_the_plane_and_of_dtls_stand_together(house: House) -> None:
    browser = await house.join("a")
    browser.endpoint.send(b"\x80\x6f" + bytes(60))
    await house.until(lambda: DropReason.SRTP_AUTH_FAILED in browser.peer.stats().drops)
    browser.peer.dtls_received(b"no DTLS")
    assert browser.peer.stats().drops == {DropReason.SRTP_AUTH_FAILED: 1, DropReason.DTLS_QUEUE_FULL: 1}
