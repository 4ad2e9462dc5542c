from __future__ import annotations

import dataclasses

from signaling.service.timers import Timers


def test_every_wait_is_longer_than_the_step_that_notices_it() -> None:
    timers = dataclasses.asdict(Timers())
    step_s = timers.pop("step_s")
    assert min(timers.values()) > 2 * step_s


def test_a_reload_is_not_an_absence_and_a_lost_call_outlasts_the_peer() -> None:
    """The SFU closes a silent peer after 30 s; the call must still be there for the page that returns."""
    timers = Timers()
    assert timers.away_after_s < timers.ring_s
    assert timers.call_lost_s > 30
