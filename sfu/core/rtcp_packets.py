"""What RTCP packets say, as values; sfu.core.rtcp reads and builds the bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """RFC 3550 §6.4.1."""

    ssrc: int
    fraction_lost: int
    "1/256 since the last report"
    lost: int
    "cumulative, 24 bits signed"
    highest_sequence: int
    "with its cycles above the low 16 bits"
    jitter: int
    "in units of the RTP clock"
    last_sr: int
    "middle 32 bits of the last SR's NTP time; 0 when none arrived"
    delay_since_last_sr: int
    "1/65536 s"


@dataclass(frozen=True, slots=True)
class SenderReport:
    ssrc: int
    ntp: int
    "64-bit NTP time"
    rtp_timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...]


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    ssrc: int
    blocks: tuple[ReportBlock, ...]


@dataclass(frozen=True, slots=True)
class SourceDescription:
    cnames: tuple[tuple[int, str], ...]
    "(SSRC, CNAME) of every chunk that has one"


@dataclass(frozen=True, slots=True)
class Goodbye:
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Nack:
    sender_ssrc: int
    media_ssrc: int
    sequences: tuple[int, ...]
    "in the order asked for; at most MAX_NACK_SEQUENCES, the rest is left out"


@dataclass(frozen=True, slots=True)
class TransportCc:
    sender_ssrc: int
    media_ssrc: int
    packet: bytes
    "the whole packet, for transport_cc.parse_feedback"


@dataclass(frozen=True, slots=True)
class PictureLoss:
    sender_ssrc: int
    media_ssrc: int


@dataclass(frozen=True, slots=True)
class FullIntraRequest:
    sender_ssrc: int
    requests: tuple[tuple[int, int], ...]
    "(media SSRC, command sequence number)"


@dataclass(frozen=True, slots=True)
class Remb:
    sender_ssrc: int
    bps: int
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReceiverReferenceTime:
    ssrc: int
    ntp: int


@dataclass(frozen=True, slots=True)
class DelaySinceLastRr:
    ssrc: int
    entries: tuple[tuple[int, int, int], ...]
    "(receiver's SSRC, middle 32 bits of its RRTR, delay since then in 1/65536 s)"


Packet = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | Nack
    | TransportCc
    | PictureLoss
    | FullIntraRequest
    | Remb
    | ReceiverReferenceTime
    | DelaySinceLastRr
)
