"""Identity with the firm's provider played, for every attack on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from identity_world import World, open_world

from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import Settings


@pytest.fixture
async def world(database: Settings, clock: FixedClock) -> AsyncIterator[World]:
    async with open_world(database, clock) as made:
        yield made
