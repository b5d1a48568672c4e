"""The small bot that test files are played against."""

from __future__ import annotations

from pathlib import Path

import pytest
from suites_world import World

from tightrope.infra.clock import FixedClock


@pytest.fixture
def world(tmp_path: Path, clock: FixedClock) -> World:
    """The bot in a folder of its own."""
    return World(tmp_path / "bot", clock)
