"""Offers: any text is read or refused by name, and what is read can be answered."""

from __future__ import annotations

from sfu.sdp.answer import write_answer
from sfu.sdp.errors import OfferError
from sfu.sdp.offer import read_offer
from tests.sfu.sdp.recorded import plan_for


def target(data: bytes) -> None:
    try:
        offer = read_offer(data.decode("utf-8", "replace"))
    except OfferError:
        return
    answer = write_answer(offer, plan_for(offer))
    assert answer.isascii()
    assert answer.count("\r\nm=") == len(offer.media)
