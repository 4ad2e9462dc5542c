"""RTCP (RFC 3550 §6, RFC 4585, RFC 5104, RFC 3611, RFC 5506, draft-alvestrand-rmcat-remb)."""

from __future__ import annotations

import struct

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st

from sfu.core import rtcp
from sfu.core.rtcp import (
    DelaySinceLastRr,
    FullIntraRequest,
    Goodbye,
    Nack,
    PictureLoss,
    ReceiverReferenceTime,
    ReceiverReport,
    Remb,
    ReportBlock,
    RtcpMalformed,
    SenderReport,
    SourceDescription,
    TransportCc,
    parse_compound,
)

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
u64 = st.integers(0, (1 << 64) - 1)
blocks = st.lists(st.builds(ReportBlock, u32, u8, st.integers(-0x800000, 0x7FFFFF), u32, u32, u32, u32), max_size=5)

BLOCK = ReportBlock(1, 128, -5, 0x0001FFFE, 40, 7, 8)
NACK = rtcp.build_nack(1, 2, [10, 12])


def raw(packet_type: int, count: int, body: bytes, *, words: int | None = None, first: int = 0x80) -> bytes:
    return struct.pack("!BBH", first | count, packet_type, len(body) // 4 if words is None else words) + body


@pytest.mark.parametrize(
    ("second_byte", "expected"),
    [(96, False), (191, False), (192, True), (200, True), (223, True), (224, False), (255, False)],
)
def test_rtcp_is_told_from_rtp(second_byte: int, expected: bool) -> None:
    """RFC 5761 §4: RTP may not use payload types 64 to 95."""
    assert rtcp.is_rtcp(second_byte) is expected


class TestRoundTrip:
    @given(u32, u64, u32, u32, u32, blocks)
    def test_sender_report(
        self, ssrc: int, ntp: int, time: int, packets: int, octets: int, reports: list[ReportBlock]
    ) -> None:
        data = rtcp.build_sr(ssrc, ntp, time, packets, octets, reports)
        assert parse_compound(data) == [SenderReport(ssrc, ntp, time, packets, octets, tuple(reports))]
        (theirs,) = aiortc_rtp.RtcpPacket.parse(data)
        assert isinstance(theirs, aiortc_rtp.RtcpSrPacket)
        assert (theirs.ssrc, theirs.sender_info.ntp_timestamp, len(theirs.reports)) == (ssrc, ntp, len(reports))
        assert bytes(theirs) == data

    @given(u32, blocks)
    def test_receiver_report(self, ssrc: int, reports: list[ReportBlock]) -> None:
        data = rtcp.build_rr(ssrc, reports)
        assert parse_compound(data) == [ReceiverReport(ssrc, tuple(reports))]
        (theirs,) = aiortc_rtp.RtcpPacket.parse(data)
        assert bytes(theirs) == data

    @pytest.mark.parametrize("number", [31, 32, 70])
    def test_more_than_31_blocks_are_several_reports(self, number: int) -> None:
        reports = parse_compound(rtcp.build_sr(1, 2, 3, 4, 5, [BLOCK] * number))
        assert isinstance(reports[0], SenderReport)
        found = [len(report.blocks) for report in reports if isinstance(report, SenderReport | ReceiverReport)]
        assert sum(found) == number and max(found) <= 31

    @given(u32, st.text(max_size=60))
    def test_source_description(self, ssrc: int, cname: str) -> None:
        data = rtcp.build_sdes(ssrc, cname)
        assert len(data) % 4 == 0
        assert parse_compound(data) == [SourceDescription(((ssrc, cname),))]
        (theirs,) = aiortc_rtp.RtcpPacket.parse(data)
        assert isinstance(theirs, aiortc_rtp.RtcpSdesPacket)
        assert theirs.chunks[0].items == [(1, cname.encode())]

    @given(st.lists(u32, max_size=31))
    def test_goodbye(self, ssrcs: list[int]) -> None:
        data = rtcp.build_bye(ssrcs)
        assert parse_compound(data) == [Goodbye(tuple(ssrcs))]
        assert [bytes(packet) for packet in aiortc_rtp.RtcpPacket.parse(data)] == [data]

    @given(u32, u32, u16, st.sets(st.integers(0, 0x7FFF), min_size=1, max_size=250))
    def test_nack(self, sender: int, media: int, first: int, offsets: set[int]) -> None:
        wanted = [first + offset & 0xFFFF for offset in sorted(offsets)]
        data = rtcp.build_nack(sender, media, wanted)
        assert parse_compound(data) == [Nack(sender, media, tuple(wanted))]
        (theirs,) = aiortc_rtp.RtcpPacket.parse(data)
        assert isinstance(theirs, aiortc_rtp.RtcpRtpfbPacket)
        # aiortc leaves numbers after the wrap above 65535.
        assert [sequence & 0xFFFF for sequence in theirs.lost] == wanted

    @given(u32, u32)
    def test_picture_loss(self, sender: int, media: int) -> None:
        data = rtcp.build_pli(sender, media)
        assert parse_compound(data) == [PictureLoss(sender, media)]
        assert bytes(aiortc_rtp.RtcpPacket.parse(data)[0]) == data

    @given(u32, u32, st.integers(0, 1000))
    def test_full_intra_request(self, sender: int, media: int, sequence: int) -> None:
        data = rtcp.build_fir(sender, media, sequence)
        assert parse_compound(data) == [FullIntraRequest(sender, ((media, sequence & 0xFF),))]

    @given(u32, st.integers(0, 1 << 40), st.lists(u32, max_size=255))
    def test_remb(self, sender: int, bps: int, ssrcs: list[int]) -> None:
        data = rtcp.build_remb(sender, bps, ssrcs)
        (remb,) = parse_compound(data)
        assert isinstance(remb, Remb)
        assert (remb.sender_ssrc, remb.ssrcs) == (sender, tuple(ssrcs))
        assert 0 <= bps - remb.bps <= bps >> 17
        (theirs,) = aiortc_rtp.RtcpPacket.parse(data)
        assert isinstance(theirs, aiortc_rtp.RtcpPsfbPacket)
        assert aiortc_rtp.unpack_remb_fci(theirs.fci) == (remb.bps, ssrcs)

    @given(u32, u64)
    def test_receiver_reference_time(self, ssrc: int, ntp: int) -> None:
        assert parse_compound(rtcp.build_xr_rrtr(ssrc, ntp)) == [ReceiverReferenceTime(ssrc, ntp)]

    @given(u32, st.lists(st.tuples(u32, u32, u32), max_size=20))
    def test_delay_since_last_rr(self, ssrc: int, entries: list[tuple[int, int, int]]) -> None:
        assert parse_compound(rtcp.build_xr_dlrr(ssrc, entries)) == [DelaySinceLastRr(ssrc, tuple(entries))]


class TestKnownBytes:
    def test_nack_mask(self) -> None:
        """RFC 4585 §6.2.1: bit i of the mask stands for PID + i + 1, across the wrap too."""
        data = rtcp.build_nack(1, 2, [0xFFF0, 0xFFF1, 0, 1])
        assert data.hex() == "81cd0004" + "00000001" + "00000002" + "fff08001" + "00010000"
        assert parse_compound(data) == [Nack(1, 2, (0xFFF0, 0xFFF1, 0, 1))]

    def test_fir(self) -> None:
        assert rtcp.build_fir(1, 2, 3).hex() == "84ce0004" + "00000001" + "00000000" + "00000002" + "03000000"

    def test_remb(self) -> None:
        data = rtcp.build_remb(1, 1_000_000, [5])
        assert data.hex() == "8fce0005" + "00000001" + "00000000" + "52454d42" + "010bd090" + "00000005"

    def test_xr(self) -> None:
        assert (
            rtcp.build_xr_rrtr(1, 0x1122334455667788).hex() == "80cf0004" + "00000001" + "04000002" + "1122334455667788"
        )
        assert (
            rtcp.build_xr_dlrr(1, [(2, 3, 4)]).hex()
            == "80cf0005" + "00000001" + "05000003" + "000000020000000300000004"
        )

    def test_lost_is_24_bits_signed_and_clamped(self) -> None:
        over = ReportBlock(1, 0, 0x900000, 0, 0, 0, 0)
        (report,) = parse_compound(rtcp.build_rr(9, [over, BLOCK]))
        assert isinstance(report, ReceiverReport)
        assert [block.lost for block in report.blocks] == [0x7FFFFF, -5]


class TestNack:
    def test_repeated_sequences_are_asked_for_once(self) -> None:
        (nack,) = parse_compound(rtcp.build_nack(1, 2, [5, 5, 6, 6]))
        assert isinstance(nack, Nack)
        assert nack.sequences == (5, 6)

    def test_what_is_written_stays_below_an_mtu(self) -> None:
        data = rtcp.build_nack(1, 2, range(0, 20000, 20))
        (nack,) = parse_compound(data)
        assert isinstance(nack, Nack)
        assert len(data) < 1100
        assert nack.sequences == tuple(range(0, 20 * rtcp.MAX_NACK_FIELDS, 20))

    def test_what_is_read_is_bounded(self) -> None:
        data = raw(205, 1, bytes(8) + b"\x00\x00\xff\xff" * 300)
        (nack,) = parse_compound(data)
        assert isinstance(nack, Nack)
        assert len(nack.sequences) == rtcp.MAX_NACK_SEQUENCES


class TestCompound:
    def test_reads_every_packet_in_order(self) -> None:
        data = rtcp.build_sr(1, 2, 3, 4, 5, [BLOCK]) + rtcp.build_sdes(1, "c") + NACK + rtcp.build_pli(1, 2)
        kinds = [type(packet) for packet in parse_compound(data)]
        assert kinds == [SenderReport, SourceDescription, Nack, PictureLoss]

    def test_reduced_size_needs_no_report(self) -> None:
        """RFC 5506 §3.4."""
        assert parse_compound(NACK) == [Nack(1, 2, (10, 12))]

    @pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
    def test_any_buffer(self, buffer: type[bytes]) -> None:
        assert parse_compound(buffer(NACK)) == [Nack(1, 2, (10, 12))]

    @pytest.mark.parametrize(
        "unknown",
        [
            raw(204, 3, b"app data"),
            raw(192, 0, b""),
            raw(205, 8, bytes(12)),
            raw(206, 2, bytes(8)),
            raw(206, 15, bytes(8) + b"ABCD"),
            raw(206, 15, bytes(8)),
            raw(207, 0, bytes(4) + b"\x63\0\0\x01abcd"),
        ],
    )
    def test_skips_what_it_does_not_know(self, unknown: bytes) -> None:
        assert parse_compound(unknown + NACK + unknown) == [Nack(1, 2, (10, 12))]

    def test_profile_extension_behind_the_blocks_is_ignored(self) -> None:
        body = rtcp.build_rr(9, [BLOCK])[4:] + b"extra..."
        assert parse_compound(raw(201, 1, body)) == [ReceiverReport(9, (BLOCK,))]

    def test_transport_cc_is_not_taken_for_a_nack(self) -> None:
        data = raw(205, 15, bytes((0, 0, 0, 1, 0, 0, 0, 2)) + bytes(8) + b"\x20\x01\x04\x01", first=0xA0)
        assert parse_compound(data + NACK) == [TransportCc(1, 2, data), Nack(1, 2, (10, 12))]

    def test_padding_is_removed(self) -> None:
        padded = raw(206, 1, bytes(8) + b"\0\0\0\x04", first=0xA0)
        assert parse_compound(padded) == [PictureLoss(0, 0)]
        padded_nack = raw(205, 1, bytes(8) + b"\0\x05\0\0" + b"\0\0\0\x04", first=0xA0)
        assert parse_compound(padded_nack) == [Nack(0, 0, (5,))]

    def test_cname_only(self) -> None:
        chunk = b"\0\0\0\x01" + b"\x02\x04name" + b"\x01\x02cn" + b"\x08\x03\x01ab" + b"\0"
        other = b"\0\0\0\x02" + b"\x06\x01t" + b"\0"
        body = chunk.ljust(len(chunk) + 3 & ~3, b"\0") + other
        assert parse_compound(raw(202, 2, body)) == [SourceDescription(((1, "cn"),))]

    def test_a_chunk_whose_items_fill_a_word_is_closed_by_a_whole_word(self) -> None:
        chunk = b"\x01\x02cn" + bytes(4)
        assert parse_compound(raw(202, 2, b"\0\0\0\x01" + chunk + b"\0\0\0\x02" + chunk)) == [
            SourceDescription(((1, "cn"), (2, "cn")))
        ]

    def test_goodbye_with_a_reason(self) -> None:
        assert parse_compound(raw(203, 1, b"\0\0\0\x05" + b"\x03bye")) == [Goodbye((5,))]

    def test_xr_with_several_blocks(self) -> None:
        body = rtcp.build_xr_rrtr(7, 8)[4:] + b"\x01\0\0\x01skip" + rtcp.build_xr_dlrr(7, [(1, 2, 3)])[8:]
        assert parse_compound(raw(207, 0, body)) == [
            ReceiverReferenceTime(7, 8),
            DelaySinceLastRr(7, ((1, 2, 3),)),
        ]

    MALFORMED = (
        ("empty", b""),
        ("header cut off", b"\x80\xc8\x00"),
        ("version", raw(206, 1, bytes(8), first=0x40)),
        ("longer than the datagram", raw(206, 1, bytes(8), words=3)),
        ("rubbish behind", NACK + b"\x80"),
        ("padding of zero", raw(206, 1, bytes(12), first=0xA0)),
        ("padding longer than the packet", raw(206, 1, bytes(11) + b"\x10", first=0xA0)),
        ("padding in nothing", raw(201, 0, b"", first=0xA0)),
        ("padding leaves no SSRCs", raw(206, 1, bytes(7) + b"\x04", first=0xA0)),
        ("SR without sender info", raw(200, 0, bytes(20))),
        ("SR with fewer blocks", raw(200, 1, bytes(24))),
        ("RR without SSRC", raw(201, 0, b"")),
        ("RR with fewer blocks", raw(201, 2, bytes(4 + 24))),
        ("SDES with fewer chunks", raw(202, 1, b"")),
        ("SDES item overruns", raw(202, 1, b"\0\0\0\x01\x01\x09ab")),
        ("SDES without end", raw(202, 1, b"\0\0\0\x01\x01\x02ab")),
        ("BYE with fewer SSRCs", raw(203, 2, bytes(4))),
        ("feedback without SSRCs", raw(205, 1, bytes(4))),
        ("NACK of nothing", raw(205, 1, bytes(8))),
        ("transport-cc without header", raw(205, 15, bytes(12))),
        ("FIR of nothing", raw(206, 4, bytes(8))),
        ("half a FIR entry", raw(206, 4, bytes(12))),
        ("REMB without rate", raw(206, 15, bytes(8) + b"REMB")),
        ("REMB with fewer SSRCs", raw(206, 15, bytes(8) + b"REMB" + b"\x02\0\0\0" + bytes(4))),
        ("REMB beyond 64 bits", raw(206, 15, bytes(8) + b"REMB" + b"\0\xff\xff\xff")),
        ("XR without SSRC", raw(207, 0, b"")),
        ("XR block overruns", raw(207, 0, bytes(4) + b"\x04\0\0\x02" + bytes(4))),
        ("short RRTR", raw(207, 0, bytes(4) + b"\x04\0\0\x01" + bytes(4))),
        ("half a DLRR entry", raw(207, 0, bytes(4) + b"\x05\0\0\x02" + bytes(8))),
        ("too many packets", raw(204, 0, b"") * (rtcp.MAX_PACKETS + 1)),
    )

    @pytest.mark.parametrize("data", [data for _, data in MALFORMED], ids=[name for name, _ in MALFORMED])
    def test_refuses(self, data: bytes) -> None:
        with pytest.raises(RtcpMalformed):
            parse_compound(data)

    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, data: bytes) -> None:
        _parse_or_refuse(data)

    @given(
        st.lists(st.tuples(st.integers(200, 207), st.integers(0, 31), st.binary(max_size=64)), min_size=1, max_size=5)
    )
    def test_any_bodies_are_read_or_refused(self, packets: list[tuple[int, int, bytes]]) -> None:
        _parse_or_refuse(b"".join(raw(kind, count, body[: len(body) & ~3]) for kind, count, body in packets))


def _parse_or_refuse(data: bytes) -> None:
    try:
        packets = parse_compound(data)
    except RtcpMalformed:
        return
    assert len(packets) <= len(data) // 4


class TestBuilders:
    def test_refuse_what_the_wire_cannot_carry(self) -> None:
        with pytest.raises(ValueError, match="CNAME"):
            rtcp.build_sdes(1, "c" * 256)
        with pytest.raises(ValueError, match="31"):
            rtcp.build_bye(range(32))

    def test_counters_wrap(self) -> None:
        (report,) = parse_compound(rtcp.build_sr(1, 2, 1 << 32, (1 << 32) + 1, (1 << 32) + 2))
        assert report == SenderReport(1, 2, 0, 1, 2, ())
