"""Connectivity checks: no bytes raise, and nothing unsigned is answered."""

from __future__ import annotations

from sfu.core.drop import DropReason
from sfu.plane.ice import check, local_ufrag
from sfu.plane.seam import IceCredentials
from tests.fuzz.targets import register
from tests.peer import ice

OURS = IceCredentials(ufrag="ours", pwd="p" * 32)
KEY_OF_THE_SEEDS = IceCredentials(ufrag="ours", pwd="q" * 32)


def fuzz_stun(data: bytes) -> None:
    """Seeds are signed with another password: whatever mutation makes of them is not authentic under ours."""
    named = local_ufrag(memoryview(data))
    assert isinstance(named, str | DropReason)
    assert isinstance(check(data, OURS.pwd, ("192.0.2.1", 1)), DropReason)
    check(data, KEY_OF_THE_SEEDS.pwd, ("2001:db8::1", 1))


register(
    "stun",
    fuzz_stun,
    [
        ice.check(KEY_OF_THE_SEEDS),
        ice.check(KEY_OF_THE_SEEDS, nominate=False),
        ice.check(KEY_OF_THE_SEEDS, role="ICE-CONTROLLED"),
        ice.check(KEY_OF_THE_SEEDS, with_integrity=False),
    ],
)
