from __future__ import annotations

from collections.abc import Iterator

import pytest
from actions_fakes import FakeContext

from actions import context


@pytest.fixture
def fake() -> Iterator[FakeContext]:
    """A context of fakes, in place for the test."""
    made = FakeContext()
    context.use(made)  # type: ignore[arg-type]
    yield made
    context.use(None)
