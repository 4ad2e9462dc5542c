"""A subscriber's own loss never contains what the publisher's uplink lost."""

from __future__ import annotations

import random

import pytest

from sfu.core.downlink_loss import DownlinkLoss
from sfu.core.receive_log import ReceiveLog
from sfu.core.sequence_map import NOT_SENT, SequenceMap


def run(
    *, uplink: float, repaired: float, downlink: float, seed: int, packets: int = 20_000, first: int = 32_000
) -> tuple[float, float]:
    """Mean of all loss and of the own loss that reports once a second say; a repair comes 8 packets late."""
    rng = random.Random(seed)
    numbering = SequenceMap(first)
    loss = DownlinkLoss(numbering)
    browser = ReceiveLog(90_000, repair=False)
    late: dict[int, int] = {}
    shares = []
    for index in range(packets):
        arriving = [late.pop(index)] if index in late else []
        if rng.random() >= uplink:
            arriving.append(index)
        elif rng.random() < repaired:
            late[index + 8] = index
        for source in arriving:
            out = numbering.forward(65536 + source)
            if out != NOT_SENT and rng.random() >= downlink:
                browser.received(out, index, index * 0.01)
        if index % 100 == 99:
            report = browser.report()
            assert report is not None
            share = loss.report(report.extended_highest, report.cumulative_lost)
            if share is not None:
                shares.append(share)
    return (
        sum(share.fraction_lost for share in shares) / len(shares),
        sum(share.own_fraction_lost for share in shares) / len(shares),
    )


@pytest.mark.parametrize("repaired", (0.0, 0.9, 1.0))
def test_uplink_loss_is_not_the_subscribers(repaired: float) -> None:
    both, own = run(uplink=0.1, repaired=repaired, downlink=0.0, seed=1)
    assert own < 0.004
    assert repaired > 0 or both > 0.08


@pytest.mark.parametrize("uplink", (0.0, 0.05, 0.2))
@pytest.mark.parametrize("downlink", (0.02, 0.1))
def test_downlink_loss_is(uplink: float, downlink: float) -> None:
    _, own = run(uplink=uplink, repaired=0.5, downlink=downlink, seed=2)
    assert own == pytest.approx(downlink, rel=0.15)


def test_a_report_about_nothing_new_or_beyond_what_was_sent_is_none() -> None:
    numbering = SequenceMap(10)
    loss = DownlinkLoss(numbering)
    assert loss.report(10, 0) is None
    for source in range(100, 110):
        numbering.forward(source)
    assert loss.report(5000, 0) is None
    share = loss.report(19, 2)
    assert share is not None and share.own_fraction_lost == pytest.approx(0.2)
    assert loss.report(19, 2) is None


def test_a_receiver_that_counts_anew_is_believed_again() -> None:
    numbering = SequenceMap(0)
    loss = DownlinkLoss(numbering)
    for source in range(100, 1100):
        numbering.forward(source)
    loss.report(999, 500)
    for source in range(1100, 1200):
        numbering.forward(source)
    assert loss.report(1099, 0) is not None
    for source in range(1200, 1300):
        numbering.forward(source)
    share = loss.report(1199, 30)
    assert share is not None and share.own_fraction_lost == pytest.approx(0.3)
