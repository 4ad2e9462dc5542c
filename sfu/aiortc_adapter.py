"""The one module that imports aiortc: DTLS-SRTP keys (RFC 5764) and the parser of session descriptions.

aiortc's ``RTCDtlsTransport`` runs over a transport object of ours. It sees DTLS datagrams only, does the
handshake, checks the fingerprint (RFC 8122 §5) and exports the keys; SRTP itself belongs to the data plane.
``tests/sfu/test_aiortc_adapter.py`` names each private attribute of aiortc that is used here.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Literal

from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
    State,
)
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.sdp import MediaDescription, SessionDescription
from OpenSSL import SSL

from sfu.plane.seam import SrtpKeys, SrtpProfile

DtlsRole = Literal["server", "client"]
ParsedCodec = RTCRtpCodecParameters
ParsedMedia = MediaDescription
ParsedSession = SessionDescription

QUEUE_DATAGRAMS: Final = 64
"On full the newest datagram is refused: DTLS repeats its flights (RFC 6347 §4.2.4)."
MAX_RECEIVED_BYTES: Final = 1500
MAX_SENT_BYTES: Final = 1200

_RECORD_HEADER_BYTES: Final = 13
_CIPHERS: Final = ":".join(
    f"ECDHE-{signature}-{suite}"
    # RSA is for peers whose certificate is RSA while we are the client, such as GStreamer.
    for signature in ("ECDSA", "RSA")
    for suite in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-SHA", "AES256-SHA")
).encode()
_KEY_AND_SALT_BYTES: Final = {
    SrtpProfile.AEAD_AES_256_GCM: (32, 12),
    SrtpProfile.AEAD_AES_128_GCM: (16, 12),
    SrtpProfile.AES128_CM_SHA1_80: (16, 14),
}


class DtlsFailure(enum.StrEnum):
    """Why there are no keys; the value is the label in statistics."""

    TIMEOUT = "dtls_timeout"
    HANDSHAKE = "dtls_handshake"
    FINGERPRINT = "dtls_fingerprint"
    NO_SRTP_PROFILE = "dtls_no_srtp_profile"
    CLOSED = "dtls_closed"


class DtlsFailed(Exception):
    def __init__(self, reason: DtlsFailure) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Certificate:
    """The process's certificate. Clients check its fingerprint, not its dates (RFC 8827 §6.5)."""

    def __init__(self, certificate: RTCCertificate) -> None:
        self._certificate = certificate

    @classmethod
    def generate(cls) -> Certificate:
        return cls(_SharedContextCertificate.generateCertificate())

    @property
    def fingerprints(self) -> list[tuple[str, str]]:
        """``(algorithm, value)`` for ``a=fingerprint``; SHA-256 is the one that every client knows."""
        known = [(each.algorithm, each.value) for each in self._certificate.getFingerprints()]
        return [each for each in known if each[0] == "sha-256"]


class DtlsSession:
    """One peer's DTLS association, over datagrams that the data plane carries."""

    def __init__(
        self,
        certificate: Certificate,
        *,
        role: DtlsRole,
        send: Callable[[bytes], None],
        handshake_timeout_s: float,
        on_closed: Callable[[], None] | None = None,
    ) -> None:
        """``on_closed`` is called once if the peer ends the association, never for our own ``close``."""
        self._pipe = _Pipe(send)
        self._transport = _KeyingTransport(self._pipe, certificate._certificate)
        self._transport._set_role(role)
        self._transport.on("statechange", self._on_state_change)
        self._handshake_timeout_s = handshake_timeout_s
        self._on_closed = on_closed
        self._is_closing = False

    def receive(self, datagram: bytes) -> bool:
        """False if it was not taken: the queue is full, or it is no DTLS record (RFC 7983 §7)."""
        if not 0 < len(datagram) <= MAX_RECEIVED_BYTES or not 20 <= datagram[0] <= 63:
            return False
        return self._pipe.put(datagram)

    async def handshake(self, remote_fingerprints: Sequence[tuple[str, str]]) -> SrtpKeys:
        """Exchange keys with the peer that has these certificate fingerprints; raises DtlsFailed."""
        if not remote_fingerprints:
            raise DtlsFailed(DtlsFailure.FINGERPRINT)
        if self._is_closing:
            raise DtlsFailed(DtlsFailure.CLOSED)
        expected = [RTCDtlsFingerprint(algorithm=name, value=value) for name, value in remote_fingerprints]
        try:
            async with asyncio.timeout(self._handshake_timeout_s):
                await self._transport.start(RTCDtlsParameters(fingerprints=expected))
        except TimeoutError:
            raise DtlsFailed(DtlsFailure.TIMEOUT) from None
        keys = self._transport.keys
        if keys is None or self._transport.state == "failed":
            self._transport.flush_alert()
            raise DtlsFailed(DtlsFailure.CLOSED if self._pipe.is_ended else self._transport.failure)
        return keys

    async def close(self) -> None:
        """Say goodbye (close_notify) and end every task; may be called at any time and again."""
        if self._is_closing:
            return
        self._is_closing = True
        pump = self._transport._task
        await self._transport.stop()
        # Cycles would leave OpenSSL's memory to the cycle collector.
        self._transport.remove_all_listeners()
        self._on_closed = None
        self._pipe.end()
        if pump is not None:
            await asyncio.gather(pump, return_exceptions=True)

    def _on_state_change(self) -> None:
        if self._transport.state == "closed" and not self._is_closing and self._on_closed is not None:
            self._on_closed()


def parse_session_description(sdp: str) -> ParsedSession:
    """aiortc's reading of an offer; on odd input it raises nearly anything, which ``sfu.sdp.offer`` maps."""
    return ParsedSession.parse(sdp)


# --- aiortc's side ---


class _SharedContextCertificate(RTCCertificate):
    """One SSL.Context for all peers; aiortc's own makes a new one for each."""

    _context: SSL.Context | None = None

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        if self._context is None:
            context = super()._create_ssl_context(srtp_profiles)
            context.set_cipher_list(_CIPHERS)
            context.set_options(SSL.OP_NO_RENEGOTIATION)
            context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # 30 KB less heap for an idle peer
            # A shared context would otherwise keep every peer's session.
            context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
            self._context = context
        return self._context


class _Pipe:
    """What RTCDtlsTransport needs of an ICE transport: ``_recv``, ``_send`` and ``role``."""

    role: Final = "controlled"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send_datagram = send
        self._inbox: deque[bytes] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self.is_ended = False

    def put(self, datagram: bytes) -> bool:
        if self.is_ended or len(self._inbox) >= QUEUE_DATAGRAMS:
            return False
        self._inbox.append(datagram)
        self._wake()
        return True

    def send(self, datagram: bytes) -> None:
        self._send_datagram(datagram)

    def end(self) -> None:
        self.is_ended = True
        self._send_datagram = _discard
        self._inbox.clear()
        self._wake()

    async def _recv(self) -> bytes:
        while not self._inbox:
            if self.is_ended:
                raise ConnectionError("the session was closed")
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        return self._inbox.popleft()

    async def _send(self, data: bytes) -> None:
        self.send(data)

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


class _KeyingTransport(RTCDtlsTransport):
    """RTCDtlsTransport that stops at the keys and respects datagram borders."""

    def __init__(self, pipe: _Pipe, certificate: RTCCertificate) -> None:
        super().__init__(pipe, [certificate])  # type: ignore[arg-type]
        self._pipe = pipe
        self.keys: SrtpKeys | None = None
        self.failure = DtlsFailure.HANDSHAKE

    def flush_alert(self) -> None:
        """Tell the peer that the handshake failed, so that it doesn't wait for its own timeout."""
        if self._ssl is None:
            return
        try:
            self._ssl.shutdown()
        except SSL.Error:
            pass  # refused during a handshake, where OpenSSL has already written an alert
        self._send_records()

    def _validate_peer_identity(self, remoteParameters: RTCDtlsParameters) -> None:
        super()._validate_peer_identity(remoteParameters)
        if self.state == "failed":
            self.failure = DtlsFailure.FINGERPRINT

    def _setup_srtp(self) -> None:
        """Export the keys (RFC 5764 §4.2) without making aiortc's SRTP sessions: it shall handle no RTP."""
        assert self._ssl is not None
        try:
            profile = SrtpProfile(self._ssl.get_selected_srtp_profile().decode("ascii"))
        except ValueError:
            self.failure = DtlsFailure.NO_SRTP_PROFILE
            self._set_state(State.FAILED)
            return
        key, salt = _KEY_AND_SALT_BYTES[profile]
        material = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        receive, send = (client, server) if self._role == "server" else (server, client)
        self.keys = SrtpKeys(profile=profile, receive=receive, send=send)

    async def _recv_next(self) -> None:
        await super()._recv_next()
        if not self.encrypted or self._ssl is None:
            return
        # aiortc reads one record of application data a datagram; the rest would pile up in OpenSSL.
        try:
            while True:
                self._ssl.recv(MAX_RECEIVED_BYTES)
        except SSL.Error:
            if self._ssl.get_shutdown() & SSL.RECEIVED_SHUTDOWN:
                raise ConnectionError("ended by the peer") from None

    async def _write_ssl(self) -> None:
        self._send_records()

    def _send_records(self) -> None:
        """Send whole records, as many as fit a datagram (RFC 6347 §4.1.1): a memory BIO keeps no borders."""
        if self._ssl is None:
            return
        for datagram in _datagrams(_read_all(self._ssl)):
            self._pipe.send(datagram)


def _discard(datagram: bytes) -> None:
    """After the end the plane no longer knows the transport."""


def _read_all(ssl: SSL.Connection) -> bytes:
    chunks = []
    try:
        while True:
            chunks.append(ssl.bio_read(2048))
    except SSL.Error:
        return b"".join(chunks)


def _datagrams(records: bytes) -> list[bytes]:
    datagrams: list[bytes] = []
    start = end = 0
    while end < len(records):
        header_end = end + _RECORD_HEADER_BYTES
        record_end = header_end + int.from_bytes(records[header_end - 2 : header_end], "big")
        if record_end - start > MAX_SENT_BYTES and end > start:
            datagrams.append(records[start:end])
            start = end
        end = record_end
    if end > start:
        datagrams.append(records[start:end])
    return datagrams
