"""A plane on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peer.call import VirtualCall
from tests.peer.virtual import VirtualPlane


@pytest.fixture
def lab() -> Iterator[VirtualPlane]:
    with VirtualPlane() as lab:
        yield lab


@pytest.fixture
def call(lab: VirtualPlane) -> VirtualCall:
    return VirtualCall(lab)
