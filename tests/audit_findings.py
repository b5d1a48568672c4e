"""Reading what a verification found, for tests of the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from tightrope.audit.models import Finding
from tightrope.infra.settings import Settings


def found(findings: Iterable[Finding]) -> list[tuple[str, int | None]]:
    """Kind and index of each finding."""
    return [(finding.kind, finding.place.index if finding.place else None) for finding in findings]


def one_segment(log: Settings) -> Path:
    """The only segment in the store."""
    assert log.audit_store is not None
    (path,) = (log.audit_store / "seg").glob("*/*")
    return path


def stopped() -> asyncio.Event:
    """Tells a sealer to stop as soon as it has started."""
    stop = asyncio.Event()
    stop.set()
    return stop


SET_KEYS = (
    "UPDATE audit.keys SET state = %(state)s, wrapped = CASE WHEN %(state)s = 'destroyed' THEN ''::bytea ELSE wrapped END, "
    "shares = CASE WHEN %(state)s = 'restricted' THEN '{}'::jsonb END "
)
"""What custody does to the table of keys, without the people it takes; a WHERE may follow."""
