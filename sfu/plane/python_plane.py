"""The data plane in pure Python on asyncio: sockets, demultiplexing (RFC 7983) and the commands of the seam."""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sfu.core.drop import DropReason
from sfu.core.media import Codec, HeaderExtension
from sfu.core.rtcp import is_rtcp
from sfu.core.rtp import ExtensionReader
from sfu.core.transport_cc import TransportCcReceiver
from sfu.errors import PortInUse
from sfu.plane import splice, srtp
from sfu.plane.counters import snapshot
from sfu.plane.feedback import Feedback
from sfu.plane.forward import PacketPath
from sfu.plane.listeners import MediaPort
from sfu.plane.paths import PathTable
from sfu.plane.seam import (
    ForwardConfig,
    ForwardId,
    IceCredentials,
    MediaAddress,
    PathChanged,
    PathState,
    PlaneCounters,
    PlaneListener,
    SrtpKeys,
    StreamConfig,
    StreamId,
    StreamStarted,
    TransportId,
)
from sfu.plane.state import MAX_ENDED_FORWARDS, Forward, Path, Stream, Transport
from sfu.plane.tcp import TcpConnection
from sfu.plane.udp import UdpPort

log = logging.getLogger("sfu.plane")

MAX_PACKET_BYTES = 1500
"""No browser sends more than 1200; anything above Ethernet's MTU was never a media packet."""

# First bytes (RFC 7983 §7).
_STUN_END = 4
_DTLS_FIRST, _DTLS_LAST = 20, 63
_RTP_FIRST, _RTP_LAST = 128, 191


class PythonPlane:
    """Implements ``sfu.plane.seam.DataPlane``. Everything runs on the event loop that called ``open``."""

    def __init__(
        self,
        listener: PlaneListener,
        port: int,
        announced: Mapping[str, str],
        *,
        offer_loopback: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._tcp_paths: dict[TcpConnection, Path] = {}
        self._listener = listener
        self._drops: Counter[DropReason] = Counter()
        self._transports: dict[TransportId, Transport] = {}
        self._streams: dict[StreamId, Stream] = {}
        self._forwards: dict[ForwardId, Forward] = {}
        self._packets = PacketPath(self._stream_started)
        self._paths = PathTable(self._drops, self._path_chosen)
        self._feedback = Feedback(self._packets, listener, self._transports, clock)
        self._port = MediaPort(
            port, announced, self._packets.received, self, self._drops, offer_loopback=offer_loopback
        )
        self._tasks: asyncio.Task[None] | None = None

    # Life.

    async def open(self) -> None:
        try:
            await self._port.open()
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise PortInUse(self._port.port) from error
            raise
        self._tasks = asyncio.create_task(self._run(), name="sfu-plane")

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feedback.run(), name="sfu-plane-feedback")
            group.create_task(self._port.watch(self._listener.addresses_changed), name="sfu-plane-addresses")

    async def close(self) -> None:
        if self._tasks is not None:
            self._tasks.cancel()
            await asyncio.gather(self._tasks, return_exceptions=True)
            self._tasks = None
        for transport in list(self._transports):
            self.remove_transport(transport)
        await self._port.close()

    def addresses(self) -> Sequence[MediaAddress]:
        return self._port.addresses()

    # Datagrams from the sockets.

    def udp_received(self, port: UdpPort, size: int, address: Any, now: float) -> None:
        """Demultiplex one datagram that lies in the receive buffer (RFC 7983 §7)."""
        if size == 0:
            self._drops[DropReason.EMPTY_DATAGRAM] += 1
            return
        if size > MAX_PACKET_BYTES:
            self._drops[DropReason.OVERSIZED_DATAGRAM] += 1
            return
        buffer = self._packets.received
        first = buffer.data[0]
        if first < _STUN_END:
            checked = self._paths.handle_check(buffer.view[:size], address, port, None, now)
            if checked is not None:
                self._answer_check(*checked)
            return
        path = port.paths.get(address)
        if path is None:
            self._drops[DropReason.UNKNOWN_ADDRESS] += 1
            return
        self._from_path(path, first, size, now)

    def tcp_received(self, connection: TcpConnection, packet: bytes) -> None:
        """Demultiplex one frame of a TCP connection."""
        now = self._clock()
        if packet[0] < _STUN_END:
            checked = self._paths.handle_check(memoryview(packet), connection.remote, None, connection, now)
            if checked is not None:
                connection.authenticated()
                self._tcp_paths[connection] = checked[0]
                self._answer_check(*checked)
            return
        path = self._tcp_paths.get(connection)
        if path is None:
            self._drops[DropReason.UNKNOWN_ADDRESS] += 1
            return
        self._packets.received.data[: len(packet)] = packet
        self._from_path(path, packet[0], len(packet), now)

    def tcp_closed(self, connection: TcpConnection) -> None:
        path = self._tcp_paths.pop(connection, None)
        if path is not None:
            self._paths.tcp_closed(path)

    def _from_path(self, path: Path, first: int, size: int, now: float) -> None:
        if _RTP_FIRST <= first <= _RTP_LAST:
            if size > 1 and is_rtcp(self._packets.received.data[1]):
                self._feedback.receive_rtcp(path, size, now)
            else:
                self._packets.receive_rtp(path, size, now)
        elif _DTLS_FIRST <= first <= _DTLS_LAST:
            self._paths.carried_dtls(path)
            path.transport.last_packet_at = now
            self._listener.dtls_received(path.transport.id, bytes(self._packets.received.view[:size]))
        else:
            path.transport.drops[DropReason.UNKNOWN_PROTOCOL] += 1

    def _answer_check(self, path: Path, response: bytes) -> None:
        if refused := path.send(response):
            path.transport.drops[refused] += 1

    # Upwards.

    def _path_chosen(self, transport: Transport) -> None:
        path = transport.selected
        assert path is not None
        transport.state = PathState.CONNECTED
        self._listener.path_changed(
            PathChanged(
                transport=transport.id,
                state=PathState.CONNECTED,
                protocol=path.protocol,
                nominated=transport.nominated,
            )
        )

    def _stream_started(self, stream: StreamId, ssrc: int, payload_type: int) -> None:
        self._listener.stream_started(StreamStarted(stream=stream, ssrc=ssrc, payload_type=payload_type))

    # Commands.

    def add_transport(self, transport: TransportId, credentials: IceCredentials) -> None:
        added = Transport(transport, credentials, secrets.randbits(32), self._feedback.ntp_epoch_s, self._clock())
        self._transports[transport] = added
        self._feedback.add(added, self._clock())
        self._paths.add(added, credentials)

    def restart_ice(self, transport: TransportId, credentials: IceCredentials) -> None:
        self._paths.restart(self._transports[transport], credentials)

    def remove_transport(self, transport: TransportId) -> None:
        removed = self._transports.pop(transport)
        for stream in [s.config.stream for s in removed.streams.values()]:
            self.remove_stream(stream)
        for forward in [f.config.forward for f in removed.forwards.values()]:
            self.remove_forward(forward)
        self._paths.remove(removed)
        self._packets.wants_feedback.discard(removed)

    def send_dtls(self, transport: TransportId, datagram: bytes) -> None:
        target = self._transports[transport]
        refused = DropReason.NO_PATH if target.selected is None else target.selected.send(datagram)
        if refused:
            target.drops[refused] += 1

    def set_srtp_keys(self, transport: TransportId, keys: SrtpKeys) -> None:
        target = self._transports[transport]
        target.contexts = srtp.contexts(keys)
        target.srtp_in, target.srtp_out = (context.session for context in target.contexts)

    def set_receive_extensions(self, transport: TransportId, ids: Mapping[HeaderExtension, int]) -> None:
        target = self._transports[transport]
        target.extensions = ExtensionReader(ids)
        if HeaderExtension.TRANSPORT_CC in ids and target.transport_cc is None:
            target.transport_cc = TransportCcReceiver()

    def set_stream(self, config: StreamConfig) -> None:
        existing = self._streams.get(config.stream)
        if existing is not None:
            existing.configure(config)
            return
        transport = self._transports[config.transport]
        stream = Stream(config, transport)
        self._streams[config.stream] = stream
        transport.streams[config.mid] = stream

    def remove_stream(self, stream: StreamId) -> None:
        removed = self._streams.pop(stream)
        for forward in list(removed.forwards):
            self.remove_forward(forward.config.forward)
        transport = removed.transport
        transport.streams.pop(removed.config.mid, None)
        for ssrc in [s for s, i in transport.ingress.items() if i.stream is removed]:
            del transport.ingress[ssrc]
        self._packets.wants_repair.discard(removed)

    def expect_media(self, stream: StreamId, expected: bool) -> None:
        self._streams[stream].expected = expected

    def add_forward(self, config: ForwardConfig) -> None:
        stream, transport = self._streams[config.stream], self._transports[config.transport]
        forward = Forward(config, stream, transport)
        if (numbering := transport.ended.pop(config.ssrc, None)) is not None:
            forward.go_on_from(numbering)
        self._forwards[config.forward] = forward
        transport.forwards[config.ssrc] = forward
        stream.forwards.append(forward)
        if stream.is_video:
            self._packets.want_keyframe(stream)

    def set_forward_codecs(self, forward: ForwardId, payload_types: Mapping[int, Codec]) -> None:
        self._forwards[forward].codecs = dict(payload_types)

    def remove_forward(self, forward: ForwardId) -> None:
        removed = self._forwards.pop(forward)
        removed.transport.forwards.pop(removed.ssrc, None)
        splice.remember_picture(removed)
        ended = removed.transport.ended
        ended[removed.ssrc] = removed.numbering()
        if len(ended) > MAX_ENDED_FORWARDS:
            del ended[next(iter(ended))]
        removed.stream.forwards.remove(removed)
        removed.stream.audio_loss.forget(forward)

    def request_keyframe(self, stream: StreamId) -> None:
        self._packets.want_keyframe(self._streams[stream])

    def limit_rate(self, transport: TransportId, bps: int) -> None:
        target = self._transports[transport]
        if bps != target.rate_limit_bps:
            target.rate_limit_bps = bps
            self._feedback.send_remb(target, self._clock())

    def counters(self) -> PlaneCounters:
        return snapshot(
            self._clock(),
            self._transports,
            self._streams,
            self._forwards,
            self._drops,
            self._port.kernel_drops(),
            self._feedback.failures,
        )
