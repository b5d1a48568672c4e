"""The brokerage's SQL."""

from __future__ import annotations

import hashlib
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from tightrope.infra.database import Connection, Pool
from tightrope.sandbox.brokerage.models import AccountRow, ClosingRow, CustomerRow
from tightrope.sandbox.brokerage.seeding import Rows

_KEYS: Final = {"customer": ("customer_id",), "account": ("account_id",), "ticket": ("ticket_number",)}
"""Tables whose rows stay and are brought up to date; the others are written anew."""
_LOCK_WAIT: Final = "3s"


class Brokerage:
    """Schema `brokerage`. Lists are read by owner and place, one row more than asked for, so that the caller sees whether there are more."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def customer(self, customer_id: str) -> tuple[CustomerRow, bool] | None:
        """The customer, and whether there is any account; None when unknown."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """SELECT c.*, EXISTS (SELECT FROM brokerage.account a WHERE a.customer_id = c.customer_id) AS has_account
                     FROM brokerage.customer c WHERE c.customer_id = %s""",
                (customer_id,),
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        has_account = bool(row.pop("has_account"))
        return CustomerRow(**row), has_account

    async def accounts(self, customer_id: str, after: str, limit: int) -> list[AccountRow]:
        """At most `limit` accounts with an id above `after`, in order of id."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT * FROM brokerage.account WHERE customer_id = %s AND account_id > %s ORDER BY account_id LIMIT %s",
                (customer_id, after, limit),
            )
            return [AccountRow(**row) for row in await cursor.fetchall()]

    async def account(self, account_id: str, owner: str) -> AccountRow | None:
        """The account when it is the owner's; None when it is another's or does not exist."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT * FROM brokerage.account WHERE account_id = %s AND customer_id = %s", (account_id, owner)
            )
            row = await cursor.fetchone()
        return AccountRow(**row) if row else None

    async def entries(self, kind: str, owner: str, after: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """At most `limit` items of a list behind place `after`, with their places."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """SELECT nr, document FROM brokerage.entry WHERE kind = %s AND owner = %s AND nr > %s ORDER BY nr LIMIT %s""",
                (kind, owner, after, limit),
            )
            return [(row["nr"], row["document"]) for row in await cursor.fetchall()]

    async def fact(self, kind: str, customer_id: str) -> dict[str, Any] | None:
        """A document of facts; None when there is none for the customer."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT document FROM brokerage.fact WHERE kind = %s AND customer_id = %s", (kind, customer_id)
            )
            row = await cursor.fetchone()
        return dict(row["document"]) if row else None

    async def open_ticket(self, customer_id: str, kind: str) -> str | None:
        """The answer to the newest request of a kind, as it was sent."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT answer FROM brokerage.ticket WHERE customer_id = %s AND kind = %s ORDER BY created_at DESC LIMIT 1",
                (customer_id, kind),
            )
            row = await cursor.fetchone()
        return str(row["answer"]) if row else None

    async def closing(self, customer_id: str) -> list[ClosingRow]:
        """The customer's accounts with what stands in each."""
        async with self._pool.connection() as connection:
            return await closing_rows(connection, customer_id)

    async def forget_tickets(self) -> int:
        """Drop every request that was not seeded; how many there were."""
        async with self._pool.connection() as connection:
            return (await connection.execute("DELETE FROM brokerage.ticket WHERE operation <> 'seeded'")).rowcount

    async def seeded(self) -> tuple[date, str] | None:
        """The day and stamp of what is there."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute("SELECT day, stamp FROM brokerage.seeding")).fetchone()
        return (row["day"], row["stamp"]) if row else None

    async def seed(self, day: date, stamp: str, rows: Rows) -> bool:
        """Write all customers in one transaction, unless somebody has just done it. True when written."""
        async with self._pool.connection() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('brokerage.seeding'))")
            row = await (await connection.execute("SELECT day, stamp FROM brokerage.seeding")).fetchone()
            if row is not None and (row["day"], row["stamp"]) == (day, stamp):
                return False
            await connection.execute("DELETE FROM brokerage.entry")
            await connection.execute("DELETE FROM brokerage.fact")
            await connection.execute("DELETE FROM brokerage.ticket WHERE operation = 'seeded'")
            for table, found in asdict(rows).items():
                await _write(connection, table, found)
            await connection.execute(
                """INSERT INTO brokerage.seeding (day, stamp) VALUES (%s, %s)
                   ON CONFLICT (singleton) DO UPDATE SET day = EXCLUDED.day, stamp = EXCLUDED.stamp""",
                (day, stamp),
            )
        return True

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """A connection whose work is kept at the end of the block, or not at all when it raises."""
        return self._pool.connection()


async def lock(connection: Connection, *names: str) -> bool:
    """Let one request of these names through at a time, until the transaction ends. False when another holds it for too long."""
    number = int.from_bytes(hashlib.sha256("\0".join(names).encode()).digest()[:8], "big", signed=True)
    await connection.execute(SQL("SET LOCAL lock_timeout = {}").format(_LOCK_WAIT))
    try:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (number,))
    except psycopg.errors.LockNotAvailable:
        return False
    return True


async def answered(connection: Connection, customer_id: str, operation: str, key: str) -> tuple[bytes, str] | None:
    """The hash of the body and the answer of a request with this key."""
    cursor = await connection.execute(
        "SELECT body_hash, answer FROM brokerage.ticket WHERE customer_id = %s AND operation = %s AND idempotency_key = %s",
        (customer_id, operation, key),
    )
    row = await cursor.fetchone()
    return (row["body_hash"], row["answer"]) if row else None


async def next_number(connection: Connection) -> int:
    """The next ticket's number; numbers that were taken and not used are lost."""
    row = await (await connection.execute("SELECT nextval('brokerage.ticket_number') AS number")).fetchone()
    assert row is not None  # noqa: S101 - a sequence always answers
    return int(row["number"])


async def is_open(connection: Connection, customer_id: str, kind: str, subject: str) -> bool:
    """Whether a request of this kind is with the firm; nothing in the sandbox ever settles one."""
    cursor = await connection.execute(
        "SELECT FROM brokerage.ticket WHERE customer_id = %s AND kind = %s AND subject = %s LIMIT 1", (customer_id, kind, subject)
    )
    return await cursor.fetchone() is not None


async def add_ticket(connection: Connection, row: dict[str, Any]) -> None:
    """Keep a request with its answer."""
    names = SQL(", ").join(map(Identifier, row))
    places = SQL(", ").join(SQL("%s") for _ in row)
    values = [Jsonb(value) if isinstance(value, dict) else value for value in row.values()]
    await connection.execute(SQL("INSERT INTO brokerage.ticket ({}) VALUES ({})").format(names, places), values)


async def closing_rows(connection: Connection, customer_id: str) -> list[ClosingRow]:
    """The customer's accounts, in order of id, with what stands in each."""
    cursor = await connection.execute(
        """SELECT a.*,
                  (SELECT count(*) FROM brokerage.entry e WHERE e.account_id = a.account_id AND e.kind = 'position' AND e.open)
                    AS positions,
                  (SELECT count(*) FROM brokerage.entry e WHERE e.account_id = a.account_id AND e.kind = 'order' AND e.open)
                    AS open_orders,
                  (SELECT count(*) FROM brokerage.entry e WHERE e.account_id = a.account_id AND e.kind = 'transfer' AND e.open)
                    AS pending_transfers,
                  (SELECT coalesce(jsonb_agg(e.document ORDER BY e.nr), '[]') FROM brokerage.entry e
                    WHERE e.account_id = a.account_id AND e.kind = 'product' AND e.open) AS products,
                  (SELECT f.document FROM brokerage.fact f WHERE f.customer_id = a.customer_id AND f.kind = 'margin_account'
                    AND f.document->>'account_id' = a.account_id) AS credit
             FROM brokerage.account a WHERE a.customer_id = %s ORDER BY a.account_id""",
        (customer_id,),
    )
    found = []
    for row in await cursor.fetchall():
        credit, counts = row.pop("credit"), {name: row.pop(name) for name in ("positions", "open_orders", "pending_transfers")}
        debts = ("financed", "sold_short", "interest_and_fees")
        debt = sum((Decimal(credit[name]["amount"]) for name in debts), Decimal()) if credit else Decimal()
        products = row.pop("products")
        found.append(ClosingRow(AccountRow(**row), **counts, products=products, margin_debt=debt))
    return found


async def _write(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """All rows of a table with one statement."""
    if not rows:
        return
    names = tuple(rows[0])
    columns = SQL(", ").join(map(Identifier, names))
    statement = SQL("INSERT INTO brokerage.{0} ({1}) SELECT {1} FROM jsonb_populate_recordset(NULL::brokerage.{0}, %s)").format(
        Identifier(table), columns
    )
    if key := _KEYS.get(table):
        changes = SQL(", ").join(SQL("{0} = EXCLUDED.{0}").format(Identifier(name)) for name in names if name not in key)
        statement += SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(SQL(", ").join(map(Identifier, key)), changes)
    await connection.execute(statement, (Jsonb(rows),))
