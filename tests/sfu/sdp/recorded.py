"""Offers recorded from real clients, and the plan that a room would make for each."""

from __future__ import annotations

from pathlib import Path

from sfu.core.media import CodecName, Kind
from sfu.plane.seam import IceCredentials, MediaAddress
from sfu.sdp.answer import AnswerPlan, MediaPlan, OutgoingTrack, ReceivePlan, SendPlan, write_answer
from sfu.sdp.codecs import choose_codecs
from sfu.sdp.errors import OfferError
from sfu.sdp.offer import Offer, dtls_role, read_offer

FOLDER = Path(__file__).parents[2] / "data" / "sdp"
NAMES = sorted(path.stem for path in FOLDER.glob("*.sdp"))
ORDER = {
    Kind.AUDIO: (CodecName.OPUS,),
    Kind.VIDEO: (CodecName.VP8, CodecName.H264, CodecName.VP9, CodecName.AV1),
}
FINGERPRINT = ("sha-256", ":".join(["AB"] * 32))
ADDRESSES = [
    MediaAddress(local="2001:db8::7", announced="2001:db8::7", port=7882),
    MediaAddress(local="10.0.0.7", announced="192.0.2.7", port=7882),
]


def recorded(name: str) -> str:
    return (FOLDER / f"{name}.sdp").read_bytes().decode()


def track(number: int = 1, *, has_rtx: bool = True) -> OutgoingTrack:
    return OutgoingTrack(
        stream_id="5f4dcc3b-5aa7-465d-8327-deb882cf99aa",
        track_id=f"track{number}",
        ssrc=1000 * number,
        rtx_ssrc=1000 * number + 1 if has_rtx else None,
        cname="peer-a",
    )


def plan_for(
    offer: Offer, media: dict[str, MediaPlan] | None = None, addresses: list[MediaAddress] | None = None
) -> AnswerPlan:
    """By default everything is accepted: what the peer sends is received, the rest gets a track."""
    if media is None:
        media = {}
        for each in offer.media:
            if each.kind is None or not each.is_acceptable:
                continue
            codecs = choose_codecs(each.codecs, ORDER[each.kind])
            if not codecs:
                continue
            if each.sends:
                media[each.mid] = ReceivePlan(codecs=codecs)
            else:
                outgoing = track(each.index + 1, has_rtx=each.kind is Kind.VIDEO)
                media[each.mid] = SendPlan(codecs=codecs, track=outgoing)
    return AnswerPlan(
        session_id=7,
        session_version=1,
        role=dtls_role(offer.setup),
        credentials=IceCredentials(ufrag="ourufrag", pwd="ourpasswordof24characters"),
        fingerprints=[FINGERPRINT],
        addresses=ADDRESSES if addresses is None else addresses,
        media=media,
    )


def read_and_answer(data: bytes) -> None:
    """Any text is read or refused by name, and what is read can be answered."""
    try:
        offer = read_offer(data.decode("utf-8", "replace"))
    except OfferError:
        return
    answer = write_answer(offer, plan_for(offer))
    assert answer.isascii()
    assert answer.count("\r\nm=") == len(offer.media)
