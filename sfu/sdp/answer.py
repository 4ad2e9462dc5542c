"""Writing an answer (RFC 8829 §5.3) from an offer and a plan for each of its m-lines."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sfu.aiortc_adapter import DtlsRole
from sfu.core.media import Codec, CodecName, Direction, HeaderExtension, Kind
from sfu.plane.seam import IceCredentials, MediaAddress
from sfu.sdp.codecs import red_payload_type
from sfu.sdp.fmtp import answer_parameters
from sfu.sdp.offer import Offer, OfferedMedia
from sfu.sdp.sections import is_token

MAX_NAME_CHARACTERS: Final = 64
"of a stream or track id (RFC 8830 §2)"

# --- what is negotiated in which direction ---

RECEIVED_EXTENSIONS: Final = frozenset(HeaderExtension)
"""``rid`` and ``repaired-rid`` too, although an answer names no rids yet: simulcast will need them."""

SENT_EXTENSIONS: Final = frozenset(
    {
        HeaderExtension.MID,
        HeaderExtension.ABS_SEND_TIME,
        HeaderExtension.AUDIO_LEVEL,
        HeaderExtension.VIDEO_ORIENTATION,
        HeaderExtension.DEPENDENCY_DESCRIPTOR,
    }
)
"""Without transport-cc, so that the browser estimates its downlink by abs-send-time and answers with REMB."""

RECEIVED_FEEDBACK: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.AUDIO: ("transport-cc",),
    Kind.VIDEO: ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"),
}
SENT_FEEDBACK: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.AUDIO: (),
    Kind.VIDEO: ("goog-remb", "ccm fir", "nack", "nack pli"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivePlan:
    """The peer publishes here; the answer is recvonly, or inactive while the peer doesn't offer to send."""

    codecs: Sequence[Codec]
    "of the offered ones; the first is what the peer shall send"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingTrack:
    """What a peer receives on one m-line."""

    stream_id: str
    "one for each publishing peer: lip sync groups by it"
    track_id: str
    ssrc: int
    rtx_ssrc: int | None
    cname: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPlan:
    """The peer receives here; the answer is sendonly, or inactive with nothing to send."""

    codecs: Sequence[Codec]
    "every offered one that the room may use, the current one first"
    track: OutgoingTrack | None


MediaPlan = ReceivePlan | SendPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPlan:
    """Everything in an answer that the offer doesn't say."""

    session_id: int
    session_version: int
    "one higher with each answer that differs (RFC 8866 §5.2)"
    role: DtlsRole
    "from ``dtls_role``; kept until the peer goes"
    credentials: IceCredentials = field(repr=False)
    fingerprints: Sequence[tuple[str, str]]
    addresses: Sequence[MediaAddress]
    "the best first"
    media: Mapping[str, MediaPlan]
    "by mid; an m-line that is missing here is rejected"


def received_extensions(media: OfferedMedia) -> dict[HeaderExtension, int]:
    """The ids that an answer with a ReceivePlan accepts."""
    return _accepted(media, RECEIVED_EXTENSIONS, (Direction.SENDRECV, Direction.SENDONLY))


def sent_extensions(media: OfferedMedia) -> dict[HeaderExtension, int]:
    """The ids that an answer with a SendPlan accepts."""
    return _accepted(media, SENT_EXTENSIONS, (Direction.SENDRECV, Direction.RECVONLY))


def answered_direction(media: OfferedMedia, plan: MediaPlan) -> Direction:
    """RFC 3264 §6.1, from our side."""
    if isinstance(plan, ReceivePlan):
        return Direction.RECVONLY if media.sends else Direction.INACTIVE
    return Direction.SENDONLY if media.receives and plan.track is not None else Direction.INACTIVE


def write_answer(offer: Offer, plan: AnswerPlan) -> str:
    """Raises ValueError for a plan that doesn't fit its offer: the caller's mistake, never the peer's."""
    _check(offer, plan)
    accepted = [each.mid for each in offer.media if each.mid in plan.media and not each.is_stopped]
    lines = [
        "v=0",
        f"o=- {plan.session_id} {plan.session_version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
    ]
    if offer.has_bundle_group and accepted:
        lines.append(f"a=group:BUNDLE {' '.join(accepted)}")
    if offer.extmap_allow_mixed:
        lines.append("a=extmap-allow-mixed")
    lines.append("a=msid-semantic: WMS *")
    for media in offer.media:
        if media.is_stopped or media.mid not in plan.media:
            lines += _rejected(media)
        else:
            lines += _accepted_lines(media, plan.media[media.mid], offer, plan)
            if media.mid == accepted[0]:
                lines += [*_candidates(plan.addresses), "a=end-of-candidates"]
    return "\r\n".join(lines) + "\r\n"


def _check(offer: Offer, plan: AnswerPlan) -> None:
    for mid, each in plan.media.items():
        media = offer.find(mid)
        if media is None or not media.is_acceptable:
            raise ValueError(f"m-line {mid!r} cannot be accepted")
        if not each.codecs or any(codec not in media.codecs for codec in each.codecs):
            raise ValueError(f"m-line {mid!r} offers other codecs")
        kept = {codec.payload_type for codec in each.codecs}
        for codec in each.codecs:
            if codec.name is CodecName.RED and red_payload_type(codec) not in kept:
                raise ValueError(f"m-line {mid!r}: RED without what is in it")
        track = each.track if isinstance(each, SendPlan) else None
        names = (track.stream_id, track.track_id, track.cname) if track is not None else ()
        if not all(is_token(name, longest=MAX_NAME_CHARACTERS) for name in names):
            raise ValueError(f"m-line {mid!r}: a stream id, track id or cname that is no short token")


# --- m-lines ---


def _rejected(media: OfferedMedia) -> Iterable[str]:
    """RFC 8829 §5.3.1: the same media type and formats, port zero."""
    yield f"m={media.media_type} 0 {media.protocol} {' '.join(media.formats)}"
    yield "c=IN IP4 0.0.0.0"
    yield "a=inactive"
    if media.mid:
        yield f"a=mid:{media.mid}"


def _accepted_lines(media: OfferedMedia, each: MediaPlan, offer: Offer, plan: AnswerPlan) -> Iterable[str]:
    host, port = _default_destination(plan.addresses)
    yield f"m={media.media_type} {port} {media.protocol} {' '.join(_formats(each.codecs))}"
    yield f"c=IN IP{ipaddress.ip_address(host).version} {host}"
    yield f"a=mid:{media.mid}"
    yield f"a={answered_direction(media, each)}"
    yield f"a=ice-ufrag:{plan.credentials.ufrag}"
    yield f"a=ice-pwd:{plan.credentials.pwd}"
    # RFC 8838 §4.1.1: without it a WHIP client sends no candidates; we tolerate and don't need them.
    yield f"a=ice-options:{'trickle ice2' if offer.is_trickle else 'ice2'}"
    for algorithm, value in plan.fingerprints:
        yield f"a=fingerprint:{algorithm} {value}"
    yield f"a=setup:{'passive' if plan.role == 'server' else 'active'}"
    yield "a=rtcp-mux"
    if media.rtcp_rsize:
        yield "a=rtcp-rsize"
    if media.rcvr_rtt:
        yield "a=rtcp-xr:rcvr-rtt=all"
    if media.extmap_allow_mixed:
        yield "a=extmap-allow-mixed"
    yield from _extmaps(media, each)
    for codec in each.codecs:
        yield from _codec(codec, _feedback(media, each))
    # Here an answer to simulcast will name the rids that it receives (RFC 8853 §5.3.2).
    if isinstance(each, SendPlan) and answered_direction(media, each) is Direction.SENDONLY:
        assert each.track is not None
        yield from _track(each.track)


def _formats(codecs: Sequence[Codec]) -> Iterable[str]:
    for codec in codecs:
        yield str(codec.payload_type)
        if codec.rtx_payload_type is not None:
            yield str(codec.rtx_payload_type)


def _codec(codec: Codec, accepted_feedback: tuple[str, ...]) -> Iterable[str]:
    name = codec.name.value if codec.name not in _LOWER_CASE else codec.name.value.lower()
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    yield f"a=rtpmap:{codec.payload_type} {name}/{codec.clock_rate}{channels}"
    for feedback in accepted_feedback:
        if feedback in codec.feedback:
            yield f"a=rtcp-fb:{codec.payload_type} {feedback}"
    parameters = answer_parameters(codec)
    if parameters:
        yield f"a=fmtp:{codec.payload_type} {parameters}"
    if codec.rtx_payload_type is not None:
        yield f"a=rtpmap:{codec.rtx_payload_type} rtx/{codec.clock_rate}"
        yield f"a=fmtp:{codec.rtx_payload_type} apt={codec.payload_type}"


_LOWER_CASE: Final = frozenset({CodecName.OPUS, CodecName.RED})


def _feedback(media: OfferedMedia, plan: MediaPlan) -> tuple[str, ...]:
    assert media.kind is not None
    return (RECEIVED_FEEDBACK if isinstance(plan, ReceivePlan) else SENT_FEEDBACK)[media.kind]


def _accepted(
    media: OfferedMedia, wanted: frozenset[HeaderExtension], directions: tuple[Direction, ...]
) -> dict[HeaderExtension, int]:
    return {
        extension: identifier
        for extension, identifier in media.extensions.items()
        if extension in wanted and media.extension_directions[extension] in directions
    }


def _extmaps(media: OfferedMedia, plan: MediaPlan) -> Iterable[str]:
    """RFC 8285 §6: an id keeps its meaning; an offered direction is answered with its counterpart."""
    receives = isinstance(plan, ReceivePlan)
    counterpart = "recvonly" if receives else "sendonly"
    for extension, identifier in (received_extensions(media) if receives else sent_extensions(media)).items():
        is_plain = media.extension_directions[extension] is Direction.SENDRECV
        yield f"a=extmap:{identifier}{'' if is_plain else '/' + counterpart} {extension.value}"


def _track(track: OutgoingTrack) -> Iterable[str]:
    yield f"a=msid:{track.stream_id} {track.track_id}"
    if track.rtx_ssrc is not None:
        yield f"a=ssrc-group:FID {track.ssrc} {track.rtx_ssrc}"
    yield f"a=ssrc:{track.ssrc} cname:{track.cname}"
    if track.rtx_ssrc is not None:
        yield f"a=ssrc:{track.rtx_ssrc} cname:{track.cname}"


# --- candidates ---

_UDP_TYPE_PREFERENCE: Final = 126
_TCP_TYPE_PREFERENCE: Final = 90
"RFC 6544 §4.2: below that of every UDP candidate."
_TCP_PASSIVE_PREFERENCE: Final = 4
"RFC 6544 §4.2: direction preference of a passive host candidate."


def _candidates(addresses: Sequence[MediaAddress]) -> Iterable[str]:
    """A host candidate for each announced address, by UDP and then by TCP (RFC 8839 §5.1, RFC 6544 §4.5)."""
    announced = list(dict.fromkeys((each.announced, each.port) for each in addresses))
    for index, (host, port) in enumerate(announced):
        priority = _priority(_UDP_TYPE_PREFERENCE, 65535 - index)
        yield f"a=candidate:udp{index} 1 udp {priority} {host} {port} typ host"
    for index, (host, port) in enumerate(announced):
        priority = _priority(_TCP_TYPE_PREFERENCE, (_TCP_PASSIVE_PREFERENCE << 13) + 8191 - index)
        yield f"a=candidate:tcp{index} 1 tcp {priority} {host} {port} typ host tcptype passive"


def _priority(type_preference: int, local_preference: int) -> int:
    """RFC 8445 §5.1.2.1, component 1."""
    return (type_preference << 24) + (local_preference << 8) + 255


def _default_destination(addresses: Sequence[MediaAddress]) -> tuple[str, int]:
    """RFC 8839 §4.2.1: one of the candidates, IPv4 where there is one."""
    by_family = sorted(addresses, key=lambda each: ipaddress.ip_address(each.announced).version)
    return (by_family[0].announced, by_family[0].port) if by_family else ("0.0.0.0", 9)
