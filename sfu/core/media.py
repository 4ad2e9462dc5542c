"""What the control plane and the data plane both say about media: kinds, codecs, header extensions."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Kind(enum.StrEnum):
    """Media type of an m-line (RFC 8866 §5.14)."""

    AUDIO = "audio"
    VIDEO = "video"


class Direction(enum.StrEnum):
    """Direction attribute of an m-line (RFC 8866 §6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


class HeaderExtension(enum.StrEnum):
    """RTP header extensions that the SFU negotiates; the value is the URI in ``a=extmap`` (RFC 8285)."""

    MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
    RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
    ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
    DEPENDENCY_DESCRIPTOR = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"


class CodecName(enum.StrEnum):
    """Codecs that the SFU forwards, by their upper-case media subtype (IANA)."""

    OPUS = "OPUS"
    RED = "RED"
    VP8 = "VP8"
    VP9 = "VP9"
    H264 = "H264"
    AV1 = "AV1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One codec of one m-line, under the payload type of the peer that offered it."""

    name: CodecName
    payload_type: int
    clock_rate: int
    "Hz"
    channels: int = 1
    parameters: Mapping[str, str] = field(default_factory=dict)
    '``a=fmtp`` as key → value; RED\'s bare ``111/111`` is under the key ``""``'
    rtx_payload_type: int | None = None
    "the payload type of its RTX (RFC 4588), when the peer offered one"
    feedback: frozenset[str] = frozenset()
    "``a=rtcp-fb`` values, such as ``nack``, ``nack pli``, ``ccm fir``, ``goog-remb``, ``transport-cc``"
