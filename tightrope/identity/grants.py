"""What one turn may do: written by the worker, read by the action server, gone at the turn's commit.

Source: docs/wire-contracts.md, Grant.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import Final

from tightrope.identity import repository
from tightrope.identity.errors import GrantConflict
from tightrope.identity.models import Binding
from tightrope.infra.clock import Clock
from tightrope.infra.database import Connection

LIFE: Final = timedelta(seconds=60)
_TURN_ID: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def turn_hash(turn_id: object) -> bytes | None:
    """SHA-256 of a turn id; None when it cannot be one (32 bytes in base64url without padding)."""
    if not isinstance(turn_id, str) or not _TURN_ID.fullmatch(turn_id):
        return None
    return hashlib.sha256(turn_id.encode()).digest()


class Grants:
    """Opens and closes grants inside the worker's transactions. The worker commits before it asks the assistant."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def open(self, conn: Connection, turn_id: str, conversation_id: str, binding: Binding | None) -> datetime:
        """Let the turn act for the bound customer, or for nobody, for 60 s; a retry of the turn refreshes it.

        Returns:
            When the grant ends.

        Raises:
            ValueError: the turn id has not the form of one.
            GrantConflict: the turn id belongs to another conversation.
        """
        hashed = turn_hash(turn_id)
        if hashed is None:
            raise ValueError("a turn id is 32 random bytes in base64url, 43 characters")
        if binding is not None and binding.conversation_id != conversation_id:
            raise GrantConflict("the binding belongs to another conversation")
        expires_at = self._clock.now() + LIFE
        cursor = await conn.execute(
            """INSERT INTO identity."grant" AS g (turn_hash, conversation_id, binding_id, customer_id, scopes, acr, expires_at)
               VALUES (%s, %s, %s, %s, %s, %s, %s)
               ON CONFLICT (turn_hash) DO UPDATE SET binding_id = EXCLUDED.binding_id, customer_id = EXCLUDED.customer_id,
                   scopes = EXCLUDED.scopes, acr = EXCLUDED.acr, expires_at = EXCLUDED.expires_at
               WHERE g.conversation_id = EXCLUDED.conversation_id
               RETURNING g.conversation_id""",
            (
                hashed,
                conversation_id,
                binding.id if binding else None,
                binding.customer_id if binding else None,
                list(binding.scopes) if binding else [],
                binding.acr if binding else None,
                expires_at,
            ),
        )
        if await cursor.fetchone() is None:
            raise GrantConflict("this turn id was granted to another conversation")
        return expires_at

    async def close(self, conn: Connection, turn_id: str) -> None:
        """End the turn's grant, in the transaction that commits the turn."""
        await conn.execute('DELETE FROM identity."grant" WHERE turn_hash = %s', (turn_hash(turn_id),))

    async def purge(self, conn: Connection) -> None:
        """Delete what has expired: grants of crashed turns, used tokens, old links. Once in a while is enough."""
        await repository.purge(conn, self._clock.now())
