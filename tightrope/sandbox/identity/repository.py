"""The provider's SQL (schema `identity_provider`). Secrets of browsers and codes are kept by SHA-256 only."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from tightrope.infra.database import Pool
from tightrope.sandbox.identity.models import AuthorizationRequest, Code, LoginAttempt, Session

_LIVE = "s.ended_at IS NULL AND s.expires_at > %(now)s"
KEEP = timedelta(days=1)
"""How long rows outlive their expiry, for whoever reads the demo's database."""


class Identities:
    """Sessions, login attempts, codes and tokens."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def session_of_cookie(self, cookie_hash: bytes, now: datetime) -> Session | None:
        """The live session of a browser."""
        row = await self._one(
            f"SELECT s.* FROM identity_provider.session s WHERE s.cookie_hash = %(cookie)s AND {_LIVE}",  # noqa: S608 - constant
            {"cookie": cookie_hash, "now": now},
        )
        return _session(row) if row else None

    async def live_session(self, sid: str, now: datetime) -> Session | None:
        """The session `sid` while it lasts."""
        row = await self._one(
            f"SELECT s.* FROM identity_provider.session s WHERE s.sid = %(sid)s AND {_LIVE}",  # noqa: S608 - constant
            {"sid": sid, "now": now},
        )
        return _session(row) if row else None

    async def start_session(self, session: Session, cookie_hash: bytes, *, replaces: bytes | None) -> None:
        """A new session; the browser's former one ends, and rows long expired are removed."""
        async with self._pool.connection() as connection:
            if replaces is not None:
                await connection.execute(
                    "UPDATE identity_provider.session SET ended_at = %s WHERE cookie_hash = %s AND ended_at IS NULL",
                    (session.auth_time, replaces),
                )
            old = session.auth_time - KEEP
            await connection.execute("DELETE FROM identity_provider.session WHERE expires_at < %s", (old,))
            await connection.execute("DELETE FROM identity_provider.login_request WHERE expires_at < %s", (old,))
            await connection.execute(
                "INSERT INTO identity_provider.session VALUES (%s, %s, %s, %s, %s, %s)",
                (session.sid, cookie_hash, session.sub, session.acr, session.auth_time, session.expires_at),
            )

    async def end_session(self, sid: str, now: datetime) -> bool:
        """End it; True when it was not ended before."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "UPDATE identity_provider.session SET ended_at = %s WHERE sid = %s AND ended_at IS NULL", (now, sid)
            )
            return cursor.rowcount == 1

    async def open_login(
        self, id_hash: bytes, browser_hash: bytes, request: AuthorizationRequest, one_time_code: str, expires_at: datetime
    ) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO identity_provider.login_request VALUES (%s, %s, %s, %s, 0, %s)",
                (id_hash, browser_hash, Jsonb(asdict(request)), one_time_code, expires_at),
            )

    async def try_login(self, id_hash: bytes, browser_hash: bytes, now: datetime) -> LoginAttempt | None:
        """Count one attempt on a login page of this browser; None when there is no such page or it expired."""
        row = await self._one(
            """UPDATE identity_provider.login_request SET attempts = attempts + 1
                WHERE id_hash = %(id)s AND browser_hash = %(browser)s AND expires_at > %(now)s RETURNING *""",
            {"id": id_hash, "browser": browser_hash, "now": now},
        )
        return LoginAttempt(AuthorizationRequest(**row["request"]), row["one_time_code"], row["attempts"]) if row else None

    async def look_at_login(self, id_hash: bytes, browser_hash: bytes, now: datetime) -> LoginAttempt | None:
        """The same without counting."""
        row = await self._one(
            """SELECT * FROM identity_provider.login_request
                WHERE id_hash = %(id)s AND browser_hash = %(browser)s AND expires_at > %(now)s""",
            {"id": id_hash, "browser": browser_hash, "now": now},
        )
        return LoginAttempt(AuthorizationRequest(**row["request"]), row["one_time_code"], row["attempts"]) if row else None

    async def close_login(self, id_hash: bytes) -> bool:
        """Use a login page up; False when somebody was faster."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute("DELETE FROM identity_provider.login_request WHERE id_hash = %s", (id_hash,))
            return cursor.rowcount == 1

    async def add_code(self, code_hash: bytes, request: AuthorizationRequest, sid: str, expires_at: datetime) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO identity_provider.code VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    code_hash,
                    request.client_id,
                    request.redirect_uri,
                    request.challenge,
                    request.nonce,
                    request.scope,
                    sid,
                    expires_at,
                ),
            )

    async def use_code(self, code_hash: bytes, now: datetime, *, jti: str, token_expires_at: datetime) -> Code | None:
        """Mark a code used, register its token `jti`, and return it; a replay revokes what the code brought (RFC 6749 4.1.2).

        Token and use are one transaction: a replay that comes at once finds the token to revoke.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """SELECT c.*, s.sub, s.acr, s.auth_time, s.expires_at AS session_expires_at,
                          (s.ended_at IS NOT NULL OR s.expires_at <= %(now)s) AS ended
                     FROM identity_provider.code c JOIN identity_provider.session s USING (sid)
                    WHERE c.code_hash = %(hash)s FOR UPDATE OF c""",
                {"hash": code_hash, "now": now},
            )
            row = await cursor.fetchone()
            if row is None:
                return None
            if row["used_at"] is not None:
                await connection.execute(
                    "UPDATE identity_provider.token SET revoked_at = %s WHERE code_hash = %s AND revoked_at IS NULL",
                    (now, code_hash),
                )
            else:
                await connection.execute("UPDATE identity_provider.code SET used_at = %s WHERE code_hash = %s", (now, code_hash))
                await connection.execute(
                    "INSERT INTO identity_provider.token VALUES (%s, %s, %s, %s, %s)",
                    (jti, row["sid"], row["client_id"], code_hash, token_expires_at),
                )
        return Code(
            client_id=row["client_id"],
            redirect_uri=row["redirect_uri"],
            challenge=row["challenge"],
            nonce=row["nonce"],
            scope=row["scope"],
            session=Session(row["sid"], row["sub"], row["acr"], row["auth_time"], row["session_expires_at"]),
            expires_at=row["expires_at"],
            used_before=row["used_at"] is not None,
            ended=row["ended"],
        )

    async def add_token(self, jti: str, sid: str, client_id: str, expires_at: datetime) -> None:
        """Register a subject token that came by exchange, without a code."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO identity_provider.token (jti, sid, client_id, expires_at) VALUES (%s, %s, %s, %s)",
                (jti, sid, client_id, expires_at),
            )

    async def session_of_token(self, jti: str, now: datetime) -> Session | None:
        """The live session of a subject token that was not revoked."""
        row = await self._one(
            f"""SELECT s.* FROM identity_provider.token t JOIN identity_provider.session s USING (sid)
                 WHERE t.jti = %(jti)s AND t.revoked_at IS NULL AND {_LIVE}""",  # noqa: S608 - constant
            {"jti": jti, "now": now},
        )
        return _session(row) if row else None

    async def revoke_token(self, jti: str, client_id: str, now: datetime) -> None:
        """Revoke a client's own token; another's stays."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE identity_provider.token SET revoked_at = %s WHERE jti = %s AND client_id = %s AND revoked_at IS NULL",
                (now, jti, client_id),
            )

    async def _one(self, query: Any, params: dict[str, Any]) -> dict[str, Any] | None:
        async with self._pool.connection() as connection:
            return await (await connection.execute(query, params)).fetchone()


def _session(row: dict[str, Any]) -> Session:
    return Session(row["sid"], row["sub"], row["acr"], row["auth_time"], row["expires_at"])
