"""Reading an offer (RFC 8829 §5.8): what each m-line offers, and whether we could accept it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from sfu.aiortc_adapter import DtlsRole, ParsedMedia, ParsedSession, parse_session_description
from sfu.core.media import Codec, Direction, HeaderExtension, Kind
from sfu.plane.seam import IceCredentials
from sfu.sdp.errors import OfferError, OfferMalformed, OfferProblem, OfferUnsupported
from sfu.sdp.formats import read_codecs
from sfu.sdp.sections import Section, is_token, split_sections, text_for_parser

MAX_SSRCS: Final = 32
MAX_RIDS: Final = 8

_DIGEST_BYTES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_EXTENSIONS: Final = {extension.value: extension for extension in HeaderExtension}
_RTP_PROTOCOLS: Final = frozenset({"UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "RTP/SAVPF"})
"""RFC 8829 §5.1.2: all three mean DTLS-SRTP with feedback."""


class Setup(enum.StrEnum):
    """Who opens the DTLS association (RFC 8842 §5.2), as the peer offers it."""

    ACTPASS = "actpass"
    ACTIVE = "active"
    PASSIVE = "passive"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedSsrc:
    """A source that the offer names (RFC 5576), with the source of its retransmissions."""

    ssrc: int
    rtx_ssrc: int | None = None
    cname: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedMedia:
    """One m-line."""

    index: int
    media_type: str
    protocol: str
    formats: tuple[str, ...]
    mid: str
    "empty when the m-line has none"
    direction: Direction
    is_stopped: bool
    "port zero without ``bundle-only`` (RFC 9143 §6)"
    is_bundled: bool
    rtcp_mux: bool
    rtcp_rsize: bool
    rcvr_rtt: bool
    "``a=rtcp-xr:rcvr-rtt=all`` (RFC 3611 §5.1): the peer measures RTT by XR"
    extmap_allow_mixed: bool
    codecs: tuple[Codec, ...]
    "those that the SFU knows, in the order of the m-line"
    extensions: Mapping[HeaderExtension, int]
    extension_directions: Mapping[HeaderExtension, Direction]
    ssrcs: tuple[OfferedSsrc, ...]
    stream_id: str | None
    track_id: str | None
    rids: tuple[str, ...]
    "``a=rid`` with direction send (RFC 8851), in the order of preference"
    is_simulcast: bool

    @property
    def kind(self) -> Kind | None:
        return Kind(self.media_type) if self.media_type in ("audio", "video") else None

    @property
    def is_acceptable(self) -> bool:
        """False: whatever the plan, this m-line is answered with port zero."""
        return (
            self.kind is not None
            and not self.is_stopped
            and self.is_bundled
            and self.rtcp_mux
            and self.protocol in _RTP_PROTOCOLS
            and bool(self.codecs)
        )

    @property
    def sends(self) -> bool:
        """The peer may send on this m-line."""
        return self.direction in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self.direction in (Direction.SENDRECV, Direction.RECVONLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An offer with the transport that its m-lines share."""

    media: tuple[OfferedMedia, ...]
    has_bundle_group: bool
    extmap_allow_mixed: bool
    "said for the session; an m-line may say it for itself"
    transport_mid: str
    """The m-line that carries the transport. When it is stopped or reused mid-call, another one does, and
    Chromium and Firefox both end the DTLS association and start a new one, even under the same ufrag."""
    ice_credentials: IceCredentials
    "the peer's"
    is_trickle: bool
    fingerprints: tuple[tuple[str, str], ...]
    setup: Setup
    _by_mid: Mapping[str, OfferedMedia] = field(repr=False, compare=False)

    def find(self, mid: str) -> OfferedMedia | None:
        """The m-line with this mid that isn't stopped."""
        return self._by_mid.get(mid)

    def is_ice_restart_after(self, previous: Offer) -> bool:
        """RFC 8839 §4.4.1.1.1: a new ufrag or password asks for new credentials of ours."""
        return self.ice_credentials != previous.ice_credentials


def read_offer(sdp: str) -> Offer:
    """Raises OfferMalformed or OfferUnsupported, and nothing else, whatever the text is."""
    session, sections = split_sections(sdp)
    try:
        parsed = parse_session_description(text_for_parser(session, sections))
    except Exception as error:
        # AssertionError, AttributeError, KeyError, RuntimeError, ValueError and others have been seen.
        raise _malformed(f"not readable ({type(error).__name__})") from error
    if not parsed.media or len(parsed.media) != len(sections):
        raise _malformed("no m-line")
    try:
        return _read_session(session, sections, parsed)
    except OfferError:
        raise
    except ValueError as error:
        raise _malformed(str(error)[:200]) from error


def dtls_role(setup: Setup, current: DtlsRole | None = None) -> DtlsRole:
    """Our part: the server wherever the peer allows it, and without an ICE restart always the same."""
    if current is None:
        return "client" if setup is Setup.PASSIVE else "server"
    if setup is (Setup.PASSIVE if current == "server" else Setup.ACTIVE):
        raise OfferUnsupported(OfferProblem.ROLE_CHANGED, f"a={setup} against our running {current}")
    return current


def _malformed(detail: str) -> OfferMalformed:
    return OfferMalformed(OfferProblem.MALFORMED, detail)


# --- session ---


def _read_session(session: Section, sections: list[Section], parsed: ParsedSession) -> Offer:
    bundles = [[str(item) for item in group.items] for group in parsed.group if group.semantic == "BUNDLE"]
    # Without a group one m-line still makes a session; all the others would need transports of their own.
    bundle = bundles[0] if bundles else _first_mid(sections)
    extensions = _ExtensionIds()
    media = tuple(
        _read_media(index, each, section, session, bundle, extensions)
        for index, (each, section) in enumerate(zip(parsed.media, sections, strict=True))
    )
    by_mid = {each.mid: each for each in media if not each.is_stopped and each.mid}
    if len(by_mid) != sum(not each.is_stopped and bool(each.mid) for each in media):
        raise _malformed("two m-lines with the same mid")
    tagged = next((by_mid[mid] for mid in bundle if mid in by_mid), None)
    if tagged is None:
        raise OfferUnsupported(OfferProblem.NO_TRANSPORT, "no live m-line in the BUNDLE group")
    transport = parsed.media[tagged.index]
    setup = _setup(sections[tagged.index], session)
    options = (transport.ice_options or "").replace(",", " ").split()
    return Offer(
        media=media,
        has_bundle_group=bool(bundles),
        extmap_allow_mixed=session.has_flag("extmap-allow-mixed"),
        transport_mid=tagged.mid,
        ice_credentials=_ice_credentials(transport),
        is_trickle="trickle" in options,
        fingerprints=_fingerprints(transport),
        setup=setup,
        _by_mid=MappingProxyType(by_mid),
    )


def _first_mid(sections: list[Section]) -> list[str]:
    return [section.value("mid") or "" for section in sections][:1]


def _ice_credentials(transport: ParsedMedia) -> IceCredentials:
    """RFC 8839 §5.4: 4 to 256 and 22 to 256 characters."""
    ice = transport.ice
    ufrag = (ice.usernameFragment or "").strip() if ice is not None else ""
    pwd = (ice.password or "").strip() if ice is not None else ""
    if not 4 <= len(ufrag) <= 256 or not 22 <= len(pwd) <= 256 or not (ufrag + pwd).isascii():
        raise _malformed("no ICE credentials")
    return IceCredentials(ufrag=ufrag, pwd=pwd)


def _fingerprints(transport: ParsedMedia) -> tuple[tuple[str, str], ...]:
    """RFC 8122 §5; unknown algorithms are passed over."""
    found: dict[tuple[str, str], None] = {}
    for each in transport.dtls.fingerprints if transport.dtls is not None else ():
        algorithm, value = each.algorithm.lower(), each.value.upper()
        if algorithm not in _DIGEST_BYTES:
            continue
        if len(bytes.fromhex(value.replace(":", ""))) != _DIGEST_BYTES[algorithm]:
            raise _malformed(f"a {algorithm} fingerprint of another length")
        found[algorithm, value] = None
    if not found:
        raise OfferUnsupported(OfferProblem.NO_FINGERPRINT, "none by SHA-256, SHA-384 or SHA-512")
    return tuple(found)


def _setup(section: Section, session: Section) -> Setup:
    return Setup(section.value("setup") or session.value("setup") or "")


# --- one m-line ---


def _read_media(
    index: int,
    parsed: ParsedMedia,
    section: Section,
    session: Section,
    bundle: list[str],
    ids: _ExtensionIds,
) -> OfferedMedia:
    is_stopped = parsed.port == 0 and not section.has_flag("bundle-only")
    mid = (section.value("mid") or "").strip()
    if mid and not is_token(mid):
        raise _malformed("a mid that is no short token")
    formats = tuple(str(each) for each in parsed.fmt)
    if not is_token(parsed.kind) or not all(is_token(each) for each in formats):
        raise _malformed("an m-line with odd characters")
    stream_id, track_id = _msid(parsed)
    mixed = section.has_flag("extmap-allow-mixed")
    extensions, directions = ids.read(section, mixed or session.has_flag("extmap-allow-mixed"))
    rids = tuple(name for name, direction in (_words(value) for value in section.values("rid")) if direction == "send")
    if len(rids) > MAX_RIDS or not all(is_token(rid) for rid in rids):
        raise _malformed("rids")
    return OfferedMedia(
        index=index,
        media_type=parsed.kind,
        protocol=parsed.profile,
        formats=formats,
        mid=mid,
        direction=_direction(parsed, session),
        is_stopped=is_stopped,
        is_bundled=bool(mid) and mid in bundle,
        rtcp_mux=section.has_flag("rtcp-mux") or section.has_flag("rtcp-mux-only"),
        rtcp_rsize=section.has_flag("rtcp-rsize"),
        rcvr_rtt="rcvr-rtt=all" in (section.value("rtcp-xr") or "").split(),
        extmap_allow_mixed=mixed,
        codecs=read_codecs(parsed, section, formats) if parsed.kind in ("audio", "video") else (),
        extensions=MappingProxyType(extensions),
        extension_directions=MappingProxyType(directions),
        ssrcs=_ssrcs(parsed, section),
        stream_id=stream_id,
        track_id=track_id,
        rids=rids,
        is_simulcast=section.value("simulcast") is not None,
    )


def _direction(parsed: ParsedMedia, session: Section) -> Direction:
    """RFC 8866 §6.7: a session-level direction is the m-line's default, sendrecv the last resort."""
    if parsed.direction is not None:
        return Direction(parsed.direction)
    return next((each for each in Direction if session.has_flag(each.value)), Direction.SENDRECV)


def _words(value: str) -> tuple[str, str]:
    words = [*value.split(), "", ""]
    return words[0], words[1]


def _msid(parsed: ParsedMedia) -> tuple[str | None, str | None]:
    """RFC 8830; older stacks say it at the SSRC."""
    value = parsed.msid or next((each.msid for each in parsed.ssrc if each.msid), None)
    stream_id, track_id = _words(value or "")
    return stream_id or None, track_id or None


def _ssrcs(parsed: ParsedMedia, section: Section) -> tuple[OfferedSsrc, ...]:
    """``a=ssrc`` and ``a=ssrc-group:FID`` (RFC 5576 §4, RFC 4588 §8.8)."""
    rtx: dict[int, int] = {}
    for value in section.values("ssrc-group"):
        semantics, *members = value.split()
        if semantics == "FID" and len(members) == 2:
            rtx[int(members[0])] = int(members[1])
    named = {each.ssrc: each.cname for each in parsed.ssrc}
    everything = {*named, *rtx, *rtx.values()}
    if len(everything) > 2 * MAX_SSRCS or any(not 0 <= ssrc < 2**32 for ssrc in everything):
        raise _malformed("SSRCs")
    repairs = set(rtx.values())
    return tuple(
        OfferedSsrc(ssrc=ssrc, rtx_ssrc=rtx.get(ssrc), cname=cname)
        for ssrc, cname in named.items()
        if ssrc not in repairs
    )


class _ExtensionIds:
    """One id means one extension in the whole BUNDLE group, and the other way round (RFC 9143 §9.2)."""

    def __init__(self) -> None:
        self._uris: dict[int, str] = {}
        self._ids: dict[str, int] = {}

    def read(
        self, section: Section, is_mixed: bool
    ) -> tuple[dict[HeaderExtension, int], dict[HeaderExtension, Direction]]:
        """Ids and directions of the extensions that we know (RFC 8285 §5)."""
        allowed = range(1, 256 if is_mixed else 15)
        ids: dict[HeaderExtension, int] = {}
        directions: dict[HeaderExtension, Direction] = {}
        for value in section.values("extmap"):
            number, uri = _words(value)
            text, _, direction = number.partition("/")
            identifier = int(text)
            # 15 is reserved (RFC 8285 §4.2); 4096 and up are there to be chosen from (§7), which we needn't.
            if identifier not in allowed or identifier == 15:
                continue
            if self._uris.setdefault(identifier, uri) != uri or self._ids.setdefault(uri, identifier) != identifier:
                continue
            extension = _EXTENSIONS.get(uri)
            if extension is None:
                continue
            ids[extension] = identifier
            directions[extension] = Direction(direction) if direction else Direction.SENDRECV
        return ids, directions
