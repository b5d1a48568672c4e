"""Conversations kept in Postgres and played again from their recorded inputs."""

from __future__ import annotations

import json

import httpx
import pytest
from engine_bench import SHOP, Neighbours, serving

from tightrope.engine.record import Record, play, seed_of, state_digest
from tightrope.engine.state import State
from tightrope.infra.settings import REPOSITORY

pytestmark = pytest.mark.integration
TURN = "t" * 43


async def replayed(server, sender: str = "cw-1-1-e0") -> dict:
    answer = await server.client.get(f"/conversations/{sender}/replay", params={"token": server.token})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_conversation_with_everything_in_it_replays_byte_for_byte(server):
    server.neighbours.lines = {
        "下单": "start flow order", "大": "set slot size large", "算了": "cancel flow", "多少钱": "start flow price",
        "账户": "start flow private", "几点": "start flow hours\nnonsense",
    }  # fmt: skip
    for text in (
        "下单",
        "/SetSlots(size=large)",
        "多少钱",
        "账户",
        "/SetSlots(login_state=done)",
        "算了",
        "几点",
        "",
        "长" * 500,
    ):
        await server.say(text, turn_id=TURN if text == "下单" else None, note="a\x00b 测试 😀")
    params = {"token": server.token}
    events = [{"event": "slot", "name": "size", "value": "small"}, {"event": "restart"}]
    await server.client.post("/conversations/cw-1-1-e0/tracker/events", params=params, json=events)
    await server.client.post("/conversations/cw-1-1-e0/trigger_intent", params=params, json={"name": "session_start"})
    server.neighbours.action_answer = lambda _request: httpx.Response(500)
    await server.say("多少钱")
    server.neighbours.understanding_answer = lambda _request: httpx.Response(500)
    await server.say("多少钱")
    server.clock.advance(3600)
    await server.say("嗯")
    found = await replayed(server)
    assert found["whole"], found
    assert found["result"]["turns"] == found["result"]["same"] == 14
    await server.client.put("/conversations/cw-1-1-e0/tracker/events", params=params, json=events)
    await server.say("下单")
    assert (await replayed(server))["whole"]


async def test_what_was_altered_in_the_database_is_found(server, superuser):
    server.neighbours.lines = {"多少钱": "start flow price"}
    for _ in range(3):
        await server.say("多少钱")
    with superuser("assistant") as connection:
        connection.execute("UPDATE engine.turn SET events = replace(events::text, '12.50', '99.00')::json WHERE number = 2")
    found = await replayed(server)
    assert not found["whole"]
    [difference] = found["result"]["differences"]
    assert difference["turn"] == 2
    assert (difference["stored"]["text"], difference["replayed"]["text"]) == ("价格 99.00。", "价格 12.50。")


async def test_turns_from_before_inputs_were_kept_are_counted(server, superuser):
    server.neighbours.lines = {"几点": "start flow hours"}
    for _ in range(2):
        await server.say("几点")
    with superuser("assistant") as connection:
        connection.execute("UPDATE engine.turn SET inputs = NULL WHERE number = 1")
    result = (await replayed(server))["result"]
    assert (result["unrecorded"], result["same"], result["state_same"]) == (1, 1, True)


async def test_an_unknown_conversation_has_nothing_to_replay(server):
    found = await replayed(server, "nobody")
    assert (found["whole"], found["result"]["turns"]) == (True, 0)


async def test_our_own_project_s_conversation_replays(database, clock):
    neighbours = Neighbours()
    neighbours.action_answer = lambda _request: httpx.Response(200, json={"events": [], "responses": [{"text": "好"}]})
    neighbours.understanding_answer = lambda request: httpx.Response(
        200,
        json={
            "choices": [{"message": {"content": "start flow check_balance"}}],
            "tightrope": {"source": "rule", "message": json.loads(request.content)["messages"][0]["content"][:9]},
        },
    )
    async with serving(database, clock, neighbours, REPOSITORY) as server:
        for text in ("余额", "谢谢", "/SetSlots(login_state=done)"):
            await server.say(text, "cw-1-replay-e0", language="zh", turn_id=text.rjust(43, "x"))
        assert (await replayed(server, "cw-1-replay-e0"))["whole"]


async def test_a_record_holds_no_secret_that_the_turn_s_events_do_not_hold(server, superuser):
    server.neighbours.lines = {"几点": "start flow hours"}
    await server.say("几点", turn_id=TURN)
    with superuser("assistant") as connection:
        [inputs] = connection.execute("SELECT inputs::text FROM engine.turn").fetchone()
    assert server.token not in inputs
    assert set(json.loads(inputs)) == {"v", "model", "cap", "options", "inputs", "strict", "before", "visited"}
    assert SHOP.name not in inputs


async def test_a_turn_s_tracker_holds_what_replaying_it_takes(server):
    server.neighbours.lines = {"下单": "start flow order", "大": "set slot size large"}
    for number, text in enumerate(("下单", "大"), 1):
        await server.say(text, turn_id=TURN[:-1] + str(number))
    first, second = [await turn_of(server, TURN[:-1] + str(number)) for number in (1, 2)]
    assert (first["number"], second["number"]) == (1, 2)
    assert any(event["event"] == "session_started" for event in first["opening"])
    assert second["opening"] == []
    records = [Record.from_json(turn["record"]) for turn in (first, second)]
    state = State("cw-1-1-e0", seed_of("cw-1-1-e0"))
    for record in records:
        assert record.before == state_digest(state), "each turn begins with what the one before left"
        state, _ = play(server.app.assistant.serving.project, state, record)
        state = State.from_json(json.loads(json.dumps(state.to_json())))
    assert all(record.strict for record in records)


async def test_a_turn_that_was_never_made_has_no_record(server):
    assert await turn_of(server, TURN) is None
    server.neighbours.lines = {"下单": "start flow order"}
    await server.say("下单")
    assert await turn_of(server, TURN) is None


async def turn_of(server, turn_id: str) -> dict | None:
    answer = await server.client.get("/conversations/cw-1-1-e0/tracker", params={"token": server.token, "turn_id": turn_id})
    assert answer.status_code == 200
    return answer.json().get("turn")
