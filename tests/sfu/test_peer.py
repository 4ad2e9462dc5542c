"""One peer: credentials, DTLS, paths, and what it is told."""

from __future__ import annotations

import re

import pytest

from sfu import Kind
from sfu import peer as peer_module
from sfu.core.drop import DropReason
from sfu.errors import OfferRejected, PeerGone
from sfu.events import (
    CloseReason,
    PeerClosed,
    PeerConnected,
    PeerInterrupted,
    PeerLost,
    PeerResumed,
    WishChanged,
)
from sfu.plane.seam import PathChanged, PathProtocol, PathState
from tests.peer.browser import Browser, House


def path(browser: Browser, state: PathState) -> None:
    """What the plane says of its path."""
    browser.house.sfu.path_changed(
        PathChanged(transport=browser.peer.transport, state=state, protocol=PathProtocol.UDP, nominated=True)
    )


async def test_credentials_are_long_and_of_ice_characters(house: House) -> None:
    seen = set()
    for number in range(5):
        credentials = house.add(str(number)).peer.credentials
        assert re.fullmatch(r"[A-Za-z0-9+/]{8,256}", credentials.ufrag)
        assert re.fullmatch(r"[A-Za-z0-9+/]{32,256}", credentials.pwd)
        seen.add(credentials)
    assert len(seen) == 5


async def test_connected_is_told_once_with_its_path(house: House) -> None:
    browser = await house.join("a")
    assert browser.peer.is_connected and browser.peer.path == "udp"
    path(browser, PathState.CONNECTED)
    assert house.seen(PeerConnected) == [PeerConnected(peer_id="a", path="udp")]


async def test_silence_is_told_and_taken_back(house: House) -> None:
    browser = await house.join("a")
    for state in (PathState.INTERRUPTED, PathState.LOST, PathState.CONNECTED):
        path(browser, state)
    assert house.events[-3:] == [
        PeerInterrupted(peer_id="a"),
        PeerLost(peer_id="a"),
        PeerResumed(peer_id="a", path="udp"),
    ]
    assert browser.peer.state == "connected"


async def test_a_peer_that_expires_is_closed(house: House) -> None:
    browser = await house.join("a")
    path(browser, PathState.EXPIRED)
    await house.until(lambda: house.seen(PeerClosed) == [PeerClosed(peer_id="a", reason=CloseReason.EXPIRED)])
    assert house.room.peers == {}


async def test_a_page_that_closes_its_connection_is_closed_at_once(house: House) -> None:
    browser = await house.join("a")
    browser.dtls.ssl.shutdown()
    browser.carry()
    await house.until(lambda: house.seen(PeerClosed) == [PeerClosed(peer_id="a", reason=CloseReason.ENDED_BY_PEER)])


async def test_the_browser_hears_goodbye(house: House) -> None:
    browser = await house.join("a")
    await browser.peer.close()
    await house.until(lambda: browser.dtls.is_ended)
    assert house.seen(PeerClosed) == [PeerClosed(peer_id="a", reason=CloseReason.LEFT)]


async def test_a_wrong_certificate_is_no_connection(house: House) -> None:
    browser = house.add("a")
    browser.publish(Kind.AUDIO)
    right = browser.dtls.fingerprints
    browser.dtls.fingerprints = [("sha-256", ":".join(["AB"] * 32))]
    await browser.negotiate()
    browser.dtls.fingerprints = right
    browser.endpoint.connect(browser.answer.address())  # type: ignore[union-attr]
    await browser.check()
    browser._is_shaking = True
    browser.dtls.advance()
    browser.carry()
    await house.until(lambda: house.seen(PeerClosed) != [])
    assert house.seen(PeerClosed) == [PeerClosed(peer_id="a", reason=CloseReason.DTLS_FAILED)]
    assert not browser.peer.is_connected
    assert sum(house.sfu.dtls_failures.values()) == 1


async def test_a_handshake_that_takes_too_long_is_ended() -> None:
    async with House(dtls_handshake_timeout_s=0.05) as house:
        browser = house.add("a")
        browser.publish(Kind.AUDIO)
        await browser.negotiate()
        browser.endpoint.connect(browser.answer.address())  # type: ignore[union-attr]
        await browser.check()
        await house.until(lambda: house.seen(PeerClosed) != [])
        assert house.seen(PeerClosed)[0].reason is CloseReason.DTLS_FAILED


async def test_dtls_that_finds_no_room_is_counted(house: House) -> None:
    """A peer with a valid path sends more records than its association can take; the queue is bounded."""
    browser = house.add("a")
    browser.publish(Kind.AUDIO)
    await browser.negotiate()
    browser.endpoint.connect(browser.answer.address())  # type: ignore[union-attr]
    await browser.check()
    for _ in range(500):
        browser.peer.dtls_received(bytes((22, 254, 253)) + bytes(100))
    assert browser.peer.stats().drops[DropReason.DTLS_QUEUE_FULL] >= 400
    await browser.check()
    await browser.handshake()


async def test_a_closed_peer_answers_nobody(house: House) -> None:
    browser = await house.join("a")
    await browser.peer.close()
    await browser.peer.close()
    with pytest.raises(PeerGone):
        await browser.peer.answer(browser.offer())
    browser.peer.start_forwarding()
    assert len(house.seen(PeerClosed)) == 1


async def test_offers_are_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_module, "MAX_OFFERS_PER_PEER", 2)
    browser = house.add("a")
    browser.publish(Kind.AUDIO)
    await browser.negotiate()
    await browser.negotiate()
    with pytest.raises(OfferRejected) as caught:
        await browser.negotiate()
    assert caught.value.reason == "too_many_offers"


async def test_a_changed_fingerprint_is_refused_and_the_call_goes_on(house: House) -> None:
    browser = await house.join("a")
    right = browser.dtls.fingerprints
    browser.dtls.fingerprints = [("sha-256", ":".join(["AB"] * 32))]
    with pytest.raises(OfferRejected) as caught:
        await browser.negotiate()
    assert caught.value.reason == "fingerprint_changed"
    browser.dtls.fingerprints = right
    await browser.negotiate()
    await browser.check()


async def test_a_muted_source_is_told_to_the_plane(house: House) -> None:
    browser = await house.join("a")
    browser.peer.set_source(Kind.AUDIO, live=False)
    by_kind = {p.kind: p for p in browser.peer.stats().publications}
    assert (by_kind[Kind.AUDIO].live, by_kind[Kind.VIDEO].live) == (False, True)
    plane = house.sfu.plane
    streams = plane._transports[browser.peer.transport].streams.values()  # type: ignore[attr-defined]
    assert {s.config.kind: s.expected for s in streams} == {Kind.AUDIO: False, Kind.VIDEO: True}
    browser.peer.set_source(Kind.AUDIO, live=True)
    assert all(stream.expected for stream in streams)


async def test_candidates_are_tolerated(house: House) -> None:
    browser = house.add("a")
    for candidate in ("candidate:1 1 udp 1 5b1f.local 9 typ host", "", "junk"):
        browser.peer.add_candidate(candidate)


async def test_the_wish_is_never_less_than_one_of_each_and_grows_with_the_room(house: House) -> None:
    first = await house.join("a")
    assert (first.peer.wish.audio, first.peer.wish.video) == (1, 1)
    for name in ("b", "c"):
        await house.join(name)
    assert (first.peer.wish.audio, first.peer.wish.video) == (2, 2)
    revisions = [event.wish.revision for event in house.seen(WishChanged) if event.peer_id == "a"]
    assert revisions == sorted(set(revisions)) != []
