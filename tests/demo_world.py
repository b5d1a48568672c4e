"""The running demo as acceptance and crash tests see it: who said what, what the tables hold, and the last words of each part's log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from tightrope.cli.customer import Customer, CustomerStuck
from tightrope.cli.demo import Demo

Row = dict[str, Any]

_TRANSCRIPT = """
SELECT c.display_id, c.status, m.id, m.content, m.private, m.message_type, m.sender_type, m.source_id, m.created_at,
       m.content_attributes->'items' AS items
FROM inbox.message m JOIN inbox.conversation c ON c.id = m.conversation_id
WHERE m.id > %(after)s AND (%(only)s::bigint IS NULL OR c.display_id = %(only)s) ORDER BY c.display_id, m.id"""
_INBOUND = """
SELECT conversation_id, kind, state, outcome, message_id FROM gateway.inbound WHERE conversation_id = ANY(%(c)s) ORDER BY id"""
_TURNS = """
SELECT conversation_id, number, attempt, state, record_id FROM gateway.turn WHERE conversation_id = ANY(%(c)s) ORDER BY conversation_id, number"""
_OUTBOX = """
SELECT conversation_id, kind, state, attempts, chatwoot_id, error FROM gateway.outbox WHERE conversation_id = ANY(%(c)s) ORDER BY seq"""


class RunningDemo:
    """A demo with its insider's view: superuser queries, for looking only unless a test plays the insider."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.settings = demo.settings
        self.after = 0

    def query(self, database: str, sql: str, **values: Any) -> list[Row]:
        """Rows of one of the databases `inbox`, `tightrope`, `assistant`, `sandbox`, `knowledge`."""
        with psycopg.connect(self.demo.postgres.superuser_conninfo(database), autocommit=True, row_factory=dict_row) as conn:
            cursor = conn.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, database: str, sql: str, **values: Any) -> Any:
        """The first column of the first row, or None."""
        rows = self.query(database, sql, **values)
        return next(iter(rows[0].values())) if rows else None

    def mark(self) -> None:
        """Reports begin with the messages after this moment."""
        self.after = self.one("inbox", "SELECT coalesce(max(id), 0) FROM inbox.message")

    def messages(self, conversation: int) -> list[Row]:
        """Every message of a conversation as the inbox stores it, notes and activity lines too, oldest first."""
        return self.query("inbox", _TRANSCRIPT, after=0, only=conversation)

    def bot_messages(self, conversation: int) -> list[Row]:
        """What the bot said to the customer, oldest first."""
        return [m for m in self.messages(conversation) if m["sender_type"] == "AgentBot" and not m["private"]]

    def transcript(self, conversation: int | None = None) -> str:
        """Messages, inbound events, turns and outbox of one conversation, or of all since `mark`."""
        rows = self.query("inbox", _TRANSCRIPT, after=0 if conversation else self.after, only=conversation)
        lines = []
        for row in rows:
            who = {0: "customer", 2: "activity"}.get(
                row["message_type"]
            ) or f"{row['sender_type']}{' (note)' if row['private'] else ''}"
            titles = " ".join(f"[{item['title']}]" for item in row["items"] or [])
            lines.append(f"{row['created_at']:%H:%M:%S.%f} 1-{row['display_id']} #{row['id']} {who}: {row['content']!r} {titles}")
        names = sorted({f"1-{row['display_id']}" for row in rows})
        for sql in (_INBOUND, _TURNS, _OUTBOX):
            for row in self.query("tightrope", sql, c=names):
                lines.append(" ".join(f"{key}={value}" for key, value in row.items() if value is not None))
        return "\n".join(lines)

    def log_tails(self, lines: int = 6) -> str:
        """The end of every part's log."""
        found = []
        for path in sorted((self.settings.state_dir / "logs").glob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            found.append("\n  ".join([f"{path.name}:", *(line[:600] for line in tail)]))
        return "\n".join(found)

    async def healthy(self, seconds: float = 40.0) -> None:
        """Wait until every part answers 200.

        Raises:
            AssertionError: names those that do not.
        """
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as http:
            missing: list[str] = []

            async def all_well() -> bool:
                missing[:] = [part.name for part in self.demo.parts if not await _answers(http, part.health)]
                return not missing

            await until(all_well, seconds, lambda: f"not healthy: {', '.join(missing)}")


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == 200
    except httpx.HTTPError:
        return False


async def until(
    met: Callable[[], Awaitable[Any] | Any], seconds: float, what: str | Callable[[], str], every: float = 0.05
) -> Any:
    """Wait until `met()` is true and return what it gave.

    Raises:
        AssertionError: not within `seconds`; says what was waited for.
    """
    end = time.monotonic() + seconds
    while True:
        found = met()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:.0f} s: {what if isinstance(what, str) else what()}")
        await asyncio.sleep(every)


async def answered(customer: Customer, messages: int, seconds: float = 20.0) -> list[str]:
    """Wait for so many messages to the customer and return their texts, oldest first."""

    async def enough() -> list[str] | None:
        try:
            found = [m["content"] or "" for m in await customer.messages() if m["message_type"] != 0]
        except (httpx.HTTPError, CustomerStuck):
            return None
        return found if len(found) >= messages else None

    found: list[str] = await until(enough, seconds, f"{messages} messages to the customer")
    return found


def add_report(item: pytest.Item, report: pytest.TestReport) -> None:
    """Put the transcript and the ends of the logs under a failure."""
    running = getattr(item, "funcargs", {}).get("demo")
    if report.when == "call" and report.failed and isinstance(running, RunningDemo):
        try:
            report.sections.append(("Conversations of this test", running.transcript()))
        except psycopg.Error as error:
            report.sections.append(("Conversations of this test", f"the database cannot be read: {error}"))
        report.sections.append(("Ends of the logs", running.log_tails()))
