"""The reconciler over a real database: nothing is missing on a clean day, each loss is named, and a side that is down ends it with a clear error."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio

from tightrope.audit.models import Event
from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import Settings
from tightrope.reconcile.errors import PeriodInvalid, ReconcileError
from tightrope.reconcile.models import Outcome, Period
from tightrope.reconcile.service import Reconciler, reconciler, scheduled

pytestmark = pytest.mark.integration
Json = dict[str, Any]


@dataclass
class Sides:
    """Chatwoot and the tracker as they would be after what the gateway was told and did; tests take things out of them."""

    gateway: Any
    said: list[Json] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    forgotten: bool = False
    down: str | None = None
    lost_turns: set[str] = field(default_factory=set)
    pages: int = 0

    async def say(self, content: str) -> Json:
        payload: Json = await self.gateway.say(content)
        self.said.append(self._message(payload, 0))
        return payload

    async def other(self, content: str, **changed: Any) -> Json:
        """A message of a person of the firm."""
        payload: Json = self.gateway.message(
            content, message_type="outgoing", sender={"id": 5, "type": "user", "name": "Li"}, **changed
        )
        await self.gateway.deliver(payload)
        await self.gateway.run()
        self.said.append(self._message(payload, 1))
        return payload

    def _message(self, payload: Json, kind: int) -> Json:
        return {
            "id": payload["id"],
            "message_type": kind,
            "private": payload["private"],
            "source_id": None,
            "content_attributes": {},
        }

    def all(self) -> list[Json]:
        now = int(self.gateway.clock.now().timestamp())
        ours = [m | {"message_type": 1} for m in self.gateway.chatwoot.messages]
        activity = {"id": 1, "message_type": 2, "source_id": None, "content_attributes": {}}
        found = [m | {"created_at": now} for m in [activity, *self.said, *ours] if m["id"] not in self.lost]
        return sorted(found, key=lambda m: m["id"])

    def chatwoot(self, request: httpx.Request) -> httpx.Response:
        if self.down == "chatwoot":
            return httpx.Response(503)
        now = int(self.gateway.clock.now().timestamp())
        if request.url.path.endswith("/conversations"):
            self.pages += 1
            assert request.url.params["status"] == "all"
            listed = (
                []
                if self.forgotten or request.url.params["page"] != "1"
                else [{"id": self.gateway.display, "last_activity_at": now}]
            )
            return httpx.Response(200, json={"data": {"payload": listed}})
        if self.forgotten:
            return httpx.Response(404, json={"error": "Resource could not be found"})
        before = int(request.url.params.get("before", 10**12))
        return httpx.Response(200, json={"payload": [m for m in self.all() if m["id"] < before][-20:]})

    def assistant(self, request: httpx.Request) -> httpx.Response:
        if self.down == "assistant":
            return httpx.Response(500)
        assert request.url.params["include_events"] == "ALL"
        sender = request.url.path.split("/")[2]
        now = self.gateway.clock.now().timestamp()
        events = [
            {"event": "user", "timestamp": now, "metadata": body["metadata"]}
            for body in self.gateway.assistant.asked
            if body["sender"] == sender and body["message"] not in self.lost_turns
        ]
        return httpx.Response(200, json={"events": [{"event": "action", "name": "action_listen"}, *events]})


@pytest_asyncio.fixture
async def sides(gateway: Any) -> Sides:
    return Sides(gateway)


@pytest_asyncio.fixture
async def made(sides: Sides, database: Settings) -> AsyncIterator[Reconciler]:
    """A reconciler an hour later, so that nothing is on its way any more; the outbox keeps the database's own time."""
    settings = database.model_copy(update={"inbox_account": sides.gateway.account})
    clock = FixedClock(datetime.now(UTC) + timedelta(hours=1))
    async with reconciler(
        settings, clock=clock, chatwoot=httpx.MockTransport(sides.chatwoot), assistant=httpx.MockTransport(sides.assistant)
    ) as found:
        yield found


async def run(made: Reconciler) -> Outcome:
    return await made.run(Period(datetime(2026, 11, 20, tzinfo=UTC), made.latest()), by="test")


def named(outcome: Outcome) -> set[tuple[str, str, int | None]]:
    return {(one.kind, str(one.missing), one.message_id or one.turn) for one in outcome.findings}


@contextmanager
def records_lost(superuser: Any, where: str, *args: Any) -> Iterator[None]:
    """An insider takes records out of the log; afterwards they are put back, so that other tests find the log whole."""
    off = "ALTER TABLE audit.records DISABLE TRIGGER append_only; ALTER TABLE audit.records DISABLE TRIGGER enqueue"
    on = off.replace("DISABLE", "ENABLE ALWAYS")
    with superuser("tightrope") as conn:
        conn.execute(off)
        conn.execute(f"CREATE TABLE public.lost AS SELECT * FROM audit.records WHERE {where}", args)
        conn.execute("DELETE FROM audit.records WHERE id IN (SELECT id FROM public.lost)")
        conn.execute(on)
    try:
        yield
    finally:
        with superuser("tightrope") as conn:
            conn.execute(off)
            conn.execute("INSERT INTO audit.records OVERRIDING SYSTEM VALUE SELECT * FROM public.lost")
            conn.execute(on)
            conn.execute("DROP TABLE public.lost")


async def a_day(sides: Sides) -> None:
    """Questions, an edit, a deletion, a hand-over, a person's words and a note, a return, a resolved chat and a new session."""
    gateway = sides.gateway
    first = await sides.say("你好")
    for number in range(12):
        await sides.say(f"第 {number} 问")
    gone = {**first, "event": "message_updated", "content": "This message was deleted", "content_attributes": {"deleted": True}}
    await gateway.deliver(gone)
    sides.said[0]["content_attributes"] = {"deleted": True}
    gateway.assistant.reply = lambda _: [
        {"text": "好的"},
        {"custom": {"envelope": {"v": 1, "kind": "handoff", "reason": "request", "priority": "normal"}}},
    ]
    await sides.say("人工")
    gateway.assistant.reply = lambda body: [{"text": f"answer to {body['message']}"}]
    await sides.say("在吗")
    await sides.other("我来")
    await sides.other("内部", private=True)
    for status in ("pending", "resolved"):
        await gateway.deliver(gateway.status_event(status))
        await gateway.run()
    gateway.chatwoot.status = "pending"
    await sides.say("新的问题")
    await sides.say("")


async def test_a_clean_day_has_no_findings_and_is_recorded(sides: Sides, made: Reconciler, superuser: Any) -> None:
    await a_day(sides)
    outcome = await run(made)
    assert outcome.findings == []
    assert outcome.conversations == 1
    assert outcome.messages > 20, "more than one page of messages was read"
    assert outcome.turns == 16
    with superuser("tightrope") as conn:
        row = conn.execute(
            "SELECT leaf FROM audit.records WHERE event = %s ORDER BY ord DESC", (str(Event.LOG_RECONCILED),)
        ).fetchone()
    facts = json.loads(bytes(row[0]))["facts"]
    assert facts == outcome.facts()
    assert facts["ok"] is True


async def test_each_loss_is_named_with_its_side(sides: Sides, made: Reconciler, superuser: Any) -> None:
    await a_day(sides)
    name = sides.gateway.conversation
    customer, agent = sides.said[3]["id"], next(m["id"] for m in sides.said if m["message_type"] == 1)
    reply = sides.gateway.chatwoot.messages[6]["id"]
    sides.lost = {sides.said[4]["id"], reply}
    sides.lost_turns = {"第 5 问"}
    with superuser("tightrope") as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("DELETE FROM gateway.turn WHERE conversation_id = %s AND number = 9", (name,))
        conn.execute(
            "DELETE FROM gateway.inbound WHERE conversation_id = %s AND message_id = %s AND kind = 'agent_message'", (name, agent)
        )
    with records_lost(
        superuser, "id = (SELECT record_id FROM gateway.inbound WHERE message_id = %s AND kind = 'message')", customer
    ):
        outcome = await run(made)
    found = named(outcome)
    assert {
        ("message", "chatwoot", sides.said[4]["id"]), ("reply", "chatwoot", reply), ("message", "gateway", agent),
        ("record", "log", customer), ("message", "log", customer), ("turn", "assistant", 7),
        ("turn_number", "gateway", 9), ("turn", "gateway", 9), ("count", "log", None),
    } <= found  # fmt: skip
    assert {one.conversation for one in outcome.findings} == {name}
    assert not outcome.ok


async def test_a_whole_conversation_that_a_side_lost_is_named(sides: Sides, made: Reconciler, superuser: Any) -> None:
    await sides.say("你好")
    sides.forgotten = True
    assert named(await run(made)) == {("conversation", "chatwoot", None)}
    sides.forgotten = False
    name = sides.gateway.conversation
    with superuser("tightrope") as conn:
        conn.execute("SET session_replication_role = replica")
        for table in ("offer", "outbox", "turn", "inbound", "conversation"):
            conn.execute(f"DELETE FROM gateway.{table} WHERE conversation_id = %s", (name,))
    assert named(await run(made)) == {("conversation", "gateway", None)}
    with records_lost(superuser, "conv = (SELECT conv FROM audit.conversations WHERE conversation_id = %s)", name):
        assert named(await run(made)) == {("conversation", "gateway", None), ("conversation", "log", None)}


@pytest.mark.parametrize(("side", "names"), [("chatwoot", "Chatwoot"), ("assistant", "the assistant")])
async def test_a_side_that_is_down_ends_it_clearly_and_nothing_is_recorded(
    sides: Sides, made: Reconciler, superuser: Any, side: str, names: str
) -> None:
    await sides.say("你好")

    def records() -> int:
        with superuser("tightrope") as conn:
            return int(
                conn.execute("SELECT count(*) FROM audit.records WHERE event = %s", (str(Event.LOG_RECONCILED),)).fetchone()[0]
            )

    before, due = records(), await made.due()
    sides.down = side
    with pytest.raises(ReconcileError, match=f"{names} .* could not be asked"):
        await run(made)
    assert records() == before
    assert await made.due() == due, "the next run begins where this one would have"
    sides.down = None
    assert (await run(made)).ok


async def test_a_database_that_is_away_ends_it_clearly(database: Settings) -> None:
    away = database.model_copy(update={"database_port": 1})
    with pytest.raises(ReconcileError, match="database"):
        async with reconciler(away):
            raise AssertionError("opened without a database")


async def test_a_database_that_goes_away_in_the_middle_ends_it_clearly(
    sides: Sides, made: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sides.say("你好")

    async def gone(*_: Any) -> None:
        raise psycopg.OperationalError("server closed the connection")

    monkeypatch.setattr("tightrope.reconcile.repository.posted", gone)
    with pytest.raises(ReconcileError, match="server closed the connection"):
        await run(made)


async def test_a_period_without_sense_is_refused(made: Reconciler) -> None:
    now = made.latest()
    with pytest.raises(PeriodInvalid, match="empty"):
        await made.run(Period(now, now), by="test")
    with pytest.raises(PeriodInvalid, match="on its way"):
        await made.run(Period(now - timedelta(hours=1), now + timedelta(seconds=30)), by="test")


async def test_what_is_still_on_its_way_is_left_out(sides: Sides, made: Reconciler) -> None:
    await sides.say("你好")
    sides.lost = {m["id"] for m in sides.all()}
    early = Period(datetime(2026, 11, 20, tzinfo=UTC), sides.gateway.clock.now() - timedelta(minutes=1))
    assert (await made.run(early, by="test")).ok, "the message came after the period"


async def test_a_missing_secret_says_which(database: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    shutil.copytree(database.secrets_path, folder)
    (folder / "db_auditor").unlink()
    with pytest.raises(ReconcileError, match="db_auditor"):
        async with reconciler(database.model_copy(update={"secrets_dir": folder})):
            raise AssertionError("opened without its secret")


async def test_the_schedule_takes_up_where_the_last_run_ended_and_survives_a_side_that_is_down(
    sides: Sides, database: Settings, monkeypatch: pytest.MonkeyPatch, superuser: Any
) -> None:
    """The worker's loop, with the first look at once: a run that fails is tried again, and then the whole time is compared."""
    await sides.say("你好")
    tried: list[str] = []

    @asynccontextmanager
    async def opened(settings: Settings) -> AsyncIterator[Reconciler]:
        tried.append("run")
        sides.down = "chatwoot" if len(tried) == 1 else None
        later = FixedClock(datetime.now(UTC) + timedelta(hours=1))
        async with reconciler(
            settings, clock=later, chatwoot=httpx.MockTransport(sides.chatwoot), assistant=httpx.MockTransport(sides.assistant)
        ) as made:
            yield made
        if len(tried) == 3:
            stop.set()

    monkeypatch.setattr("tightrope.reconcile.service.reconciler", opened)
    monkeypatch.setattr("tightrope.reconcile.service.FIRST_LOOK_SECONDS", 0.01)
    stop = asyncio.Event()
    settings = database.model_copy(update={"inbox_account": sides.gateway.account, "reconcile_minutes": 1 / 6000})
    query = "SELECT leaf FROM audit.records WHERE event = %s ORDER BY ord"
    with superuser("tightrope") as conn:
        before = len(conn.execute(query, (str(Event.LOG_RECONCILED),)).fetchall())
    await asyncio.wait_for(scheduled(settings, stop), 20)
    with superuser("tightrope") as conn:
        rows = conn.execute(query, (str(Event.LOG_RECONCILED),)).fetchall()[before:]
    made = [json.loads(bytes(row[0]))["facts"] for row in rows]
    assert len(tried) == 3
    assert made, "the second try compared"
    assert made[-1]["ok"]


async def test_a_schedule_of_zero_minutes_never_compares(database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tightrope.reconcile.service.FIRST_LOOK_SECONDS", 0.0)
    monkeypatch.setattr("tightrope.reconcile.service.reconciler", lambda _: pytest.fail("it compared"))
    stop = asyncio.Event()
    waiting = asyncio.create_task(scheduled(database.model_copy(update={"reconcile_minutes": 0}), stop))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    stop.set()
    await asyncio.wait_for(waiting, 5)
