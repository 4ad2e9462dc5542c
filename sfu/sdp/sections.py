"""The lines of a session description, bounded, before anything looks at their meaning (RFC 8866 §5)."""

from __future__ import annotations

import re
from typing import Final

from sfu.sdp.errors import OfferMalformed, OfferProblem

MAX_SDP_CHARACTERS: Final = 256 * 1024
MAX_SECTIONS: Final = 64
MAX_SECTION_LINES: Final = 512
MAX_LINE_CHARACTERS: Final = 4096
MAX_REPEATED: Final = {"rtpmap": 128, "fmtp": 128, "ssrc": 256}
"of one m-line: the parser's time grows with their square"

_IGNORED: Final = frozenset(
    {"candidate", "end-of-candidates", "remote-candidates", "rtcp", "rtcp-fb", "extmap", "ssrc-group"}
)
"""Not passed on to aiortc's parser. An ICE-lite server waits for checks and needs no candidates, ``.local``
or not; the others are read here, because the parser loses a part of them, fails on it or is slow."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~]+")


class Section:
    """The session's lines, or those of one m-line and what follows it."""

    __slots__ = ("_attributes", "lines")

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self._attributes: dict[str, list[str]] = {}
        for line in lines:
            if line.startswith("a="):
                name, _, value = line[2:].partition(":")
                self._attributes.setdefault(name.strip(), []).append(value.strip())

    def values(self, name: str) -> list[str]:
        return self._attributes.get(name, [])

    def value(self, name: str) -> str | None:
        values = self.values(name)
        return values[0] if values else None

    def has_flag(self, name: str) -> bool:
        return name in self._attributes


def split_sections(sdp: str) -> tuple[Section, list[Section]]:
    """The session section and the media sections; raises OfferMalformed when a bound is passed."""
    if len(sdp) > MAX_SDP_CHARACTERS:
        raise OfferMalformed(OfferProblem.TOO_LARGE, f"more than {MAX_SDP_CHARACTERS} characters")
    groups: list[list[str]] = [[]]
    for line in sdp.splitlines():
        if len(line) > MAX_LINE_CHARACTERS:
            raise OfferMalformed(OfferProblem.TOO_LARGE, f"a line of more than {MAX_LINE_CHARACTERS} characters")
        if line.startswith("m="):
            groups.append([])
        groups[-1].append(line)
        if len(groups[-1]) > MAX_SECTION_LINES:
            raise OfferMalformed(OfferProblem.TOO_LARGE, f"a section of more than {MAX_SECTION_LINES} lines")
    if len(groups) - 1 > MAX_SECTIONS:
        raise OfferMalformed(OfferProblem.TOO_LARGE, f"more than {MAX_SECTIONS} m-lines")
    session, *media = (Section(group) for group in groups)
    for name, most in MAX_REPEATED.items():
        if any(len(each.values(name)) > most for each in media):
            raise OfferMalformed(OfferProblem.TOO_LARGE, f"more than {most} a={name} in an m-line")
    return session, media


def text_for_parser(session: Section, media: list[Section]) -> str:
    """The same description without what aiortc's parser doesn't need or stumbles over."""
    lines = list(_kept(session))
    for section in media:
        mapped = {value.partition(" ")[0] for value in section.values("rtpmap")}
        lines += [
            line
            for line in _kept(section)
            # Legal without an rtpmap for a static payload type (RFC 8866 §6.15); the parser fails on it.
            if not line.startswith("a=fmtp:") or line[7:].partition(" ")[0] in mapped
        ]
    return "\r\n".join(lines) + "\r\n"


def is_token(text: str, *, longest: int = 32) -> bool:
    """A token (RFC 8866 §9) short enough to repeat in an answer, a mid in a header extension too."""
    return len(text) <= longest and _TOKEN.fullmatch(text) is not None


def _kept(section: Section) -> list[str]:
    return [line for line in section.lines if _attribute_name(line) not in _IGNORED]


def _attribute_name(line: str) -> str:
    return line[2:].partition(":")[0].strip() if line.startswith("a=") else ""
