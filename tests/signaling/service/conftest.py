from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sfu import Sfu, SfuConfig
from tests.signaling.service.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sfu() -> AsyncIterator[Sfu]:
    sfu = Sfu(SfuConfig(media_port=0, announced_addresses={"127.0.0.1": "127.0.0.1"}))
    await sfu.start()
    yield sfu
    await sfu.close()
