"""What readers and verification are told of keys: may it be opened, and if not, why not, in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from tightrope.audit.custody.models import KeyState
from tightrope.audit.custody.service import grounds
from tightrope.audit.repository import Conn


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """A key as a reader needs to know it.

    Attributes:
        gone: when the log's own record says that it was destroyed; None if it says nothing.
    """

    kid: UUID
    state: KeyState | None
    ground: str | None
    since: datetime | None
    gone: datetime | None

    @property
    def sentence(self) -> str | None:
        """Why payloads under the key cannot be read; None where they can."""
        if self.gone is not None:
            back = (
                "" if self.state is KeyState.DESTROYED else "; the table of keys still has it: run `tightrope audit keys replay`"
            )
            return f"destroyed by policy on {self.gone:%Y-%m-%d}: the record is there, its payload cannot be read any more{back}"
        if self.state is None:
            return f"its key {self.kid} is missing"
        if self.state is KeyState.DESTROYED:
            return f"its key {self.kid} was destroyed, and no record of it is in the log"
        if self.state is KeyState.RESTRICTED:
            why = grounds().get(self.ground or "", {}).get("en", self.ground or "no ground is noted")
            return f"restricted: {why}, since {self.since:%Y-%m-%d}" if self.since else f"restricted: {why}"
        return None

    @property
    def by_policy(self) -> bool:
        """Destroyed as the log says, and nothing contradicts it."""
        return self.gone is not None and self.state is KeyState.DESTROYED


async def statuses(conn: Conn, kids: Iterable[UUID]) -> Mapping[UUID, KeyStatus]:
    """The status of each key; a key that the table lacks has the state None."""
    wanted = sorted(set(kids))
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT w.kid, k.state, k.ground, k.changed_at, audit.key_gone(w.kid) AS gone FROM unnest(%s::uuid[]) AS w (kid) "
        "LEFT JOIN audit.keys k ON k.kid = w.kid",
        (wanted,),
    )
    return {row["kid"]: status(row["kid"], row) for row in await cursor.fetchall()}


def status(kid: UUID, row: Mapping[str, Any]) -> KeyStatus:
    """From a row with `state` (None where the table lacks the key), `ground`, `changed_at` and `gone`."""
    state = KeyState(row["state"]) if row["state"] is not None else None
    return KeyStatus(kid, state, row["ground"], row["changed_at"], row["gone"])
