"""An SFU on loopback, and browsers that come and go."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.peer.browser import House


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with House() as house:
        yield house
