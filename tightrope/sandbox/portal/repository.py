"""The portal's SQL (schema `portal`): sessions by hash of their cookie."""

from __future__ import annotations

from datetime import datetime, timedelta

from tightrope.infra.database import Pool
from tightrope.sandbox.portal.models import PortalSession


class PortalSessions:
    """Sessions of logged-in customers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def live(self, id_hash: bytes, now: datetime) -> PortalSession | None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """SELECT sub, sid, acr, auth_time, id_token, expires_at FROM portal.session
                    WHERE id_hash = %s AND ended_at IS NULL AND expires_at > %s""",
                (id_hash, now),
            )
            row = await cursor.fetchone()
        return PortalSession(**row) if row else None

    async def start(self, id_hash: bytes, session: PortalSession, now: datetime) -> None:
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM portal.session WHERE expires_at < %s", (now - timedelta(days=1),))
            await connection.execute(
                "INSERT INTO portal.session (id_hash, sub, sid, acr, auth_time, id_token, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (id_hash, session.sub, session.sid, session.acr, session.auth_time, session.id_token, session.expires_at),
            )

    async def end(self, id_hash: bytes, now: datetime) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE portal.session SET ended_at = %s WHERE id_hash = %s AND ended_at IS NULL", (now, id_hash)
            )
