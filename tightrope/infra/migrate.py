"""Database migrations by Alembic: each part keeps its own revisions in `tightrope/<part>/migrations/`, plain SQL in order.

A database can hold several parts (schemas); Alembic keeps one head for each. Decision: docs/decisions/0002-plain-sql.md.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool, text

PACKAGE = Path(__file__).resolve().parents[1]

PARTS: dict[str, tuple[str, ...]] = {
    "inbox": ("sandbox/inbox",),
    "sandbox": ("sandbox",),
    "assistant": ("engine",),
    "knowledge": ("knowledge",),
    "tightrope": ("audit", "identity", "gateway"),
}
"""Which folders' revisions go into which database."""


def _config(database: str) -> Config:
    config = Config()
    folders = [PACKAGE / part / "migrations" for part in PARTS[database]]
    config.set_main_option("script_location", str(PACKAGE / "infra" / "alembic"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(str(folder) for folder in folders if folder.is_dir()))
    return config


def migrate(database: str, conninfo: str) -> list[str]:
    """Bring one database to its newest revisions.

    Args:
        database: a key of `PARTS`.
        conninfo: libpq connection string of a superuser or owner.

    Returns:
        The revisions the database is at.
    """
    config = _config(database)
    if not config.get_main_option("version_locations"):
        return []
    heads = sorted(ScriptDirectory.from_config(config).get_heads())
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: __import__("psycopg").connect(conninfo), poolclass=pool.NullPool
    )
    with engine.begin() as connection:
        known = connection.execute(text("SELECT to_regclass('public.alembic_version') IS NOT NULL")).scalar_one()
        current = sorted(connection.execute(text("SELECT version_num FROM alembic_version")).scalars()) if known else []
        if current != heads:
            config.attributes["connection"] = connection
            command.upgrade(config, "heads")
    return heads
