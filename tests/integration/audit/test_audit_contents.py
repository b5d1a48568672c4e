"""Content read back by its hash."""

from __future__ import annotations

import hashlib

import pytest

from tightrope.audit.contents import contents

pytestmark = pytest.mark.integration


async def test_what_was_stored_comes_back_and_what_is_not_there_does_not(log, recorder, worker, auditor):
    async with worker.connection() as conn:
        kept = [await recorder.store_content(conn, "flows", data) for data in (b"one", b"", bytes(range(256)))]
    async with auditor.connection() as conn:
        found = await contents(conn, [*kept, "0" * 64, kept[0]])
    assert found == dict(zip(kept, (b"one", b"", bytes(range(256))), strict=True))


async def test_what_was_altered_is_not_given_out(log, recorder, worker, auditor, insider):
    async with worker.connection() as conn:
        kept = await recorder.store_content(conn, "flows", b"steps: []")
    digest = hashlib.sha256(b"steps: []").digest()
    query = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'audit.content'::regclass AND conname = 'content_check'"
    [check] = insider.execute(query).fetchone()
    insider.execute("ALTER TABLE audit.content DROP CONSTRAINT content_check")
    try:
        insider.execute("UPDATE audit.content SET data = 'steps: [buy]' WHERE sha256 = %s", (digest,))
        async with auditor.connection() as conn:
            assert await contents(conn, [kept]) == {}
    finally:
        insider.execute("DELETE FROM audit.content WHERE sha256 = %s", (digest,))
        insider.execute(f"ALTER TABLE audit.content ADD CONSTRAINT content_check {check}")


async def test_nothing_is_asked_for(log, auditor):
    async with auditor.connection() as conn:
        assert await contents(conn, []) == {}
