"""Content that records name by hash, read back: what does not hash to its name is not given out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from tightrope.audit.repository import Conn


async def contents(conn: Conn, digests: Iterable[str]) -> dict[str, bytes]:
    """The stored content of each hash.

    Args:
        conn: of Role.AUDITOR.
        digests: SHA-256 in hex.

    Returns:
        By hash; one that the log does not hold, or holds altered, is not in it.
    """
    wanted = [bytes.fromhex(digest) for digest in dict.fromkeys(digests)]
    cursor = await conn.execute("SELECT sha256, data FROM audit.content WHERE sha256 = ANY(%s)", (wanted,))
    found: dict[str, bytes] = {}
    for row in await cursor.fetchall():
        digest, data = (bytes(value) for value in (row.values() if isinstance(row, dict) else row))
        if hashlib.sha256(data).digest() == digest:
            found[digest.hex()] = data
    return found
