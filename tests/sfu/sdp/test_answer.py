"""Writing answers: their shape against RFC 8829, and what they accept."""

from __future__ import annotations

import dataclasses

import pytest
from aiortc.sdp import SessionDescription

from sfu.aiortc_adapter import DtlsRole
from sfu.core.media import Codec, CodecName, Direction, HeaderExtension
from sfu.plane.seam import MediaAddress
from sfu.sdp.answer import (
    MediaPlan,
    OutgoingTrack,
    ReceivePlan,
    SendPlan,
    answered_direction,
    received_extensions,
    sent_extensions,
    write_answer,
)
from sfu.sdp.codecs import choose_codecs
from sfu.sdp.offer import Offer, OfferedMedia, read_offer
from tests.sfu.sdp.recorded import ADDRESSES, FINGERPRINT, NAMES, ORDER, plan_for, recorded, track


def sections(sdp: str) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in sdp.splitlines():
        if line.startswith("m="):
            found.append([])
        found[-1].append(line)
    return found


def values(section: list[str], name: str) -> list[str]:
    return [line.removeprefix(f"a={name}:") for line in section if line.startswith(f"a={name}:")]


def receive(media: OfferedMedia, *names: CodecName) -> ReceivePlan:
    assert media.kind is not None
    return ReceivePlan(codecs=choose_codecs(media.codecs, names or ORDER[media.kind]))


def send(media: OfferedMedia, outgoing: OutgoingTrack | None) -> SendPlan:
    assert media.kind is not None
    return SendPlan(codecs=choose_codecs(media.codecs, ORDER[media.kind]), track=outgoing)


def answer_section(name: str, index: int, plan: MediaPlan) -> list[str]:
    offer = read_offer(recorded(name))
    return sections(write_answer(offer, plan_for(offer, {offer.media[index].mid: plan})))[index + 1]


def recorded_media(name: str, index: int) -> OfferedMedia:
    return read_offer(recorded(name)).media[index]


# --- every recorded offer ---


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_to_every_recorded_offer(name: str) -> None:
    offer = read_offer(recorded(name))
    plan = plan_for(offer)
    text = write_answer(offer, plan)
    session, *media = sections(text)
    assert text.endswith("\r\n") and "\n" not in text.replace("\r\n", "")
    assert session[0] == "v=0"
    assert "a=ice-lite" in session
    assert len(media) == len(offer.media)
    bundle = next((line.split()[1:] for line in session if line.startswith("a=group:BUNDLE")), [])
    assert bundle == [each.mid for each in offer.media if each.mid in plan.media]
    with_candidates = [index for index, section in enumerate(media) if values(section, "candidate")]
    assert with_candidates == [each.index for each in offer.media if each.mid in plan.media][:1]
    for offered, section in zip(offer.media, media, strict=True):
        check_section(offer, offered, section, offered.mid in plan.media)
    parsed = SessionDescription.parse(text)
    assert [(each.kind, each.rtp.muxId) for each in parsed.media] == [
        (each.media_type, each.mid) for each in offer.media
    ]


def check_section(offer: Offer, offered: OfferedMedia, section: list[str], is_accepted: bool) -> None:
    media_type, port, protocol, *formats = section[0].removeprefix("m=").split()
    assert (media_type, protocol) == (offered.media_type, offered.protocol)
    assert (port != "0") == is_accepted
    assert formats and set(formats) <= set(offered.formats)
    assert values(section, "mid") == [offered.mid]
    if not is_accepted:
        assert "a=inactive" in section
        assert not any(line.startswith(("a=ice-", "a=candidate", "a=fingerprint")) for line in section)
        return
    assert "a=rtcp-mux" in section
    assert values(section, "ice-ufrag") == ["ourufrag"]
    assert values(section, "setup") == ["active" if offer.setup == "passive" else "passive"]
    assert values(section, "fingerprint") == [" ".join(FINGERPRINT)]
    assert {line.split()[0] for line in values(section, "rtpmap")} == set(formats)
    own = [line for line in section if line in ("a=recvonly", "a=sendonly", "a=inactive", "a=sendrecv")]
    assert own == ["a=recvonly" if offered.sends else "a=sendonly" if offered.receives else "a=inactive"]
    for line in values(section, "extmap"):
        number, uri = line.split()
        assert offered.extensions[HeaderExtension(uri)] == int(number.split("/")[0])


# --- direction ---


@pytest.mark.parametrize(
    ("name", "index", "has_track", "receives", "expected"),
    [
        ("chromium_page_first", 1, False, True, Direction.RECVONLY),
        ("chromium_page_paused", 1, False, True, Direction.INACTIVE),
        ("chromium_page_first", 3, False, True, Direction.INACTIVE),
        ("chromium_page_first", 3, True, False, Direction.SENDONLY),
        ("chromium_page_first", 3, False, False, Direction.INACTIVE),
        ("chromium_page_first", 1, True, False, Direction.INACTIVE),
        ("chromium_av", 1, False, True, Direction.RECVONLY),
        ("chromium_av", 1, True, False, Direction.SENDONLY),
    ],
)
def test_direction(name: str, index: int, has_track: bool, receives: bool, expected: Direction) -> None:
    media = recorded_media(name, index)
    plan = receive(media) if receives else send(media, track() if has_track else None)
    assert answered_direction(media, plan) is expected
    section = answer_section(name, index, plan)
    assert f"a={expected}" in section
    assert bool(values(section, "msid")) == (expected is Direction.SENDONLY)
    assert bool(values(section, "ssrc")) == (expected is Direction.SENDONLY)


def test_what_the_browser_is_told_of_a_track() -> None:
    media = recorded_media("chromium_page_first", 3)
    section = answer_section("chromium_page_first", 3, send(media, track(2)))
    assert values(section, "msid") == ["5f4dcc3b-5aa7-465d-8327-deb882cf99aa track2"]
    assert values(section, "ssrc-group") == ["FID 2000 2001"]
    assert values(section, "ssrc") == ["2000 cname:peer-a", "2001 cname:peer-a"]
    section = answer_section("chromium_page_first", 3, send(media, track(2, has_rtx=False)))
    assert values(section, "ssrc-group") == []
    assert values(section, "ssrc") == ["2000 cname:peer-a"]


# --- codecs ---


def test_the_first_codec_is_what_the_publisher_sends() -> None:
    media = recorded_media("chromium_av", 1)
    section = answer_section("chromium_av", 1, receive(media, CodecName.H264))
    assert section[0] == "m=video 7882 UDP/TLS/RTP/SAVPF 108 109 102 103 116 117 114 115 104 107 39 40"
    assert "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f" in section
    assert "a=rtpmap:109 rtx/90000" in section
    assert "a=fmtp:109 apt=108" in section


def test_opus_asks_for_fec() -> None:
    media = recorded_media("gstreamer_offer", 1)
    section = answer_section("gstreamer_offer", 1, receive(media))
    assert "a=rtpmap:111 opus/48000/2" in section
    assert "a=fmtp:111 minptime=10;useinbandfec=1" in section


def test_red_only_if_planned() -> None:
    media = recorded_media("chromium_av", 0)
    assert not any("red" in line for line in answer_section("chromium_av", 0, receive(media)))
    section = answer_section("chromium_av", 0, receive(media, CodecName.RED, CodecName.OPUS))
    assert section[0].endswith("SAVPF 63 111")
    assert "a=rtpmap:63 red/48000/2" in section
    assert "a=fmtp:63 111/111" in section


@pytest.mark.parametrize("name", ["chromium_av", "firefox_av", "roamhq_wrtc_offer"])
def test_fec_for_video_is_never_accepted(name: str) -> None:
    offer = read_offer(recorded(name))
    for section in sections(write_answer(offer, plan_for(offer)))[1:]:
        if section[0].startswith("m=video"):
            assert not any(word in line for line in section for word in ("ulpfec", "flexfec", "red/"))


# --- feedback and extensions ---


@pytest.mark.parametrize("name", ["chromium_page_first", "firefox_page_first"])
def test_feedback(name: str) -> None:
    offer = read_offer(recorded(name))
    publishing, subscribing = sections(write_answer(offer, plan_for(offer)))[2::2]
    sent = {line.split(" ", 1)[1] for line in values(publishing, "rtcp-fb")}
    received = {line.split(" ", 1)[1] for line in values(subscribing, "rtcp-fb")}
    assert sent == {"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"}
    assert received == {"nack", "nack pli", "ccm fir", "goog-remb"}


def test_feedback_for_audio() -> None:
    offer = read_offer(recorded("chromium_page_first"))
    publishing, subscribing = sections(write_answer(offer, plan_for(offer)))[1::2]
    assert values(publishing, "rtcp-fb") == ["111 transport-cc"]
    assert values(subscribing, "rtcp-fb") == []


def test_only_offered_feedback_is_accepted() -> None:
    media = recorded_media("gstreamer_offer", 0)
    section = answer_section("gstreamer_offer", 0, receive(media))
    assert values(section, "rtcp-fb") == ["102 transport-cc", "102 ccm fir", "102 nack pli"]


@pytest.mark.parametrize("name", NAMES)
def test_a_subscriber_never_gets_transport_cc_nor_rids(name: str) -> None:
    for media in read_offer(recorded(name)).media:
        if media.is_acceptable:
            kept = sent_extensions(media).keys()
            assert not kept & {
                HeaderExtension.TRANSPORT_CC,
                HeaderExtension.RID,
                HeaderExtension.REPAIRED_RID,
            }
            assert (HeaderExtension.MID in kept) == (HeaderExtension.MID in media.extensions)


def test_extension_directions_are_answered_by_their_counterpart() -> None:
    media = recorded_media("firefox_av_simulcast", 1)
    assert HeaderExtension.DEPENDENCY_DESCRIPTOR in received_extensions(media)
    assert HeaderExtension.DEPENDENCY_DESCRIPTOR not in sent_extensions(media)
    section = answer_section("firefox_av_simulcast", 1, receive(media))
    assert f"9/recvonly {HeaderExtension.RID.value}" in values(section, "extmap")
    assert f"3 {HeaderExtension.MID.value}" in values(section, "extmap")


def test_a_received_only_extension_towards_the_browser() -> None:
    plain = "a=extmap:13 urn:3gpp:video-orientation"
    offer = read_offer(recorded("chromium_av_recvonly").replace(plain, plain.replace("13", "13/recvonly")))
    media = offer.media[1]
    section = sections(write_answer(offer, plan_for(offer, {media.mid: send(media, track())})))[2]
    assert "13/sendonly urn:3gpp:video-orientation" in values(section, "extmap")
    assert HeaderExtension.VIDEO_ORIENTATION not in received_extensions(media)


def test_what_is_echoed() -> None:
    chromium, firefox = (read_offer(recorded(name)) for name in ("chromium_av", "firefox_av"))
    session, audio, video = sections(write_answer(chromium, plan_for(chromium)))
    assert "a=extmap-allow-mixed" in session and "a=extmap-allow-mixed" not in audio
    assert "a=rtcp-rsize" in video and "a=rtcp-xr:rcvr-rtt=all" in video
    session, audio, video = sections(write_answer(firefox, plan_for(firefox)))
    assert "a=extmap-allow-mixed" not in session and "a=extmap-allow-mixed" in audio
    assert "a=rtcp-rsize" in video and "a=rtcp-rsize" not in audio
    assert not values(video, "rtcp-xr")


def test_simulcast_is_answered_as_one_layer() -> None:
    media = recorded_media("chromium_av_simulcast", 1)
    section = answer_section("chromium_av_simulcast", 1, receive(media))
    assert not values(section, "rid") and not values(section, "simulcast")
    assert f"10 {HeaderExtension.RID.value}" in values(section, "extmap")


# --- transport ---


def test_a_rejected_first_m_line_gives_the_transport_to_the_next() -> None:
    offer = read_offer(recorded("chromium_page_first"))
    plan = plan_for(offer)
    media = {mid: each for mid, each in plan.media.items() if mid != "0"}
    session, audio, video, *_ = sections(write_answer(offer, dataclasses.replace(plan, media=media)))
    assert "a=group:BUNDLE 1 2 3" in session
    assert audio == [
        "m=audio 0 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "c=IN IP4 0.0.0.0",
        "a=inactive",
        "a=mid:0",
    ]
    assert values(video, "candidate") and "a=end-of-candidates" in video


def test_with_everything_rejected_there_is_no_group() -> None:
    offer = read_offer(recorded("chromium_data"))
    session, data = sections(write_answer(offer, plan_for(offer)))
    assert not any("BUNDLE" in line for line in session)
    assert data[0] == "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"


def test_no_group_unless_offered() -> None:
    text = recorded("firefox_red_audio").replace("a=group:BUNDLE 0\r\n", "")
    offer = read_offer(text)
    assert "BUNDLE" not in write_answer(offer, plan_for(offer))


def test_candidates() -> None:
    offer = read_offer(recorded("chromium_av"))
    addresses = [*ADDRESSES, MediaAddress(local="10.0.0.8", announced="192.0.2.7", port=7882)]
    audio = sections(write_answer(offer, plan_for(offer, addresses=addresses)))[1]
    assert audio[:2] == ["m=audio 7882 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 192.0.2.7"]
    found = [line.split() for line in values(audio, "candidate")]
    assert [(each[2], *each[4:]) for each in found] == [
        ("udp", "2001:db8::7", "7882", "typ", "host"),
        ("udp", "192.0.2.7", "7882", "typ", "host"),
        ("tcp", "2001:db8::7", "7882", "typ", "host", "tcptype", "passive"),
        ("tcp", "192.0.2.7", "7882", "typ", "host", "tcptype", "passive"),
    ]
    priorities = [int(each[3]) for each in found]
    assert priorities == sorted(priorities, reverse=True)
    assert len(set(priorities)) == 4 and all(0 < each < 2**31 for each in priorities)
    assert priorities[1] >> 24 > priorities[2] >> 24
    assert len({each[0] for each in found}) == 4
    assert {each[1] for each in found} == {"1"}
    assert len(SessionDescription.parse(write_answer(offer, plan_for(offer))).media[0].ice_candidates) == 4


def test_ipv6_alone_and_no_address() -> None:
    offer = read_offer(recorded("chromium_av"))
    audio = sections(write_answer(offer, plan_for(offer, addresses=ADDRESSES[:1])))[1]
    assert audio[1] == "c=IN IP6 2001:db8::7"
    audio = sections(write_answer(offer, plan_for(offer, addresses=[])))[1]
    assert audio[:2] == ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0"]


@pytest.mark.parametrize(("role", "setup"), [("server", "passive"), ("client", "active")])
def test_the_role_stays_whatever_actpass_allows(role: DtlsRole, setup: str) -> None:
    offer = read_offer(recorded("chromium_av"))
    plan = dataclasses.replace(plan_for(offer), role=role)
    assert values(sections(write_answer(offer, plan))[1], "setup") == [setup]


# --- plans that don't fit ---

VIDEO = recorded_media("chromium_av", 1)
AUDIO = recorded_media("chromium_av", 0)
STRANGER = Codec(name=CodecName.VP8, payload_type=50, clock_rate=90000)


@pytest.mark.parametrize(
    ("mid", "plan"),
    [
        ("9", receive(VIDEO)),
        ("2", receive(VIDEO)),
        ("1", ReceivePlan(codecs=[])),
        ("1", ReceivePlan(codecs=[STRANGER])),
        ("0", ReceivePlan(codecs=choose_codecs(AUDIO.codecs, [CodecName.RED]))),
        ("1", send(VIDEO, dataclasses.replace(track(), stream_id="a b"))),
        ("1", send(VIDEO, dataclasses.replace(track(), cname="x\r\na=y"))),
        ("1", send(VIDEO, dataclasses.replace(track(), track_id=""))),
    ],
    ids=[
        "unknown mid",
        "data channel",
        "no codec",
        "not offered",
        "red alone",
        "stream id",
        "cname",
        "track id",
    ],
)
def test_a_plan_that_does_not_fit_is_refused(mid: str, plan: MediaPlan) -> None:
    offer = read_offer(recorded("chromium_av_simulcast_data"))
    with pytest.raises(ValueError, match=f"m-line '{mid}'"):
        write_answer(offer, plan_for(offer, {mid: plan}))
