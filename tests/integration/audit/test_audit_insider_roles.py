"""What the password of a writer's role must not be enough for: to stop other people's records, the tree, or custody."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from custody_log import write

from tightrope.audit.errors import FactsRefused
from tightrope.audit.keyring import Keyring
from tightrope.audit.reading import show_conversation
from tightrope.audit.tree_repository import LEASE
from tightrope.infra.database import Role, conninfo

pytestmark = pytest.mark.integration

ROLES = [Role.GATEWAY, Role.WORKER, Role.OPERATOR, Role.AUDITOR]
INSERT = "INSERT INTO audit.records (id, event, ts, kid, leaf, ct) VALUES (%s, 'turn:message:sent', now(), %s, %s, '')"
REFUSED = (psycopg.errors.CheckViolation, psycopg.errors.DataError, psycopg.errors.StatementTooComplex)


def as_role(log, role):
    return psycopg.connect(conninfo(log, role), autocommit=True)


def leaf_of(record, kid, /, **fields) -> bytes:
    leaf = {
        "ct_sha256": hashlib.sha256(b"").hexdigest(),
        "event": "turn:message:sent",
        "facts": {},
        "id": str(record),
        "kid": str(kid),
        "until": "2046-01-01",
    }
    return json.dumps(leaf | fields).encode()


@pytest.mark.parametrize("role", ROLES)
async def test_a_conversation_that_another_named_first_is_recorded_all_the_same(log, worker, role):
    """One row under an invented id, and the customer's own records were refused by the unique name."""
    with as_role(log, role) as conn:
        conn.execute("INSERT INTO audit.conversations (conv, conversation_id) VALUES (%s, '1-7')", (uuid4(),))
    await write(log, worker, "x")
    view = await show_conversation(log, "1-7", reader="x")
    assert view.entries[0].payload == {"content": "x"}


async def stopped_by(log, worker, seal, superuser, leaf) -> None:
    """A leaf that is in the table all the same, as from before: it is set aside and the tree grows over it."""
    kid, _ = await write(log, worker, "x")
    record = uuid4()
    with superuser("tightrope") as conn:
        conn.execute(INSERT, (record, kid, leaf(record, kid)))
    await write(log, worker, "y")
    await seal()
    with as_role(log, Role.AUDITOR) as conn:
        assert conn.execute("SELECT FROM audit.refused WHERE record_id = %s", (record,)).fetchone() is not None
        assert conn.execute("SELECT tree_error, segment_error FROM audit.sealer").fetchone() == (None, None)
        assert conn.execute("SELECT max(size) FROM audit.checkpoints").fetchone()[0] >= 3
        assert conn.execute("SELECT count(*) FROM audit.pending").fetchone()[0] == 0


def too_long(record, kid) -> bytes:
    return leaf_of(record, kid, facts={"x": "y" * 70_000})


def too_deep(record, kid) -> bytes:
    return leaf_of(record, kid, x=0).replace(b'"x": 0', b'"x": ' + b"[" * 3000 + b"]" * 3000)


@pytest.mark.parametrize("leaf", [too_long, too_deep])
async def test_a_leaf_that_no_entry_holds_does_not_stop_the_tree(log, worker, seal, superuser, leaf):
    """It got a place, and from then on no checkpoint was signed for anybody; or the sequencer died of reading it, each time anew."""
    await stopped_by(log, worker, seal, superuser, leaf)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "fields",
    [
        {"facts": {"x": "y" * 70_000}},
        {"kid": str(uuid4())},
        {"kid": None},
        {"id": str(uuid4())},
        {"conv": str(uuid4())},
        {"turn": 7},
        {"until": None},
        {"until": "never"},
        {"until": "2046-02-30"},
        {"until": "infinity"},
    ],
)
async def test_a_leaf_of_another_row_or_without_a_day_is_refused(log, worker, role, fields):
    """Periods of keys are reckoned from leaves: one without a day stopped every search for keys whose period is over, for good."""
    kid, _ = await write(log, worker, "x")
    record = uuid4()
    with as_role(log, role) as conn, pytest.raises(REFUSED):
        conn.execute(INSERT, (record, kid, leaf_of(record, kid, **fields)))
    with as_role(log, Role.OPERATOR) as conn:
        assert conn.execute("SELECT records FROM audit.key_period(%s)", (kid,)).fetchone()[0] == 1


@pytest.mark.parametrize("role", ROLES)
async def test_a_ciphertext_that_no_segment_can_bear_is_refused(log, worker, role):
    kid, _ = await write(log, worker, "x")
    record = uuid4()
    with as_role(log, role) as conn, pytest.raises(REFUSED, match="longer than 16 MiB"):
        conn.execute(INSERT.replace("'')", "decode(repeat('00', 16777217), 'hex'))"), (record, kid, leaf_of(record, kid)))


async def test_a_payload_too_long_for_a_record_is_refused_before_anything_is_written(log, worker):
    with pytest.raises(FactsRefused, match="keep what is long as content"):
        await write(log, worker, "x" * 16 * 1024 * 1024)


@pytest.mark.xfail(
    strict=True, reason="documented: a writer's role adds a key that nobody can open, and its owner's records are refused"
)
@pytest.mark.parametrize("role", ROLES)
async def test_a_junk_key_keeps_no_record_out(log, worker, role):
    owner = Keyring.from_settings(log).owner(conversation_id="1-7", subject="C1", year=datetime.now(UTC).year)
    with as_role(log, role) as conn:
        conn.execute(
            "INSERT INTO audit.keys (kid, subject_hash, class, year, wrapped) VALUES (%s, %s, %s, %s, 'junk')",
            (uuid4(), owner.subject_hash, owner.cls, owner.year),
        )
    await write(log, worker, "x")


@pytest.mark.xfail(
    strict=True, reason="advisory locks are anybody's: whoever takes this one first keeps the sealer from its work"
)
@pytest.mark.parametrize("role", ROLES)
async def test_only_the_sealer_takes_its_lease(log, role):
    with as_role(log, role) as conn:
        taken = conn.execute("SELECT pg_try_advisory_lock(%s)", (LEASE,)).fetchone()[0]
    assert not taken
