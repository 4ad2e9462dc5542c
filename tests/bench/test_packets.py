from __future__ import annotations

import pytest
from aioice import stun
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import (
    HeaderExtensionsMap,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSrPacket,
    RtpPacket,
    unpack_remb_fci,
    unwrap_rtx,
)
from aiortc.rtp import RtcpPacket as AiortcRtcp

from sfu.core.media import HeaderExtension, Kind
from tests.bench import ice, packets

EXTENSIONS = {
    HeaderExtension.AUDIO_LEVEL: 1,
    HeaderExtension.ABS_SEND_TIME: 2,
    HeaderExtension.TRANSPORT_CC: 3,
    HeaderExtension.MID: 4,
}


def _map() -> HeaderExtensionsMap:
    extensions = HeaderExtensionsMap()
    extensions.configure(
        RTCRtpParameters(
            headerExtensions=[
                RTCRtpHeaderExtensionParameters(id=number, uri=str(name)) for name, number in EXTENSIONS.items()
            ]
        )
    )
    return extensions


def _template(kind: Kind, size_bytes: int) -> packets.PacketTemplate:
    return packets.PacketTemplate(
        kind, ssrc=0x01020304, payload_type=96, mid="7", extensions=EXTENSIONS, size_bytes=size_bytes
    )


def _video(buffer: bytearray, *, keyframe: bool = True) -> int:
    return _template(Kind.VIDEO, packets.VIDEO_PACKET_BYTES).write(
        memoryview(buffer),
        sequence=65_000,
        timestamp=90_000,
        marker=True,
        number=77,
        time_ns=1_000_000_000,
        transport_sequence=0x1234,
        picture=0x0123,
        starts_frame=True,
        keyframe=keyframe,
    )


def test_a_video_packet_is_read_by_another_stack() -> None:
    buffer = bytearray(2048)
    length = _video(buffer)
    assert length == packets.VIDEO_PACKET_BYTES
    packet = RtpPacket.parse(bytes(buffer[:length]), _map())
    assert (packet.sequence_number, packet.timestamp, packet.ssrc) == (65_000, 90_000, 0x01020304)
    assert (packet.payload_type, packet.marker) == (96, 1)
    assert packet.extensions.mid == "7"
    assert packet.extensions.abs_send_time == 1 << 18
    assert packet.extensions.transport_sequence_number == 0x1234
    descriptor, rest = VpxPayloadDescriptor.parse(packet.payload)
    assert (descriptor.partition_start, descriptor.partition_id, descriptor.picture_id) == (1, 0, 0x0123)
    assert rest[0] & 1 == 0 and rest[3:6] == b"\x9d\x01\x2a"


def test_a_delta_frame_says_so() -> None:
    buffer = bytearray(2048)
    length = _video(buffer, keyframe=False)
    _, rest = VpxPayloadDescriptor.parse(RtpPacket.parse(bytes(buffer[:length]), _map()).payload)
    assert rest[0] & 1 == 1


def test_a_buffer_that_was_encrypted_is_written_whole() -> None:
    used, fresh = bytearray(b"\xff" * 2048), bytearray(2048)
    assert _video(used) == _video(fresh)
    assert used[: packets.VIDEO_PACKET_BYTES] == fresh[: packets.VIDEO_PACKET_BYTES]


def test_audio_carries_its_level_and_stamp() -> None:
    buffer = bytearray(2048)
    length = _template(Kind.AUDIO, packets.AUDIO_PACKET_BYTES).write(
        memoryview(buffer),
        sequence=1,
        timestamp=960,
        marker=False,
        number=3,
        time_ns=5,
        transport_sequence=9,
    )
    packet = RtpPacket.parse(bytes(buffer[:length]), _map())
    assert packet.extensions.audio_level == (True, 0x20)
    view = memoryview(buffer)[:length]
    assert packets.read_stamp(Kind.AUDIO, view, packets.payload_offset(view)) == packets.Stamp(5, 3)


@pytest.mark.parametrize("extensions", [{}, {HeaderExtension.MID: 4}])
def test_extensions_that_were_not_agreed_are_left_out(extensions: dict[HeaderExtension, int]) -> None:
    template = packets.PacketTemplate(
        Kind.VIDEO, ssrc=1, payload_type=96, mid="7", extensions=extensions, size_bytes=1200
    )
    buffer = bytearray(2048)
    length = template.write(
        memoryview(buffer),
        sequence=1,
        timestamp=2,
        marker=False,
        number=3,
        time_ns=4,
        transport_sequence=5,
    )
    parsed = RtpPacket.parse(bytes(buffer[:length]), _map())
    assert parsed.extensions.abs_send_time is None
    assert parsed.extensions.transport_sequence_number is None
    assert parsed.extensions.mid == ("7" if extensions else None)


def test_a_retransmission_unwraps_to_the_packet() -> None:
    template = _template(Kind.VIDEO, packets.VIDEO_PACKET_BYTES)
    buffer = bytearray(2048)
    length = _video(buffer)
    original = RtpPacket.parse(bytes(buffer[:length]), _map())
    length = template.write_rtx(memoryview(buffer), length, ssrc=99, payload_type=97, sequence=12)
    rtx = RtpPacket.parse(bytes(buffer[:length]), _map())
    assert (rtx.ssrc, rtx.payload_type, rtx.sequence_number) == (99, 97, 12)
    unwrapped = unwrap_rtx(rtx, payload_type=96, ssrc=original.ssrc)
    assert (unwrapped.sequence_number, unwrapped.payload) == (original.sequence_number, original.payload)


def test_a_stamp_that_is_not_ours_is_refused() -> None:
    assert packets.read_stamp(Kind.VIDEO, memoryview(bytes(100)), 12) is None
    assert packets.read_stamp(Kind.VIDEO, memoryview(bytes(20)), 12) is None


def test_reports_are_read_by_another_stack() -> None:
    block = packets.ReportBlock(
        ssrc=7, fraction_lost=3, cumulative_lost=4, highest_sequence=70_000, jitter=5, last_sr=6,
        delay_since_last_sr=8,
    )  # fmt: skip
    compound = packets.sender_report(1, time_s=0.5, timestamp=2, packets=3, octets=4)
    compound += packets.receiver_report(1, [block]) + packets.source_description(1, "cname")
    sender, receiver, description = AiortcRtcp.parse(compound)
    assert isinstance(sender, RtcpSrPacket) and isinstance(receiver, RtcpRrPacket)
    assert isinstance(description, RtcpSdesPacket)
    assert sender.sender_info.ntp_timestamp == (2_208_988_800 << 32) + (1 << 31)
    report = receiver.reports[0]
    assert (report.ssrc, report.fraction_lost, report.packets_lost) == (7, 3, 4)
    assert (report.highest_sequence, report.lsr, report.dlsr) == (70_000, 6, 8)
    assert description.chunks[0].items == [(1, b"cname")]


def test_a_remb_is_read_by_another_stack() -> None:
    (packet,) = AiortcRtcp.parse(packets.remb(1, 10_000_000, [5, 6]))
    assert isinstance(packet, RtcpPsfbPacket)
    rate, ssrcs = unpack_remb_fci(packet.fci)
    assert ssrcs == [5, 6]
    assert rate == pytest.approx(10_000_000, rel=1e-4)
    (own,) = packets.split_rtcp(packets.remb(1, 10_000_000, [5, 6]))
    assert own.remb_bps() == rate


@pytest.mark.parametrize("wanted", [[5], [5, 6, 21], [5, 22], [65_530, 65_535, 3, 9], list(range(100, 140))])
def test_a_nack_names_what_was_asked(wanted: list[int]) -> None:
    data = packets.nack(1, 2, wanted)
    (packet,) = AiortcRtcp.parse(data)
    assert isinstance(packet, RtcpRtpfbPacket)
    assert (packet.media_ssrc, [number & 0xFFFF for number in packet.lost]) == (2, wanted)
    (own,) = packets.split_rtcp(data)
    assert (own.nacked(), own.media_ssrc()) == (wanted, 2)


def test_a_compound_with_a_wrong_length_ends_there() -> None:
    good = packets.receiver_report(1, [])
    assert len(list(packets.split_rtcp(good + b"\x81\xc9\x00\xff"))) == 1


def test_a_check_nominates_and_only_its_own_answer_counts() -> None:
    local, remote = ice.new_credentials("sha-256 00"), ice.new_credentials("sha-256 11")
    checks = ice.CheckList(local, remote)
    request = stun.parse_message(checks.next_check())
    assert request.check_message_integrity(remote.pwd.encode())
    assert request.attributes["USERNAME"] == f"{remote.ufrag}:{local.ufrag}"
    assert "USE-CANDIDATE" in request.attributes
    response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
    assert not checks.accepts(bytes(response))
    response.add_message_integrity(remote.pwd.encode())
    assert checks.accepts(bytes(response))
    checks.next_check()
    assert not checks.accepts(bytes(response))
    assert (checks.sent, checks.answered) == (2, 1)
