"""What each refusal says."""

from __future__ import annotations

import inspect

import pytest

from sfu import errors


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.PortInUse(7882), "port 7882 is taken"),
        (errors.RoomExists("r"), "room r exists"),
        (errors.TooManyRooms(5), "there are 5 rooms already (max_rooms)"),
        (errors.PeerExists("p"), "peer p exists"),
        (errors.RoomFull(8), "the room has 8 peers already (max_peers_per_room)"),
        (errors.PeerGone("p"), "peer p is closed"),
        (errors.OfferRejected("reason", "why"), "reason: why"),
    ],
)
def test_its_text(error: errors.SfuError, text: str) -> None:
    assert str(error) == text


def test_all_have_one_base_and_stand_in_the_tree() -> None:
    found = {name for name, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, errors.SfuError)}
    drawn = {line.strip("├└─ ") for line in (errors.__doc__ or "").splitlines() if "──" in line}
    assert found == drawn | {"SfuError"}
