"""The first content of the stand-in: one account, one website inbox, an administrator and three agents; no bot."""

from __future__ import annotations

from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.settings import Settings
from tightrope.sandbox.inbox.directory import new_token
from tightrope.sandbox.inbox.models import ACCOUNT_ID, ADMIN_ID, INBOX_ID, WEBSITE_TOKEN

ACCOUNT_NAME = "衡远证券（演示） Hengyuan Securities (demo)"
INBOX_NAME = "在线客服 Customer chat"
AGENTS = ("Agent 1 坐席一", "Agent 2 坐席二", "Agent 3 坐席三")


async def seed_pool(pool: Pool, admin_token: str) -> None:
    """Fill an empty database; on a filled one only the administrator's token is brought up to date."""
    people = [(ADMIN_ID, "Administrator 管理员", "admin@inbox.example", "administrator", admin_token)]
    people += [(ADMIN_ID + n, name, f"agent{n}@inbox.example", "agent", new_token()) for n, name in enumerate(AGENTS, 1)]
    async with pool.connection() as conn:
        await conn.execute(
            "INSERT INTO inbox.account (id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING", (ACCOUNT_ID, ACCOUNT_NAME)
        )
        await conn.execute(
            "INSERT INTO inbox.inbox (id, account_id, name, website_token) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (INBOX_ID, ACCOUNT_ID, INBOX_NAME, WEBSITE_TOKEN),
        )
        for row_id, name, email, role, token in people:
            await conn.execute(
                "INSERT INTO inbox.agent (id, account_id, name, email, role, access_token, pubsub_token) VALUES (%s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (id) DO NOTHING",
                (row_id, ACCOUNT_ID, name, email, role, token, new_token()),
            )
        await conn.execute(
            "UPDATE inbox.agent SET access_token = %s WHERE id = %s AND access_token <> %s", (admin_token, ADMIN_ID, admin_token)
        )


async def seed(settings: Settings) -> None:
    """Fill the stand-in's database; harmless when repeated. The app does the same when it starts."""
    async with open_pool(settings, Role.INBOX, max_size=2) as pool:
        await seed_pool(pool, settings.secret("inbox_admin_token").get_secret_value())
