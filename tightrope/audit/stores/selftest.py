"""Tries to break a bucket's locks, and says what that proves.

Each probe has an object of its own under a short compliance lock; what counts is whether the version and its lock are still there afterwards,
not what the server answered. A refusal proves nothing where the credential may not do the thing at all: so three controls show that the same
credential may delete, bypass and change locks where no compliance lock stands in the way. Without them the verdict is `degraded`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tightrope.audit.stores.probes import CONTROLS, PROBES, Grade, Outcome, Run
from tightrope.audit.stores.s3 import Place
from tightrope.audit.stores.verdict import KeptVerdict, Verdict
from tightrope.infra.clock import Clock
from tightrope.infra.s3 import S3Client

LOCK_SECONDS = 20
"""Lock of the probes' objects: long enough for a slow server to be tried, short enough to wait for its end."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One attempt and what came of it.

    Attributes:
        outcome: what happened, in words.
        ok: it went as it has to; None: it could not be tried, or does not count.
        meaning: why it matters.
    """

    name: str
    grade: Grade
    outcome: str
    ok: bool | None
    meaning: str


@dataclass(frozen=True, slots=True)
class SelfTest:
    """All probes of one bucket.

    Attributes:
        server: name and version that the server gave; empty where it gives none.
        leftover: versions under the self-test's folder that could not be removed afterwards.
    """

    place: Place
    server: str
    at: datetime
    probes: tuple[Probe, ...]
    leftover: int

    @property
    def verdict(self) -> Verdict:
        """`worm` only if every probe and control that counts went as it has to."""
        if self._wrong("critical", unknown=False):
            return "not worm"
        return "degraded" if self._reasons() else "worm"

    @property
    def reason(self) -> str:
        """The gravest thing that is wrong, or nothing."""
        first = next(iter(self._reasons()), None)
        return f"{first.name}: {first.outcome}" if first else ""

    def kept(self) -> KeptVerdict:
        """What is kept of it."""
        at = self.at.isoformat(timespec="seconds")
        return KeptVerdict(self.place.endpoint, self.place.bucket, self.server, at, self.verdict, self.reason)

    def _reasons(self) -> list[Probe]:
        return [
            *self._wrong("critical", unknown=False),
            *self._wrong("lesser", unknown=False),
            *self._wrong("control", unknown=True),
            *self._wrong("critical", unknown=True),
        ]

    def _wrong(self, grade: Literal["critical", "lesser", "control"], *, unknown: bool) -> list[Probe]:
        return [probe for probe in self.probes if probe.grade == grade and (probe.ok is False or (unknown and probe.ok is None))]


def run_selftest(
    client: S3Client,
    place: Place,
    *,
    clock: Clock,
    lock_seconds: int = LOCK_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> SelfTest:
    """Try every probe, wait until the locks have ended, and remove what was made. Blocks for about half a minute.

    Args:
        client: with the rights to try what must be refused; see docs/worm.md, Rights.

    Raises:
        StoreError: the server did not answer, or took nothing at all: there is no verdict.
    """
    run = Run(client, place, clock=clock, lock_seconds=lock_seconds, sleep=sleep)
    at = clock.now()
    first = run.lock_is_kept()
    probes = [
        _probe(
            "a compliance lock is kept", "critical", first, "the lock that a PUT asks for is the one that the server gives back"
        )
    ]
    try:
        if first.ok:
            for name, grade, attempt, meaning in PROBES:
                probes.append(_probe(name, grade, attempt(run), meaning))
            for name, attempt, meaning in CONTROLS:
                probes.append(_probe(name, "control", attempt(run), meaning))
    finally:
        ended, leftover = run.clean_up()
    if first.ok:
        meaning = "the same credential may delete what is no longer locked, so the refusals above came from the lock"
        probes.append(_probe("control: delete after the lock has ended", "control", ended, meaning))
    return SelfTest(place, run.server, at, tuple(probes), leftover)


def _probe(name: str, grade: Grade, outcome: Outcome, meaning: str) -> Probe:
    return Probe(name, grade, outcome.text, outcome.ok, meaning)
