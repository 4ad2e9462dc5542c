"""Offers and answers of one peer, line by line (DESIGN §5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sfu import Kind
from sfu.core.media import Direction, HeaderExtension
from sfu.errors import OfferRejected
from sfu.events import PublicationRemoved, WishChanged
from sfu.publication import MAX_PUBLICATIONS
from tests.peer.browser import Browser, House
from tests.peer.offers import CHROMIUM, FIREFOX, Formats, OfferedLine


async def pair(house: House) -> tuple[Browser, Browser]:
    first, second = await house.join("a"), await house.join("b", FIREFOX)
    await house.settle()
    return first, second


async def test_sending_lines_are_received_and_waiting_lines_are_inactive(house: House) -> None:
    browser = await house.join("a")
    assert browser.answer is not None
    directions = {line.mid: browser.answer.lines[line.mid].direction for line in browser.lines}
    assert directions == {"0": "recvonly", "1": "recvonly", "2": "inactive", "3": "inactive"}
    assert all(line.port > 0 for line in browser.answer.lines.values()), "inactive is not rejected"


async def test_a_subscriber_is_told_of_what_comes_and_from_whom(house: House) -> None:
    _, second = await pair(house)
    assert second.publications == {"2": ("a", Kind.AUDIO), "3": ("a", Kind.VIDEO)}
    assert second.answer is not None
    audio, video = second.answer.lines["2"], second.answer.lines["3"]
    assert (audio.direction, video.direction) == ("sendonly", "sendonly")
    assert audio.stream_id == video.stream_id != "", "lip sync groups by it"
    assert (len(audio.ssrcs), len(video.ssrcs)) == (1, 2)
    assert len(set([*audio.ssrcs, *video.ssrcs])) == 3


async def test_each_answer_uses_the_offers_own_numbers(house: House) -> None:
    _, second = await pair(house)
    assert second.answer is not None
    video = second.answer.lines["3"]
    assert video.codecs == ["VP8/120", "rtx/121"]
    assert video.extensions[HeaderExtension.MID] == FIREFOX.mid
    assert video.extensions[HeaderExtension.ABS_SEND_TIME] == FIREFOX.abs_send_time


async def test_towards_subscribers_remb_and_no_transport_cc(house: House) -> None:
    _, second = await pair(house)
    assert second.answer is not None
    sent, received = second.answer.lines["3"], second.answer.lines["1"]
    assert "goog-remb" in sent.feedback and "transport-cc" not in sent.feedback
    assert HeaderExtension.TRANSPORT_CC not in sent.extensions
    assert "transport-cc" in received.feedback and HeaderExtension.TRANSPORT_CC in received.extensions


async def test_an_answer_repeats_the_transport_without_a_restart(house: House) -> None:
    browser = await house.join("a")
    first = browser.answer
    again = await browser.negotiate()
    assert first is not None
    assert (again.credentials, again.setup, again.fingerprint) == (first.credentials, first.setup, first.fingerprint)
    assert again.lines == first.lines


async def test_new_credentials_of_theirs_ask_for_new_ones_of_ours(house: House) -> None:
    browser = await house.join("a")
    first = browser.answer
    assert first is not None
    browser.ufrag = "another"
    restarted = await browser.negotiate()
    assert restarted.credentials != first.credentials
    assert (restarted.setup, restarted.fingerprint) == (first.setup, first.fingerprint)
    assert (await browser.negotiate()).credentials == restarted.credentials


async def test_a_publication_keeps_its_ssrcs_over_offers(house: House) -> None:
    _, second = await pair(house)
    assert second.answer is not None
    before = second.answer.lines["3"].ssrcs
    assert (await second.negotiate()).lines["3"].ssrcs == before


async def test_a_line_that_carries_another_publication_has_other_ssrcs(house: House) -> None:
    first, second = await pair(house)
    assert second.answer is not None
    before = second.answer.lines["3"].ssrcs
    await first.peer.close()
    answer = await second.negotiate()
    assert answer.lines["3"].direction == "inactive" and second.publications == {}
    await house.join("c")
    await house.settle()
    assert second.publications["3"] == ("c", Kind.VIDEO)
    assert second.answer is not None
    assert not set(second.answer.lines["3"].ssrcs) & set(before)


async def test_a_stopped_line_ends_its_publication(house: House) -> None:
    first, second = await pair(house)
    first.lines[1].stopped = True
    await first.negotiate()
    assert [event.kind for event in house.seen(PublicationRemoved)] == [Kind.VIDEO]
    assert first.answer is not None and first.answer.lines["1"].port == 0
    await house.settle()
    assert second.publications == {"2": ("a", Kind.AUDIO)}


async def test_a_stopped_receiving_line_ends_its_subscription_only(house: House) -> None:
    first, second = await pair(house)
    second.lines[3].stopped = True
    await second.negotiate()
    assert second.publications == {"2": ("a", Kind.AUDIO)}
    assert first.publications == {"2": ("b", Kind.AUDIO), "3": ("b", Kind.VIDEO)}
    subscriptions = second.peer.stats().subscriptions
    assert [s.kind for s in subscriptions] == [Kind.AUDIO]


async def test_a_camera_turned_off_by_direction_ends_its_publication(house: House) -> None:
    first, second = await pair(house)
    first.lines[1].direction = Direction.INACTIVE
    await first.negotiate()
    await house.settle()
    assert second.publications == {"2": ("a", Kind.AUDIO)}
    first.lines[1].direction = Direction.SENDONLY
    await first.negotiate()
    await house.settle()
    assert second.publications["3"] == ("a", Kind.VIDEO)


async def test_forwarding_waits_for_the_page(house: House) -> None:
    """Packets that come before the answer is set would be of SSRCs that nobody knows."""
    await house.join("a")
    browser = house.add("b")
    browser.publish(Kind.AUDIO)
    browser.want()
    browser.apply(await browser.peer.answer(browser.offer()))
    assert browser.peer.stats().subscriptions == []
    browser.peer.start_forwarding()
    assert len(browser.peer.stats().subscriptions) == 2
    browser.peer.start_forwarding()
    assert len(browser.peer.stats().subscriptions) == 2


async def test_a_wish_changes_only_when_the_answer_would(house: House) -> None:
    first, second = await pair(house)
    before = len(house.seen(WishChanged))
    await first.negotiate()
    await second.negotiate()
    first.peer.set_source(Kind.VIDEO, live=False)
    assert len(house.seen(WishChanged)) == before


def without_known_codecs(sdp: str) -> str:
    for name in ("VP8", "H264", "opus", "red"):
        sdp = sdp.replace(f" {name}/", " unknown/")
    return sdp


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda sdp: "v=0\r\n", "offer_malformed"),
        (lambda sdp: "", "offer_malformed"),
        (without_known_codecs, "nothing_acceptable"),
    ],
)
async def test_what_cannot_be_answered_is_refused_by_name(
    house: House, change: Callable[[str], str], reason: str
) -> None:
    browser = house.add("a")
    browser.publish(Kind.AUDIO, Kind.VIDEO)
    with pytest.raises(OfferRejected) as caught:
        await browser.peer.answer(change(browser.offer()))
    assert caught.value.reason == reason
    await browser.negotiate()


async def test_a_refused_role_is_named(house: House) -> None:
    browser = await house.join("a")
    browser.setup = "passive"
    with pytest.raises(OfferRejected) as caught:
        await browser.peer.answer(browser.offer())
    assert "role" in caught.value.reason


async def test_a_line_of_a_kind_we_do_not_know_is_rejected_alone(house: House) -> None:
    browser = house.add("a")
    browser.publish(Kind.AUDIO)
    offer = browser.offer() + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:data\r\n"
    answer = browser.apply(await browser.peer.answer(offer))
    assert answer.lines["0"].port > 0
    assert answer.lines["data"].port == 0


async def test_several_cameras_of_one_peer(house: House) -> None:
    first, second = await pair(house)
    first.lines.append(OfferedLine(mid="doc", kind=Kind.VIDEO, direction=Direction.SENDONLY, ssrc=77, rtx_ssrc=78))
    await first.negotiate()
    await house.settle()
    assert sorted(kind for _, kind in second.publications.values()) == [Kind.AUDIO, Kind.VIDEO, Kind.VIDEO]
    assert second.peer.wish.video == 2


async def test_more_publications_than_others_could_offer_to_receive_are_rejected_line_by_line(house: House) -> None:
    first, second = await pair(house)
    for number in range(40):
        mid = f"more{number}"
        first.lines.append(OfferedLine(mid=mid, kind=Kind.VIDEO, direction=Direction.SENDONLY, ssrc=1000 + number))
    await first.negotiate()
    await house.settle()
    assert first.answer is not None
    accepted = [line for line in first.answer.lines.values() if line.kind == "video" and line.direction == "recvonly"]
    assert len(accepted) == second.peer.wish.video == MAX_PUBLICATIONS


def only_red(sdp: str) -> str:
    return sdp.replace("SAVPF 111 63", "SAVPF 63")


async def test_red_with_nothing_inside_is_no_codec(house: House) -> None:
    browser = house.add("a", CHROMIUM)
    browser.publish(Kind.AUDIO)
    assert only_red(browser.offer()) != browser.offer()
    with pytest.raises(OfferRejected) as caught:
        await browser.peer.answer(only_red(browser.offer()))
    assert caught.value.reason == "nothing_acceptable"


async def test_a_publication_that_loses_all_its_codecs_ends(house: House) -> None:
    browser = house.add("a", CHROMIUM)
    browser.publish(Kind.AUDIO, Kind.VIDEO)
    await browser.negotiate()
    answer = browser.apply(await browser.peer.answer(only_red(browser.offer())))
    assert (answer.lines["0"].port, answer.lines["1"].direction) == (0, "recvonly")
    assert [event.kind for event in house.seen(PublicationRemoved)] == [Kind.AUDIO]


async def test_a_line_that_changes_its_kind_is_another_publication(house: House) -> None:
    browser = house.add("a", CHROMIUM)
    browser.publish(Kind.AUDIO, Kind.VIDEO)
    await browser.negotiate()
    browser.lines[0].kind, browser.lines[1].kind = Kind.VIDEO, Kind.AUDIO
    await browser.negotiate()
    assert {p.mid: p.kind for p in browser.peer.negotiation.publications()} == {"0": Kind.VIDEO, "1": Kind.AUDIO}
    assert len(house.seen(PublicationRemoved)) == 2


async def test_a_codec_that_a_subscriber_lacks_is_mapped_to_what_it_has(house: House) -> None:
    """The publisher's payload types are not the subscriber's: what goes out is the subscriber's."""
    first, second = await house.join("a", Formats(vp8=35, opus=36)), await house.join("b", FIREFOX)
    await house.settle()
    first.endpoint.send_rtp(first.audio().packet(b"x"))
    first.endpoint.send_rtp(first.video().keyframe())
    await house.until(lambda: len(second.endpoint.rtp) == 3)
    assert {p.payload_type for p in second.endpoint.rtp} == {FIREFOX.opus, FIREFOX.vp8}
