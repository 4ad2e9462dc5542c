"""What every data plane promises, asked only through the seam, sockets and real time: ``sfu.plane.seam.DataPlane``.

A plane's test module derives ``DataPlaneContract`` and says how its plane is made.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from sfu.core import rtcp
from sfu.core.drop import DropReason
from sfu.core.media import HeaderExtension, Kind
from sfu.errors import PortInUse
from sfu.plane.seam import (
    DataPlane,
    ForwardConfig,
    ForwardId,
    IceCredentials,
    PathProtocol,
    PathState,
    PlaneListener,
    SrtpKeys,
    StreamConfig,
    StreamId,
    TransportId,
)
from tests.peer import ice
from tests.peer.endpoint import Address, Endpoint, FramedEndpoint
from tests.peer.rtp import AudioSource, VideoSource, original_of
from tests.peer.virtual import OPUS, RECEIVED_IDS, SENT_IDS, VP8, RecordingListener, new_keys, received_codec

TIMEOUT_S = 5.0
DTLS = bytes((22, 254, 253)) + bytes(20)
LOCAL = {"127.0.0.1": "203.0.113.5"}


class Scene:
    """One plane, its listener, and endpoints that are read while a test waits."""

    def __init__(self, plane: DataPlane, listener: RecordingListener) -> None:
        self.plane, self.listener = plane, listener
        self.endpoints: list[Endpoint] = []
        self._ids = itertools.count(1)

    @property
    def address(self) -> Address:
        (address,) = self.plane.addresses()
        return (address.local, address.port)

    def new_id(self) -> int:
        return next(self._ids)

    def endpoint(self, *, tcp: bool = False) -> Endpoint:
        endpoint = FramedEndpoint(self.address) if tcp else Endpoint()
        endpoint.connect(self.address)
        self.endpoints.append(endpoint)
        return endpoint

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds; what arrives meanwhile is read."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        for endpoint in self.endpoints:
            loop.add_reader(endpoint.socket, arrived.set)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not condition():
                    arrived.clear()
                    for endpoint in self.endpoints:
                        endpoint.read()
                    if condition():
                        return
                    # Counters and events change without anything arriving here.
                    with_timeout = asyncio.ensure_future(arrived.wait())
                    await asyncio.wait({with_timeout}, timeout=0.01)
                    with_timeout.cancel()
        finally:
            for endpoint in self.endpoints:
                loop.remove_reader(endpoint.socket)

    async def transport(
        self, *, tcp: bool = False, nominate: bool = True
    ) -> tuple[TransportId, IceCredentials, Endpoint]:
        transport, credentials = TransportId(self.new_id()), ice.new_credentials()
        self.plane.add_transport(transport, credentials)
        endpoint = self.endpoint(tcp=tcp)
        await self.check(endpoint, credentials, nominate=nominate)
        return transport, credentials, endpoint

    async def check(self, endpoint: Endpoint, credentials: IceCredentials, *, nominate: bool = True) -> None:
        request = ice.check(credentials, nominate=nominate)
        endpoint.send(request)
        await self.until(lambda: endpoint.accepts(request, credentials))

    async def peer(self, *, tcp: bool = False) -> tuple[TransportId, Endpoint]:
        transport, _, endpoint = await self.transport(tcp=tcp)
        keys: SrtpKeys = new_keys()
        self.plane.set_srtp_keys(transport, keys)
        self.plane.set_receive_extensions(transport, SENT_IDS)
        endpoint.set_keys(keys)
        return transport, endpoint

    def stream(self, transport: TransportId, kind: Kind) -> StreamConfig:
        config = StreamConfig(
            stream=StreamId(self.new_id()),
            transport=transport,
            kind=kind,
            mid=kind.value,
            codecs=(OPUS if kind is Kind.AUDIO else VP8,),
        )
        self.plane.set_stream(config)
        return config

    def forward(self, stream: StreamConfig, transport: TransportId) -> ForwardConfig:
        (codec,) = stream.codecs
        forward = ForwardId(self.new_id())
        config = ForwardConfig(
            forward=forward,
            stream=stream.stream,
            transport=transport,
            mid="to",
            ssrc=1000 + forward,
            rtx_ssrc=2000 + forward if stream.kind is Kind.VIDEO else None,
            payload_types={codec.payload_type: received_codec(codec)},
            extensions=RECEIVED_IDS,
            first_sequence=100,
            first_rtx_sequence=200,
            cname="them",
            repair=stream.kind is Kind.VIDEO,
        )
        self.plane.add_forward(config)
        return config

    def drops(self, transport: TransportId) -> dict[DropReason, int]:
        return dict(self.plane.counters().transports[transport].drops)


def with_mid(kind: Kind) -> Callable[[], dict[int, bytes]]:
    return lambda: {SENT_IDS[HeaderExtension.MID]: kind.value.encode()}


def opus(ssrc: int = 11) -> AudioSource:
    return AudioSource(ssrc=ssrc, extensions=with_mid(Kind.AUDIO))


def vp8(ssrc: int = 21) -> VideoSource:
    return VideoSource(ssrc=ssrc, rtx_ssrc=ssrc + 1, extensions=with_mid(Kind.VIDEO))


class DataPlaneContract:
    """Derive it and define ``make``."""

    def make(self, listener: PlaneListener, port: int) -> DataPlane:
        """A plane that listens on 127.0.0.1, announced as 203.0.113.5."""
        raise NotImplementedError

    @pytest.fixture
    async def scene(self) -> AsyncIterator[Scene]:
        listener = RecordingListener()
        plane = self.make(listener, 0)
        await plane.open()
        scene = Scene(plane, listener)
        yield scene
        await plane.close()
        for endpoint in scene.endpoints:
            endpoint.close()

    # Life

    async def test_it_says_where_it_listens(self, scene: Scene) -> None:
        (address,) = scene.plane.addresses()
        assert (address.local, address.announced) == ("127.0.0.1", "203.0.113.5")
        assert address.port > 0

    async def test_a_taken_port_is_named(self, scene: Scene) -> None:
        second = self.make(RecordingListener(), scene.address[1])
        with pytest.raises(PortInUse) as caught:
            await second.open()
        assert caught.value.port == scene.address[1]
        await second.close()

    async def test_it_closes_with_everything_in_it(self, scene: Scene) -> None:
        transport, _ = await scene.peer()
        listener_transport, _ = await scene.peer(tcp=True)
        scene.forward(scene.stream(transport, Kind.VIDEO), listener_transport)
        port = scene.address[1]
        await scene.plane.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(("127.0.0.1", port))

    async def test_unknown_ids_raise(self, scene: Scene) -> None:
        plane, nobody = scene.plane, TransportId(99)
        for command in (
            lambda: plane.remove_transport(nobody),
            lambda: plane.restart_ice(nobody, ice.new_credentials()),
            lambda: plane.send_dtls(nobody, DTLS),
            lambda: plane.set_srtp_keys(nobody, new_keys()),
            lambda: plane.set_receive_extensions(nobody, {}),
            lambda: plane.limit_rate(nobody, 1),
            lambda: scene.stream(nobody, Kind.AUDIO),
            lambda: plane.remove_stream(StreamId(99)),
            lambda: plane.expect_media(StreamId(99), False),
            lambda: plane.request_keyframe(StreamId(99)),
            lambda: plane.remove_forward(ForwardId(99)),
            lambda: plane.set_forward_codecs(ForwardId(99), {}),
        ):
            with pytest.raises(KeyError):
                command()

    # Paths and DTLS

    @pytest.mark.parametrize("tcp", [False, True])
    async def test_a_check_makes_a_path_that_carries_dtls(self, scene: Scene, tcp: bool) -> None:
        transport, _, endpoint = await scene.transport(tcp=tcp)
        (event,) = scene.listener.paths
        assert (event.transport, event.state, event.nominated) == (transport, PathState.CONNECTED, True)
        assert event.protocol is (PathProtocol.TCP if tcp else PathProtocol.UDP)
        endpoint.send(DTLS)
        await scene.until(lambda: scene.listener.dtls == [(transport, DTLS)])
        scene.plane.send_dtls(transport, DTLS)
        await scene.until(lambda: endpoint.dtls == [DTLS])

    async def test_before_a_path_dtls_is_counted_as_dropped(self, scene: Scene) -> None:
        transport = TransportId(scene.new_id())
        scene.plane.add_transport(transport, ice.new_credentials())
        scene.plane.send_dtls(transport, DTLS)
        assert scene.drops(transport) == {DropReason.NO_PATH: 1}

    async def test_an_ice_restart_accepts_both_until_the_new_path_is_nominated(self, scene: Scene) -> None:
        transport, old, endpoint = await scene.transport()
        new = ice.new_credentials()
        scene.plane.restart_ice(transport, new)
        await scene.check(endpoint, old)
        await scene.check(endpoint, new)
        endpoint.send(ice.check(old))
        await scene.until(lambda: scene.plane.counters().drops.get(DropReason.STUN_UNKNOWN_UFRAG) == 1)

    # Media

    @pytest.mark.parametrize("publisher_tcp", [False, True])
    @pytest.mark.parametrize("subscriber_tcp", [False, True])
    async def test_audio_goes_through(self, scene: Scene, publisher_tcp: bool, subscriber_tcp: bool) -> None:
        publisher, sender = await scene.peer(tcp=publisher_tcp)
        subscriber, receiver = await scene.peer(tcp=subscriber_tcp)
        stream = scene.stream(publisher, Kind.AUDIO)
        forward = scene.forward(stream, subscriber)
        source = opus()
        for _ in range(5):
            sender.send_rtp(source.packet(b"speech"))
        await scene.until(lambda: len(receiver.rtp) == 5)
        assert [p.sequence for p in receiver.rtp] == [100, 101, 102, 103, 104]
        assert {(p.ssrc, p.payload_type, p.payload) for p in receiver.rtp} == {
            (forward.ssrc, received_codec(OPUS).payload_type, b"speech")
        }
        (started,) = scene.listener.started
        assert (started.stream, started.ssrc, started.payload_type) == (stream.stream, source.ssrc, 111)
        assert receiver.rtp[0].extensions[RECEIVED_IDS[HeaderExtension.MID]] == b"to"

    async def test_video_starts_with_a_keyframe_that_the_plane_asks_for(self, scene: Scene) -> None:
        publisher, sender = await scene.peer()
        subscriber, receiver = await scene.peer()
        scene.forward(scene.stream(publisher, Kind.VIDEO), subscriber)
        source = vp8()
        sender.send_rtp(source.frame(2))
        await scene.until(lambda: bool(sender.take_rtcp(rtcp.PictureLoss)))
        assert receiver.rtp == []
        keyframe = source.keyframe(2)
        sender.send_rtp(keyframe)
        await scene.until(lambda: len(receiver.rtp) == 2)
        assert [p.payload for p in receiver.rtp] == [p.payload for p in keyframe]

    async def test_a_nack_is_answered_by_rtx(self, scene: Scene) -> None:
        publisher, sender = await scene.peer()
        subscriber, receiver = await scene.peer()
        forward = scene.forward(scene.stream(publisher, Kind.VIDEO), subscriber)
        sender.send_rtp(vp8().keyframe(3))
        await scene.until(lambda: len(receiver.rtp) == 3)
        receiver.send_rtcp(rtcp.build_nack(1, forward.ssrc, [101]))
        await scene.until(lambda: len(receiver.rtp) == 4)
        repeated = receiver.rtp[3]
        assert (repeated.ssrc, repeated.sequence) == (forward.rtx_ssrc, 200)
        assert original_of(repeated) == (101, receiver.rtp[1].payload)

    async def test_a_loss_is_asked_for_and_its_repair_takes_its_place(self, scene: Scene) -> None:
        publisher, sender = await scene.peer()
        subscriber, receiver = await scene.peer()
        scene.forward(scene.stream(publisher, Kind.VIDEO), subscriber)
        source = vp8()
        first, lost, last = source.keyframe(3)
        sender.send_rtp([first, last])
        await scene.until(lambda: any(lost.sequence in n.sequences for n in sender.take_rtcp(rtcp.Nack)))
        sender.send_rtp([source.rtx(lost), source.rtx(lost)])
        await scene.until(lambda: len(receiver.rtp) == 3)
        assert [p.sequence for p in receiver.rtp] == [100, 102, 101]
        await scene.until(lambda: scene.drops(publisher) == {DropReason.RTP_DUPLICATE: 1})

    async def test_removing_ends_the_flow_and_nothing_else(self, scene: Scene) -> None:
        publisher, sender = await scene.peer()
        stays, staying = await scene.peer()
        leaves, _ = await scene.peer()
        stream = scene.stream(publisher, Kind.AUDIO)
        scene.forward(stream, stays)
        gone = scene.forward(stream, leaves)
        scene.plane.remove_transport(leaves)
        source = opus()
        sender.send_rtp(source.packet())
        await scene.until(lambda: len(staying.rtp) == 1)
        counters = scene.plane.counters()
        assert leaves not in counters.transports and gone.forward not in counters.forwards
        scene.plane.remove_stream(stream.stream)
        sender.send_rtp(source.packet())
        await scene.until(lambda: scene.drops(publisher) == {DropReason.RTP_UNKNOWN_STREAM: 1})

    async def test_a_changed_codec_goes_on_under_the_same_ssrc(self, scene: Scene) -> None:
        publisher, sender = await scene.peer()
        subscriber, receiver = await scene.peer()
        stream = scene.stream(publisher, Kind.AUDIO)
        forward = scene.forward(stream, subscriber)
        source = opus()
        sender.send_rtp(source.packet(b"before"))
        await scene.until(lambda: len(receiver.rtp) == 1)
        other = replace(OPUS, payload_type=63)
        scene.plane.set_stream(replace(stream, codecs=(other,)))
        scene.plane.set_forward_codecs(forward.forward, {63: replace(OPUS, payload_type=64)})
        sender.send_rtp(source.packet(b"after", payload_type=63))
        await scene.until(lambda: len(receiver.rtp) == 2)
        assert (receiver.rtp[1].payload_type, receiver.rtp[1].sequence) == (64, 101)
        assert scene.plane.counters().streams[stream.stream].packets == 2

    async def test_a_cap_reaches_the_publisher(self, scene: Scene) -> None:
        publisher, sender = await scene.peer()
        scene.stream(publisher, Kind.VIDEO)
        sender.send_rtp(vp8(ssrc=31).keyframe())
        await scene.until(lambda: bool(scene.listener.started))
        scene.plane.limit_rate(publisher, 123_000)
        await scene.until(lambda: any(isinstance(packet, rtcp.Remb) for packet in sender.rtcp))
        told = sender.take_rtcp(rtcp.Remb)[0]
        assert told.ssrcs == (31,) and 122_000 <= told.bps <= 123_000

    async def test_feedback_goes_up_in_batches(self, scene: Scene) -> None:
        subscriber, receiver = await scene.peer()
        receiver.send_rtcp(rtcp.build_rr(1), rtcp.build_remb(1, 400_000, []))
        await scene.until(lambda: bool(scene.listener.reports))
        (report,) = scene.listener.reports
        assert (report.transport, report.remb_bps, report.rtt_s) == (subscriber, 400_000, None)

    # Hostile input

    async def test_each_datagram_that_is_refused_is_counted(self, scene: Scene) -> None:
        publisher, sender = await scene.peer()
        subscriber, receiver = await scene.peer()
        scene.forward(scene.stream(publisher, Kind.AUDIO), subscriber)
        source = opus()
        protected = sender.protect(source.packet())
        stranger = scene.endpoint()
        stranger.send(b"")
        stranger.send(b"\x80" * 3000)
        stranger.send(b"\x80\x60" + bytes(60))
        stranger.send(b"\x00\x01" + bytes(30))
        stranger.send(ice.check(ice.new_credentials()))
        for datagram in (protected, protected, protected[:-1] + bytes((protected[-1] ^ 1,)), b"\x47" * 50, b"\x80\x6f"):
            sender.send(datagram)
        sender.send_rtp(source.packet(b"still here"))
        await scene.until(lambda: len(receiver.rtp) == 2)
        assert receiver.rtp[1].payload == b"still here"
        assert scene.plane.counters().drops == {
            DropReason.EMPTY_DATAGRAM: 1,
            DropReason.OVERSIZED_DATAGRAM: 1,
            DropReason.UNKNOWN_ADDRESS: 1,
            DropReason.STUN_MALFORMED: 1,
            DropReason.STUN_UNKNOWN_UFRAG: 1,
        }
        drops = scene.drops(publisher)
        assert drops.pop(DropReason.SRTP_REPLAYED) + drops.pop(DropReason.SRTP_AUTH_FAILED, 0) == 2
        assert drops == {DropReason.UNKNOWN_PROTOCOL: 1, DropReason.RTP_MALFORMED: 1}
