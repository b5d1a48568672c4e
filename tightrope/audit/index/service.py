"""Keeps the auditor's index current: reads sequenced records in order, and makes rows again when a key's state changes.

It runs with the auditor's role and its own right on the schema `audit_index` alone. Everything in it comes from the log, so dropping it
loses nothing: `rebuild` gives the same rows, byte for byte, as long as no key was restricted or destroyed since; and what was, is gone from both.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any

from tightrope.audit import repository as log_repository
from tightrope.audit.errors import PayloadUnreadable
from tightrope.audit.index import repository
from tightrope.audit.index.models import IndexRow, Position, Source
from tightrope.audit.index.rows import VERSION, customer_of, row_of
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import JsonObject, Place
from tightrope.audit.repository import Conn
from tightrope.infra.clock import Clock
from tightrope.infra.database import Pool
from tightrope.infra.logging import get_logger

log = get_logger()

BATCH = 1000
POLL_SECONDS = 1.0
RETRY_SECONDS = 5.0
RETURNED_SECONDS = 600.0
"""How often it is asked whether a restored table has brought destroyed keys back: the look grows with every destruction there was."""


class Indexer:
    """Reads the log into the index."""

    def __init__(self, pool: Pool, keyring: Keyring, clock: Clock) -> None:
        """`pool`: of Role.AUDITOR; `keyring`: opens the payloads and hashes customers."""
        self._pool = pool
        self._keyring = keyring
        self._clock = clock
        self._returned_due = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the index current until `stop`. Trouble is told once and tried again."""
        trouble = ""
        while not stop.is_set():
            pause = POLL_SECONDS
            try:
                await self.catch_up()
                if trouble:
                    log.info("the auditor's index is read on", action="audit_index_current")
                trouble = ""
            except Exception as error:  # the index is no part of answering; it goes on when it can
                reason, pause = f"{type(error).__name__}: {error}", RETRY_SECONDS
                if reason != trouble:
                    log.error("the auditor's index is behind", action="audit_index_behind", reason=reason)
                trouble = reason
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def catch_up(self, *, seconds: float | None = None) -> int:
        """Read everything that is new, and make rows again whose key has changed.

        Args:
            seconds: read no further batch after this time, so that nobody waits for a long log; None reads to the end. What keys closed
                since is taken out either way.

        Returns:
            How many rows were written.

        Raises:
            WrongMasterKey: another master key than the log's.
        """
        written, end = 0, monotonic() + seconds if seconds is not None else inf
        while (done := await self._batch()) > 0:
            written += done
            if monotonic() >= end:
                break
        looks = [repository.changed_keys]
        if monotonic() >= self._returned_due:
            looks.append(repository.returned_keys)
            self._returned_due = monotonic() + RETURNED_SECONDS
        for look in looks:
            while (done := await self._again(look)) > 0:
                written += done
        return written

    async def rebuild(self) -> int:
        """Empty the index and make it again from the log.

        Returns:
            How many rows it has.
        """
        async with self._pool.connection() as conn:
            await repository.take(conn)
            await repository.clear(conn, VERSION, self._clock.now())
        return await self.catch_up()

    async def position(self) -> Position:
        """How far the index has read."""
        async with self._pool.connection() as conn:
            return await repository.position(conn)

    async def _batch(self) -> int:
        async with self._pool.connection() as conn:
            found = await log_repository.master_check(conn)
            if found is None:
                return 0
            self._keyring.confirm(found)
            state = await repository.take(conn)
            set_back = await repository.ahead(conn, state["shard"], state["next"])
            if set_back:
                log.warning("the auditor's index was ahead of the log and is made again", action="audit_index_ahead")
            if set_back or state["version"] != VERSION:
                await repository.clear(conn, VERSION, self._clock.now())
                state = state | {"shard": 0, "next": 0}
            if not await repository.behind(conn, state["shard"], state["next"]):
                return 0
            records = await repository.following(conn, state["shard"], state["next"], BATCH)
            if not records:
                return 0
            await repository.insert(conn, await self._rows(conn, records))
            await repository.advance(conn, records[-1]["shard"], records[-1]["index"] + 1)
            return len(records)

    async def _again(self, look: Callable[[Conn, int], Awaitable[list[dict[str, Any]]]]) -> int:
        async with self._pool.connection() as conn:
            await repository.take(conn)
            records = await look(conn, BATCH)
            if not records:
                return 0
            rows = await self._rows(conn, records)
            await repository.remove(conn, [row.place for row in rows])
            await repository.insert(conn, rows)
            return len(rows)

    async def _rows(self, conn: Conn, records: list[dict[str, Any]]) -> list[IndexRow]:
        await log_repository.load_keys(
            conn, self._keyring, (record["kid"] for record in records if record["key_state"] == "active")
        )
        # In a thread: decrypting and parsing a batch takes a tenth of a second, in which a process that shows pages should show them.
        return await asyncio.to_thread(lambda: [row_of(source_of(self._keyring, record)) for record in records])


def source_of(keyring: Keyring, record: dict[str, Any]) -> Source:
    """A record of the log with its payload where its key is active; a payload that does not open counts as missing."""
    leaf: JsonObject = json.loads(bytes(record["leaf"]))
    payload = _open(keyring, record, leaf) if record["key_state"] == "active" else None
    customer = customer_of(payload)
    return Source(
        place=Place(record["shard"], record["index"]),
        record_id=record["id"],
        leaf=leaf,
        payload=payload,
        kid=record["kid"],
        key_state=record["key_state"],
        customer=keyring.owner(conversation_id=None, subject=customer, year=0).subject_hash if customer is not None else None,
    )


def _open(keyring: Keyring, record: dict[str, Any], leaf: JsonObject) -> JsonObject | None:
    key = keyring.cached_kid(record["kid"])
    if key is None or record["ct"] is None:
        return None
    try:
        opened = json.loads(keyring.decrypt(key, record["id"], bytes.fromhex(leaf["commit"]), bytes(record["ct"])))
    except (PayloadUnreadable, ValueError):
        return None  # `tightrope audit verify` names it; the index still finds it by its leaf
    return opened if isinstance(opened, dict) else None
