"""Offers as a browser writes them, with ids of the test's choice, and what an answer says to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sfu.core.media import Direction, HeaderExtension, Kind
from sfu.plane.seam import IceCredentials

ICE_UFRAG, ICE_PWD = "peer", "p" * 24
H264 = "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1"
_FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """Payload types and extension ids of one peer; two peers of a test have different ones."""

    vp8: int | None = 96
    h264: int | None = None
    opus: int = 111
    red: int | None = None
    audio_level: int = 1
    abs_send_time: int = 2
    transport_cc: int = 3
    mid: int = 4
    orientation: int = 13

    @property
    def ids(self) -> Mapping[HeaderExtension, int]:
        return {
            HeaderExtension.AUDIO_LEVEL: self.audio_level,
            HeaderExtension.ABS_SEND_TIME: self.abs_send_time,
            HeaderExtension.TRANSPORT_CC: self.transport_cc,
            HeaderExtension.MID: self.mid,
            HeaderExtension.VIDEO_ORIENTATION: self.orientation,
        }


CHROMIUM = Formats(h264=102, red=63)
FIREFOX = Formats(vp8=120, opus=109, audio_level=5, abs_send_time=6, transport_cc=7, mid=3, orientation=8)


@dataclass(slots=True, kw_only=True)
class OfferedLine:
    """One m-line; a test may change it between offers."""

    mid: str
    kind: Kind
    direction: Direction
    ssrc: int = 0
    rtx_ssrc: int = 0
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredLine:
    mid: str
    kind: str
    port: int
    direction: str
    codecs: Sequence[str]
    "``VP8/96``, in order"
    extensions: Mapping[str, int]
    feedback: frozenset[str]
    ssrcs: Sequence[int]
    stream_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAnswer:
    credentials: IceCredentials
    setup: str
    fingerprint: str
    candidates: Sequence[Sequence[str]]
    lines: Mapping[str, AnsweredLine] = field(default_factory=dict)

    def address(self, protocol: str = "udp") -> tuple[str, int]:
        return next((c[4], int(c[5])) for c in self.candidates if c[2] == protocol and ":" not in c[4])


def write_offer(
    lines: Sequence[OfferedLine],
    formats: Formats,
    fingerprints: Sequence[tuple[str, str]],
    *,
    setup: str = "actpass",
    ufrag: str = ICE_UFRAG,
) -> str:
    text = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE " + " ".join(line.mid for line in lines if not line.stopped),
        "a=msid-semantic: WMS *",
    ]
    for line in lines:
        text += _line(line, formats, fingerprints, setup, ufrag)
    return "\r\n".join(text) + "\r\n"


def _line(
    line: OfferedLine, formats: Formats, fingerprints: Sequence[tuple[str, str]], setup: str, ufrag: str
) -> list[str]:
    codecs = _audio(formats) if line.kind is Kind.AUDIO else _video(formats)
    numbers = [text.split(":")[1].split(" ")[0] for text in codecs if text.startswith("a=rtpmap:")]
    text = [
        f"m={line.kind} {0 if line.stopped else 9} UDP/TLS/RTP/SAVPF {' '.join(numbers)}",
        "c=IN IP4 0.0.0.0",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{ICE_PWD}",
        "a=ice-options:trickle",
        *(f"a=fingerprint:{algorithm} {value}" for algorithm, value in fingerprints),
        f"a=setup:{setup}",
        f"a=mid:{line.mid}",
        f"a={line.direction}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
    ]
    for extension, number in formats.ids.items():
        if (extension is HeaderExtension.AUDIO_LEVEL) != (line.kind is Kind.VIDEO) or extension not in (
            HeaderExtension.AUDIO_LEVEL,
            HeaderExtension.VIDEO_ORIENTATION,
        ):
            text.append(f"a=extmap:{number} {extension}")
    text += codecs
    if line.ssrc:
        text.append(f"a=ssrc:{line.ssrc} cname:peer")
    if line.rtx_ssrc:
        text += [f"a=ssrc-group:FID {line.ssrc} {line.rtx_ssrc}", f"a=ssrc:{line.rtx_ssrc} cname:peer"]
    return text


def _audio(formats: Formats) -> list[str]:
    text = [
        f"a=rtpmap:{formats.opus} opus/48000/2",
        f"a=rtcp-fb:{formats.opus} transport-cc",
        f"a=fmtp:{formats.opus} minptime=10;useinbandfec=1",
    ]
    if formats.red is not None:
        text += [f"a=rtpmap:{formats.red} red/48000/2", f"a=fmtp:{formats.red} {formats.opus}/{formats.opus}"]
    return text


def _video(formats: Formats) -> list[str]:
    text: list[str] = []
    for name, number, parameters in (("VP8", formats.vp8, ""), ("H264", formats.h264, H264)):
        if number is None:
            continue
        text.append(f"a=rtpmap:{number} {name}/90000")
        text += [f"a=rtcp-fb:{number} {feedback}" for feedback in _FEEDBACK]
        text += [f"a=fmtp:{number} {parameters}"] if parameters else []
        text += [f"a=rtpmap:{number + 1} rtx/90000", f"a=fmtp:{number + 1} apt={number}"]
    return text


def read_answer(sdp: str) -> ReadAnswer:
    _, *sections = sdp.split("\r\nm=")
    found = _attributes(sdp)
    return ReadAnswer(
        credentials=IceCredentials(ufrag=found["ice-ufrag"][0], pwd=found["ice-pwd"][0]),
        setup=found["setup"][0],
        fingerprint=found["fingerprint"][0],
        candidates=[candidate.split() for candidate in found.get("candidate", [])],
        lines={line.mid: line for line in map(_answered, sections)},
    )


def _attributes(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.split("\r\n"):
        if line.startswith("a="):
            name, _, value = line[2:].partition(":")
            found.setdefault(name, []).append(value)
    return found


def _answered(section: str) -> AnsweredLine:
    kind, port = section.split(" ")[:2]
    found = _attributes(section)
    names = dict(value.split(" ", 1) for value in found.get("rtpmap", []))
    return AnsweredLine(
        mid=found["mid"][0],
        kind=kind,
        port=int(port),
        direction=next(each for each in Direction if each in found),
        codecs=[f"{name.split('/')[0]}/{number}" for number, name in names.items()],
        extensions={value.split(" ")[1]: int(value.split(" ")[0].split("/")[0]) for value in found.get("extmap", [])},
        feedback=frozenset(value.split(" ", 1)[1] for value in found.get("rtcp-fb", [])),
        ssrcs=list(dict.fromkeys(int(value.split(" ")[0]) for value in found.get("ssrc", []))),
        stream_id=found.get("msid", [""])[0].split(" ")[0],
    )
