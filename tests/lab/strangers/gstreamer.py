#!/usr/bin/python3
"""GStreamer's webrtcbin as a WHIP publisher or a WHEP player.

Runs under the system's Python, which has its bindings. Environment: VENTEROM_URL, VENTEROM_TOKEN,
VENTEROM_SECONDS; VENTEROM_CODEC is vp8 or h264 to publish, play to play.
Prints one line of JSON; the exit code is 0 when it connected and, playing, decoded pictures and sound.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.parse
import urllib.request
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

# Packets of 1200 bytes: at 1400 little room is left for what SRTP and a relay add.
VIDEO = {
    "vp8": "vp8enc deadline=1 target-bitrate=500000 keyframe-max-dist=60 "
    "! rtpvp8pay mtu=1200 picture-id-mode=15-bit "
    "! application/x-rtp,media=video,encoding-name=VP8,payload=96",
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast bitrate=500 key-int-max=60 "
    "! video/x-h264,profile=constrained-baseline "
    "! rtph264pay mtu=1200 config-interval=-1 aggregate-mode=zero-latency "
    "! application/x-rtp,media=video,encoding-name=H264,payload=102",
}
PUBLISH = (
    "webrtcbin name=w bundle-policy=max-bundle "
    "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=480,framerate=30/1 ! {video} ! w. "
    "audiotestsrc is-live=true ! opusenc ! rtpopuspay "
    "! application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! w."
)
RECEIVED = {
    "video": "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000",
    "audio": "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2",
}
MIN_BUFFERS = 20


class Stranger:
    def __init__(self, url: str, token: str, codec: str) -> None:
        self.url, self.token, self.plays = url, token, codec == "play"
        self.loop = GLib.MainLoop()
        self.location = ""
        self.states: list[str] = []
        self.error = ""
        self.decoded: dict[str, int] = {}
        if self.plays:
            self.pipe = Gst.Pipeline.new()
            self.w = Gst.ElementFactory.make("webrtcbin", "w")
            self.w.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
            self.pipe.add(self.w)
        else:
            self.pipe = Gst.parse_launch(PUBLISH.format(video=VIDEO[codec]))
            self.w = self.pipe.get_by_name("w")
        self.w.connect("notify::ice-gathering-state", lambda *_: GLib.idle_add(self.on_gathering))
        self.w.connect("notify::connection-state", self.on_connection_state)
        self.w.connect("pad-added", self.on_pad)

    def run(self, seconds: float) -> None:
        self.pipe.set_state(Gst.State.READY)
        if self.plays:
            for caps in RECEIVED.values():
                direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
                self.w.emit("add-transceiver", direction, Gst.Caps.from_string(caps))
        else:
            self.w.connect("on-negotiation-needed", self.offer)
        self.pipe.set_state(Gst.State.PLAYING)
        if self.plays:
            # The signal comes after the first transceiver, or with nothing to send not at all.
            GLib.idle_add(self.offer, self.w)
        GLib.timeout_add(int(seconds * 1000), self.loop.quit)
        self.loop.run()
        self.pipe.set_state(Gst.State.NULL)
        if self.location:
            self.request("DELETE", self.location, None)

    def offer(self, element: Any) -> bool:
        element.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer))
        return False

    def on_offer(self, promise: Any, *_: Any) -> None:
        # The reply owns the offer.
        reply = promise.get_reply()
        self.w.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def on_gathering(self) -> bool:
        complete = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if self.w.get_property("ice-gathering-state") == complete and not self.location:
            try:
                self.exchange(self.w.get_property("local-description").sdp.as_text())
            except OSError as error:
                self.error = str(error)
                self.loop.quit()
        return False

    def exchange(self, offer: str) -> None:
        response = self.request("POST", self.url, offer.encode())
        self.location = urllib.parse.urljoin(self.url, response.headers["Location"])
        _, message = GstSdp.SDPMessage.new_from_text(response.read().decode())
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.w.emit("set-remote-description", answer, Gst.Promise.new())

    def on_connection_state(self, *_: Any) -> None:
        self.states.append(self.w.get_property("connection-state").value_nick)

    def on_pad(self, _: Any, pad: Any) -> None:
        if pad.direction != Gst.PadDirection.SRC:
            return
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", self.on_decoded_pad)
        self.pipe.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def on_decoded_pad(self, _: Any, pad: Any) -> None:
        kind = pad.get_current_caps().get_structure(0).get_name().partition("/")[0]
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("signal-handoffs", True)
        sink.set_property("sync", False)
        sink.connect("handoff", lambda *_: self.count(kind))
        self.pipe.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def count(self, kind: str) -> None:
        self.decoded[kind] = self.decoded.get(kind, 0) + 1

    def request(self, method: str, url: str, body: bytes | None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/sdp"}
        return urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=10)

    def succeeded(self) -> bool:
        if self.plays:
            return all(self.decoded.get(kind, 0) >= MIN_BUFFERS for kind in RECEIVED)
        return "connected" in self.states and not {"failed", "disconnected"} & set(self.states)


def main() -> int:
    Gst.init(None)
    codec = os.environ.get("VENTEROM_CODEC", "vp8")
    stranger = Stranger(os.environ["VENTEROM_URL"], os.environ["VENTEROM_TOKEN"], codec)
    began = time.monotonic()
    stranger.run(float(os.environ["VENTEROM_SECONDS"]))
    said = {"states": stranger.states, "decoded": stranger.decoded, "error": stranger.error}
    print(json.dumps(said | {"seconds": round(time.monotonic() - began, 1)}), flush=True)
    return 0 if stranger.succeeded() else 1


if __name__ == "__main__":
    sys.exit(main())
