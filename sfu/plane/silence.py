"""Turning a transport's silence into path states."""

from __future__ import annotations

from sfu.plane.seam import PathChanged, PathState, PlaneListener
from sfu.plane.state import Transport

FIRST_PATH_WITHIN_S = 120.0
"""From the start to the first check. A person may take long to answer the question for camera and microphone; a network
that blocks us is the page's to notice, after seconds."""


def judge(transport: Transport, listener: PlaneListener, now: float) -> None:
    """Tell the control plane when the judgement changed. Before the first path there is nothing to interrupt."""
    if transport.state is None and now - transport.last_packet_at < FIRST_PATH_WITHIN_S:
        return
    expected = any(stream.expected for stream in transport.streams.values())
    packets = sum(stream.packets for stream in transport.streams.values())
    silence = transport.judge.judge(now, transport.last_packet_at, packets, media_expected=expected)
    state = PathState(silence.value)
    if state is transport.state:
        return
    transport.state = state
    path = transport.selected
    listener.path_changed(
        PathChanged(
            transport=transport.id,
            state=state,
            protocol=None if path is None else path.protocol,
            nominated=transport.nominated,
        )
    )
