"""Custody on a real Postgres: what is restricted and destroyed stays so for readers, verification and a restored table."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from custody_log import ADA, CAI, LONG_AGO, acting, clean, with_custodians, write

from tightrope.audit.custody import repository
from tightrope.audit.custody.models import Act, HoldScope, KeyState
from tightrope.audit.custody.replay import replay
from tightrope.audit.errors import CustodyRefused
from tightrope.audit.index.service import Indexer
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.reading import show_conversation
from tightrope.audit.recorder import Recorder
from tightrope.audit.verify import verify_log
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Role, conninfo

pytestmark = pytest.mark.integration


@pytest.fixture
def log(log, superuser, tmp_path):
    """An empty log with two custodians."""
    yield with_custodians(log, tmp_path)
    clean(superuser)


async def destroyed(log, kid: UUID):
    async with acting(log) as (custody, _, _):
        proposal = await custody.propose(ADA, Act.DESTROY, [kid], "the period is over")
    async with acting(log) as (custody, _, _):
        return await custody.approve(CAI, proposal.proposal_id)


async def test_a_restricted_customer_cannot_be_read_and_goes_on_being_recorded(log, worker):
    kid, _ = await write(log, worker, "before")
    keyring = Keyring.from_settings(log)
    recorder = Recorder(log, keyring, FixedClock(datetime.now(UTC)), "r-0123456789abcdef")
    draft = RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, conversation_id="1-7", subject="C1", payload={"content": "after"})
    async with worker.connection() as conn:  # a process that has the key in memory
        await recorder.record(conn, draft)
    async with acting(log) as (custody, _, _):
        await custody.restrict(ADA, [kid], "pipl-47", "request 12")
    async with worker.connection() as conn:
        for _ in range(2):
            await recorder.record(conn, draft)
    view = await show_conversation(log, "1-7", reader="auditor1")
    assert [entry.payload for entry in view.entries] == [None, None, None, {"content": "after"}]
    today = datetime.now(UTC).date()
    for entry_ in view.entries[:3]:
        assert entry_.problem.startswith("restricted: the statutory period has not ended")
        assert entry_.problem.endswith(f"since {today}")
    report = await verify_log(log)
    assert not report.missing
    assert not report.altered


async def test_two_people_open_it_for_one_reading(log, worker):
    kid, _ = await write(log, worker, "secret")
    async with acting(log) as (custody, _, _):
        await custody.restrict(ADA, [kid], "pipl-47", "request 12")
    async with acting(log) as (custody, _, _):
        proposal = await custody.propose(ADA, Act.OPEN, [kid], "the regulator asks")
    async with acting(log) as (custody, _, keyring):
        decision = await custody.approve(CAI, proposal.proposal_id)
        for key in decision.opened:
            keyring.open_once(key)
    view = await show_conversation(log, "1-7", reader="Cai", keyring=keyring)
    assert view.entries[0].payload == {"content": "secret"}
    assert (await show_conversation(log, "1-7", reader="Cai")).entries[0].payload is None
    async with acting(log) as (custody, conn, _):
        found = (await repository.keys(conn, [kid]))[0]
        assert (found.state, found.ground) == (KeyState.RESTRICTED, "pipl-47")
        proposal = await custody.propose(CAI, Act.RELEASE, [kid], "withdrawn")
    async with acting(log) as (custody, _, _):
        assert (await custody.approve(ADA, proposal.proposal_id)).refused is None
    assert (await show_conversation(log, "1-7", reader="Cai")).entries[0].payload == {"content": "secret"}


async def test_a_destroyed_key_is_present_destroyed_by_policy(log, worker, seal):
    kid, _ = await write(log, worker, "twenty years ago", at=LONG_AGO)
    async with acting(log) as (_, conn, _):
        (expired,) = await repository.expired(conn, datetime.now(UTC).date())
        assert (expired.kid, expired.until, expired.records) == (kid, date(2021, 3, 4), 1)
    assert (await destroyed(log, kid)).refused is None
    await seal()
    (entry_, *_) = (await show_conversation(log, "1-7", reader="auditor1")).entries
    assert entry_.payload is None
    assert entry_.problem.startswith("destroyed by policy on ")
    report = await verify_log(log)
    assert (report.destroyed, report.missing, report.altered) == (1, [], [])
    async with acting(log) as (_, conn, _):
        assert await repository.expired(conn, datetime.now(UTC).date()) == ()


async def test_a_table_brought_back_from_a_backup_opens_nothing_and_replay_destroys_again(log, worker, seal, superuser):
    kid, _ = await write(log, worker, "twenty years ago", at=LONG_AGO)
    with superuser("tightrope") as conn:
        backup = conn.execute("SELECT wrapped FROM audit.keys WHERE kid = %s", (kid,)).fetchone()[0]
    assert (await destroyed(log, kid)).refused is None
    await seal()
    _restore(superuser, kid, backup)
    (entry_, *_) = (await show_conversation(log, "1-7", reader="auditor1")).entries
    assert entry_.payload is None
    assert "keys replay" in entry_.problem
    report = await verify_log(log)
    assert [finding.kind for finding in report.altered] == ["key"]
    assert "keys replay" in report.altered[0].detail
    async with acting(log) as (custody, _, _):
        with pytest.raises(CustodyRefused, match="destroyed"):
            await custody.restrict(ADA, [kid], "pipl-47", "x")
    done = await replay(log)
    assert (done.again, done.not_done) == ([kid], {})
    assert (await verify_log(log)).ok
    assert (await replay(log)).again == []


def _restore(superuser, kid, wrapped) -> None:
    with superuser("tightrope") as conn:
        conn.execute("ALTER TABLE audit.keys DISABLE TRIGGER one_way")
        conn.execute("UPDATE audit.keys SET wrapped = %s, state = 'active', record_id = NULL WHERE kid = %s", (wrapped, kid))
        conn.execute("ALTER TABLE audit.keys ENABLE ALWAYS TRIGGER one_way")


async def test_the_index_believes_the_log_and_not_a_table_brought_back(log, worker, seal, superuser, auditor, clock):
    kid, record_id = await write(log, worker, "twenty years ago", at=LONG_AGO)
    with superuser("tightrope") as conn:
        backup = conn.execute("SELECT wrapped FROM audit.keys WHERE kid = %s", (kid,)).fetchone()[0]
        conn.execute("TRUNCATE audit_index.records; UPDATE audit_index.state SET shard = 0, next = 0, version = 0")
    await destroyed(log, kid)
    await seal()
    _restore(superuser, kid, backup)
    indexer = Indexer(auditor, Keyring.from_settings(log), clock)
    await indexer.rebuild()
    with superuser("tightrope") as conn:
        found = conn.execute("SELECT key_state FROM audit_index.records WHERE record_id = %s", (record_id,)).fetchone()
    assert found == ("destroyed",)


async def test_the_index_drops_what_it_knew_though_the_table_came_back_before_it_looked(
    log, worker, seal, superuser, auditor, clock
):
    kid, record_id = await write(log, worker, "twenty years ago", at=LONG_AGO)
    with superuser("tightrope") as conn:
        backup = conn.execute("SELECT wrapped FROM audit.keys WHERE kid = %s", (kid,)).fetchone()[0]
        conn.execute("TRUNCATE audit_index.records; UPDATE audit_index.state SET shard = 0, next = 0, version = 0")
    await seal()
    indexer = Indexer(auditor, Keyring.from_settings(log), clock)
    await indexer.catch_up()

    def indexed():
        with superuser("tightrope") as conn:
            return conn.execute(
                "SELECT key_state, customer IS NULL FROM audit_index.records WHERE record_id = %s", (record_id,)
            ).fetchone()

    assert indexed()[0] == "active"
    await destroyed(log, kid)
    await seal()
    _restore(superuser, kid, backup)
    indexer = Indexer(auditor, Keyring.from_settings(log), clock)  # as after a restore: what runs was started anew
    await indexer.catch_up()
    assert indexed() == ("destroyed", True)
    assert await asyncio.wait_for(indexer.catch_up(), 10) == 0


async def test_a_database_from_before_the_destruction_is_told_by_the_segment_store(log, worker, seal, superuser, insider):
    kid, _ = await write(log, worker, "twenty years ago", at=LONG_AGO)
    with superuser("tightrope") as conn:
        backup = conn.execute("SELECT wrapped FROM audit.keys WHERE kid = %s", (kid,)).fetchone()[0]
    await destroyed(log, kid)
    await seal()
    _restore(superuser, kid, backup)
    insider.execute("DELETE FROM audit.records WHERE event = 'audit:key:destroyed'")
    assert (await show_conversation(log, "1-7", reader="auditor1")).entries[0].payload is not None  # the danger
    done = await replay(log)
    assert done.again == [kid]
    assert (await show_conversation(log, "1-7", reader="auditor1")).entries[0].payload is None


async def test_a_destruction_that_two_people_did_not_sign_is_not_done_again(log, worker, superuser):
    kid, _ = await write(log, worker, "twenty years ago", at=LONG_AGO)
    with superuser("tightrope") as conn:
        backup = conn.execute("SELECT wrapped FROM audit.keys WHERE kid = %s", (kid,)).fetchone()[0]
    async with acting(log) as (custody, _, _):  # a thief with the master key too, but nobody's signature
        record = await claim(custody._vault, kid)
        await custody._vault.destroy(kid, datetime.now(UTC).date(), record)
    _restore(superuser, kid, backup)
    done = await replay(log)
    assert list(done.not_done) == [kid]
    assert "no two statements" in done.not_done[kid]


async def test_a_hold_keeps_what_it_covers(log, worker):
    kid, _ = await write(log, worker, "by a customer", at=LONG_AGO)
    before_login, _ = await write(log, worker, "before login", at=LONG_AGO, subject=None)
    other, _ = await write(log, worker, "somebody else", at=LONG_AGO, subject="C2", conversation="1-8")
    keyring = Keyring.from_settings(log)
    scopes = {
        HoldScope(subject_hash=keyring.customer("C1")): {kid, before_login},
        HoldScope(conv=keyring.conv("1-8")): {other},
        HoldScope(first=LONG_AGO.date(), last=LONG_AGO.date()): {kid, before_login, other},
        HoldScope(first=date(2001, 3, 5), last=date(2001, 3, 9)): set(),
    }
    for scope, covered in scopes.items():
        async with acting(log) as (custody, conn, _):
            hold = await custody.place_hold(ADA, scope, "2026-1", "litigation")
        async with acting(log) as (custody, conn, _):
            held = {k for k in (kid, before_login, other) if await repository.holds_on(conn, k)}
            assert held == covered, scope.kind
            for key in held:
                with pytest.raises(CustodyRefused, match="2026-1"):
                    await custody.propose(ADA, Act.DESTROY, [key], "x")
            proposal = await custody.propose(ADA, Act.LIFT, [], "closed", hold_id=hold.hold_id)
        async with acting(log) as (custody, _, _):
            assert (await custody.approve(CAI, proposal.proposal_id)).refused is None


async def test_a_hold_placed_between_proposal_and_approval_wins_even_in_the_same_second(log, worker):
    kid, _ = await write(log, worker, "x", at=LONG_AGO)
    async with acting(log) as (custody, _, _):
        proposal = await custody.propose(ADA, Act.DESTROY, [kid], "over")
    async with acting(log) as (custody, _, keyring):
        await custody.place_hold(CAI, HoldScope(subject_hash=keyring.customer("C1")), "2026-2", "x")
        async with acting(log) as (second, _, _):
            decision = asyncio.create_task(second.approve(CAI, proposal.proposal_id))
            await asyncio.sleep(0.3)
            assert not decision.done()  # waits for the hold's transaction
            await custody._vault._conn.commit()
            assert (await decision).refused == "held"


async def claim(vault, kid):
    """A record that merely claims a destruction, as a thief of the operator's role and of the master key could write it."""
    return await vault._recorder.record(vault._conn, RecordDraft(Event.KEY_DESTROYED, facts={"kid": str(kid)}, payload={}))


async def test_the_database_itself_refuses_what_is_held_unexpired_or_not_recorded(log, worker, superuser):
    old, _ = await write(log, worker, "x", at=LONG_AGO)
    new, _ = await write(log, worker, "y", subject="C2")
    async with acting(log) as (custody, conn, _):
        vault = custody._vault
        with pytest.raises(psycopg.errors.CheckViolation, match="not on the record"):
            await vault.destroy(old, date(2099, 1, 1), uuid4())
        await conn.rollback()
        for kid, said in ((new, "kept until"), (old, "is held")):
            record = await claim(vault, kid)
            if kid == old:
                await custody.place_hold(ADA, HoldScope(first=date(2001, 1, 1), last=date(2001, 12, 31)), "3", "x")
            with pytest.raises(psycopg.errors.CheckViolation, match=said):
                await vault.destroy(kid, date(2099, 1, 1), record)
            await conn.rollback()
        record = await claim(vault, new)
        with pytest.raises(psycopg.errors.CheckViolation, match="not on the record"):
            await vault.destroy(old, date(2099, 1, 1), record)
        await conn.rollback()


def beat(conn, at: datetime, ahead: timedelta = timedelta(), place: int | None = 1) -> None:
    """A beat; `ahead` is how far the database's clock is before that of the sealer's machine."""
    record = uuid4()
    leaf = json.dumps({"facts": {"database_ms": round(ahead.total_seconds() * 1000)}}).encode()
    conn.execute("INSERT INTO audit.records (id, event, ts, leaf) VALUES (%s, 'log:sequencer:beat', %s, %s)", (record, at, leaf))
    if place is not None:
        conn.execute("INSERT INTO audit.leaves (shard, index, record_id, leaf_hash) VALUES (1999, %s, %s, '')", (place, record))


async def test_a_database_clock_set_forward_is_told_by_the_sealers_machine(log, worker, superuser):
    """The beats follow the database's clock, and say how far it is ahead."""
    kid, _ = await write(log, worker, "x", at=LONG_AGO)
    with superuser("tightrope") as conn:
        beat(conn, datetime.now(UTC), ahead=timedelta(days=20 * 365))
    async with acting(log) as (custody, _, _):
        with pytest.raises(CustodyRefused, match=r"least ahead \(log\)"):
            await custody.propose(ADA, Act.DESTROY, [kid], "x")


async def test_a_beat_without_a_place_is_no_clock_and_a_database_behind_makes_none_later(log, worker, superuser):
    async with acting(log) as (custody, _, _):
        with superuser("tightrope") as conn:
            beat(conn, LONG_AGO, place=None)
        assert set(await custody._vault.clocks()) == {"database"}
        with superuser("tightrope") as conn:
            beat(conn, LONG_AGO, ahead=timedelta(days=-300))
        assert (await custody._vault.clocks())["log"] == LONG_AGO


async def test_the_sequencers_last_beat_keeps_a_database_clock_set_forward_from_ending_a_period(log, worker, superuser):
    kid, _ = await write(log, worker, "x", at=LONG_AGO)
    with superuser("tightrope") as conn:
        beat(conn, LONG_AGO + timedelta(days=365))
    async with acting(log) as (custody, _, _):
        with pytest.raises(CustodyRefused, match=r"least ahead \(log\)"):
            await custody.propose(ADA, Act.DESTROY, [kid], "x")


@pytest.mark.parametrize("role", [Role.GATEWAY, Role.WORKER, Role.AUDITOR, Role.SEALER])
def test_no_other_role_acts_on_keys_or_says_that_one_was_destroyed(log, role):
    with psycopg.connect(conninfo(log, role), autocommit=True) as conn:
        for attack in (
            "SELECT audit.key_destroy(gen_random_uuid(), '2099-01-01', gen_random_uuid())",
            "SELECT audit.key_replay(gen_random_uuid(), '{}', '')",
            "SELECT audit.key_rewrap(gen_random_uuid(), '', '', '')",
            "SELECT audit.hold_lift(gen_random_uuid(), gen_random_uuid())",
            "UPDATE audit.keys SET state = 'active'",
            "INSERT INTO audit.holds DEFAULT VALUES",
            "UPDATE audit.proposals SET outcome = 'done'",
            "INSERT INTO audit.records (id, event, ts, kid, leaf, ct) "
            "VALUES (gen_random_uuid(), 'audit:key:destroyed', now(), gen_random_uuid(), '{}', '')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(attack)


def test_the_operator_writes_no_key_and_unlifts_no_hold(log):
    with psycopg.connect(conninfo(log, Role.OPERATOR), autocommit=True) as conn:
        for attack in (
            "UPDATE audit.keys SET state = 'active'",
            "UPDATE audit.keys SET wrapped = ''",
            "DELETE FROM audit.keys",
            "UPDATE audit.holds SET lifted_at = now()",
            "DELETE FROM audit.holds",
            "UPDATE audit.proposals SET kids = '{}'",
            "SELECT ct FROM audit.records",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(attack)


async def test_a_key_overwritten_without_a_record_is_missing_not_destroyed_by_policy(log, worker, superuser, seal):
    kid, _ = await write(log, worker, "x")
    await seal()
    with superuser("tightrope") as conn:
        conn.execute("UPDATE audit.keys SET state = 'destroyed', wrapped = '' WHERE kid = %s", (kid,))
    report = await verify_log(log)
    assert (report.destroyed, [finding.kind for finding in report.missing]) == (0, ["key"])
    assert "no record says so" in report.missing[0].detail
    (entry_, *_) = (await show_conversation(log, "1-7", reader="x")).entries
    assert "no record of it is in the log" in entry_.problem


async def test_a_reader_with_the_key_in_memory_loses_it_when_it_is_restricted(log, worker):
    kid, _ = await write(log, worker, "x")
    keyring = Keyring.from_settings(log)
    assert (await show_conversation(log, "1-7", reader="x", keyring=keyring)).entries[0].payload == {"content": "x"}
    async with acting(log) as (custody, _, _):
        await custody.restrict(ADA, [kid], "dispute", "x")
    assert keyring.cached_kid(kid) is not None
    assert (await show_conversation(log, "1-7", reader="x", keyring=keyring)).entries[0].payload is None
    assert keyring.cached_kid(kid) is None


async def test_not_even_a_superuser_brings_a_destroyed_key_back_by_an_update(log, worker, superuser):
    kid, _ = await write(log, worker, "x", at=LONG_AGO)
    await destroyed(log, kid)
    with superuser("tightrope") as conn, pytest.raises(psycopg.errors.InsufficientPrivilege, match="for good"):
        conn.execute("UPDATE audit.keys SET state = 'active', wrapped = 'x' WHERE kid = %s", (kid,))


async def test_a_period_is_only_made_longer(log, worker, superuser):
    kid, _ = await write(log, worker, "x", at=LONG_AGO)
    until = datetime.now(UTC).date() + timedelta(days=300)
    async with acting(log) as (custody, conn, _):
        await custody.extend(ADA, [kid], until, "the relationship goes on")
        assert (await custody._vault.period(kid)).until == until
        with pytest.raises(CustodyRefused, match="only ever made longer"):
            await custody.extend(ADA, [kid], until, "x")
        with pytest.raises(CustodyRefused, match="kept until"):
            await custody.propose(ADA, Act.DESTROY, [kid], "x")
    with superuser("tightrope") as conn, pytest.raises(psycopg.errors.InsufficientPrivilege, match="never made shorter"):
        conn.execute("UPDATE audit.keys SET keep_until = NULL WHERE kid = %s", (kid,))
