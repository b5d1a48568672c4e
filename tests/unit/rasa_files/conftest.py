"""What played flows share: conversations over the fakes of the action tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actions import context

sys.path.insert(0, str(Path(__file__).parents[1] / "actions"))

from account_fakes import AccountBusiness, give_records
from rasa_played import Play


@pytest.fixture(autouse=True)
def _no_context_left() -> Iterator[None]:
    yield
    context.use(None)


@pytest.fixture(params=["zh", "en"])
def play(request: pytest.FixtureRequest) -> Play:
    """A conversation in each language."""
    return Play(request.param)


@pytest.fixture
def zh() -> Play:
    """One in Chinese alone."""
    return Play("zh")


@pytest.fixture
def firm(play: Play) -> AccountBusiness:
    """The firm's records behind `play`, its customer logged in."""
    return give_records(play.fake)
