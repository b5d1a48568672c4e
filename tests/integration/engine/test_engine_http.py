"""The assistant server's HTTP edge: what it refuses, what it tells of itself."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from engine_bench import SHOP, Neighbours, serving

from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration
TURN = "t" * 43
SORRY = "抱歉，系统出了点问题，刚才的操作没有完成。请稍后再试。"
REPHRASE = "抱歉，我没有理解您的意思。请换一种说法再试一次。"


class TestHttp:
    async def test_who_is_there_and_how_it_is(self, server):
        assert (await server.client.get("/")).text.startswith("Hello from Tightrope")
        assert (await server.client.get("/version")).json()["version"] == "3.21.0"
        health = await server.client.get("/health")
        assert (health.status_code, health.json()["status"], health.json()["part"]) == (200, "ok", "assistant")
        assert (await server.client.get("/webhooks/rest/")).json() == {"status": "ok"}
        status = (await server.client.get("/status", params={"token": server.token})).json()
        assert set(status) == {"model_file", "model_id", "num_active_training_jobs"}
        flows = (await server.client.get("/flows", params={"token": server.token})).json()
        assert "order" in {flow["id"] for flow in flows}
        domain = (await server.client.get("/domain", params={"token": server.token})).json()
        assert "utter_price" in domain["responses"]

    @pytest.mark.parametrize("path", ["/status", "/flows", "/domain", "/conversations/x/tracker"])
    @pytest.mark.parametrize("params", [{}, {"token": "wrong"}, {"token": ""}])
    async def test_the_api_wants_the_token(self, server, path, params):
        answer = await server.client.get(path, params=params)
        assert (answer.status_code, answer.json()["reason"]) == (401, "NotAuthenticated")
        assert (await server.client.post("/conversations/x/tracker/events", json=[])).status_code == 401

    @pytest.mark.parametrize(
        ("content", "status"),
        [
            (b"", 400),
            (b"{", 400),
            (b"[]", 400),
            (b'{"sender": 5, "message": "x"}', 400),
            (b'{"sender": "", "message": "x"}', 400),
            (b'{"sender": "a\\u0000b", "message": "x"}', 400),
            (b'{"sender": "a", "message": 5}', 400),
            (b'{"sender": "a"}', 400),
            (b'{"sender": "a", "message": "x", "metadata": []}', 400),
            (json.dumps({"sender": "a" * 256, "message": "x"}).encode(), 400),
            (json.dumps({"sender": "a", "message": "x" * 300_000}).encode(), 413),
        ],
    )
    async def test_a_body_that_is_no_message_is_refused_and_nothing_is_kept(self, server, content, status, superuser):
        answer = await server.client.post("/webhooks/rest/webhook", content=content)
        assert answer.status_code == status
        assert answer.json()["status"] == "failure"
        with superuser("assistant") as connection:
            assert connection.execute("SELECT count(*) FROM engine.conversation").fetchone()[0] == 0

    async def test_the_tracker_has_rasa_s_shape_and_its_events_replay(self, server):
        from tightrope.engine.loader import load_project
        from tightrope.engine.state import replay

        server.neighbours.lines = {"下单": "start flow order\nset slot count 2"}
        await server.say("下单")
        tracker = await server.tracker()
        assert {"sender_id", "slots", "latest_message", "events", "paused", "latest_action_name", "active_loop", "stack"} <= set(
            tracker
        )
        assert tracker["slots"]["count"] == 2.0
        state = replay("cw-1-1-e0", tracker["events"], load_project(SHOP).initials)
        assert state.stack == tracker["stack"]

    async def test_an_unknown_conversation_and_an_unknown_turn_are_empty(self, server):
        assert (await server.tracker("nobody"))["events"] == []
        await server.say("嗯", turn_id=TURN)
        assert (await server.tracker(turn_id="u" * 43))["events"] == []

    async def test_events_can_be_appended(self, server):
        url, params = "/conversations/cw-1-1-e0/tracker/events", {"token": server.token}
        answer = await server.client.post(url, params=params, json={"event": "slot", "name": "size", "value": "large"})
        assert answer.json()["slots"]["size"] == "large"
        for wrong in (
            [{"event": "slot", "name": "gone", "value": 1}],
            [{"event": "odd"}],
            ["x"],
            [{"event": "stack", "update": "[]"}],
            [{"event": "stack", "update": '[{"op": "replace", "path": "", "value": [{"frame_id": "f1"}]}]'}],
            [{"event": "user", "text": "x", "timestamp": "yesterday"}],
            [{"event": "user", "text": "x", "timestamp": True}],
        ):
            assert (await server.client.post(url, params=params, json=wrong)).status_code == 400
        assert (await server.tracker())["slots"]["size"] == "large"

    async def test_a_database_that_is_away_is_a_503_and_unhealthy(self, server, monkeypatch):
        import psycopg

        from tightrope.engine import repository

        async def away(*_args, **_kwargs):
            raise psycopg.OperationalError("gone")

        monkeypatch.setattr(repository, "take", away)
        answer = await server.client.post("/webhooks/rest/webhook", json={"sender": "a", "message": "x"})
        assert (answer.status_code, answer.json()["reason"]) == (503, "Unavailable")

    async def test_a_conversation_held_elsewhere_is_a_503(self, server, database, superuser):
        from tightrope.engine import repository

        with superuser("assistant") as holder:
            holder.execute("BEGIN")
            holder.execute("SELECT pg_advisory_xact_lock(hashtextextended('cw-1-1-e0', 5005))")
            assistant = server.app.assistant
            async with assistant._pool.connection() as connection:
                await connection.execute("SET lock_timeout = '100ms'")
                from tightrope.engine.errors import ConversationBusy

                with pytest.raises(ConversationBusy):
                    await repository.take(connection, "cw-1-1-e0", None)
                await connection.rollback()


async def test_the_login_of_the_assistant_may_change_no_history(database: Settings):
    import psycopg

    from tightrope.infra.database import Role, conninfo

    async with await psycopg.AsyncConnection.connect(conninfo(database, Role.ASSISTANT)) as connection:
        for statement in (
            "UPDATE engine.turn SET events = '[]'",
            "DELETE FROM engine.turn",
            "DELETE FROM engine.conversation",
            "CREATE TABLE engine.x (a int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement)
            await connection.rollback()


async def test_this_repository_s_own_project_is_served(database, clock):
    from tightrope.infra.settings import REPOSITORY

    neighbours = Neighbours()
    neighbours.action_answer = lambda _request: httpx.Response(200, json={"events": [], "responses": []})
    async with serving(database, clock, neighbours, Path(REPOSITORY)) as server:
        assert (await server.client.get("/health")).json()["release"].startswith("r-")
        replies = await server.say("嗯？", "cw-1-9-e0", language="zh")
        assert replies[0]["text"]
        assert {flow["id"] for flow in neighbours.prompts[0]["flows"]} >= {"check_balance", "talk_to_agent"}
