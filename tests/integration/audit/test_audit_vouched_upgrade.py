"""A database of revision audit_0006 with keys in every state, and one with a log in it, is brought on: nothing stored changes, and custody goes on."""

from __future__ import annotations

import json
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine, pool

from tightrope.audit.keyring import Keyring
from tightrope.infra.migrate import _config
from tightrope.infra.postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration


def bring(conninfo: str, revision: str) -> None:
    config = _config("tightrope")
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=pool.NullPool)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@pytest.fixture
def older(database, superuser):
    """A database of its own, of revision audit_0006."""
    name = f"older_{uuid4().hex[:8]}"
    with superuser("postgres") as conn:
        conn.autocommit = True
        conn.execute(f"CREATE DATABASE {name}")
    conninfo = EmbeddedPostgres(database).superuser_conninfo(name)
    bring(conninfo, "audit_0006")
    yield conninfo
    with superuser("postgres") as conn:
        conn.autocommit = True
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_keys_of_the_older_revision_stay_as_they_were_and_are_changed_by_vouched_acts_alone(database, older):
    keyring = Keyring(b"m" * 32)
    key = keyring.new_key(keyring.owner(conversation_id="1-1", subject="C1", year=2001))
    rows = (
        "INSERT INTO audit.keys (kid, subject_hash, class, year, wrapped, state, shares) VALUES "
        "(%s, %s, 'conversation', 2001, %s, 'active', NULL), (gen_random_uuid(), 'b', 'conversation', 2001, 'x', 'restricted', '{}'), "
        "(gen_random_uuid(), 'c', 'conversation', 2001, '', 'destroyed', NULL)"
    )
    with psycopg.connect(older, autocommit=True) as conn:
        conn.execute(rows, (key.kid, key.owner.subject_hash, key.wrapped))
        conn.execute("INSERT INTO audit.master_rotations (check_value) VALUES ('half way')")
        before = conn.execute("SELECT * FROM audit.keys ORDER BY kid").fetchall()
        bring(older, "audit_0007")
        assert conn.execute("SELECT * FROM audit.keys ORDER BY kid").fetchall() == before
        conn.execute("SELECT audit.custody_begin(%s, %s)", keyring.custody_pads())
        new = bytes(reversed(key.wrapped))
        act = "SELECT audit.key_rewrap(%s, %s, %s, %s)"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(act, (key.kid, key.wrapped, new, b"\x00" * 32))
        proof = keyring.vouch("key_rewrap", key.kid.bytes, key.wrapped, new)
        assert conn.execute(act, (key.kid, key.wrapped, new, proof)).fetchone() == (True,)
        names = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'audit'::regnamespace AND proname LIKE 'key\\_re%'"
        assert conn.execute(names).fetchone() == (4,)  # no function of the older form is left beside the new one


def test_a_filled_log_of_the_older_revision_comes_to_the_newest_one_row_for_row(older):
    kid, record, conv = uuid4(), uuid4(), uuid4()
    leaf = json.dumps({"id": str(record), "kid": str(kid), "event": "turn:message:sent", "until": "2046-01-01", "facts": {}})
    tables = ("audit.records", "audit.keys", "audit.conversations", "audit.pending", "audit.anchor_gaps", "audit_index.records")
    with psycopg.connect(older, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO audit.keys (kid, subject_hash, class, year, wrapped) VALUES (%s, 'a', 'system', 2025, 'x')", (kid,)
        )
        conn.execute("INSERT INTO audit.conversations (conv, conversation_id) VALUES (%s, '1-1')", (conv,))
        # Not as later revisions ask for it: it names no conversation. What stands stays.
        conn.execute(
            "INSERT INTO audit.records (id, conv, event, turn, ts, kid, leaf, ct) VALUES (%s, %s, 'turn:message:sent', 1, now(), %s, %s, 'x')",
            (record, conv, kid, leaf.encode()),
        )
        conn.execute(
            "INSERT INTO audit.anchor_gaps (shard, size, since, found_at, missing, need, covered_at) VALUES "
            "(2025, 3, now(), now(), '{a}', 1, now()), (2025, 9, now(), now(), '{a}', 1, NULL)"
        )
        lists = "journeys, rules, findings, verdicts, reasons, outcomes, considered, responses, models, people"
        conn.execute(
            f"INSERT INTO audit_index.records (shard, index, record_id, ts, event, kid, key_state, release, inputs, cited, {lists}) "
            "VALUES (2025, 0, %s, now(), 'turn:message:sent', %s, 'active', 'r', '{}', '{fees@2025.1,fees@2025.2,margin@1}'"
            + ", '{}'" * 10
            + ")",
            (record, kid),
        )
        before = {table: conn.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
        assert all(before.values())
        bring(older, "audit@head")
        for table, rows in before.items():
            assert conn.execute(f"SELECT * FROM {table}").fetchall() == rows, table
        gap = "INSERT INTO audit.anchor_gaps (shard, size, since, found_at, missing, need) VALUES (%s, 1, now(), now(), '{a}', 1)"
        conn.execute(gap, (2026,))  # beside the open one of the year before
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute(gap, (2025,))
        cited = "SELECT audit_index.documents(cited) FROM audit_index.records"
        assert sorted(conn.execute(cited).fetchone()[0]) == ["fees", "margin"]
        assert conn.execute("SELECT audit.log_time()").fetchone() == (None,)
