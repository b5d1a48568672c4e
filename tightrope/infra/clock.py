"""The one place that reads the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from tightrope.infra.settings import Settings


class Clock(Protocol):
    """What time it is, always with a zone (UTC)."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class DemoClock:
    """The machine's clock, ahead by the seconds written in a file; `tightrope play` turns it for `{"wait": …}`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = -1
        self._ahead = timedelta()

    def now(self) -> datetime:
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._stamp:
                self._ahead = timedelta(seconds=float(self._path.read_text() or 0))
                self._stamp = stamp
        except FileNotFoundError:
            self._ahead = timedelta()
        return datetime.now(UTC) + self._ahead


class FixedClock:
    """A clock for tests: stands still until told."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def clock_from(settings: Settings) -> Clock:
    """The clock that the settings ask for."""
    return DemoClock(settings.demo_clock) if settings.demo_clock else SystemClock()
