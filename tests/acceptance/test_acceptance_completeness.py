"""A day in the running demo: every record fits its schema, nothing is missing on any side, and what an insider takes out is named."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from demo_world import RunningDemo
from event_schemas import faults

from tightrope.audit import reading
from tightrope.audit.completeness import read, silences
from tightrope.reconcile.models import Outcome, Period
from tightrope.reconcile.service import reconciler

pytestmark = pytest.mark.acceptance


async def compared(demo: RunningDemo) -> Outcome:
    settings = demo.settings.model_copy(update={"reconcile_grace_seconds": 5})
    async with reconciler(settings) as made:
        return await made.run(Period(datetime.now(UTC) - timedelta(days=2), made.latest()), by="test")


async def a_day(play: Any) -> list[dict[str, Any]]:
    """Questions with and without an answer, logins and a logout, a refused request, a hand-over with a reply and a return."""
    return [
        await play("C1001", "我的账户余额是多少？", "我能开通融资融券吗", "为什么"),
        await play("guest", "印花税是多少？", "what is the weather on mars", "帮我买100股茅台", "转人工"),
        await play("guest", "我的余额", "", "👍", "bye"),
        await play("guest", "转人工", {"agent": "reply"}, {"agent": "return"}, "谢谢，开户需要带什么？"),
        await play("guest", "我的余额", {"login": "C1001"}, {"logout": True}, "再查一次余额"),
    ]


async def test_a_day_is_whole_and_each_record_fits_its_schema(play: Any, demo: RunningDemo) -> None:
    played = await a_day(play)
    assert len(played) == 5
    await asyncio.sleep(7)
    outcome = await compared(demo)
    assert outcome.ok, json.dumps(outcome.to_json(), ensure_ascii=False, indent=1)
    assert outcome.turns >= 10
    names = [row["conversation_id"] for row in demo.query("tightrope", "SELECT conversation_id FROM gateway.conversation")]
    events: set[str] = set()
    for name in names:
        view = await reading.show_conversation(demo.settings, name, reader="test", reason="schemas")
        for entry in view.entries:
            assert entry.problem is None
            assert faults(entry.event, entry.leaf["facts"], entry.payload) == []
            events.add(entry.event)
            if entry.event == "gateway:turn:made" and entry.leaf["facts"]["decision"] == "answered":
                assert entry.payload is not None
                assert entry.payload["steps"], "every flow step of a turn is on record"
    leaves = [json.loads(bytes(row["leaf"])) for row in demo.query("tightrope", "SELECT leaf FROM audit.records ORDER BY ord")]
    assert [
        fault for leaf in leaves if leaf["event"].startswith("log:") for fault in faults(leaf["event"], leaf["facts"], None)
    ] == []
    told = read(leaves)
    # Between the first and the last heartbeat; a log whose tree has not begun has none.
    assert not told.beats or silences(told, told.beats[0], told.beats[-1]) == ()
    assert {
        "gateway:conversation:opened",
        "gateway:disclosure:shown",
        "identity:binding:created",
        "gateway:handoff:opened",
    } <= events


async def test_business_calls_rules_and_guards_are_on_record_with_what_was_asked(play: Any, demo: RunningDemo) -> None:
    await a_day(play)
    found: dict[str, list[Any]] = {"calls": [], "rules": [], "guards": [], "passages": []}
    for row in demo.query("tightrope", "SELECT conversation_id FROM gateway.conversation"):
        for turn in await reading.turns(demo.settings, row["conversation_id"]):
            for envelope in turn["payload"]["envelopes"]:
                for name, kept in found.items():
                    kept.extend(envelope.get(name) or [])
    assert all(call["asked"] and call["sha256"] for call in found["calls"] if call["outcome"] == "done")
    assert any(call["operation"] == "list_accounts" for call in found["calls"])
    assert not any("C1001" in json.dumps(call) for call in found["calls"]), "no customer's id in what was asked"
    assert any(rule["inputs"] for rule in found["rules"])
    assert {"relevance", "gate"} <= {guard["guard"] for guard in found["guards"]}
    assert all(isinstance(passage["score"], int) and passage["version"] for passage in found["passages"])


async def test_no_alarm_while_customers_write(play: Any, demo: RunningDemo) -> None:
    enough = asyncio.Event()

    async def writes() -> None:
        while not enough.is_set():
            await play("guest", "你好", "印花税是多少？", "转人工", "还在吗")

    talking = asyncio.gather(*(writes() for _ in range(6)))
    for _ in range(3):
        outcome = await compared(demo)
        assert outcome.ok, json.dumps(outcome.to_json(), ensure_ascii=False, indent=1)
        assert not talking.done(), "customers still write"
        await asyncio.sleep(0.5)
    enough.set()
    await talking


async def test_what_an_insider_takes_out_of_the_tracker_or_the_inbox_is_named(play: Any, demo: RunningDemo) -> None:
    await play("guest", "印花税是多少？", "佣金怎么收？")
    await asyncio.sleep(7)
    name = demo.one("tightrope", "SELECT conversation_id FROM gateway.conversation ORDER BY created_at DESC LIMIT 1")
    number = int(name.split("-")[1])
    lost = demo.one(
        "inbox",
        "SELECT m.id FROM inbox.message m JOIN inbox.conversation c ON c.id = m.conversation_id"
        " WHERE c.display_id = %(n)s AND m.message_type = 0 ORDER BY m.id LIMIT 1",
        n=number,
    )
    kept = demo.query("inbox", "SELECT row_to_json(m) AS row FROM inbox.message m WHERE id = %(id)s", id=lost)[0]["row"]
    demo.query("inbox", "DELETE FROM inbox.message WHERE id = %(id)s", id=lost)
    turn = demo.query(
        "assistant",
        "DELETE FROM engine.turn WHERE sender_id LIKE %(s)s AND number = 1 RETURNING row_to_json(turn) AS row",
        s=f"cw-{name}-e%",
    )[0]["row"]
    try:
        outcome = await compared(demo)
        found = {(one.kind, str(one.missing), one.conversation, one.message_id or one.turn) for one in outcome.findings}
        assert found == {("message", "chatwoot", name, lost), ("turn", "assistant", name, 1)}
    finally:
        demo.query(
            "inbox",
            "INSERT INTO inbox.message SELECT * FROM json_populate_record(NULL::inbox.message, %(r)s)",
            r=json.dumps(kept),
        )
        demo.query(
            "assistant",
            "INSERT INTO engine.turn SELECT * FROM json_populate_record(NULL::engine.turn, %(r)s)",
            r=json.dumps(turn),
        )
    assert (await compared(demo)).ok
