"""Every change of what may be quoted is on the audit record: which release, who, signed by whom, and the release itself.

Recorded before it takes effect, so that no answer quotes a release that the record does not know. A withdrawal takes effect first:
silence needs no permission.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
from psycopg_pool import PoolTimeout

from tightrope.audit.errors import AuditError
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings
from tightrope.knowledge.errors import NotRecorded
from tightrope.release.manifest import release_id


@dataclass(frozen=True)
class Switched:
    """Another release becomes active."""

    event: Event
    """KNOWLEDGE_PUBLISHED or KNOWLEDGE_ROLLED_BACK."""
    release: str
    before: str
    """The release that was active; empty if none was."""
    documents: int
    passages: int
    by: str
    file: bytes
    """The kept release, whole."""
    approvals: Mapping[str, Any]
    """The signed statements that came with it, by document and version."""

    def draft(self) -> RecordDraft:
        """As it goes on the record."""
        facts = {"knowledge": self.release, "before": self.before, "documents": self.documents, "passages": self.passages}
        signatures = [_signature(key, row) for key, rows in sorted(self.approvals.items()) for row in rows]
        content = {"knowledge": hashlib.sha256(self.file).hexdigest()}
        return RecordDraft(self.event, facts=facts, payload={"who": self.by, "signatures": signatures}, content=content)


@dataclass(frozen=True)
class TakenBack:
    """Versions of a document are quoted no more."""

    release: str
    document: str
    versions: tuple[str, ...]
    reason: str
    by: str

    def draft(self) -> RecordDraft:
        """As it goes on the record."""
        facts = {"knowledge": self.release, "document": self.document, "versions": list(self.versions)}
        return RecordDraft(Event.KNOWLEDGE_WITHDRAWN, facts=facts, payload={"who": self.by, "reason": self.reason})


class Witness(Protocol):
    """Who puts changes on the record."""

    async def note(self, change: Switched | TakenBack) -> None:
        """Put it on the record, durably.

        Raises:
            NotRecorded: it is not on the record.
        """


class Audited:
    """On the audit log, with the operator's role."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or clock_from(settings)

    async def note(self, change: Switched | TakenBack) -> None:
        """See Witness."""
        settings = self._settings
        try:
            recorder = Recorder(settings, Keyring.from_settings(settings), self._clock, release_id(settings))
            async with (
                open_pool(settings, Role.OPERATOR, max_size=1, wait_seconds=5) as pool,
                pool.connection() as connection,
            ):
                if isinstance(change, Switched):
                    await recorder.store_content(connection, "knowledge", change.file)
                await recorder.record(connection, change.draft())
        except (psycopg.Error, PoolTimeout, OSError, AuditError) as error:
            raise NotRecorded(f"the audit log cannot be written ({type(error).__name__}: {error})") from error


class Unrecorded:
    """Nobody is told: for benchmarks, and for tests that have no audit log."""

    async def note(self, change: Switched | TakenBack) -> None:
        """See Witness."""


def _signature(key: str, row: Any) -> dict[str, Any]:
    """Who vouched for what; the whole statement lies in the release's file."""
    said = row.get("statement", {}) if isinstance(row, dict) else {}
    return {
        "document": key,
        **{name: str(said.get(name, "")) for name in ("duty", "person", "signed")},
        "key": str(row.get("key_id")),
    }
