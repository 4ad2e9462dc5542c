"""A client's offer, as long as a browser's, and what it reads from the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sfu.core.media import Direction, HeaderExtension, Kind

_VIDEO_FORMATS = (
    (96, "VP8/90000", 97, ""),
    (102, "H264/90000", 103, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"),
    (104, "H264/90000", 107, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f"),
    (108, "H264/90000", 109, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
    (114, "H264/90000", 115, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"),
    (116, "H264/90000", 117, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"),
    (39, "H264/90000", 40, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=4d001f"),
    (45, "AV1/90000", 46, "level-idx=5;profile=0;tier=0"),
    (98, "VP9/90000", 99, "profile-id=0"),
    (100, "VP9/90000", 101, "profile-id=2"),
)
_AUDIO_FORMATS = (
    (111, "opus/48000/2", "minptime=10;useinbandfec=1"),
    (63, "red/48000/2", "111/111"),
    (9, "G722/8000", ""),
    (0, "PCMU/8000", ""),
    (8, "PCMA/8000", ""),
    (13, "CN/8000", ""),
    (110, "telephone-event/48000", ""),
    (126, "telephone-event/8000", ""),
)
_KNOWN_URIS = frozenset(map(str, HeaderExtension))
OPUS, VP8, VP8_RTX = 111, 96, 97

_EXTENSIONS: Mapping[Kind, Mapping[HeaderExtension, int]] = {
    Kind.AUDIO: {
        HeaderExtension.AUDIO_LEVEL: 1,
        HeaderExtension.ABS_SEND_TIME: 2,
        HeaderExtension.TRANSPORT_CC: 3,
        HeaderExtension.MID: 4,
    },
    Kind.VIDEO: {
        HeaderExtension.ABS_SEND_TIME: 2,
        HeaderExtension.VIDEO_ORIENTATION: 13,
        HeaderExtension.TRANSPORT_CC: 3,
        HeaderExtension.MID: 4,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedMedia:
    mid: str
    kind: Kind
    direction: Direction
    ssrc: int = 0
    "of a sendonly m-line"
    rtx_ssrc: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    ufrag: str
    pwd: str = field(repr=False)
    fingerprint: str
    "``sha-256 AA:BB…``"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredMedia:
    mid: str
    kind: Kind
    direction: Direction
    payload_types: Sequence[int]
    extensions: Mapping[HeaderExtension, int]
    feedback: frozenset[str]
    ssrc: int = 0
    rtx_ssrc: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    credentials: Credentials
    is_dtls_server: bool
    candidate: tuple[str, int]
    media: Mapping[str, AnsweredMedia]


class AnswerUnusable(Exception):
    """The server's answer lacks what a client needs to connect."""


def write_offer(
    media: Sequence[OfferedMedia], credentials: Credentials, *, cname: str, version: int, bare: bool
) -> str:
    """A max-bundle offer (RFC 8843); ``bare`` leaves out all feedback but PLI and all extensions but mid."""
    lines = [
        "v=0",
        f"o=- 4611731400430051336 {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE " + " ".join(item.mid for item in media),
        "a=extmap-allow-mixed",
        f"a=msid-semantic: WMS {cname}",
    ]
    for item in media:
        lines += _media_lines(item, credentials, cname, bare)
    return "\r\n".join(lines) + "\r\n"


def read_answer(sdp: str) -> Answer:
    """Raises AnswerUnusable when there is no ICE, DTLS or UDP candidate to go by."""
    _session, *sections = sdp.replace("\r\n", "\n").split("\nm=")
    everything = _attributes(sdp)
    try:
        credentials = Credentials(
            ufrag=everything["ice-ufrag"][0],
            pwd=everything["ice-pwd"][0],
            fingerprint=next(value for value in everything["fingerprint"] if value.startswith("sha-256 ")),
        )
        setup = everything["setup"][0]
    except (KeyError, StopIteration) as error:
        raise AnswerUnusable(f"no {error} in the answer") from error
    media = {item.mid: item for item in map(_read_section, sections)}
    return Answer(
        credentials=credentials,
        is_dtls_server=setup == "passive",
        candidate=_nearest_candidate(everything.get("candidate", [])),
        media=media,
    )


# Private


def _media_lines(item: OfferedMedia, credentials: Credentials, cname: str, bare: bool) -> list[str]:
    audio = item.kind is Kind.AUDIO
    formats = [str(entry[0]) for entry in _AUDIO_FORMATS] if audio else []
    if not audio:
        formats = [str(number) for entry in _VIDEO_FORMATS for number in (entry[0], entry[2])]
    lines = [
        f"m={item.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(formats)}",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{credentials.ufrag}",
        f"a=ice-pwd:{credentials.pwd}",
        "a=ice-options:trickle",
        f"a=fingerprint:{credentials.fingerprint}",
        "a=setup:actpass",
        f"a=mid:{item.mid}",
    ]
    for name, number in _EXTENSIONS[item.kind].items():
        if not bare or name is HeaderExtension.MID:
            lines.append(f"a=extmap:{number} {name}")
    lines.append(f"a={item.direction}")
    if item.direction is Direction.SENDONLY:
        lines.append(f"a=msid:{cname} {cname}-{item.kind}")
    lines += ["a=rtcp-mux", "a=rtcp-rsize"]
    lines += _audio_format_lines(bare) if audio else _video_format_lines(bare)
    if item.ssrc:
        sources = [item.ssrc] if audio else [item.ssrc, item.rtx_ssrc]
        if not audio:
            lines.append(f"a=ssrc-group:FID {item.ssrc} {item.rtx_ssrc}")
        for ssrc in sources:
            lines.append(f"a=ssrc:{ssrc} cname:{cname}")
            lines.append(f"a=ssrc:{ssrc} msid:{cname} {cname}-{item.kind}")
    return lines


def _audio_format_lines(bare: bool) -> list[str]:
    lines = []
    for number, name, parameters in _AUDIO_FORMATS:
        lines.append(f"a=rtpmap:{number} {name}")
        if number == OPUS and not bare:
            lines.append(f"a=rtcp-fb:{number} transport-cc")
        if parameters:
            lines.append(f"a=fmtp:{number} {parameters}")
    return lines


def _video_format_lines(bare: bool) -> list[str]:
    feedback = ("nack pli",) if bare else ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
    lines = []
    for number, name, rtx, parameters in _VIDEO_FORMATS:
        lines.append(f"a=rtpmap:{number} {name}")
        lines += [f"a=rtcp-fb:{number} {value}" for value in feedback]
        if parameters:
            lines.append(f"a=fmtp:{number} {parameters}")
        lines += [f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={number}"]
    return lines


def _attributes(section: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in section.splitlines():
        if line.startswith("a="):
            name, _, value = line[2:].partition(":")
            found.setdefault(name, []).append(value)
    return found


def _read_section(section: str) -> AnsweredMedia:
    kind, _port, _protocol, *formats = section.splitlines()[0].split()
    attributes = _attributes(section)
    extensions: dict[HeaderExtension, int] = {}
    for value in attributes.get("extmap", []):
        number, uri = value.split()[:2]
        if uri in _KNOWN_URIS:
            extensions[HeaderExtension(uri)] = int(number.partition("/")[0])
    sources = [int(value.split()[0]) for value in attributes.get("ssrc", [])]
    pairs = [value.split()[1:] for value in attributes.get("ssrc-group", []) if value.startswith("FID ")]
    ssrc, rtx_ssrc = (int(pairs[0][0]), int(pairs[0][1])) if pairs else (sources[0] if sources else 0, 0)
    return AnsweredMedia(
        mid=attributes["mid"][0],
        kind=Kind(kind),
        direction=next((value for value in Direction if value in attributes), Direction.SENDRECV),
        payload_types=[int(value) for value in formats],
        extensions=extensions,
        feedback=frozenset(value.split(maxsplit=1)[1] for value in attributes.get("rtcp-fb", [])),
        ssrc=ssrc,
        rtx_ssrc=rtx_ssrc,
    )


def _nearest_candidate(candidates: Sequence[str]) -> tuple[str, int]:
    """The UDP host candidate to use: loopback when offered, for the generator runs on the server's host."""
    found: list[tuple[str, int]] = []
    for candidate in candidates:
        parts = candidate.split()
        if parts[2].lower() == "udp" and parts[7] == "host" and ":" not in parts[4]:
            found.append((parts[4], int(parts[5])))
    if not found:
        raise AnswerUnusable("no IPv4 UDP candidate in the answer")
    return next((address for address in found if address[0].startswith("127.")), found[0])
