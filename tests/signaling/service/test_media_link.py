"""Offers and answers of one peer connection, with the real SFU."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sfu import Sfu
from signaling import messages
from signaling.errors import ProtocolError
from signaling.service.lines import participant_of
from signaling.service.media_link import MediaLink
from tests.signaling.clinic import FIRST_OFFER, SDP


@pytest.fixture
async def link(sfu: Sfu) -> AsyncIterator[MediaLink]:
    room = sfu.create_room("room")
    yield MediaLink(room.add_peer("p.1"), epoch=1, participant_of_peer=participant_of)
    await room.close()


def offer(number: int, sdp: str = FIRST_OFFER) -> messages.Offer:
    return messages.Offer(epoch=1, id=number, revision=1, sdp=sdp)


async def test_the_same_offer_gets_the_same_answer(link: MediaLink) -> None:
    first = await link.answer(offer(1))
    assert isinstance(first, messages.Answer)
    assert await link.answer(offer(1)) is first


async def test_an_earlier_offer_is_a_mistake_of_the_page(link: MediaLink) -> None:
    await link.answer(offer(2))
    with pytest.raises(ProtocolError, match="offer_out_of_order"):
        await link.answer(offer(1))


async def test_an_offer_that_cannot_be_answered_is_refused_by_reason(link: MediaLink) -> None:
    refused = await link.answer(offer(1, "v=0\r\n"))
    assert isinstance(refused, messages.OfferRefused) and refused.reason
    assert await link.answer(offer(1, "v=0\r\n")) is refused


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
async def test_stopping_the_line_that_carries_the_transport_needs_a_new_connection(
    link: MediaLink, browser: str
) -> None:
    first, stopped = ((SDP / f"{browser}_page_{step}.sdp").read_text() for step in ("first", "tag_stopped"))
    assert isinstance(await link.answer(offer(1, first)), messages.Answer)
    refused = await link.answer(offer(2, stopped))
    assert isinstance(refused, messages.OfferRefused) and refused.reason == "transport_moved"


async def test_the_wish_carries_the_epoch(link: MediaLink) -> None:
    wish = link.wish()
    assert (wish.epoch, wish.audio, wish.video) == (1, 1, 1)


async def test_publications_name_the_participant_and_not_the_peer(sfu: Sfu, link: MediaLink) -> None:
    await link.answer(offer(1))
    room = sfu.room("room")
    assert room is not None
    other = MediaLink(room.add_peer("q.4"), epoch=4, participant_of_peer=participant_of)
    answer = await other.answer(offer(1))
    assert isinstance(answer, messages.Answer)
    assert {(each.peer, each.kind.value) for each in answer.publications.values()} == {("p", "audio"), ("p", "video")}
