"""A log with two custodians on Postgres, for tests of custody."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tightrope.audit.custody.custodians import entry, load_custodians
from tightrope.audit.custody.repository import PostgresVault
from tightrope.audit.custody.service import Custody
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.infra.clock import FixedClock, SystemClock
from tightrope.infra.database import Role, open_pool

ADA, CAI = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
LONG_AGO = datetime(2001, 3, 4, 5, 6, tzinfo=UTC)


def with_custodians(log, folder):
    """The settings with Ada of compliance and Cai of data protection."""
    path = folder / "custodians.json"
    rows = [entry(ADA, "Ada", "compliance"), entry(CAI, "Cai", "data protection")]
    path.write_text(json.dumps({"custodians": rows}), encoding="utf-8")
    return log.model_copy(update={"audit_custodians_file": path})


def clean(superuser) -> None:
    """Forget holds, proposals and exchanges."""
    with superuser("tightrope") as conn:
        conn.execute("TRUNCATE audit.holds, audit.proposals, audit.master_rotations CASCADE")


@asynccontextmanager
async def acting(log, keyring=None):
    """Custody, its connection and its keyring; committed at the end."""
    keyring = keyring or Keyring.from_settings(log)
    async with open_pool(log, Role.OPERATOR, max_size=1) as pool, pool.connection() as conn:
        recorder = Recorder(log, keyring, SystemClock(), "r-0123456789abcdef")
        custodians = load_custodians(log.custodians_path, production=True)
        yield Custody(PostgresVault(conn, recorder), keyring, custodians, SystemClock().now), conn, keyring


async def write(log, worker, text: str, *, at: datetime | None = None, subject: str | None = "C1", conversation: str = "1-7"):
    """One message; returns its key."""
    keyring = Keyring.from_settings(log)
    recorder = Recorder(log, keyring, FixedClock(at or datetime.now(UTC)), "r-0123456789abcdef")
    draft = RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, conversation_id=conversation, subject=subject, payload={"content": text})
    async with worker.connection() as conn:
        record_id = await recorder.record(conn, draft)
        row = await (await conn.execute("SELECT kid FROM audit.keys ORDER BY created_at DESC LIMIT 1")).fetchone()
    return row["kid"], record_id
