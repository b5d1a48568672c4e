"""The assistant server of the shop project, its database emptied before each test."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine_bench import Neighbours, Server, serving

from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import Settings


@pytest.fixture
async def server(database: Settings, clock: FixedClock, superuser: Any) -> AsyncIterator[Server]:
    with superuser("assistant") as connection:
        connection.execute("TRUNCATE engine.conversation CASCADE")
    async with serving(database, clock, Neighbours()) as made:
        yield made
