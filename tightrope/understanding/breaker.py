"""A circuit breaker: who has failed several times in a row is left alone for a while, then tried with one request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

FAILURES: Final = 3
"""In a row, until it opens."""
REST_SECONDS: Final = 30.0


class Breaker:
    """Says whether to ask. Whoever asks reports how it went, by exactly one of `worked`, `failed` and `unknown`.

    Args:
        now: seconds of a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failed = 0
        self._until: float | None = None
        self._trying = False

    @property
    def open(self) -> bool:
        """Whether nobody is asked, or one request alone to see whether that changes."""
        return self._until is not None

    def may_ask(self) -> bool:
        """Whether to ask now; after the rest, yes to one at a time."""
        if self._until is None:
            return True
        if self._trying or self._now() < self._until:
            return False
        self._trying = True
        return True

    def worked(self) -> None:
        """An answer came that can be used."""
        self._failed, self._until, self._trying = 0, None, False

    def failed(self, *, for_sure: bool = False) -> None:
        """None came. `for_sure`: there is no need to see it again."""
        self._failed += 1
        if for_sure or self._trying or self._failed >= FAILURES:
            self._until = self._now() + REST_SECONDS
        self._trying = False

    def unknown(self) -> None:
        """The one who asked gave up for a reason of his own."""
        self._trying = False
