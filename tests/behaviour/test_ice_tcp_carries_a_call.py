"""Where UDP is blocked: media both ways over TCP, and on a congested connection video gives way to audio."""

from __future__ import annotations

import socket

import pytest

from sfu import Kind
from sfu.core.drop import DropReason
from sfu.events import PeerConnected
from sfu.plane import tcp
from tests.peer.browser import Browser, House
from tests.peer.endpoint import FramedEndpoint
from tests.peer.rtp import Rtp, picture_of


@pytest.mark.parametrize("both", [False, True])
async def test_media_both_ways(both: bool) -> None:
    async with House() as house:
        patient, desk = await house.join("patient", tcp=True), await house.join("desk", tcp=both)
        await house.settle()
        assert house.seen(PeerConnected)[0] == PeerConnected(peer_id="patient", path="tcp")
        for one, another in ((patient, desk), (desk, patient)):
            audio, video = another.mid_of(one, Kind.AUDIO), another.mid_of(one, Kind.VIDEO)
            frame = one.video().keyframe(3)
            one.endpoint.send_rtp([*frame, one.audio().packet(b"speech")])
            await house.until(lambda: len(another.endpoint.rtp) == 4)  # noqa: B023
            assert [p.payload for p in another.received(video)] == [p.payload for p in frame]
            assert [p.payload for p in another.received(audio)] == [b"speech"]


class SlowReader(FramedEndpoint):
    """Reads nothing until it is told to."""

    is_reading = True

    def read(self) -> int:
        return super().read() if self.is_reading else 0


async def join_slowly(house: House) -> tuple[Browser, SlowReader]:
    browser = house.add("slow")
    browser.publish(Kind.AUDIO)
    answer = await browser.negotiate()
    browser.endpoint.close()
    browser.endpoint = reader = SlowReader(answer.address("tcp"), receive_buffer_bytes=4096)
    await browser.check()
    await browser.handshake()
    return browser, reader


async def test_on_a_congested_connection_whole_frames_are_dropped_until_a_keyframe_and_never_audio() -> None:
    async with House() as house:
        sender = await house.join("sender")
        browser, reader = await join_slowly(house)
        await house.settle()
        video, audio = sender.video(), sender.audio()
        reader.is_reading = False
        sent: list[list[Rtp]] = []
        speech = 0

        def dropped() -> int:
            return browser.peer.stats().drops.get(DropReason.TCP_QUEUE_FULL, 0)

        # One frame at a time, as a camera gives them, until the queue is over its limit.
        while not dropped():
            frame = video.frame(5, keyframe=not sent, filler=bytes(1000))
            sent.append(frame)
            speech += 1
            sender.endpoint.send_rtp([*frame, audio.packet(speech.to_bytes(4))])
            packets = sum(map(len, sent)) + speech
            await house.until(lambda: sender.peer.stats().packets_received >= packets)  # noqa: B023
            assert len(sent) < 400
        for _ in range(10):
            speech += 1
            sender.endpoint.send_rtp([*video.frame(5, filler=bytes(1000)), audio.packet(speech.to_bytes(4))])
        reader.is_reading = True
        spoken, seen = browser.mid_of(sender, Kind.AUDIO), browser.mid_of(sender, Kind.VIDEO)
        heard: list[int] = []

        def hear() -> bool:
            heard.extend(int.from_bytes(p.payload) for p in browser.received(spoken))
            return len(heard) == speech

        await house.until(hear)
        assert heard == list(range(1, speech + 1)), "every word, in order"
        received = browser.received(seen)
        assert [p.payload for p in received] == [p.payload for frame in sent[:-1] for p in frame], "whole frames only"
        sender.endpoint.send_rtp([*video.frame(5), *video.keyframe(2)])
        await house.until(lambda: len(browser.endpoint.rtp) == 2)
        back = browser.received(seen)
        assert picture_of(back[0]).keyframe
        assert back[0].sequence == received[-1].sequence + 1, "the receiver misses nothing"


@pytest.mark.parametrize("stranger", ["silent", "too long", "too many"])
async def test_connections_of_strangers_end_and_the_call_goes_on(
    stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "AUTHENTICATE_WITHIN_S", 0.2)
    monkeypatch.setattr(tcp, "MAX_CONNECTIONS_PER_ADDRESS", 6)
    async with House() as house:
        patient, desk = await house.join("patient", tcp=True), await house.join("desk")
        await house.settle()
        assert patient.answer is not None
        address = patient.answer.address("tcp")
        opened = [socket.create_connection(address) for _ in range(20 if stranger == "too many" else 1)]
        if stranger == "too long":
            opened[0].sendall(b"\xff\xff" + bytes(2000))
        reason, count = {
            "silent": (DropReason.TCP_UNAUTHENTICATED, 1),
            "too long": (DropReason.TCP_FRAME_TOO_LONG, 1),
            "too many": (DropReason.TCP_TOO_MANY_CONNECTIONS, 15),
        }[stranger]
        await house.until(lambda: house.sfu.stats().drops.get(reason) == count)
        for connection in opened:
            connection.close()
        patient.endpoint.send_rtp(patient.audio().packet(b"on"))
        await house.until(lambda: [p.payload for p in desk.received(desk.mid_of(patient, Kind.AUDIO))] == [b"on"])


async def test_a_connection_that_breaks_may_be_replaced() -> None:
    async with House() as house:
        patient, desk = await house.join("patient", tcp=True), await house.join("desk")
        await house.settle()
        endpoint = patient.endpoint
        endpoint.close()
        assert patient.answer is not None
        replacement = FramedEndpoint(patient.answer.address("tcp"))
        replacement.srtp_in, replacement.srtp_out = endpoint.srtp_in, endpoint.srtp_out
        patient.endpoint = replacement
        await patient.check()
        desk.endpoint.send_rtp(desk.audio().packet(b"again"))
        await house.until(lambda: [p.payload for p in patient.received(patient.mid_of(desk, Kind.AUDIO))] == [b"again"])
