"""Why a datagram or packet went no further. Every drop in the data plane has one of these names and a counter."""

from __future__ import annotations

import enum


class DropReason(enum.StrEnum):
    """The value is the label in statistics and metrics."""

    # Before a transport is known
    EMPTY_DATAGRAM = "empty_datagram"
    OVERSIZED_DATAGRAM = "oversized_datagram"
    UNKNOWN_PROTOCOL = "unknown_protocol"
    UNKNOWN_ADDRESS = "unknown_address"
    # STUN (RFC 8489)
    STUN_MALFORMED = "stun_malformed"
    STUN_UNKNOWN_UFRAG = "stun_unknown_ufrag"
    STUN_BAD_INTEGRITY = "stun_bad_integrity"
    STUN_NOT_A_REQUEST = "stun_not_a_request"
    STUN_RATE_LIMITED = "stun_rate_limited"
    # ICE-TCP (RFC 4571, RFC 6544)
    TCP_FRAME_TOO_LONG = "tcp_frame_too_long"
    TCP_UNAUTHENTICATED = "tcp_unauthenticated"
    TCP_TOO_MANY_CONNECTIONS = "tcp_too_many_connections"
    TCP_QUEUE_FULL = "tcp_queue_full"
    # DTLS
    DTLS_QUEUE_FULL = "dtls_queue_full"
    # SRTP (RFC 3711)
    NO_KEYS = "no_keys"
    SRTP_AUTH_FAILED = "srtp_auth_failed"
    SRTP_REPLAYED = "srtp_replayed"
    SRTP_TOO_OLD = "srtp_too_old"
    SRTP_FAILED = "srtp_failed"
    # RTP
    RTP_MALFORMED = "rtp_malformed"
    RTP_UNKNOWN_STREAM = "rtp_unknown_stream"
    RTP_UNKNOWN_PAYLOAD_TYPE = "rtp_unknown_payload_type"
    RTP_TOO_MANY_SSRC = "rtp_too_many_ssrc"
    RTP_DUPLICATE = "rtp_duplicate"
    RTP_TOO_OLD = "rtp_too_old"
    RTX_UNKNOWN = "rtx_unknown"
    RTX_EMPTY = "rtx_empty"
    PADDING_ONLY = "padding_only"
    # RTCP
    RTCP_MALFORMED = "rtcp_malformed"
    # Towards a subscriber
    WAITING_FOR_KEYFRAME = "waiting_for_keyframe"
    CODEC_NOT_NEGOTIATED = "codec_not_negotiated"
    BEFORE_SPLICE = "before_splice"
    NO_PATH = "no_path"
    SEND_BUFFER_FULL = "send_buffer_full"
    SEND_FAILED = "send_failed"
    NACK_NOT_IN_HISTORY = "nack_not_in_history"
    NACK_RATE_LIMITED = "nack_rate_limited"
