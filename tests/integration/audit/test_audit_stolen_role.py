"""Attacks with the password of a database role and without the master key: each has to be refused by the database, and nothing be lost."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from uuid import uuid4

import psycopg
import pytest
from custody_log import ADA, CAI, LONG_AGO, acting, clean, with_custodians, write

from tightrope.audit.custody.models import Act, HoldScope
from tightrope.audit.errors import WrongMasterKey
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import CUSTODY, Event, RecordDraft
from tightrope.audit.reading import show_conversation
from tightrope.infra.database import Role, conninfo

pytestmark = pytest.mark.integration

INSERT = "INSERT INTO audit.records (id, event, ts, kid, leaf, ct) VALUES (%s, %s, now(), %s, %s, '')"
REFUSED = psycopg.errors.InsufficientPrivilege


@pytest.fixture
def log(log, superuser, tmp_path):
    """An empty log with two custodians."""
    yield with_custodians(log, tmp_path)
    clean(superuser)


@pytest.fixture
def thief(log):
    """The operator's role in the hands of somebody who has nothing else."""
    with psycopg.connect(conninfo(log, Role.OPERATOR), autocommit=True) as conn:
        yield conn


def leaf_of(record, event: str, **facts: str) -> bytes:
    return json.dumps(
        {"event": event, "id": str(record), "ts": "2026-01-01T00:00:00.000Z", "until": "2046-01-01", "facts": facts}
    ).encode()


async def readable(log, said: str) -> None:
    view = await show_conversation(log, "1-7", reader="x")
    assert view.entries[0].payload == {"content": said}


@pytest.mark.parametrize("event", sorted(CUSTODY))
async def test_a_raw_record_of_custody_is_refused(log, worker, thief, event):
    kid, _ = await write(log, worker, "x", at=LONG_AGO)
    record = uuid4()
    leaf = leaf_of(record, event, kid=str(kid), kids=json.dumps([str(kid)]))
    for proof in ("", "00" * 32, "no hex"):
        thief.execute("SELECT set_config('audit.proof', %s, false)", (proof,))
        with pytest.raises((REFUSED, psycopg.errors.InvalidParameterValue)):
            thief.execute(INSERT, (record, event, kid, leaf))
    await readable(log, "x")


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.GATEWAY, Role.WORKER, Role.AUDITOR])
async def test_a_leaf_that_says_another_event_than_its_column_is_refused(log, worker, role):
    kid, _ = await write(log, worker, "x")
    record = uuid4()
    claim = leaf_of(record, "audit:key:destroyed", kid=str(kid))
    with psycopg.connect(conninfo(log, role), autocommit=True) as conn:
        for leaf in (claim, claim.replace(b"audit:key", rb"audit:\u006bey")):
            with pytest.raises(psycopg.errors.CheckViolation, match="another event"):
                conn.execute(INSERT, (record, "turn:message:sent", kid, leaf))
        with pytest.raises(psycopg.errors.DataError):  # what the database cannot read and others could
            conn.execute(INSERT, (record, "turn:message:sent", kid, claim.replace(b"{", rb'{"x":"\u0000",', 1)))
        with pytest.raises(REFUSED, match="only the role sealer"):
            conn.execute(
                "INSERT INTO audit.records (id, event, ts, leaf) VALUES (%s, 'log:sequencer:beat', '2099-01-01', %s)",
                (record, leaf_of(record, "log:sequencer:beat")),
            )


async def test_no_key_is_overwritten_by_junk(log, worker, thief, superuser):
    kid, _ = await write(log, worker, "x")
    async with acting(log) as (custody, _, _):
        await custody.restrict(ADA, [kid], "pipl-47", "x")
    async with acting(log) as (custody, _, _):
        proposal = await custody.propose(ADA, Act.RELEASE, [kid], "x")
    async with acting(log) as (custody, _, _):
        assert (await custody.approve(CAI, proposal.proposal_id)).refused is None
    with superuser("tightrope") as conn:
        wrapped = conn.execute("SELECT wrapped FROM audit.keys WHERE kid = %s", (kid,)).fetchone()[0]
        said = "SELECT id FROM audit.records WHERE event = %s"
        restricted = conn.execute(said, (str(Event.SUBJECT_RESTRICTED),)).fetchone()[0]
        opened = conn.execute(said, (str(Event.SUBJECT_OPENED),)).fetchone()[0]
    junk = b"\x00" * len(wrapped)
    for proof in (b"", b"\x00" * 32, None):
        for attack, values in (  # the records are good ones, of another day
            ("SELECT audit.key_rewrap(%s, %s, %s, %s)", (kid, wrapped, junk, proof)),
            ("SELECT audit.key_restrict(%s, %s, '{}', 'pipl-47', %s, %s)", (kid, junk, restricted, proof)),
            ("SELECT audit.key_release(%s, %s, %s, %s)", (kid, junk, opened, proof)),
            ("SELECT audit.master_exchange(%s, false, %s)", (b"x" * 16, proof)),
            ("SELECT audit.key_replay(%s, %s, %s)", (kid, leaf_of(uuid4(), "audit:key:destroyed", kid=str(kid)), proof)),
        ):
            with pytest.raises(REFUSED, match="not vouched for"):
                thief.execute(attack, values)
    for attack in (
        "INSERT INTO audit.master_rotations (check_value) VALUES ('x')",
        "UPDATE audit.master_rotations SET done_at = now()",
        "SELECT * FROM audit.custody_key",
        "INSERT INTO audit.custody_key (inner_pad, outer_pad) VALUES ('', '')",
        "SELECT audit.vouched('record', '{}', '')",
    ):
        with pytest.raises(REFUSED):
            thief.execute(attack)
    thief.execute("SELECT audit.custody_begin(%s, %s)", (b"\x00" * 64, b"\x00" * 64))  # too late: the first one stays
    await readable(log, "x")


async def test_a_record_of_a_destruction_stands_only_beside_the_destruction(log, worker):
    kid, _ = await write(log, worker, "x", at=LONG_AGO)
    async with acting(log) as (custody, conn, _):  # the master key as well
        draft = RecordDraft(Event.KEY_DESTROYED, facts={"kid": str(kid)})
        await custody._vault._recorder.record(conn, draft)
        with pytest.raises(psycopg.errors.CheckViolation, match="it was not"):
            await conn.commit()
    await readable(log, "x")


async def test_an_old_record_of_an_extension_serves_for_no_other_day(log, worker, superuser, thief):
    kid, _ = await write(log, worker, "x")
    until = date(datetime.now(UTC).year + 30, 1, 1)
    async with acting(log) as (custody, _, _):
        await custody.extend(ADA, [kid], until, "x")
    with superuser("tightrope") as conn:
        record = conn.execute("SELECT id FROM audit.records WHERE event = 'audit:retention:extended'").fetchone()[0]
    with pytest.raises(psycopg.errors.CheckViolation, match="not on the record"):
        thief.execute("SELECT audit.key_extend(%s, '9999-01-01', %s)", (kid, record))


async def test_an_unsequenced_claim_takes_no_key_from_its_readers(log, worker, superuser):
    kid, _ = await write(log, worker, "x")
    record = uuid4()
    with superuser("tightrope") as conn:  # past every trigger
        conn.execute("SET session_replication_role = replica")
        conn.execute(INSERT, (record, "audit:key:destroyed", kid, leaf_of(record, "audit:key:destroyed", kid=str(kid))))
        assert conn.execute("SELECT audit.key_gone(%s)", (kid,)).fetchone()[0] is None
    await readable(log, "x")


async def test_replay_believes_the_clock_that_is_least_ahead(log, worker):
    """The record's own time counts as well, so that a database's clock set forward ends no period."""
    kid, _ = await write(log, worker, "x", at=LONG_AGO)
    async with acting(log) as (_, conn, keyring):
        leaf = leaf_of(uuid4(), "audit:key:destroyed", kid=str(kid)).replace(b"2026-01-01", b"2021-03-04")
        proof = keyring.vouch("key_replay", kid.bytes, leaf)
        with pytest.raises(psycopg.errors.CheckViolation, match="least ahead"):
            await conn.execute("SELECT audit.key_replay(%s, %s, %s)", (kid, leaf, proof))
        await conn.rollback()


async def test_whoever_gave_the_database_a_key_first_is_found_out(log, worker, thief):
    thief.execute("SELECT audit.custody_begin(%s, %s)", (b"\x00" * 64, b"\x00" * 64))
    await write(log, worker, "x")  # service goes on
    with pytest.raises(WrongMasterKey, match="another key"):
        async with acting(log) as (custody, _, _):
            await custody.place_hold(ADA, HoldScope(subject_hash=Keyring.from_settings(log).customer("C1")), "1", "x")
    await readable(log, "x")
