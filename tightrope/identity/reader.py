"""The action server's view of identity, with a database role that can only read: who does this turn act for?"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tightrope.identity.box import SecretBox
from tightrope.identity.errors import BindingEnded
from tightrope.identity.grants import turn_hash
from tightrope.identity.models import Anonymous, Caller, Customer
from tightrope.infra.clock import Clock
from tightrope.infra.database import Pool
from tightrope.infra.logging import get_logger

log = get_logger()

_GRANT = """
SELECT g.conversation_id, g.customer_id, g.scopes, g.acr, g.binding_id, g.expires_at,
       b.customer_id AS bound_customer, b.conversation_id AS bound_conversation, b.ended_at, b.expires_at AS bound_until
  FROM identity."grant" g LEFT JOIN identity.binding b ON b.id = g.binding_id
 WHERE g.turn_hash = %s
"""
_TOKEN = "SELECT subject_token_box, ended_at, expires_at FROM identity.binding WHERE id = %s"  # noqa: S105 - a query


class IdentityReader:
    """Resolves turn ids.

    Args:
        pool: of role `actions`.
        box: opens subject tokens.
    """

    def __init__(self, pool: Pool, clock: Clock, box: SecretBox) -> None:
        self._pool = pool
        self._clock = clock
        self._box = box

    async def resolve(self, turn_id: object) -> Caller:
        """Who this turn acts for. Whatever is not a live turn id with a live grant and a live binding is anonymous.

        Raises:
            psycopg.Error, PoolTimeout: the database cannot be asked; the turn must fail, not guess.
        """
        hashed = turn_hash(turn_id)
        if hashed is None:
            return Anonymous()
        row = await self._row(_GRANT, hashed)
        now = self._clock.now()
        if row is None or row["expires_at"] <= now:
            return Anonymous()
        if row["binding_id"] is None or row["ended_at"] is not None or row["bound_until"] <= now:
            return Anonymous(row["conversation_id"])
        if (row["bound_customer"], row["bound_conversation"]) != (row["customer_id"], row["conversation_id"]):
            log.error("grant and binding disagree", action="grant_mismatch", binding=str(row["binding_id"]))
            return Anonymous(row["conversation_id"])
        return Customer(row["conversation_id"], row["customer_id"], frozenset(row["scopes"]), row["acr"], row["binding_id"])

    async def subject_token(self, binding_id: UUID | str) -> str:
        """The provider's token of the bound customer, for token exchange.

        Raises:
            BindingEnded: no such binding, or it ended or expired.
            BoxBroken: the stored token is not of this binding or not of this key.
        """
        try:
            wanted = binding_id if isinstance(binding_id, UUID) else UUID(binding_id)
        except ValueError as error:
            raise BindingEnded("not a binding") from error
        row = await self._row(_TOKEN, wanted)
        if row is None or row["ended_at"] is not None or row["expires_at"] <= self._clock.now():
            raise BindingEnded("the customer is not logged in any more")
        return self._box.open(bytes(row["subject_token_box"]), str(wanted))

    async def _row(self, query: str, value: Any) -> dict[str, Any] | None:
        async with self._pool.connection() as conn:
            await conn.set_autocommit(True)
            try:
                cursor = await conn.execute(query, (value,))
                row: dict[str, Any] | None = await cursor.fetchone()
            finally:
                await conn.set_autocommit(False)
        return row
