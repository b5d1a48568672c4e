"""A database of revision audit_0006 with keys in every state is brought to audit_0007: nothing stored changes, and custody goes on."""

from __future__ import annotations

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
