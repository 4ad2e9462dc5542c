"""DTLS-SRTP through the adapter, against a peer straight on OpenSSL."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiortc
import pytest
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

import sfu.aiortc_adapter as adapter
from sfu.aiortc_adapter import Certificate, DtlsFailed, DtlsFailure, DtlsRole, DtlsSession
from sfu.plane.seam import SrtpKeys, SrtpProfile
from tests.sfu.dtls_peer import DtlsPeer, make_certificate, split_records

CERTIFICATE = Certificate.generate()
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Line:
    """A session and a peer with a wire between them that a test can bend."""

    def __init__(
        self,
        peer: DtlsPeer,
        role: DtlsRole,
        *,
        certificate: Certificate = CERTIFICATE,
        timeout_s: float = 10.0,
    ) -> None:
        self.peer = peer
        self.sent: list[bytes] = []
        self.closed_calls = 0
        self.session = DtlsSession(
            certificate,
            role=role,
            send=self._deliver,
            handshake_timeout_s=timeout_s,
            on_closed=self._count_closed,
        )

    def _count_closed(self) -> None:
        self.closed_calls += 1

    def _deliver(self, datagram: bytes) -> None:
        self.sent.append(datagram)
        self.peer.feed(datagram)
        self.carry()

    def carry(self) -> None:
        for record in self.peer.records():
            assert self.session.receive(record)

    async def connect(self) -> SrtpKeys:
        handshake = asyncio.create_task(self.session.handshake(self.peer.fingerprints))
        self.peer.advance()
        self.carry()
        return await handshake


@contextlib.asynccontextmanager
async def connected(peer: DtlsPeer, role: DtlsRole) -> AsyncIterator[Line]:
    line = Line(peer, role)
    await line.connect()
    yield line
    await line.session.close()


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# --- roles, certificates, profiles ---


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("key", [None, RSA_KEY], ids=["ecdsa", "rsa"])
async def test_both_sides_have_the_same_keys(role: DtlsRole, key: rsa.RSAPrivateKey | None) -> None:
    line = Line(DtlsPeer(is_client=role == "server", key=key), role)
    keys = await line.connect()
    assert line.peer.srtp_keys() == (keys.profile.value, keys.receive, keys.send)
    assert keys.profile is SrtpProfile.AEAD_AES_256_GCM
    assert len(keys.send) == len(keys.receive) == 44
    await line.session.close()


@pytest.mark.parametrize("profile", list(SrtpProfile))
async def test_the_peers_only_profile_is_taken(profile: SrtpProfile) -> None:
    line = Line(DtlsPeer(is_client=True, profiles=profile.value.encode()), "server")
    keys = await line.connect()
    assert keys.profile is profile
    assert line.peer.srtp_keys() == (profile.value, keys.receive, keys.send)
    await line.session.close()


async def test_two_peers_have_different_keys_with_one_context() -> None:
    async with connected(DtlsPeer(is_client=True), "server") as first:
        async with connected(DtlsPeer(is_client=True), "server") as second:
            assert first.peer.srtp_keys() != second.peer.srtp_keys()


def test_a_fingerprint_is_sha_256_of_the_certificate() -> None:
    [(algorithm, value)] = CERTIFICATE.fingerprints
    assert algorithm == "sha-256"
    assert len(bytes.fromhex(value.replace(":", ""))) == 32


# --- refusals ---


async def failure(line: Line, fingerprints: list[tuple[str, str]] | None = None) -> DtlsFailure:
    if fingerprints is not None:
        line.peer.fingerprints = fingerprints
    with pytest.raises(DtlsFailed) as caught:
        await line.connect()
    await line.session.close()
    return caught.value.reason


@pytest.mark.parametrize(
    "fingerprints",
    [[("sha-256", ":".join(["00"] * 32))], [("md5", "00")], []],
    ids=["another certificate", "unknown algorithm", "none"],
)
async def test_a_peer_with_another_certificate_is_refused(fingerprints: list[tuple[str, str]]) -> None:
    line = Line(DtlsPeer(is_client=True), "server")
    assert await failure(line, fingerprints) is DtlsFailure.FINGERPRINT
    assert not fingerprints or line.peer.is_ended


async def test_a_peer_without_srtp_is_refused() -> None:
    line = Line(DtlsPeer(is_client=True, profiles=None), "server")
    assert await failure(line) is DtlsFailure.NO_SRTP_PROFILE


async def test_a_peer_with_no_common_cipher_hears_of_it_at_once() -> None:
    line = Line(DtlsPeer(is_client=True, ciphers=b"DHE-RSA-AES256-SHA"), "server")
    assert await failure(line) is DtlsFailure.HANDSHAKE
    assert line.peer.received_alert


async def test_a_silent_peer_runs_into_the_time_limit() -> None:
    line = Line(DtlsPeer(is_client=True), "server", timeout_s=0.02)
    with pytest.raises(DtlsFailed) as caught:
        await line.session.handshake(line.peer.fingerprints)
    assert caught.value.reason is DtlsFailure.TIMEOUT
    await line.session.close()


async def test_close_ends_a_handshake_that_waits() -> None:
    line = Line(DtlsPeer(is_client=True), "server")
    handshake = asyncio.create_task(line.session.handshake(line.peer.fingerprints))
    await turns()
    await line.session.close()
    with pytest.raises(DtlsFailed) as caught:
        await handshake
    assert caught.value.reason is DtlsFailure.CLOSED
    with pytest.raises(DtlsFailed) as caught:
        await line.session.handshake(line.peer.fingerprints)
    assert caught.value.reason is DtlsFailure.CLOSED


# --- flights of several datagrams ---

LONG_ALPN = [b"h%03d" % number for number in range(150)]
Disorder = Callable[[list[bytes]], list[bytes]]


@pytest.mark.parametrize(
    "disorder",
    [lambda hello: hello[::-1], lambda hello: hello[1:] + hello[:1] + hello[1:2]],
    ids=["reversed", "first last, one twice"],
)
async def test_a_client_hello_in_another_order(disorder: Disorder) -> None:
    peer = DtlsPeer(is_client=True, mtu_bytes=300, alpn=LONG_ALPN)
    peer.advance()
    hello = peer.records()
    assert len(hello) >= 4
    line = Line(peer, "server")
    handshake = asyncio.create_task(line.session.handshake(peer.fingerprints))
    for record in disorder(hello):
        assert line.session.receive(record)
    keys = await handshake
    assert peer.srtp_keys() == (keys.profile.value, keys.receive, keys.send)
    await line.session.close()


@pytest.mark.parametrize("lost", [0, 1, -1])
async def test_a_client_hello_with_one_datagram_lost(lost: int) -> None:
    peer = DtlsPeer(is_client=True, mtu_bytes=300, alpn=LONG_ALPN)
    peer.advance()
    hello = peer.records()
    del hello[lost]
    line = Line(peer, "server")
    handshake = asyncio.create_task(line.session.handshake(peer.fingerprints))
    for record in hello:
        assert line.session.receive(record)
    await turns()
    assert not line.sent
    await peer.retransmit()
    line.carry()
    keys = await handshake
    assert peer.srtp_keys() == (keys.profile.value, keys.receive, keys.send)
    await line.session.close()


async def test_our_lost_flight_is_sent_again() -> None:
    peer = DtlsPeer(is_client=True)
    line = Line(peer, "server")
    lost: list[bytes] = []

    def lose_the_first(datagram: bytes) -> None:
        if not lost:
            lost.append(datagram)
        else:
            line._deliver(datagram)

    line.session = DtlsSession(CERTIFICATE, role="server", send=lose_the_first, handshake_timeout_s=10)
    keys = await line.connect()
    assert lost
    assert peer.srtp_keys() == (keys.profile.value, keys.receive, keys.send)
    await line.session.close()


async def test_a_long_flight_of_ours_is_cut_between_records() -> None:
    """A memory BIO hands out a flight as one string; aiortc would cut it after 1500 bytes."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=4096)
    big = Certificate(adapter._SharedContextCertificate(key, make_certificate(key)))  # type: ignore[arg-type]
    line = Line(DtlsPeer(is_client=True), "server", certificate=big)
    await line.connect()
    first_flight = line.sent[:-1]
    assert sum(map(len, first_flight)) > 1500
    assert len(first_flight) >= 2
    for datagram in line.sent:
        assert len(datagram) <= adapter.MAX_SENT_BYTES
        assert b"".join(split_records(datagram)) == datagram
        assert 20 <= datagram[0] <= 63
    await line.session.close()


# --- after the handshake ---


async def test_the_peers_close_notify_is_told_once() -> None:
    async with connected(DtlsPeer(is_client=True), "server") as line:
        line.peer.ssl.shutdown()
        line.carry()
        await turns()
        assert line.closed_calls == 1
    assert line.closed_calls == 1


async def test_our_close_sends_close_notify_and_leaves_nothing_running() -> None:
    tasks = asyncio.all_tasks()
    line = Line(DtlsPeer(is_client=True), "server")
    await line.connect()
    await line.session.close()
    assert line.peer.is_ended
    assert asyncio.all_tasks() == tasks
    datagrams = len(line.sent)
    await line.session.close()
    assert len(line.sent) == datagrams
    assert line.closed_calls == 0
    assert not line.session.receive(b"\x17" * 20)


@pytest.mark.parametrize(
    "datagram",
    [b"", b"\x80" * 1501, b"\x80" * 1500, b"\x17" * 1501, b"\x13", b"\x40", b"\x00\x01"],
    ids=["empty", "oversized RTP", "RTP", "oversized DTLS", "below", "above", "STUN"],
)
async def test_what_is_no_dtls_never_reaches_aiortc(datagram: bytes) -> None:
    async with connected(DtlsPeer(is_client=True), "server") as line:
        assert not line.session.receive(datagram)
        await turns()
        assert line.closed_calls == 0
        line.peer.ssl.shutdown()
        line.carry()
        await turns()
        assert line.closed_calls == 1


async def test_a_flood_is_bounded_and_ends_nothing() -> None:
    async with connected(DtlsPeer(is_client=True), "server") as line:
        junk = b"\x17\xfe\xfd" + bytes(8) + b"\x05\x00" + bytes(1280)
        taken = sum(line.session.receive(junk) for _ in range(10_000))
        assert taken == adapter.QUEUE_DATAGRAMS
        await turns()
        assert line.closed_calls == 0
        assert line.session.receive(junk)


async def test_many_records_in_a_datagram_do_not_pile_up() -> None:
    async with connected(DtlsPeer(is_client=True), "server") as line:
        for _ in range(30):
            line.peer.ssl.send(b"x")
        assert line.session.receive(b"".join(line.peer.records()))
        await turns()
        ssl = line.session._transport._ssl
        assert ssl is not None
        with pytest.raises(SSL.WantReadError):
            ssl.recv(1500)


async def test_a_fatal_alert_ends_the_association() -> None:
    peer = DtlsPeer(is_client=True)
    async with connected(peer, "server") as line:
        with pytest.raises(SSL.Error):
            peer.ssl.renegotiate()  # we refuse it; OpenSSL then gives up
            peer.ssl.do_handshake()
        line.carry()
        await turns()
        assert line.closed_calls == 1


async def test_a_closed_session_is_freed_without_the_cycle_collector() -> None:
    line = Line(DtlsPeer(is_client=True), "server")
    await line.connect()
    await line.session.close()
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(each, SSL.Connection) for each in gc.get_objects())
        del line
        await turns()
        after = sum(isinstance(each, SSL.Connection) for each in gc.get_objects())
    finally:
        gc.enable()
    assert before - after == 2, "ours and the peer's"


# --- what we use of aiortc's private parts ---

PRIVATE_OF_TRANSPORT = {
    "_recv_next": "overridden, to read every record of a datagram",
    "_role": "read for the order of the exported keys",
    "_set_role": "called, to be server or client as the answer says",
    "_set_state": "called, to fail without an SRTP profile",
    "_setup_srtp": "overridden, to export the keys and make no SRTP session",
    "_ssl": "read for the keys and for alerts",
    "_task": "awaited on closing",
    "_validate_peer_identity": "overridden, to name the reason",
    "_write_ssl": "overridden, to keep datagram borders",
}
PRIVATE_OF_CERTIFICATE = {"_create_ssl_context": "overridden, to share one context and to know RSA suites"}
CALLED_BY_AIORTC = {"_recv": "our transport object's way in", "_send": "our transport object's way out"}


@pytest.mark.parametrize("name", PRIVATE_OF_TRANSPORT)
def test_the_transport_still_has(name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = RTCCertificate(key, make_certificate(key))
    transport = RTCDtlsTransport(adapter._Pipe(lambda _: None), [certificate])  # type: ignore[arg-type]
    assert hasattr(transport, name), (
        f"aiortc {aiortc.__version__}: RTCDtlsTransport.{name} is gone; it was {PRIVATE_OF_TRANSPORT[name]}"
    )


@pytest.mark.parametrize("name", PRIVATE_OF_CERTIFICATE)
def test_the_certificate_still_has(name: str) -> None:
    assert hasattr(RTCCertificate, name), (
        f"aiortc {aiortc.__version__}: RTCCertificate.{name} is gone; it was {PRIVATE_OF_CERTIFICATE[name]}"
    )


@pytest.mark.parametrize("name", CALLED_BY_AIORTC)
def test_the_transport_still_calls(name: str) -> None:
    source = Path(aiortc.rtcdtlstransport.__file__).read_text(encoding="utf-8")
    assert f"self.transport.{name}(" in source, (
        f"aiortc {aiortc.__version__}: RTCDtlsTransport calls {name} no more; it was {CALLED_BY_AIORTC[name]}"
    )


def test_every_private_name_in_use_is_in_a_table_above() -> None:
    tree = ast.parse(Path(adapter.__file__).read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    private = {name for name in used | defined if name.startswith("_") and not name.startswith("__")}
    theirs = {name for name in private if hasattr(RTCDtlsTransport, name) or hasattr(RTCCertificate, name)}
    theirs |= private & {"_ssl", "_role", "_task", "_state", "_rx_srtp", "_tx_srtp", "_srtp_profiles"}
    assert theirs <= PRIVATE_OF_TRANSPORT.keys() | PRIVATE_OF_CERTIFICATE.keys()
