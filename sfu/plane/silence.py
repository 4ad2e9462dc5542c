"""Turning a transport's silence into path states."""

from __future__ import annotations

from sfu.core.silence import Silence
from sfu.plane.seam import PathChanged, PathState, PlaneListener
from sfu.plane.state import Transport


def judge(transport: Transport, listener: PlaneListener, now: float) -> None:
    """Tell the control plane when the judgement changed. Before the first path there is nothing to interrupt."""
    expected = any(stream.expected for stream in transport.streams.values())
    packets = sum(stream.packets for stream in transport.streams.values())
    silence = transport.judge.judge(now, transport.last_packet_at, packets, media_expected=expected)
    if transport.state is None and silence is not Silence.EXPIRED:
        return
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
