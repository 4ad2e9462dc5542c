"""A browser's ``getStats`` as typed values (W3C webrtc-stats); a missing number is 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Stats = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One received stream: ``inbound-rtp`` with its codec."""

    kind: str
    mid: str
    codec: str
    "upper case, without the kind: ``VP8``"
    ssrc: int
    packets: int
    packets_lost: int
    packets_repaired: int
    "that arrived as retransmissions"
    nacks: int
    keyframe_requests: int
    bytes: int
    jitter_s: float
    frames_decoded: int
    keyframes_decoded: int
    width: int
    height: int
    freezes: int
    frozen_s: float
    samples: int
    concealed_samples: int
    "spoken and silent concealment together"
    audio_energy: float
    playout_at_ms: float
    "the sender's clock for what is played now; 0 when the browser does not say"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """One sent stream: ``outbound-rtp`` with its codec."""

    kind: str
    mid: str
    codec: str
    ssrc: int
    packets: int
    bytes: int
    frames_encoded: int
    width: int
    height: int
    nacks: int
    keyframe_requests: int
    target_bps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The candidate pair in use."""

    protocol: str
    local_address: str
    remote_address: str
    remote_port: int
    rtt_s: float
    available_outgoing_bps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The page's newest open peer connection at one moment."""

    at_s: float
    "the page's clock"
    connection_state: str
    connections_made: int
    "peer connections that the page has made since it was loaded"
    inbound: Sequence[Inbound]
    outbound: Sequence[Outbound]
    path: Path | None
    state_changes: Sequence[str]
    "connection states of that connection in the order they came"

    @property
    def videos(self) -> list[Inbound]:
        return [s for s in self.inbound if s.kind == "video"]

    @property
    def audios(self) -> list[Inbound]:
        return [s for s in self.inbound if s.kind == "audio"]

    @property
    def sent_video(self) -> Outbound:
        """Of several (a camera that was changed) the one that sent most."""
        return max((s for s in self.outbound if s.kind == "video"), key=lambda s: s.packets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What happened to one received stream between two reports."""

    duration_s: float
    fps: float
    bitrate_bps: float
    frozen_s: float
    packets: int
    lost: int
    repaired: int
    concealed: float
    "share of the samples played that were made up, 0..1"

    @property
    def repaired_share(self) -> float:
        """Of what was lost; a packet that comes twice must not hide one that never came."""
        return min(1.0, self.repaired / self.lost) if self.lost else 1.0


def stretch(before: Inbound, after: Inbound, duration_s: float) -> Stretch:
    """The difference of two reports on the same stream."""
    samples = after.samples - before.samples
    return Stretch(
        duration_s=duration_s,
        fps=(after.frames_decoded - before.frames_decoded) / duration_s,
        bitrate_bps=(after.bytes - before.bytes) * 8 / duration_s,
        frozen_s=after.frozen_s - before.frozen_s,
        packets=after.packets - before.packets,
        lost=after.packets_lost - before.packets_lost,
        repaired=after.packets_repaired - before.packets_repaired,
        concealed=(after.concealed_samples - before.concealed_samples) / samples if samples > 0 else 0.0,
    )


def parse_report(raw: Mapping[str, Any]) -> Report:
    """From what ``page_probe.js`` returns."""
    by_id: dict[str, Stats] = {s["id"]: s for s in raw["stats"]}
    of_type = {t: [s for s in raw["stats"] if s["type"] == t] for t in ("inbound-rtp", "outbound-rtp")}
    return Report(
        at_s=float(raw["at_ms"]) / 1000,
        connection_state=raw["state"],
        connections_made=raw["made"],
        inbound=[_inbound(s, by_id) for s in of_type["inbound-rtp"]],
        outbound=[_outbound(s, by_id) for s in of_type["outbound-rtp"]],
        path=_path(by_id),
        state_changes=raw["changes"],
    )


def _inbound(s: Stats, by_id: Mapping[str, Stats]) -> Inbound:
    return Inbound(
        kind=s["kind"],
        mid=str(s.get("mid") or ""),
        codec=_codec(s, by_id),
        ssrc=s["ssrc"],
        packets=_whole(s, "packetsReceived"),
        packets_lost=_whole(s, "packetsLost"),
        packets_repaired=_whole(s, "retransmittedPacketsReceived"),
        nacks=_whole(s, "nackCount"),
        keyframe_requests=_whole(s, "pliCount") + _whole(s, "firCount"),
        bytes=_whole(s, "bytesReceived") + _whole(s, "headerBytesReceived"),
        jitter_s=_number(s, "jitter"),
        frames_decoded=_whole(s, "framesDecoded"),
        keyframes_decoded=_whole(s, "keyFramesDecoded"),
        width=_whole(s, "frameWidth"),
        height=_whole(s, "frameHeight"),
        freezes=_whole(s, "freezeCount"),
        frozen_s=_number(s, "totalFreezesDuration"),
        samples=_whole(s, "totalSamplesReceived"),
        concealed_samples=_whole(s, "concealedSamples"),
        audio_energy=_number(s, "totalAudioEnergy"),
        playout_at_ms=_number(s, "estimatedPlayoutTimestamp"),
    )


def _outbound(s: Stats, by_id: Mapping[str, Stats]) -> Outbound:
    return Outbound(
        kind=s["kind"],
        mid=str(s.get("mid") or ""),
        codec=_codec(s, by_id),
        ssrc=s["ssrc"],
        packets=_whole(s, "packetsSent"),
        bytes=_whole(s, "bytesSent"),
        frames_encoded=_whole(s, "framesEncoded"),
        width=_whole(s, "frameWidth"),
        height=_whole(s, "frameHeight"),
        nacks=_whole(s, "nackCount"),
        keyframe_requests=_whole(s, "pliCount") + _whole(s, "firCount"),
        target_bps=_number(s, "targetBitrate"),
    )


def _path(by_id: Mapping[str, Stats]) -> Path | None:
    """The transport's selected pair, or what Firefox marks as selected."""
    chosen = {s.get("selectedCandidatePairId") for s in by_id.values() if s["type"] == "transport"}
    pairs = [s for i, s in by_id.items() if i in chosen]
    pairs += [s for s in by_id.values() if s["type"] == "candidate-pair" and s.get("selected")]
    if not pairs:
        return None
    pair = pairs[0]
    local: Stats = by_id.get(pair["localCandidateId"], {})
    remote: Stats = by_id.get(pair["remoteCandidateId"], {})
    return Path(
        protocol=str(remote.get("protocol", "")).lower(),
        local_address=str(local.get("address") or ""),
        remote_address=str(remote.get("address") or "").strip("[]"),
        remote_port=_whole(remote, "port"),
        rtt_s=_number(pair, "currentRoundTripTime"),
        available_outgoing_bps=_number(pair, "availableOutgoingBitrate"),
    )


def _codec(s: Stats, by_id: Mapping[str, Stats]) -> str:
    mime = str(by_id.get(s.get("codecId", ""), {}).get("mimeType", ""))
    return mime.partition("/")[2].upper()


def _whole(s: Stats, key: str) -> int:
    return int(s.get(key) or 0)


def _number(s: Stats, key: str) -> float:
    return float(s.get(key) or 0.0)
