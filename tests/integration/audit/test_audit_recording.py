"""Recording, sealing and reading back on a real Postgres."""

from __future__ import annotations

import asyncio

import pytest

from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.reading import show_conversation, turns

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
    assert [(e.event, e.seq, e.problem) for e in view.entries] == [
        ("customer:message:received", 1, None),
        ("gateway:turn:made", 2, None),
    ]
    assert view.entries[0].payload == {"text": "我的余额是多少？"}
    again = await show_conversation(log, "1-7", reader="auditor2")
    assert again.entries[-1].event == "audit:conversation:read"
    assert again.entries[-1].payload == {"reader": "auditor1", "reason": "sample"}
    made = await turns(log, "1-7")
    assert [(t["turn"], t["payload"]["replies"][0]["text"]) for t in made] == [(1, "您好")]
