"""Reading offers: every recorded one, and what nobody should send."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.aiortc_adapter import DtlsRole
from sfu.core.media import Codec, CodecName, Direction, HeaderExtension, Kind
from sfu.sdp.errors import OfferError, OfferMalformed, OfferProblem, OfferUnsupported
from sfu.sdp.offer import OfferedMedia, OfferedSsrc, Setup, dtls_role, read_offer
from sfu.sdp.sections import MAX_LINE_CHARACTERS, MAX_SDP_CHARACTERS, MAX_SECTION_LINES
from tests.sfu.sdp.recorded import NAMES, read_and_answer, recorded

UFRAG = "a=ice-ufrag:abcd"
PWD = "a=ice-pwd:" + "p" * 22
FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["0A"] * 32)
AUDIO = [
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    UFRAG,
    PWD,
    FINGERPRINT,
    "a=setup:actpass",
    "a=mid:0",
    "a=rtcp-mux",
    "a=rtpmap:111 opus/48000/2",
]
VIDEO = [
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
    UFRAG,
    PWD,
    FINGERPRINT,
    "a=setup:actpass",
    "a=mid:1",
    "a=rtcp-mux",
    "a=rtpmap:96 VP8/90000",
    "a=rtpmap:97 rtx/90000",
    "a=fmtp:97 apt=96",
]


def sdp(*sections: list[str], session: tuple[str, ...] = ("a=group:BUNDLE 0 1",)) -> str:
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", *session]
    return "\r\n".join([*lines, *(line for section in sections for line in section)]) + "\r\n"


def first(text: str) -> OfferedMedia:
    return read_offer(text).media[0]


def codec(media: OfferedMedia, name: CodecName) -> Codec:
    return next(each for each in media.codecs if each.name is name)


# --- recorded offers ---


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_offer_is_read(name: str) -> None:
    text = recorded(name)
    offer = read_offer(text)
    assert len(offer.media) == sum(line.startswith("m=") for line in text.splitlines())
    assert offer.setup is (Setup.PASSIVE if name == "pyav_whip_offer" else Setup.ACTPASS)
    assert offer.fingerprints[0][0] == "sha-256"
    for each in offer.media:
        assert each.is_acceptable == (each.kind is not None and not each.is_stopped), each.mid
        assert each.kind is None or each.is_stopped or each.codecs


def test_chromium() -> None:
    offer = read_offer(recorded("chromium_av"))
    assert offer.ice_credentials.ufrag == "iUmf"
    assert offer.ice_credentials.pwd == "p/riqWx7WLHEAot/ReW7PA6Z"
    assert offer.is_trickle
    assert offer.extmap_allow_mixed
    audio, video = offer.media
    assert [each.name for each in audio.codecs] == [CodecName.OPUS, CodecName.RED]
    assert codec(audio, CodecName.OPUS) == Codec(
        name=CodecName.OPUS,
        payload_type=111,
        clock_rate=48000,
        channels=2,
        parameters={"minptime": "10", "useinbandfec": "1"},
        feedback=frozenset({"transport-cc"}),
    )
    assert codec(audio, CodecName.RED).parameters == {"": "111/111"}
    assert codec(video, CodecName.VP8).rtx_payload_type == 97
    assert codec(video, CodecName.VP8).feedback == {
        "nack",
        "nack pli",
        "ccm fir",
        "goog-remb",
        "transport-cc",
    }
    assert [each.payload_type for each in video.codecs] == [96, 102, 104, 108, 114, 116, 39, 45, 98, 100]
    assert video.extensions == {
        HeaderExtension.ABS_SEND_TIME: 2,
        HeaderExtension.VIDEO_ORIENTATION: 13,
        HeaderExtension.TRANSPORT_CC: 3,
        HeaderExtension.MID: 4,
        HeaderExtension.RID: 10,
        HeaderExtension.REPAIRED_RID: 11,
    }
    assert video.ssrcs == (OfferedSsrc(ssrc=1881457168, rtx_ssrc=1770811364, cname="cQzFLoXrIfVLmyEC"),)
    assert video.stream_id == "e9da9756-5080-41ef-ae9d-b61db27e33ea"
    assert video.track_id == "d66a7a9c-7b56-4f14-a644-fca890b5dd37"
    assert video.rcvr_rtt and video.rtcp_rsize
    assert (video.kind, video.direction, video.sends, video.receives) == (
        Kind.VIDEO,
        Direction.SENDRECV,
        True,
        True,
    )


def test_firefox() -> None:
    offer = read_offer(recorded("firefox_av"))
    audio, video = offer.media
    assert not offer.extmap_allow_mixed
    assert audio.extmap_allow_mixed
    opus = codec(audio, CodecName.OPUS)
    assert opus.payload_type == 109
    assert opus.parameters == {"maxplaybackrate": "48000", "stereo": "1", "useinbandfec": "1"}
    assert [(each.name, each.payload_type, each.rtx_payload_type) for each in video.codecs] == [
        (CodecName.VP8, 120, 124),
        (CodecName.VP9, 121, 125),
        (CodecName.AV1, 99, 100),
    ]


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_simulcast_is_seen(browser: str) -> None:
    video = read_offer(recorded(f"{browser}_av_simulcast")).media[1]
    assert video.is_simulcast
    assert video.rids == ("q", "h", "f")
    assert HeaderExtension.DEPENDENCY_DESCRIPTOR in video.extensions
    assert len(video.ssrcs) == (0 if browser == "chromium" else 3)


def test_extension_directions() -> None:
    video = read_offer(recorded("firefox_av_simulcast")).media[1]
    assert video.extension_directions[HeaderExtension.RID] is Direction.SENDONLY
    assert video.extension_directions[HeaderExtension.MID] is Direction.SENDRECV


def test_gstreamers_bundle_only_m_line_is_not_stopped() -> None:
    video, audio = read_offer(recorded("gstreamer_offer")).media
    assert not audio.is_stopped
    assert codec(audio, CodecName.OPUS).channels == 2
    assert codec(video, CodecName.H264).parameters["profile-level-id"] == "42c01e"
    assert "sprop-parameter-sets" not in codec(video, CodecName.H264).parameters


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_a_call_of_one_page(browser: str) -> None:
    """Offers of one peer connection, one after the other."""
    steps = ["first", "more", "stopped", "recycled", "paused", "restarted", "tag_stopped"]
    offers = {step: read_offer(recorded(f"{browser}_page_{step}")) for step in steps}
    mids = {step: [each.mid for each in offer.media] for step, offer in offers.items()}
    assert mids["first"] == ["0", "1", "2", "3"]
    assert mids["more"] == ["0", "1", "2", "3", "4", "5"]
    assert offers["stopped"].media[3].is_stopped
    assert offers["stopped"].find("3") is None
    assert mids["recycled"] == ["0", "1", "2", "6", "4", "5"]
    assert not offers["recycled"].media[3].is_stopped
    assert offers["paused"].media[1].direction is Direction.INACTIVE
    assert offers["tag_stopped"].media[0].is_stopped
    restarts = {step: offers[step].is_ice_restart_after(offers[before]) for before, step in itertools.pairwise(steps)}
    tags = {step: offer.transport_mid for step, offer in offers.items()}
    assert tags == {step: "1" if step == "tag_stopped" else "0" for step in steps}
    assert restarts == {step: step == "restarted" for step in steps[1:]}


# --- tolerance ---


def test_candidates_and_their_end_are_passed_over() -> None:
    noise = [
        "a=candidate:1 1 udp 1 a202f269-e80e-417f-afdc-fb5d462d15fd.local 9 typ host",
        "a=candidate:broken",
        "a=end-of-candidates",
        "a=rtcp:nonsense",
    ]
    assert first(sdp([*AUDIO, *noise])).is_acceptable


def test_fmtp_without_rtpmap_is_passed_over() -> None:
    assert first(sdp([*AUDIO, "a=fmtp:0 x=1"])).is_acceptable


def test_transport_attributes_of_the_session_hold_for_each_m_line() -> None:
    moved = (UFRAG, PWD, FINGERPRINT, "a=setup:active", "a=recvonly")
    offer = read_offer(sdp([line for line in AUDIO if line not in (UFRAG, PWD, FINGERPRINT)], session=moved))
    assert offer.ice_credentials.ufrag == "abcd"
    assert offer.setup is Setup.ACTPASS
    assert offer.media[0].direction is Direction.RECVONLY
    bare = [line for line in AUDIO if "setup" not in line]
    assert read_offer(sdp(bare, session=moved)).setup is Setup.ACTIVE


def test_without_direction_it_is_sendrecv() -> None:
    assert first(sdp(AUDIO)).direction is Direction.SENDRECV


def test_without_a_group_the_first_m_line_is_the_session() -> None:
    offer = read_offer(sdp(AUDIO, VIDEO, session=()))
    assert not offer.has_bundle_group
    assert [each.is_acceptable for each in offer.media] == [True, False]


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("a=rtcp-mux", None),
        ("a=mid:0", "a=mid:5"),
        ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 G722/8000"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=audio 9 RTP/AVP 111"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=audio 0 UDP/TLS/RTP/SAVPF 111"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=text 9 UDP/TLS/RTP/SAVPF 111"),
    ],
    ids=["no rtcp-mux", "not bundled", "no codec of ours", "no DTLS", "stopped", "text"],
)
def test_an_m_line_that_can_only_be_rejected(line: str, instead: str | None) -> None:
    changed = [instead if each == line else each for each in AUDIO]
    offer = read_offer(sdp([each for each in changed if each is not None], VIDEO))
    assert [each.is_acceptable for each in offer.media] == [False, True]


def test_the_transport_is_that_of_the_first_live_bundled_m_line() -> None:
    stopped = ["m=audio 0 UDP/TLS/RTP/SAVPF 0", "a=inactive", "a=mid:0"]
    other = [line.replace("abcd", "wxyz") for line in VIDEO]
    assert read_offer(sdp(stopped, other)).ice_credentials.ufrag == "wxyz"
    assert read_offer(sdp(stopped, other)).transport_mid == "1"
    assert read_offer(sdp(AUDIO, other, session=("a=group:BUNDLE 1 0",))).ice_credentials.ufrag == "wxyz"


# --- codecs and extensions ---


def test_payload_types_that_rtcp_mux_forbids_are_not_used() -> None:
    video = [line.replace("96", "90") for line in VIDEO]
    assert first(sdp([*video[:5], "a=mid:0", *video[6:]])).codecs == ()


def test_red_for_video_is_no_codec_of_ours() -> None:
    red = [*VIDEO, "a=rtpmap:98 red/90000", "a=rtpmap:99 opus/48000/2"]
    red[0] += " 98 99"
    assert [each.name for each in read_offer(sdp(AUDIO, red)).media[1].codecs] == [CodecName.VP8]


def test_codecs_come_in_the_order_of_the_m_line() -> None:
    names = [each.name for each in first(recorded("chromium_red_audio")).codecs]
    assert names == [CodecName.RED, CodecName.OPUS]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid"], 1),
        (["a=extmap:1/sendonly urn:ietf:params:rtp-hdrext:sdes:mid and attributes"], 1),
        (["a=extmap:15 urn:ietf:params:rtp-hdrext:sdes:mid"], None),
        (["a=extmap:16 urn:ietf:params:rtp-hdrext:sdes:mid"], None),
        (["a=extmap-allow-mixed", "a=extmap:16 urn:ietf:params:rtp-hdrext:sdes:mid"], 16),
        (["a=extmap:4097 urn:ietf:params:rtp-hdrext:sdes:mid"], None),
        (["a=extmap:1 urn:x", "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid"], None),
        (
            [
                "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
                "a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:mid",
            ],
            1,
        ),
    ],
)
def test_extension_ids(lines: list[str], expected: int | None) -> None:
    assert first(sdp([*AUDIO, *lines])).extensions.get(HeaderExtension.MID) == expected


def test_an_id_means_one_extension_in_the_whole_group() -> None:
    audio = [*AUDIO, "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid"]
    video = [*VIDEO, "a=extmap:1 urn:3gpp:video-orientation", "a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:mid"]
    assert read_offer(sdp(audio, video)).media[1].extensions == {}


# --- refusals ---


def without(prefix: str) -> str:
    return sdp([line for line in AUDIO if not line.startswith(prefix)])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", OfferProblem.MALFORMED),
        ("hello", OfferProblem.MALFORMED),
        ("v=0\r\n", OfferProblem.MALFORMED),
        (sdp(["m=audio"]), OfferProblem.MALFORMED),
        (sdp([*AUDIO, "a=rtpmap:x"]), OfferProblem.MALFORMED),
        (sdp([*AUDIO, "a=fmtp:111"]), OfferProblem.MALFORMED),
        (sdp([*AUDIO, "a=ssrc:1"]), OfferProblem.MALFORMED),
        (sdp([*AUDIO, "a=ssrc:4294967296 cname:x"]), OfferProblem.MALFORMED),
        (sdp([*AUDIO, "a=ssrc-group:FID 1 x"]), OfferProblem.MALFORMED),
        (sdp([*AUDIO, *(f"a=ssrc:{number} cname:x" for number in range(100))]), OfferProblem.MALFORMED),
        (sdp([*AUDIO, *(f"a=rid:{number} send" for number in range(9))]), OfferProblem.MALFORMED),
        (sdp([*AUDIO, "a=rid:q\x01 send"]), OfferProblem.MALFORMED),
        (sdp([*AUDIO, "a=extmap:x urn:x"]), OfferProblem.MALFORMED),
        (sdp([*AUDIO, "a=setup:holdconn"]), OfferProblem.MALFORMED),
        (sdp(AUDIO, AUDIO), OfferProblem.MALFORMED),
        (sdp([*AUDIO[:5], "a=mid:" + "x" * 33]), OfferProblem.MALFORMED),
        (sdp([*AUDIO[:5], "a=mid:a b"]), OfferProblem.MALFORMED),
        (without("a=setup"), OfferProblem.MALFORMED),
        (without("a=ice-ufrag"), OfferProblem.MALFORMED),
        (without("a=ice-pwd"), OfferProblem.MALFORMED),
        (without("a=fingerprint"), OfferProblem.NO_FINGERPRINT),
        (without("a=fingerprint") + "a=fingerprint:sha-1 00\r\n", OfferProblem.NO_FINGERPRINT),
        (without("a=fingerprint") + "a=fingerprint:sha-256 00:11\r\n", OfferProblem.MALFORMED),
        (without("a=mid"), OfferProblem.NO_TRANSPORT),
        (sdp(["m=audio 0 UDP/TLS/RTP/SAVPF 0", "a=mid:0"]), OfferProblem.NO_TRANSPORT),
        ("x" * (MAX_SDP_CHARACTERS + 1), OfferProblem.TOO_LARGE),
        (sdp([*AUDIO, "a=" + "x" * MAX_LINE_CHARACTERS]), OfferProblem.TOO_LARGE),
        (sdp([*AUDIO, *["a=x"] * MAX_SECTION_LINES]), OfferProblem.TOO_LARGE),
        (sdp(*[["m=audio 0 X 0"]] * 65), OfferProblem.TOO_LARGE),
        (sdp([*AUDIO, *["a=rtpmap:1 x/1"] * 128]), OfferProblem.TOO_LARGE),
        (sdp([*AUDIO, *["a=fmtp:1 x"] * 129]), OfferProblem.TOO_LARGE),
        (sdp([*AUDIO, *["a=ssrc:1 x:y"] * 257]), OfferProblem.TOO_LARGE),
    ],
)
def test_refused(text: str, problem: OfferProblem) -> None:
    with pytest.raises(OfferError) as caught:
        read_offer(text)
    assert caught.value.problem is problem
    assert isinstance(caught.value, OfferUnsupported) == problem.value.startswith("offer_without")
    assert isinstance(caught.value, OfferMalformed) != isinstance(caught.value, OfferUnsupported)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("setup", "current", "expected"),
    [
        (Setup.ACTPASS, None, "server"),
        (Setup.ACTIVE, None, "server"),
        (Setup.PASSIVE, None, "client"),
        (Setup.ACTPASS, "server", "server"),
        (Setup.ACTPASS, "client", "client"),
        (Setup.PASSIVE, "client", "client"),
        (Setup.ACTIVE, "client", None),
        (Setup.PASSIVE, "server", None),
    ],
)
def test_dtls_role(setup: Setup, current: DtlsRole | None, expected: DtlsRole | None) -> None:
    if expected is not None:
        assert dtls_role(setup, current) == expected
        return
    with pytest.raises(OfferUnsupported) as caught:
        dtls_role(setup, current)
    assert caught.value.problem is OfferProblem.ROLE_CHANGED


# --- any text ---

# A time limit for each example would measure the machine's load.
untimed = settings(deadline=None)
LINES = sorted({line for name in NAMES for line in recorded(name).splitlines()})


@untimed
@given(st.text())
def test_any_text_raises_only_the_named_error(text: str) -> None:
    read_and_answer(text.encode("utf-8", "surrogatepass"))


@untimed
@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=30).map("a={}".format)), max_size=60))
def test_any_mix_of_real_lines_raises_only_the_named_error(lines: list[str]) -> None:
    read_and_answer("\n".join(lines).encode("utf-8", "surrogatepass"))


@untimed
@given(st.sampled_from(NAMES), st.data())
def test_a_damaged_offer_raises_only_the_named_error(name: str, data: st.DataObject) -> None:
    text = recorded(name)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 40, len(text))))
        text = text[:start] + data.draw(st.text(max_size=10)) + text[end:]
    read_and_answer(text.encode("utf-8", "surrogatepass"))
