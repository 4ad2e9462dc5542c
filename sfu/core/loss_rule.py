"""How much video a subscriber's line carries: its loss and its round trip beside the receiver's REMB.

The loss thresholds are those of Google Congestion Control (draft-ietf-rmcat-gcc-02 §6): below 2 % grow, above 10 %
shrink by half the loss, hold between. REMB speaks of delay, but after a deep fall Chromium's stays where it fell, and
it never exceeds 1.5 times what arrives: followed, it holds a good line down for good (docs/decisions/0005). So a REMB
counts at once when it collapses, and when it says more; what lies between is left to the round trip. A busy machine
makes single round trips long and REMB fall with nothing queued: a moderate queue must be seen twice, and a collapse
that no queue or loss follows is taken back quickly. The constants were chosen on tests/simulation, which models what
was measured.
"""

from __future__ import annotations

import math

MIN_BPS = 50_000
START_BPS = 500_000
MAX_BPS = 4_000_000
INTERVAL_S = 1.0
LOW_LOSS = 0.02
HIGH_LOSS = 0.10
MODEST_BPS = 250_000
"enough for 15 pictures a second: loss of 2 to 10 % without a queue, and a limit unused, keep no limit below this"
IDLE_BPS = 20_000
"a camera that is off fills no line: what is lost or queued then is not the pictures'"
LOSSY_STEPS = 3
LOSSY_DECREASE = 0.5
"high loss that lasts: a line that was full when the call began shows no shorter round trip until it has drained"
GROWTH = 1.25
"an interval; while nothing speaks against it, or far below where the line was full"
NEAR_GROWTH = 1.1
"near where it was full: what is too much then queues for 0.1 to 0.2 s before two measurements show it"
NEAR_SHARE = 0.6
PAST_SHARE = 1.3
"of where the line was full; without a queue past this it is another line"
RETURN_GROWTH = 1.5
"as much as a publisher's ramp follows"
RETURN_SHARE = 0.85
"of what was sent before a collapse of REMB that nothing confirmed"
MOST_OVER_SENDING = 2.5
"a limit that is not reached says nothing of the line; one that grows is measured a second late, and reached to 0.6"
ENCODER_SHARE = 0.6
SMALL_BPS = 300_000
"below it encoders reach only that share of their cap: what is sent then lies lower than what was allowed and full"
COLLAPSE_SHARE = 0.7
"a REMB that falls this far below what is sent is no noise of its own: libwebrtc goes to 0.85 of what arrives"
COLLAPSE_FLOOR_BPS = 100_000
"below it REMB undershoots (33 kbit/s on a line of 200); what is still too much shows as a queue"
QUEUE_S = 0.08
"above the shortest round trip of the last while"
LOSSY_QUEUE_S = 0.04
"the same when there is loss: the queue may be short and full"
SIGN_S = 0.015
"the first of a queue, or another's packets: reason enough to grow slowly"
DRAINING_SHARE = 0.8
"of the queue before: it goes away, and a further cut would only starve the picture"
QUEUE_WITNESSES = 2
"steps in a row: a busy receiver makes single round trips 0.1 to 0.3 s longer, and its REMB falls with them"
QUEUE_DECREASE = 0.85
BLOATED_S = 0.4
"more than a busy receiver makes"
BLOATED_DECREASE = 0.7
"a queue that is full and stays full changes no delay, so REMB does not see it; it must drain before it grows old"
FUTILE_CUTS = 3
SAME_SHARE = 0.15
"a round trip that three cuts left within this of what it was is no queue of ours: the path itself has become longer"
BASE_WINDOW_S = 30.0
LOSSY_BASE_S = 0.3
"a shortest round trip above this is not believed when there is loss: the line may have been full from the start"
CALM_STEPS = 2
"without a queue, before it grows again"


class LossRule:
    """One subscriber's limit for all its video together."""

    __slots__ = (
        "_base_s",
        "_calm_bps",
        "_calm_steps",
        "_first_cut",
        "_full_bps",
        "_futile_cuts",
        "_last_queue_s",
        "_lossy_steps",
        "_previous_base_s",
        "_queue_steps",
        "_remb_bps",
        "_reports",
        "_return_bps",
        "_rtt_s",
        "_stepped_at",
        "_sum",
        "_window_at",
        "bps",
    )

    def __init__(self) -> None:
        self.bps = START_BPS
        self._sum = 0.0
        self._reports = 0
        self._rtt_s: float | None = None
        self._calm_bps = float(START_BPS)
        "the limit when there last was no queue"
        self._calm_steps = 0
        self._first_cut = (0.0, 0.0)
        "limit and round trip before the cuts that are counted"
        self._futile_cuts = 0
        self._queue_steps = 0
        self._last_queue_s = 0.0
        self._lossy_steps = 0
        self._remb_bps = 0
        self._full_bps = math.inf
        "the limit when the line last was full, until it has been passed"
        self._return_bps = 0.0
        "what a collapse of REMB took, while nothing has confirmed it"
        self._base_s = self._previous_base_s = math.inf
        self._window_at = 0.0
        self._stepped_at = -INTERVAL_S

    def loss(self, own_fraction_lost: float) -> None:
        """One forward's report: its downlink's loss (0..1), the publisher's uplink loss taken off."""
        self._sum += min(1.0, max(0.0, own_fraction_lost))
        self._reports += 1

    def rtt(self, rtt_s: float) -> None:
        """One measurement, not smoothed."""
        self._rtt_s = rtt_s if self._rtt_s is None else min(self._rtt_s, rtt_s)
        self._base_s = min(self._base_s, rtt_s)

    def step(self, now: float, sending_bps: int, remb_bps: int | None) -> int:
        """The limit now. It moves once an interval and only when reports came; at once when REMB collapses."""
        if remb_bps is not None:
            self._take_remb(remb_bps, sending_bps)
        if self._reports and now - self._stepped_at >= INTERVAL_S:
            loss = self._sum / self._reports
            self._sum = 0.0
            self._reports = 0
            self._stepped_at = now
            self.bps = max(MIN_BPS, min(MAX_BPS, int(self._moved(loss, sending_bps, remb_bps))))
            # The shortest of the measurements since the last step: a receiver that was busy made the longer ones.
            self._rtt_s = None
            if now - self._window_at > BASE_WINDOW_S:
                self._previous_base_s, self._base_s, self._window_at = self._base_s, math.inf, now
        return self.bps

    def _take_remb(self, remb_bps: int, sending_bps: int) -> None:
        previous_bps, self._remb_bps = self._remb_bps, remb_bps
        used = min(self.bps, sending_bps)
        # One that lay far below what is sent had been overruled already: it may be frozen there.
        falls = remb_bps < previous_bps and previous_bps >= COLLAPSE_SHARE * used
        fallen_bps = max(remb_bps, COLLAPSE_FLOOR_BPS)
        if falls and remb_bps < COLLAPSE_SHARE * sending_bps and fallen_bps < self.bps:
            self._return_bps = max(self._return_bps, RETURN_SHARE * used)
            self.bps = fallen_bps
            self._full_bps = float(fallen_bps)
            self._calm_steps = 0

    def _moved(self, loss: float, sending_bps: int, remb_bps: int | None) -> float:
        queue_s = self._queue_s(loss)
        limit = float(self.bps)
        if sending_bps >= IDLE_BPS:
            limit = min(limit, self._cut_by_queue(queue_s, loss, sending_bps), self._cut_by_loss(loss, sending_bps))
        if limit < self.bps:
            if self._calm_steps:
                self._full_bps = self._used(sending_bps)
            self._return_bps = 0.0
            self._calm_steps = 0
            return limit
        if self._queue_steps:
            return min(limit, self._calm_bps)
        if queue_s is None:
            return limit
        self._calm_bps = limit
        self._calm_steps += 1
        if self._calm_steps < CALM_STEPS:
            return limit
        grown = max(limit, self._grown(queue_s, sending_bps, remb_bps))
        return grown if loss < LOW_LOSS else max(limit, min(grown, MODEST_BPS))

    def _queue_s(self, loss: float) -> float | None:
        """By the shortest round trip of the step; None when there was none, 0 for a receiver that never gives one."""
        base_s = min(self._base_s, self._previous_base_s)
        if self._rtt_s is None:
            return None if base_s < math.inf else 0.0
        return self._rtt_s - (base_s if loss < LOW_LOSS else min(base_s, LOSSY_BASE_S))

    def _cut_by_queue(self, queue_s: float | None, loss: float, sending_bps: int) -> float:
        if queue_s is None:
            return math.inf
        sent = min(self.bps, sending_bps)
        drains = queue_s < DRAINING_SHARE * self._last_queue_s
        self._last_queue_s = queue_s
        self._queue_steps = self._queue_steps + 1 if queue_s > (QUEUE_S if loss < LOW_LOSS else LOSSY_QUEUE_S) else 0
        if queue_s <= BLOATED_S and self._queue_steps < QUEUE_WITNESSES:
            return math.inf
        cut = QUEUE_DECREASE * self._used(sending_bps)
        if drains:
            cut = math.inf
        elif queue_s > BLOATED_S:
            cut = BLOATED_DECREASE * sent
        if cut < self.bps and queue_s <= BLOATED_S and self._is_longer_path(loss):
            return math.inf
        # A full queue: what arrives is what the line carries.
        return min(cut, QUEUE_DECREASE * sent * (1.0 - loss)) if loss > HIGH_LOSS else cut

    def _is_longer_path(self, loss: float) -> bool:
        """A queue shrinks when less is sent. What stays after several cuts is the new shortest round trip."""
        rtt_s = self._rtt_s or 0.0
        limit, before_s = self._first_cut
        if not self._futile_cuts or abs(rtt_s - before_s) > SAME_SHARE * before_s or loss > HIGH_LOSS:
            self._first_cut = (float(self.bps), rtt_s)
            self._futile_cuts = 1
            return False
        self._futile_cuts += 1
        if self._futile_cuts <= FUTILE_CUTS:
            return False
        self._base_s, self._previous_base_s = rtt_s, math.inf
        self._futile_cuts = self._queue_steps = 0
        self._full_bps = math.inf
        self._return_bps = limit
        return True

    def _cut_by_loss(self, loss: float, sending_bps: int) -> float:
        if loss <= HIGH_LOSS:
            self._lossy_steps = 0
            return math.inf
        self._lossy_steps = self._lossy_steps % LOSSY_STEPS + 1
        share = 1.0 - 0.5 * loss
        return self._used(sending_bps) * (min(share, LOSSY_DECREASE) if self._lossy_steps == LOSSY_STEPS else share)

    def _used(self, sending_bps: int) -> float:
        return min(self.bps, max(sending_bps, min(sending_bps / ENCODER_SHARE, SMALL_BPS)))

    def _grown(self, queue_s: float, sending_bps: int, remb_bps: int | None) -> float:
        if self.bps >= self._return_bps:
            self._return_bps = 0.0
        if self.bps > PAST_SHARE * self._full_bps:
            self._full_bps = math.inf
        near = self.bps > NEAR_SHARE * self._full_bps or queue_s > SIGN_S
        growth = NEAR_GROWTH if near else GROWTH
        grown = min(self.bps * growth, max(MODEST_BPS, MOST_OVER_SENDING * sending_bps))
        returned = min(self._return_bps, self.bps * RETURN_GROWTH)
        permitted = 0.0 if remb_bps is None else min(remb_bps, self.bps * growth)
        return max(grown, returned, permitted)
