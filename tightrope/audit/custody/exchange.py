"""Exchange of the master key: wrap every data key anew, a few at a time; both master keys open until it is done.

Each key is one row and one update, so that a crash leaves every row under one of the two; the next run goes on. The data keys, the ciphertexts and the
names of owners and conversations stay as they are (the identity key is carried over).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import dict_row

from tightrope.audit.errors import CustodyRefused
from tightrope.audit.keyring import Keyring, Owner
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.audit.repository import Conn, master_check

BATCH = 200
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """How many keys there are, and how many were wrapped anew by this run."""

    keys: int
    rewrapped: int


async def rewrap(
    conn: Conn, keyring: Keyring, recorder: Recorder, *, who: str, progress: Callable[[int], None] = lambda _: None
) -> Exchanged:
    """Wrap every data key under the present master key; afterwards the other one opens nothing.

    Every process has to have the new master key as its own before (docs/custody.md, Exchange of the master key): who writes under the old one
    meanwhile is found by the last pass, who does so later by none.

    Args:
        conn: role operator; committed here, batch by batch.
        who: the operator, for the record.
        progress: told how many keys were looked at.

    Raises:
        WrongMasterKey: neither is the log's master key, or a key opens under neither; nothing of its batch is changed.
        CustodyRefused: the log is kept under this master key alone already.
    """
    accepted = await master_check(conn)
    if accepted is None or accepted == (keyring.check_value,):
        raise CustodyRefused("same_master", "this log is kept under the present master key already; there is nothing to exchange")
    keyring.confirm(accepted)  # it holds the log's own master key too, or it could only spoil
    await recorder.record(conn, RecordDraft(Event.MASTER_ROTATED, facts={"step": "begun"}, payload={"who": who}))
    await _exchange(conn, keyring, done=False)
    await conn.commit()
    total = changed = 0
    while True:
        seen, now = await _pass(conn, keyring, progress)
        total, changed = seen, changed + now
        if now == 0:
            break
    await _exchange(conn, keyring, done=True)
    facts = {"step": "done", "keys": total, "rewrapped": changed}
    await recorder.record(conn, RecordDraft(Event.MASTER_ROTATED, facts=facts, payload={"who": who}))
    await conn.commit()
    return Exchanged(total, changed)


async def _exchange(conn: Conn, keyring: Keyring, *, done: bool) -> None:
    proof = keyring.vouch("master_exchange", keyring.check_value, bytes([done]))
    await conn.execute("SELECT audit.master_exchange(%s, %s, %s)", (keyring.check_value, done, proof))


async def _pass(conn: Conn, keyring: Keyring, progress: Callable[[int], None]) -> tuple[int, int]:
    after, seen, changed = _FIRST, 0, 0
    while True:
        cursor = await conn.cursor(row_factory=dict_row).execute(
            "SELECT kid, subject_hash, class, year, wrapped, state FROM audit.keys WHERE kid > %s AND state <> 'destroyed' ORDER BY kid LIMIT %s",
            (after, BATCH),
        )
        rows = await cursor.fetchall()
        if not rows:
            return seen, changed
        for row in rows:
            owner = Owner(bytes(row["subject_hash"]), row["class"], row["year"])
            old = bytes(row["wrapped"])
            new = keyring.rewrap(row["kid"], owner, old, restricted=row["state"] == "restricted")
            if new is not None:
                proof = keyring.vouch("key_rewrap", row["kid"].bytes, old, new)
                await conn.execute("SELECT audit.key_rewrap(%s, %s, %s, %s)", (row["kid"], old, new, proof))
                changed += 1
        await conn.commit()
        after, seen = rows[-1]["kid"], seen + len(rows)
        progress(len(rows))
