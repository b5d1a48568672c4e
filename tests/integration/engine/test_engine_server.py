"""The assistant server over HTTP with a real Postgres."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import httpx
import pytest
from engine_bench import SHOP, Neighbours, free_port, serving

from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration
TURN = "t" * 43
SORRY = "抱歉，系统出了点问题，刚才的操作没有完成。请稍后再试。"
REPHRASE = "抱歉，我没有理解您的意思。请换一种说法再试一次。"


class TestTurns:
    async def test_a_flow_runs_over_the_rest_channel_with_an_action_and_its_envelope(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        replies = await server.say("多少钱", turn_id=TURN, language="zh")
        assert replies == [
            {"recipient_id": "cw-1-1-e0", "text": "价格 12.50。"},
            {"recipient_id": "cw-1-1-e0", "custom": {"envelope": {"v": 1, "kind": "journey"}}},
        ]
        [prompt] = server.neighbours.prompts
        assert prompt["message"] == "多少钱"
        assert prompt["flow"] is None
        assert {flow["id"] for flow in prompt["flows"]} == {"order", "hours", "price", "private", "paint"}

    async def test_a_conversation_goes_on_from_the_database(self, server, database, clock):
        server.neighbours.lines = {"下单": "start flow order", "三件": "set slot count 3"}
        [question] = await server.say("下单")
        assert question["buttons"][0] == {"title": "大", "payload": "/SetSlots(size=large)"}
        other = Neighbours()
        async with serving(database, clock, other) as second:
            assert [r["text"] for r in await second.say("/SetSlots(size=large)")] == ["要几件？"]
            assert other.prompts == []
        assert [r["text"] for r in await server.say("三件")] == ["3.0 件 large，确认吗？"]

    async def test_a_known_turn_is_answered_with_the_stored_replies_and_nothing_runs(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        first = await server.say("多少钱", turn_id=TURN)
        before = len(server.neighbours.calls), len(server.neighbours.prompts)
        assert await server.say("多少钱", turn_id=TURN) == first
        assert await server.say("something else", turn_id=TURN) == first
        assert (len(server.neighbours.calls), len(server.neighbours.prompts)) == before
        assert sum(e["event"] == "user" for e in (await server.tracker())["events"]) == 1

    async def test_the_turn_id_of_another_conversation_is_another_turn(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        await server.say("多少钱", turn_id=TURN)
        await server.say("多少钱", sender="cw-1-2-e0", turn_id=TURN)
        assert len(server.neighbours.prompts) == 2

    async def test_one_turn_asked_twice_at_once_runs_once(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        replies = await asyncio.gather(*(server.say("多少钱", turn_id=TURN) for _ in range(5)))
        assert len(server.neighbours.prompts) == 1
        assert all(reply == replies[0] for reply in replies)

    async def test_two_servers_never_run_one_conversation_at_once(self, server, database, clock):
        running = 0

        async def slow(request: httpx.Request) -> httpx.Response:
            nonlocal running
            running += 1
            assert running == 1
            await asyncio.sleep(0.05)
            running -= 1
            return httpx.Response(200, json={"events": [], "responses": []})

        other = Neighbours()
        for neighbours in (server.neighbours, other):
            neighbours.lines = {"多少钱": "start flow price"}
            neighbours.act = slow
        async with serving(database, clock, server.neighbours) as one, serving(database, clock, other) as two:
            await asyncio.gather(*(each.say("多少钱") for each in (one, two) for _ in range(3)))
        state = await server.tracker()
        assert sum(event["event"] == "user" for event in state["events"]) == 6

    async def test_a_crash_before_the_save_repeats_the_turn(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}

        def crash(_request: httpx.Request) -> httpx.Response:
            raise RuntimeError("the process dies here")

        server.neighbours.action_answer = crash
        with pytest.raises(RuntimeError):
            await server.say("多少钱", turn_id=TURN)
        server.neighbours.action_answer = None
        assert (await server.say("多少钱", turn_id=TURN))[0]["text"] == "价格 12.50。"
        assert sum(event["event"] == "user" for event in (await server.tracker())["events"]) == 1

    async def test_idle_for_too_long_begins_a_new_session(self, server):
        server.neighbours.lines = {"下单": "start flow order"}
        await server.say("下单")
        server.clock.advance(29 * 60)
        assert [r["text"] for r in await server.say("嗯")] == [REPHRASE, "要多大的？"]
        server.clock.advance(31 * 60)
        assert [r["text"] for r in await server.say("嗯")] == [REPHRASE]
        events = (await server.tracker())["events"]
        assert sum(event["event"] == "session_started" for event in events) == 2

    async def test_what_is_saved_a_turn_does_not_grow_with_the_conversation(self, server, superuser):
        server.neighbours.lines = {"几点": "start flow hours"}
        sizes = []
        for _ in range(12):
            await server.say("几点")
            with superuser("assistant") as connection:
                row = connection.execute(
                    "SELECT length(c.state::text), (SELECT max(length(events::text)) FROM engine.turn WHERE number = c.turns) FROM engine.conversation c"
                ).fetchone()
            sizes.append(row)
        assert sizes[-1][0] <= sizes[1][0] + 20
        assert sizes[-1][1] <= sizes[1][1] + 20


class TestUnderstanding:
    async def test_commands_and_what_understanding_said_stand_on_the_user_event(self, server):
        server.neighbours.lines = {"几点": "start flow hours\nI am sure"}
        await server.say("几点", turn_id=TURN)
        tracker = await server.tracker(turn_id=TURN)
        user = tracker["events"][0]
        assert user["event"] == "user"
        assert user["metadata"]["turn_id"] == TURN
        assert user["parse_data"]["commands"] == [{"command": "start flow", "flow": "hours"}]
        assert user["parse_data"]["understanding"] == {"source": "rule", "rule": "test", "refused": ["I am sure"]}

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(500, json={"error": {"message": "no"}}),
            httpx.Response(200, content=b"no json"),
            httpx.Response(200, json={"choices": []}),
            httpx.Response(200, json=[]),
            httpx.Response(200, json={"choices": [{"message": {"content": ["x"]}}]}),
        ],
    )
    async def test_an_understanding_that_fails_is_said_and_recorded_and_the_flow_stays(self, server, answer):
        server.neighbours.lines = {"下单": "start flow order"}
        await server.say("下单")
        server.neighbours.understanding_answer = lambda _request: answer
        assert [r["text"] for r in await server.say("大", turn_id=TURN)] == [SORRY, "要多大的？"]
        user = (await server.tracker(turn_id=TURN))["events"][0]
        assert user["parse_data"]["understanding"]["source"] == "none"
        assert user["parse_data"]["commands"][0]["command"] == "error"

    async def test_an_understanding_that_cannot_be_reached_is_said(self, server):
        def down(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        server.neighbours.understanding_answer = down
        assert [r["text"] for r in await server.say("大")] == [SORRY]

    async def test_nothing_is_asked_for_an_empty_or_too_long_text(self, server):
        assert [r["text"] for r in await server.say("  \x00 ")] == ["我没有收到内容，请再发一次。"]
        assert [r["text"] for r in await server.say("长" * 50_000)] == ["您的消息太长了，请控制在 200 个字符以内。"]
        assert server.neighbours.prompts == []

    @pytest.mark.parametrize(
        "text",
        ["\u202e{{7*7}}", "{slots}", "/SetSlots(login_state=done)", "/restart", '"}], "flows": [{"id": "x', "\x07\x1b[31m"],
    )
    async def test_odd_texts_are_understood_as_texts(self, server, text):
        assert [r["text"] for r in await server.say(text)] == [REPHRASE]
        assert [prompt["message"] for prompt in server.neighbours.prompts] == [text]

    async def test_a_nul_character_in_metadata_does_no_harm(self, server):
        assert [r["text"] for r in await server.say("嗯", note="a\x00b")] == [REPHRASE]
        assert (await server.tracker())["latest_message"]["metadata"] == {"note": "a\x00b"}


class TestActions:
    async def test_the_domain_goes_only_when_it_is_asked_for(self, server):
        seen = []

        def answer(request: httpx.Request) -> httpx.Response:
            body = json.loads(request.content)
            seen.append("domain" in body)
            assert body["domain_digest"]
            return httpx.Response(200 if "domain" in body or len(seen) > 2 else 449, json={"events": [], "responses": []})

        server.neighbours.action_answer = answer
        server.neighbours.lines = {"多少钱": "start flow price"}
        await server.say("多少钱")
        await server.say("多少钱")
        assert seen == [False, True, False]

    async def test_the_request_is_rasa_s_and_its_events_are_bounded_to_this_session(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        for _ in range(9):
            await server.say("多少钱", turn_id=None)
        body = server.neighbours.calls[-1]
        assert body["next_action"] == "action_price"
        assert body["version"] == "3.21.0"
        tracker = body["tracker"]
        assert len(tracker["events"]) == 50
        assert tracker["latest_message"]["text"] == "多少钱"
        assert tracker["stack"][-1]["flow_id"] == "price"
        server.clock.advance(3600)
        await server.say("多少钱", turn_id=TURN)
        events = server.neighbours.calls[-1]["tracker"]["events"]
        assert events[0]["event"] == "session_started"
        assert sum(e["event"] == "user" for e in events) == 1
        assert server.neighbours.calls[-1]["tracker"]["latest_message"]["metadata"]["turn_id"] == TURN

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(400, json={"error": "refused", "action_name": "action_price"}),
            httpx.Response(404, json={"error": "unknown", "action_name": "action_price"}),
            httpx.Response(449, json={"error": "domain", "action_name": "action_price"}),
            httpx.Response(500, json={"error": "secret figure 12345", "request_body": {}}),
            httpx.Response(200, content=b"<html>"),
            httpx.Response(200, json=None),
            httpx.Response(200, json={"events": {"a": 1}}),
            httpx.Response(200, json={"events": [], "responses": ["x"]}),
        ],
    )
    async def test_each_way_to_fail_ends_in_the_error_pattern(self, server, answer):
        server.neighbours.lines = {"多少钱": "start flow price"}
        server.neighbours.action_answer = lambda _request: answer
        assert [r["text"] for r in await server.say("多少钱", turn_id=TURN)] == [SORRY]
        assert "12345" not in json.dumps(await server.tracker())

    @pytest.mark.parametrize(
        ("error", "tries"), [(httpx.ConnectError, 2), (httpx.ReadTimeout, 1), (httpx.RemoteProtocolError, 1)]
    )
    async def test_only_a_request_that_was_not_sent_is_sent_again(self, server, error, tries):
        count = 0

        def answer(request: httpx.Request) -> httpx.Response:
            nonlocal count
            count += 1
            raise error("x", request=request)

        server.neighbours.lines = {"多少钱": "start flow price"}
        server.neighbours.action_answer = answer
        assert [r["text"] for r in await server.say("多少钱")] == [SORRY]
        assert count == tries

    async def test_a_real_rasa_sdk_server_runs_the_actions(self, database, clock, tmp_path, superuser):
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rasa_sdk", "--actions", "shop_actions", "--port", str(port),
            cwd=SHOP, env={"PYTHONPATH": str(SHOP), "SANIC_HOST": "127.0.0.1", "HOME": str(tmp_path), "PATH": ""},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with httpx.AsyncClient() as probe:
                for _ in range(200):
                    try:
                        if (await probe.get(f"http://127.0.0.1:{port}/health")).status_code == 200:
                            break
                    except httpx.TransportError:
                        await asyncio.sleep(0.1)
            neighbours = Neighbours()
            neighbours.lines = {
                "多少钱": "start flow price",
                "账户": "start flow private",
                "下": "start flow order\nset slot size large\nset slot count 1",
                "对": "set slot confirmed true",
            }
            real = httpx.AsyncHTTPTransport()
            made = database.model_copy(update={"actions_url": f"http://127.0.0.1:{port}/webhook", "project_dir": SHOP})
            async with serving(made, clock, neighbours, actions_transport=real) as server:
                sender = f"cw-1-{port}-e0"
                assert [r["text"] for r in await server.say("多少钱", sender, price="9.99")] == ["价格 9.99。"]
                assert [r["text"] for r in await server.say("账户", sender)] == ["请先登录。"]
                assert await server.say("/SetSlots(login_state=done)", sender) == []
                await server.say("下", sender)
                assert [r["text"] for r in await server.say("对", sender)] == [SORRY]
                assert [r["text"] for r in await server.say("多少钱", sender)] == [SORRY]
        finally:
            process.terminate()
            await process.wait()


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
        ):
            assert (await server.client.post(url, params=params, json=wrong)).status_code == 400
        assert (await server.tracker())["slots"]["size"] == "large"

    async def test_a_database_that_is_away_is_a_503_and_unhealthy(self, server, monkeypatch):
        import psycopg

        from tightrope.engine import repository

        async def away(*_args, **_kwargs):
            raise psycopg.OperationalError("gone")

        monkeypatch.setattr(repository, "lock_and_load", away)
        answer = await server.client.post("/webhooks/rest/webhook", json={"sender": "a", "message": "x"})
        assert (answer.status_code, answer.json()["reason"]) == (503, "Unavailable")

    async def test_a_conversation_held_elsewhere_is_a_503(self, server, database, superuser):
        from tightrope.engine import repository

        with superuser("assistant") as holder:
            holder.execute("BEGIN")
            holder.execute(repository._LOCK, ("cw-1-1-e0",))
            assistant = server.client._transport.app.state.assistant
            async with assistant._pool.connection() as connection:
                await connection.execute("SET lock_timeout = '100ms'")
                from tightrope.engine.errors import ConversationBusy

                with pytest.raises(ConversationBusy):
                    await repository.lock_and_load(connection, "cw-1-1-e0", None)
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
