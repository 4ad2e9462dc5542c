"""A subscriber's own loss: what its receiver counted minus what never reached us from the publisher."""

from __future__ import annotations

from dataclasses import dataclass

from sfu.core.sequence_map import SequenceMap


@dataclass(frozen=True, slots=True)
class LossShare:
    """One report interval; both 0..1."""

    fraction_lost: float
    own_fraction_lost: float


class DownlinkLoss:
    """One forward's receiver reports, held against its numbering."""

    __slots__ = ("_cumulative", "_highest", "_numbering", "_unsent", "_worst_own")

    def __init__(self, numbering: SequenceMap) -> None:
        self._numbering = numbering
        self._highest = numbering.highest_out
        self._cumulative = 0
        self._unsent = 0
        self._worst_own = 0

    def report(self, extended_highest: int, cumulative_lost: int) -> LossShare | None:
        """A report block's two totals (RFC 3550 §6.4.1); None when it is about nothing new."""
        sent = self._numbering.highest_out
        # Its cycles start at 0 with the first packet it saw, so only the lower half compares with ours.
        highest = sent - ((sent - extended_highest) & 0xFFFF)
        expected = highest - self._highest
        if expected <= 0:
            return None
        unsent = self._numbering.never_sent(highest)
        own = cumulative_lost - unsent
        if cumulative_lost < self._cumulative - expected:
            # More arrivals than there were packets: the receiver counts anew.
            self._worst_own = own
        lost = max(0, cumulative_lost - self._cumulative)
        # Against the worst so far, for a late repair of the uplink lowers one total before the other.
        newly_own = max(0, own - self._worst_own)
        reached_us = max(1, expected - max(0, unsent - self._unsent))
        self._worst_own = max(self._worst_own, own)
        self._highest = highest
        self._cumulative = cumulative_lost
        self._unsent = unsent
        return LossShare(min(1.0, lost / expected), min(1.0, newly_own / reached_us))
