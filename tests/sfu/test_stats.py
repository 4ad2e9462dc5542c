"""Statistics are snapshots: nobody who holds one can change it, or be changed by it."""

from __future__ import annotations

import dataclasses

import pytest

from sfu import stats

KINDS = (stats.PublicationStats, stats.SubscriptionStats, stats.PeerStats, stats.RoomStats, stats.SfuStats)


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_frozen_and_by_name(kind: type) -> None:
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert all(field.kw_only for field in dataclasses.fields(kind))


def test_units_stand_in_the_names() -> None:
    """A float says what it counts: seconds, bits a second, or a share."""
    floats = {field.name for kind in KINDS for field in dataclasses.fields(kind) if "float" in str(field.type)}
    assert floats == {name for name in floats if name.endswith(("_s", "_bps", "fraction_lost"))}
