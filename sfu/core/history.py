"""The newest packets of a stream, kept for answering NACKs."""

from __future__ import annotations


class PacketHistory:
    """A ring by extended sequence number. No memory is taken before the first packet or after ``release``."""

    __slots__ = ("_capacity", "_extended", "_max_age_s", "_newest_at", "_packets", "_times")

    def __init__(self, capacity: int, max_age_s: float) -> None:
        if capacity < 1:
            raise ValueError("a history holds at least one packet")
        self._capacity = capacity
        self._max_age_s = max_age_s
        self._newest_at = 0.0
        self._packets: list[bytes] = []
        self._extended: list[int] = []
        self._times: list[float] = []

    def put(self, extended: int, packet: bytes, now: float) -> None:
        """Keep a packet; it replaces the one ``capacity`` numbers before."""
        packets = self._packets
        if not packets:
            self._allocate()
            packets = self._packets
        slot = extended % self._capacity
        if extended < self._extended[slot]:
            return
        packets[slot] = packet
        self._extended[slot] = extended
        self._times[slot] = self._newest_at = now

    def get(self, extended: int, now: float) -> bytes | None:
        """The packet, unless it was never here, was replaced, or is older than the limit."""
        if not self._packets:
            return None
        slot = extended % self._capacity
        if self._extended[slot] != extended or now - self._times[slot] > self._max_age_s:
            return None
        return self._packets[slot]

    def release(self, now: float) -> bool:
        """Give the memory back when everything is too old to be asked for; whether it did."""
        if not self._packets or now - self._newest_at <= self._max_age_s:
            return False
        self.clear()
        return True

    def clear(self) -> None:
        """Forget everything: a new source counts anew."""
        self._packets = []
        self._extended = []
        self._times = []

    def _allocate(self) -> None:
        self._packets = [b""] * self._capacity
        self._extended = [-1] * self._capacity
        self._times = [0.0] * self._capacity
