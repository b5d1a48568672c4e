"""The gateway's own counts, and what else completeness rests on: openings, closings, given-up turns, refusals, disclosures, logins asked for."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tightrope.audit import reading
from tightrope.audit.completeness import count_faults, read
from tightrope.audit.models import Event
from tightrope.gateway import switch
from tightrope.gateway.counting import count_frames
from tightrope.gateway.turns import TurnRepeats
from tightrope.infra.database import Role, open_pool

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)


async def entries(gateway: Any, event: Event) -> list[Any]:
    view = await reading.show_conversation(gateway.settings, gateway.conversation, reader="test")
    return [entry for entry in view.entries if entry.event == event]


def leaves(superuser: Any, event: Event) -> list[dict[str, Any]]:
    with superuser("tightrope") as conn:
        rows = conn.execute("SELECT leaf FROM audit.records WHERE event = %s ORDER BY ord", (str(event),)).fetchall()
    return [json.loads(bytes(row[0])) for row in rows]


@pytest.fixture
def no_frames(superuser: Any):
    def clear() -> None:
        with superuser("tightrope") as conn:
            conn.execute("TRUNCATE gateway.frames, gateway.webhooks")

    clear()
    yield
    clear()


@pytest.mark.usefixtures("no_frames")
async def test_each_period_is_counted_once_without_a_gap_from_the_gateways_own_tables(gateway: Any, superuser: Any) -> None:
    await gateway.say("你好")
    await gateway.say("再问")
    await gateway.app.state.webhooks.flush(gateway.app.state.pool)
    known = len(leaves(superuser, Event.FRAMES_COUNTED))
    later = gateway.clock.now() + 3 * HOUR
    async with gateway.pool.connection() as conn:
        await count_frames(conn, gateway.recorder, later, HOUR)
    async with gateway.pool.connection() as conn:
        assert await count_frames(conn, gateway.recorder, later, HOUR) == 0, "a period is counted once"
    made = leaves(superuser, Event.FRAMES_COUNTED)[known:]
    periods = [(leaf["facts"]["since"], leaf["facts"]["until"]) for leaf in made]
    assert all(earlier[1] == later[0] for earlier, later in pairwise(periods))
    facts = next(leaf["facts"] for leaf in made if leaf["facts"]["since"] == "2026-11-20T02:00:00Z")
    rows = await gateway.rows(
        "SELECT count(*) AS said FROM gateway.inbound WHERE kind = 'message'"
        " AND received_at >= '2026-11-20T02:00Z' AND received_at < '2026-11-20T03:00Z'"
    )
    assert facts["messages_in"] == rows[0]["said"] >= 2
    assert facts["turns"] >= 2
    assert facts["webhooks_accepted"] >= 2
    assert facts["totals"]["turns"] >= facts["turns"]
    assert {fault.kind for fault in count_faults(read(made))} <= {"clock jumped", "log has fewer"}, (
        "only made of sums here, at one moment"
    )


@pytest.mark.usefixtures("no_frames")
async def test_a_period_is_not_counted_before_it_is_over(gateway: Any) -> None:
    await gateway.say("你好")
    async with gateway.pool.connection() as conn:
        await count_frames(conn, gateway.recorder, datetime(2026, 11, 20, 3, 0, 29, tzinfo=UTC), HOUR)
    last = (await gateway.rows("SELECT max(until) AS until FROM gateway.frames"))[0]["until"]
    assert last is None or last <= datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


async def test_a_period_of_no_whole_minutes_is_refused(gateway: Any) -> None:
    async with gateway.pool.connection() as conn:
        with pytest.raises(ValueError, match="TIGHTROPE_FRAMES_MINUTES"):
            await count_frames(conn, gateway.recorder, gateway.clock.now(), timedelta(seconds=90))


@pytest.mark.usefixtures("no_frames")
async def test_two_workers_count_a_period_once(gateway: Any, superuser: Any) -> None:
    await gateway.say("你好")
    known = len(leaves(superuser, Event.FRAMES_COUNTED))

    async def one() -> int:
        async with gateway.pool.connection() as conn:
            return await count_frames(conn, gateway.recorder, gateway.clock.now() + HOUR, HOUR)

    made = await asyncio.gather(one(), one())
    assert min(made) == 0
    assert len(leaves(superuser, Event.FRAMES_COUNTED)) == known + max(made)


@pytest.mark.usefixtures("no_frames")
async def test_refused_webhooks_are_counted_and_recorded_summed_up(gateway: Any, superuser: Any) -> None:
    known = len(leaves(superuser, Event.WEBHOOK_REFUSED))
    for _ in range(20):
        assert (await gateway.deliver(gateway.message("x"), secret="wrong")).status_code == 401
    await gateway.app.state.webhooks.flush(gateway.app.state.pool)
    await gateway.app.state.webhooks.flush(gateway.app.state.pool)
    made = [leaf["facts"] for leaf in leaves(superuser, Event.WEBHOOK_REFUSED)[known:]]
    assert [(facts["why"], facts["count"]) for facts in made] == [("SignatureInvalid", 20)], "a flood is one record"
    rows = await gateway.rows("SELECT outcome, sum(count)::int AS n FROM gateway.webhooks GROUP BY outcome")
    assert {row["outcome"]: row["n"] for row in rows}["SignatureInvalid"] == 20


async def test_opening_disclosure_and_closing_are_on_record_with_how_much_there_is(gateway: Any) -> None:
    await gateway.say("你好")
    await gateway.say("再问")
    await gateway.deliver(gateway.status_event("resolved"))
    await gateway.run()
    (opened,) = await entries(gateway, Event.CONVERSATION_OPENED)
    assert opened.leaf["facts"] == {"inbox": 1, "status": "pending", "assignee": "AgentBot"}
    (shown,) = await entries(gateway, Event.DISCLOSURE_SHOWN)
    assert shown.turn == 1
    view = await reading.show_conversation(gateway.settings, gateway.conversation, reader="test")
    at, closing = next((n, e) for n, e in enumerate(view.entries, start=1) if e.event == Event.CONVERSATION_RESOLVED)
    assert closing.leaf["facts"] == {"turns": 2, "records": at, "epoch": 1}


async def test_every_turn_tells_why_the_bot_answers(gateway: Any) -> None:
    await gateway.say("你好")
    await gateway.say("")
    asked, canned = await entries(gateway, Event.TURN_MADE)
    assert asked.leaf["facts"]["decided"] == "ask"
    assert asked.payload["decided"] == {"by": "bot", "why": "ask", "held_by": None, "status": "pending", "assignee": "AgentBot"}
    assert canned.leaf["facts"]["decided"] == "empty_message"


async def test_a_turn_given_up_for_the_switch_keeps_its_number_on_record(gateway: Any) -> None:
    await gateway.say("你好")
    gateway.assistant.down = True
    await gateway.deliver(gateway.message("坏了"))
    with pytest.raises(TurnRepeats):
        await gateway.drain.conversation(gateway.conversation)
    async with open_pool(gateway.settings, Role.OPERATOR, max_size=1) as pool:
        await switch.turn(pool, gateway.recorder, off=True, journey=None, reason="drill", who="op")
        await gateway.run()
        await switch.turn(pool, gateway.recorder, off=False, journey=None, reason="drill over", who="op")
    (refused,) = await entries(gateway, Event.TURN_REFUSED)
    assert (refused.turn, refused.leaf["facts"]["why"]) == (2, "switch")
    rows = await gateway.rows(
        "SELECT number, state, record_id FROM gateway.turn WHERE conversation_id = %s ORDER BY number", gateway.conversation
    )
    assert [(row["number"], row["state"]) for row in rows] == [(1, "committed"), (2, "refused")]
    assert str(rows[1]["record_id"]) == str(refused.record_id)
    grants = await gateway.rows('SELECT 1 FROM identity."grant" WHERE conversation_id = %s', gateway.conversation)
    assert grants == [], "no grant outlives the turn"


async def test_a_login_asked_for_is_on_record(gateway: Any) -> None:
    login = {"v": 1, "kind": "login", "journey": "check_balance", "scopes": ["accounts:read"]}
    gateway.assistant.reply = lambda _: [{"text": "请登录"}, {"custom": {"envelope": login}}]
    await gateway.say("余额")
    (asked,) = await entries(gateway, Event.LOGIN_REQUESTED)
    assert asked.leaf["facts"] == {"journey": "check_balance", "scopes": ["accounts:read"], "link": False, "lang": "zh"}


async def test_a_change_of_the_assignee_alone_says_so(gateway: Any) -> None:
    await gateway.say("你好")
    event = gateway.status_event("pending", assignee="User") | {"changed_attributes": [{"assignee_id": {"current_value": 5}}]}
    await gateway.deliver(event)
    await gateway.run()
    (changed,) = await entries(gateway, Event.ASSIGNEE_CHANGED)
    assert changed.leaf["facts"]["assignee"] == "User"


async def test_the_steps_that_the_assistant_tells_are_on_record(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tightrope.gateway.assistant import Assistant, MadeTurn

    real = Assistant.made

    async def made(self: Assistant, sender: str, turn_id: str) -> MadeTurn | None:
        found = await real(self, sender, turn_id)
        return MadeTurn(found.events, [["check_balance", "begin"], ["check_balance", "ask"]]) if found else None

    monkeypatch.setattr(Assistant, "made", made)
    await gateway.say("余额")
    (turn,) = await entries(gateway, Event.TURN_MADE)
    assert turn.payload["steps"] == [["check_balance", "begin"], ["check_balance", "ask"]]
    assert turn.leaf["facts"]["steps"] == 2


async def test_who_verifies_the_log_is_on_record(gateway: Any, superuser: Any) -> None:
    from io import StringIO

    from rich.console import Console

    from tightrope.cli.operate import verify

    await gateway.say("你好")
    known = len(leaves(superuser, Event.LOG_VERIFIED))
    shown = StringIO()
    code = await asyncio.to_thread(verify, gateway.settings, Console(file=shown), as_json=False)
    (made,) = leaves(superuser, Event.LOG_VERIFIED)[known:]
    assert made["facts"]["ok"] is (code == 0)
    assert made["facts"]["sealed"] > 0
    assert "could not be put on record" not in shown.getvalue()
