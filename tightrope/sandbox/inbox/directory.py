"""Accounts, inboxes, agents and bots: few, read on every request, so held in memory and reloaded after each change."""

from __future__ import annotations

import secrets
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from tightrope.infra.database import Connection, Pool
from tightrope.sandbox.inbox.errors import not_found
from tightrope.sandbox.inbox.models import Account, Actor, Agent, AgentBot, Json, WidgetInbox


def new_token() -> str:
    """24 characters, as Rails' has_secure_token makes them."""
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    return "".join(secrets.choice(alphabet) for _ in range(24))


async def _all(conn: Connection, kind: type[Any], table: str) -> list[Any]:
    async with conn.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute(f"SELECT * FROM inbox.{table} ORDER BY id")  # noqa: S608 - table names of this file
        return await cursor.fetchall()


class Directory:
    """One process owns the stand-in's database, so this memory cannot go stale."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.accounts: dict[int, Account] = {}
        self.inboxes: dict[int, WidgetInbox] = {}
        self.agents: dict[int, Agent] = {}
        self.bots: dict[int, AgentBot] = {}
        self._by_token: dict[str, Actor] = {}
        self._by_website_token: dict[str, WidgetInbox] = {}

    async def load(self) -> None:
        """Read everything again."""
        async with self._pool.connection() as conn:
            self.accounts = {row.id: row for row in await _all(conn, Account, "account")}
            self.inboxes = {row.id: row for row in await _all(conn, WidgetInbox, "inbox")}
            self.agents = {row.id: row for row in await _all(conn, Agent, "agent")}
            self.bots = {row.id: row for row in await _all(conn, AgentBot, "agent_bot")}
        self._by_token = {agent.access_token: agent for agent in self.agents.values()}
        self._by_token |= {bot.access_token: bot for bot in self.bots.values()}
        self._by_website_token = {inbox.website_token: inbox for inbox in self.inboxes.values()}

    def actor(self, token: str) -> Actor | None:
        """Whose access token this is."""
        return self._by_token.get(token)

    def website(self, token: str) -> WidgetInbox | None:
        """The inbox of a website token."""
        return self._by_website_token.get(token)

    def agents_of(self, account_id: int) -> list[Agent]:
        return [agent for agent in self.agents.values() if agent.account_id == account_id]

    def agent_tokens(self, account_id: int) -> frozenset[str]:
        """Pubsub tokens of everybody at the desk."""
        return frozenset(agent.pubsub_token for agent in self.agents_of(account_id))

    def bot_of(self, account_id: int, bot_id: int) -> AgentBot:
        """A bot of this account.

        Raises:
            ApiError: 404.
        """
        bot = self.bots.get(bot_id)
        if bot is None or bot.account_id != account_id:
            raise not_found()
        return bot

    def inbox_of(self, account_id: int, inbox_id: int) -> WidgetInbox:
        """An inbox of this account.

        Raises:
            ApiError: 404.
        """
        inbox = self.inboxes.get(inbox_id)
        if inbox is None or inbox.account_id != account_id:
            raise not_found()
        return inbox

    async def create_bot(self, account_id: int, fields: Json) -> AgentBot:
        """A new bot with a generated access token and signing secret."""
        async with self._pool.connection() as conn:
            row = await (
                await conn.execute(
                    "INSERT INTO inbox.agent_bot (account_id, name, description, outgoing_url, bot_config, access_token, secret)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
                    (
                        account_id,
                        str(fields.get("name") or ""),
                        str(fields.get("description") or ""),
                        str(fields.get("outgoing_url") or ""),
                        Jsonb(fields.get("bot_config") or {}),
                        new_token(),
                        new_token(),
                    ),
                )
            ).fetchone()
        await self.load()
        assert row is not None  # noqa: S101 - RETURNING gives a row
        return self.bots[row["id"]]

    async def update_bot(self, bot: AgentBot, **changes: Any) -> AgentBot:
        """Change name, description, outgoing_url, access_token or secret."""
        new = {
            name: changes.get(name, getattr(bot, name))
            for name in ("name", "description", "outgoing_url", "access_token", "secret")
        }
        async with self._pool.connection() as conn:
            await conn.execute(
                "UPDATE inbox.agent_bot SET name = %s, description = %s, outgoing_url = %s, access_token = %s, secret = %s WHERE id = %s",
                (*new.values(), bot.id),
            )
        await self.load()
        return self.bots[bot.id]

    async def connect_bot(self, inbox: WidgetInbox, bot_id: int | None) -> None:
        """Connect a bot to an inbox, or disconnect with None."""
        async with self._pool.connection() as conn:
            await conn.execute("UPDATE inbox.inbox SET agent_bot_id = %s WHERE id = %s", (bot_id, inbox.id))
        await self.load()
