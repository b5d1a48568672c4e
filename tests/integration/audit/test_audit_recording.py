"""Recording, sealing and reading back on a real Postgres."""

from __future__ import annotations

import asyncio
import hashlib
from uuid import uuid4

import psycopg
import pytest
from psycopg import Rollback

from tightrope.audit import models
from tightrope.audit import recorder as recorder_module
from tightrope.audit.errors import AuditError, CanonError, ConversationUnknown, FactsRefused, PayloadUnreadable
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.reading import show_conversation, turns
from tightrope.audit.recorder import Recorder
from tightrope.audit.verify import verify_log
from tightrope.infra.database import Role, open_pool

pytestmark = pytest.mark.integration


def message(text: str, conversation: str = "1-7", **kwargs) -> RecordDraft:
    return RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, conversation_id=conversation, payload={"text": text}, **kwargs)


async def test_a_record_is_released_only_after_commit_and_seal(log, worker, recorder, sealer_at_work):
    async with worker.connection() as conn:
        record_id = await recorder.record(conn, message("我的余额是多少？"))
        await conn.commit()

        async def released() -> bool:
            return (await (await conn.execute("SELECT audit.released(%s) AS r", (record_id,))).fetchone())["r"]

        assert not await released()
        async with sealer_at_work(log):
            for _ in range(100):
                if await released():
                    break
                await asyncio.sleep(0.02)
            assert await released()


async def test_show_gives_the_text_back_and_records_the_reading(log, worker, recorder, seal):
    async with worker.connection() as conn:
        await recorder.record(conn, message("我的余额是多少？", subject="C1001"))
        await recorder.record(
            conn, RecordDraft(Event.TURN_MADE, "1-7", "C1001", 1, {"lang": "zh"}, {"replies": [{"text": "您好"}]})
        )
    await seal()
    view = await show_conversation(log, "1-7", reader="auditor1", reason="sample")
    assert [(e.event, e.place and e.place.index, e.problem) for e in view.entries] == [
        ("customer:message:received", 1, None),
        ("gateway:turn:made", 2, None),
    ]
    assert view.entries[0].payload == {"text": "我的余额是多少？"}
    again = await show_conversation(log, "1-7", reader="auditor2")
    assert again.entries[-1].event == "audit:conversation:read"
    assert again.entries[-1].payload == {"reader": "auditor1", "reason": "sample"}
    made = await turns(log, "1-7")
    assert [(t["turn"], t["payload"]["replies"][0]["text"]) for t in made] == [(1, "您好")]


async def one(conn, query: str, *args):
    return (await (await conn.execute(query, args)).fetchone())["v"]


async def test_a_key_made_in_a_transaction_that_was_rolled_back_is_not_lost(log, worker, recorder, seal):
    async with worker.connection() as conn:
        await recorder.record(conn, message("lost", subject="C1"))
        await conn.rollback()
        await recorder.record(conn, message("kept", subject="C1"))
        await conn.commit()
    await seal()
    (entry,) = (await show_conversation(log, "1-7", reader="a")).entries
    assert entry.payload == {"text": "kept"}


async def test_a_record_rolled_back_with_its_savepoint_leaves_nothing(log, worker, recorder, auditor):
    async with worker.connection() as conn:
        async with conn.transaction() as savepoint:
            await recorder.record(conn, message("twice delivered"))
            raise Rollback(savepoint)
        await recorder.record(conn, message("kept"))
    async with auditor.connection() as conn:
        assert await one(conn, "SELECT count(*) AS v FROM audit.records") == 1
        assert await one(conn, "SELECT count(*) AS v FROM audit.pending") == 1


async def test_two_processes_that_meet_a_customer_at_once_can_both_be_read(log, worker, clock, seal):
    recorders = [Recorder(log, Keyring.from_settings(log), clock, "r-0123456789abcdef") for _ in range(2)]
    async with worker.connection() as one_conn, worker.connection() as other_conn:
        await recorders[0].record(one_conn, message("a", subject="C1"))
        second = asyncio.create_task(recorders[1].record(other_conn, message("b", subject="C1")))
        await asyncio.sleep(0.1)
        await one_conn.commit()
        await second
        await other_conn.commit()
    await seal()
    view = await show_conversation(log, "1-7", reader="x")
    assert [entry.payload for entry in view.entries] == [{"text": "a"}, {"text": "b"}]
    assert view.entries[0].leaf["conv"] == view.entries[1].leaf["conv"]


async def test_a_new_process_takes_up_the_key_in_use(log, worker, clock, auditor):
    for _ in range(3):
        recorder = Recorder(log, Keyring.from_settings(log), clock, "r-0123456789abcdef")
        async with worker.connection() as conn:
            await recorder.record(conn, message("x", subject="C1"))
    async with auditor.connection() as conn:
        assert await one(conn, "SELECT count(*) AS v FROM audit.keys") == 1


async def test_keys_are_per_customer_and_year_and_of_the_conversation_while_unknown(log, worker, recorder, clock, auditor):
    async with worker.connection() as conn:
        for subject in (None, "C1", "C2", "C1"):
            await recorder.record(conn, message("x", subject=subject))
        clock.advance(60 * 24 * 3600)
        await recorder.record(conn, message("x", subject="C1"))
        await recorder.record(conn, RecordDraft(Event.SWITCH_ENGAGED, facts={"scope": "bot"}))
    async with auditor.connection() as conn:
        assert await one(conn, "SELECT count(*) AS v FROM audit.keys") == 5
        assert await one(conn, "SELECT class AS v FROM audit.keys ORDER BY class DESC LIMIT 1") == "system"
        assert await one(conn, "SELECT max(year) AS v FROM audit.keys") == 2027
        assert await one(conn, "SELECT count(*) AS v FROM audit.conversations") == 1


async def test_the_caller_may_name_the_record_beforehand_but_once(log, worker, recorder):
    name = uuid4()
    async with worker.connection() as conn:
        assert await recorder.record(conn, message("x"), record_id=name) == name
        with pytest.raises(psycopg.errors.UniqueViolation):
            await recorder.record(conn, message("x"), record_id=name)
        await conn.rollback()


@pytest.mark.parametrize("role", [Role.GATEWAY, Role.WORKER, Role.OPERATOR, Role.AUDITOR])
async def test_every_writing_role_can_write_all_that_a_record_needs(log, role, recorder):
    async with open_pool(log, role, max_size=1) as pool, pool.connection() as conn:
        digest = await recorder.store_content(conn, "flows", b"flows")
        await recorder.record(conn, message("x", subject="C1", content={"flows": digest}))


async def test_content_is_stored_once_under_its_hash(log, worker, recorder, auditor):
    data = "流程".encode()
    async with worker.connection() as conn:
        assert (
            await recorder.store_content(conn, "flows", data)
            == await recorder.store_content(conn, "flows", data)
            == hashlib.sha256(data).hexdigest()
        )
    async with auditor.connection() as conn:
        assert await one(conn, "SELECT count(*) AS v FROM audit.content") == 1


async def test_content_is_bounded(log, worker, recorder, monkeypatch):
    monkeypatch.setattr(recorder_module, "CONTENT_LIMIT", 10)
    async with worker.connection() as conn:
        with pytest.raises(FactsRefused, match="11 bytes"):
            await recorder.store_content(conn, "flows", b"x" * 11)


async def test_refused_facts_write_nothing_and_leave_the_transaction_whole(log, worker, recorder, auditor):
    async with worker.connection() as conn:
        with pytest.raises(FactsRefused, match=r"facts\.phone"):
            await recorder.record(conn, message("x", facts={"phone": "13812345678"}))
        with pytest.raises(CanonError, match=r"facts\.score"):
            await recorder.record(conn, message("x", facts={"score": 0.5}))
        await recorder.record(conn, message("kept"))
    async with auditor.connection() as conn:
        assert await one(conn, "SELECT count(*) AS v FROM audit.records") == 1


async def test_with_the_database_gone_the_caller_hears_of_it(log, worker, recorder, superuser):
    async with worker.connection() as conn:
        await recorder.record(conn, message("x"))
        with superuser("tightrope") as boss:
            boss.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'worker'")
        with pytest.raises(psycopg.OperationalError):
            await recorder.record(conn, message("y"))


async def test_an_unknown_conversation_is_said_to_be_unknown(log):
    with pytest.raises(ConversationUnknown, match="1-404"):
        await show_conversation(log, "1-404", reader="a")


async def test_the_reading_without_a_trace_is_refused_in_production(log, worker, recorder, insider):
    with pytest.raises(AuditError, match="without a trace"):
        await turns(log.model_copy(update={"mode": "production"}), "1-7")
    async with worker.connection() as conn:
        await recorder.record(conn, RecordDraft(Event.TURN_MADE, "1-7", payload={"said": "x"}))
    assert [turn["place"] for turn in await turns(log, "1-7")] == [None]
    insider.execute("UPDATE audit.records SET ct = ct || 'x'::bytea")
    with pytest.raises(PayloadUnreadable):
        await turns(log, "1-7")


async def test_unsealed_records_are_counted_and_are_no_finding(log, worker, recorder):
    async with worker.connection() as conn:
        await recorder.record(conn, message("x"))
    report = await verify_log(log)
    assert report.ok
    assert (report.sealed, report.unsealed) == (0, 1)


async def test_a_log_of_many_findings_is_verified_in_bounded_memory(log, worker, recorder, seal, insider, monkeypatch):
    monkeypatch.setattr(models, "FINDINGS_KEPT", 5)
    async with worker.connection() as conn:
        for _ in range(12):
            await recorder.record(conn, message("x"))
    await seal()
    insider.execute("UPDATE audit.records SET turn = 5")
    report = await verify_log(log)
    assert (len(report.altered), report.not_listed) == (5, 8)  # the log's own first leaf has a turn now, too
