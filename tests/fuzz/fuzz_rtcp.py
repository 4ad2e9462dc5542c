"""RTCP compounds."""

from __future__ import annotations

from sfu.core import rtcp
from tests.fuzz.targets import register


def fuzz_rtcp(data: bytes) -> None:
    try:
        packets = rtcp.parse_compound(data)
    except rtcp.RtcpMalformed:
        return
    for packet in packets:
        match packet:
            case rtcp.Nack():
                assert 1 <= len(packet.sequences) <= rtcp.MAX_NACK_SEQUENCES
            case rtcp.Remb():
                assert 0 <= packet.bps < 1 << 64
            case rtcp.SenderReport():
                again = rtcp.build_sr(
                    packet.ssrc, packet.ntp, packet.rtp_timestamp, packet.packets, packet.octets, packet.blocks
                )
                assert rtcp.parse_compound(again) == [packet]
            case rtcp.ReceiverReport():
                assert rtcp.parse_compound(rtcp.build_rr(packet.ssrc, packet.blocks)) == [packet]
            case rtcp.Goodbye():
                assert rtcp.parse_compound(rtcp.build_bye(packet.ssrcs)) == [packet]
            case rtcp.DelaySinceLastRr():
                assert rtcp.parse_compound(rtcp.build_xr_dlrr(packet.ssrc, packet.entries)) == [packet]
            case _:
                pass


def _seeds() -> list[bytes]:
    block = rtcp.ReportBlock(1, 2, -3, 4, 5, 6, 7)
    packets = [
        rtcp.build_sr(1, 2, 3, 4, 5, [block]),
        rtcp.build_rr(1, [block, block]),
        rtcp.build_sdes(1, "cname"),
        rtcp.build_nack(1, 2, [3, 4, 30]),
        rtcp.build_pli(1, 2),
        rtcp.build_fir(1, 2, 3),
        rtcp.build_remb(1, 1_000_000, [2, 3]),
        rtcp.build_xr_rrtr(1, 2),
        rtcp.build_xr_dlrr(1, [(2, 3, 4)]),
        rtcp.build_bye([1, 2]),
    ]
    return [*packets, b"".join(packets)]


register("rtcp", fuzz_rtcp, _seeds())
