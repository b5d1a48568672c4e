"""Rasa's HTTP API: trackers and their events, intents from outside, the REST channel's ways to answer, and who may use it."""

from __future__ import annotations

import json

import pytest
import yaml
from engine_bench import SHOP, Neighbours, serving
from joserfc import jwt
from joserfc.jwk import OctKey

from tightrope.engine.loader import load_project
from tightrope.engine.routes import NOT_HERE
from tightrope.engine.state import replay

pytestmark = pytest.mark.integration
SENDER = "cw-1-1-e0"
TRACKER = f"/conversations/{SENDER}/tracker"
SHARED = "a shared secret of more than thirty-two bytes"


def kinds(tracker) -> list[str]:
    return [event["event"] for event in tracker["events"]]


class TestTracker:
    @pytest.fixture
    async def told(self, server):
        """A conversation with a restart in its middle."""
        server.neighbours.lines = {"几点": "start flow hours", "下单": "start flow order\nset slot size large"}
        await server.say("几点")
        await self._post(server, {"event": "restart"})
        await server.say("下单")
        return server

    @staticmethod
    async def _post(server, events, **params) -> dict:
        answer = await server.client.post(f"{TRACKER}/events", params={"token": server.token, **params}, json=events)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def test_all_events_or_those_after_a_restart_or_none(self, told):
        everything = kinds(await told.tracker(include_events="ALL"))
        at = everything.index("restart")
        assert kinds(await told.tracker(include_events="AFTER_RESTART")) == everything[at + 1 :]
        assert kinds(await told.tracker()) == everything[at + 1 :]
        assert (await told.tracker(include_events="NONE"))["events"] is None
        assert (await told.tracker(include_events="NONE"))["slots"]["size"] == "large"

    async def test_what_was_taken_back_is_not_applied(self, told):
        before = kinds(await told.tracker(include_events="APPLIED"))
        await self._post(told, [{"event": "action", "name": "action_x"}, {"event": "undo"}])
        assert kinds(await told.tracker(include_events="APPLIED")) == before
        await self._post(told, {"event": "rewind"})
        applied = kinds(await told.tracker(include_events="APPLIED"))
        assert "user" not in applied
        assert kinds(await told.tracker(include_events="ALL"))[-3:] == ["action", "undo", "rewind"]

    async def test_the_tracker_as_it_was_at_a_time(self, server):
        server.neighbours.lines = {"下单": "start flow order", "大": "set slot size large"}
        await server.say("下单")
        then = server.clock.now().timestamp()
        server.clock.advance(60)
        await server.say("大")
        now = await server.tracker()
        past = await server.tracker(until=str(then))
        assert (past["slots"]["size"], now["slots"]["size"]) == (None, "large")
        assert past["latest_message"]["text"] == "下单"
        assert past["events"] == now["events"][: len(past["events"])]
        assert (await server.tracker(until="0"))["events"] == []

    @pytest.mark.parametrize("params", [{"include_events": "SOME"}, {"include_events": ""}, {"until": "noon"}, {"until": "nan"}])
    async def test_parameters_that_mean_nothing_are_refused(self, server, params):
        answer = await server.client.get(TRACKER, params={"token": server.token, **params})
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")

    async def test_events_on_a_new_conversation_begin_a_session(self, server):
        tracker = await self._post(server, {"event": "slot", "name": "size", "value": "large"})
        assert kinds(tracker)[:2] == ["action", "session_started"]
        assert kinds(tracker)[-1] == "slot"
        server.neighbours.lines = {"下单": "start flow order"}
        assert [r["text"] for r in await server.say("下单")] == ["要几件？"]

    async def test_a_tracker_that_was_read_can_be_put_back(self, server):
        server.neighbours.lines = {"下单": "start flow order", "大": "set slot size large"}
        await server.say("下单")
        read = await server.tracker(include_events="ALL")
        url, params = "/conversations/other/tracker/events", {"token": server.token, "include_events": "ALL"}
        await server.say("几点", "other")
        put = await server.client.put(url, params=params, json=read["events"])
        assert put.status_code == 200, put.text
        assert put.json()["events"] == read["events"]
        assert put.json()["stack"] == read["stack"]
        assert [r["text"] for r in await server.say("大", "other")] == ["要几件？"]
        after = await server.tracker("other", include_events="ALL")
        assert after["events"][: len(read["events"])] == read["events"]

    async def test_what_was_replaced_stays_in_the_history(self, server, superuser):
        server.neighbours.lines = {"几点": "start flow hours"}
        await server.say("几点")
        await server.client.put(f"{TRACKER}/events", params={"token": server.token}, json=[])
        assert (await server.tracker(include_events="ALL"))["events"] == []
        with superuser("assistant") as connection:
            [first] = connection.execute("SELECT events::text FROM engine.turn WHERE number = 1").fetchone()
        assert "九点开门" in first

    @pytest.mark.parametrize(
        "events",
        [
            {"event": "odd"},
            ["x"],
            [5],
            "x",
            None,
            {"event": "slot", "name": "gone", "value": 1},
            {"event": "slot"},
            {"event": "action"},
            {"event": "user", "text": 5},
            {"event": "user", "text": "x", "parse_data": []},
            {"event": "user", "text": "x", "metadata": "y"},
            {"event": "bot", "text": "x", "data": []},
            {"event": "bot", "text": "x", "data": {"buttons": ["x"]}},
            {"event": "slot", "name": "size", "value": "x", "timestamp": "now"},
            {"event": "slot", "name": "size", "value": "x", "timestamp": True},
            {"event": "stack"},
            {"event": "stack", "update": "[]"},
            {"event": "stack", "update": "no json"},
            {"event": "stack", "update": '[{"op": "replace", "path": "", "value": {}}]'},
            {"event": "stack", "update": '[{"op": "replace", "path": "", "value": [{"frame_id": "f1"}]}]'},
            {"event": "stack", "update": '[{"op": "replace", "path": "", "value": [{"frame_id": "x", "flow_id": "order", "step_id": "a",'
             ' "type": "flow", "frame_type": "regular"}]}]'},
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("method", ["POST", "PUT"])
    async def test_events_that_could_break_a_later_turn_are_refused(self, server, method, events):
        server.neighbours.lines = {"几点": "start flow hours"}
        await server.say("几点")
        before = await server.tracker(include_events="ALL")
        body = [events] if method == "PUT" and isinstance(events, dict) else events
        answer = await server.client.request(method, f"{TRACKER}/events", params={"token": server.token}, json=body)
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
        assert await server.tracker(include_events="ALL") == before
        assert [r["text"] for r in await server.say("几点")] == ["九点开门。"]

    async def test_a_stack_from_outside_is_tried_before_it_counts(self, server):
        frame = {"frame_id": "f1", "flow_id": "gone", "step_id": "nowhere", "type": "flow", "frame_type": "regular"}
        odd = {**frame, "frame_id": "f2", "flow_id": "pattern_collect_information", "type": "pattern_collect_information"}
        pattern = server.app.assistant.serving.project.flows["pattern_collect_information"]
        broken = {**odd, "collect": "size", "of": 5, "flow_hash": pattern.hash, "step_id": pattern.first}
        for frames, status in (([frame], 200), ([broken], 400), ([frame, odd], 200)):
            event = {"event": "stack", "update": json.dumps([{"op": "replace", "path": "", "value": frames}])}
            answer = await server.client.post(f"{TRACKER}/events", params={"token": server.token}, json=event)
            assert answer.status_code == status, answer.text
            assert (await server.post("嗯")).status_code == 200
        server.neighbours.lines = {"几点": "start flow hours"}
        assert "九点开门。" in [r.get("text") for r in await server.say("几点")]

    async def test_a_conversation_id_may_hold_any_character_but_nul(self, server):
        server.neighbours.lines = {"几点": "start flow hours"}
        for sender in ("a/b", "ü 测试", "a%2Fb", "tracker", "a/tracker/events", "?x#y", "'; DROP TABLE engine.turn; --", "\\"):
            await server.say("几点", sender)
            from urllib.parse import quote

            answer = await server.client.get(f"/conversations/{quote(sender, safe='')}/tracker", params={"token": server.token})
            assert answer.json()["sender_id"] == sender
            assert "user" in kinds(answer.json())
        answer = await server.client.get("/conversations/a%00b/tracker", params={"token": server.token})
        assert answer.status_code == 400

    async def test_appended_events_replay_to_the_tracker_s_state(self, told):
        tracker = await told.tracker(include_events="ALL")
        assert replay(SENDER, tracker["events"], load_project(SHOP).initials).stack == tracker["stack"]


class TestTriggerIntent:
    async def test_an_intent_from_outside_begins_its_pattern_and_gives_tracker_and_messages(self, server):
        server.neighbours.lines = {"下单": "start flow order"}
        await server.say("下单")
        url, params = f"/conversations/{SENDER}/trigger_intent", {"token": server.token, "output_channel": "latest"}
        answer = await server.client.post(url, params=params, json={"name": "session_start"})
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"tracker", "messages"}
        user = next(event for event in answer.json()["tracker"]["events"][::-1] if event["event"] == "user")
        assert user["text"] == "EXTERNAL: session_start"
        assert answer.json()["tracker"]["stack"] == []

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (None, 400), ([], 400), ({}, 400), ({"name": 5}, 400), ({"name": ""}, 400), ({"name": "gone"}, 404),
            ({"name": "session_start", "entities": "x"}, 400),
        ],
    )  # fmt: skip
    async def test_what_is_no_intent_is_refused(self, server, body, status):
        url = f"/conversations/{SENDER}/trigger_intent"
        answer = await server.client.post(url, params={"token": server.token}, json=body)
        assert (answer.status_code, answer.json()["status"]) == (status, "failure")
        assert (await server.tracker())["events"] == []


class TestChannel:
    async def test_streamed_items_come_one_a_line(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        body = {"sender": SENDER, "message": "多少钱"}
        answer = await server.client.post("/webhooks/rest/webhook?stream=true", json=body)
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.text.splitlines()
        assert [json.loads(line).get("text") for line in lines] == ["价格 12.50。", None]
        assert json.loads(lines[1])["custom"] == {"envelope": {"v": 1, "kind": "journey"}}
        plain = await server.client.post("/webhooks/rest/webhook?stream=false", json=body)
        assert plain.json() == [json.loads(line) for line in lines]

    @pytest.mark.parametrize(("given", "kept"), [("web", "web"), (None, "rest"), ("", "rest"), (5, "rest"), ("x" * 101, "rest")])
    async def test_the_input_channel_may_be_named(self, server, given, kept):
        body = {"sender": SENDER, "message": "几点", "input_channel": given}
        assert (await server.client.post("/webhooks/rest/webhook", json=body)).status_code == 200
        tracker = await server.tracker()
        assert tracker["latest_input_channel"] == kept
        assert next(event for event in tracker["events"] if event["event"] == "user")["input_channel"] == kept

    @pytest.mark.parametrize("content", [b"[" * 300 + b"]" * 300, b'{"a":' * 150 + b"1" + b"}" * 150, b'"\\ud800"', b"\xff"])
    async def test_json_that_could_not_be_kept_is_refused(self, server, content):
        body = b'{"sender": "a", "message": "x", "metadata": {"deep": ' + content + b"}}"
        answer = await server.client.post("/webhooks/rest/webhook", content=body)
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")

    async def test_a_body_that_lies_about_its_length_is_refused(self, server):
        answer = await server.client.post("/webhooks/rest/webhook", content=b"{}", headers={"content-length": "-1"})
        assert answer.status_code == 413

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    async def test_the_webhook_takes_posts_alone(self, server, method):
        assert (await server.client.request(method, "/webhooks/rest/webhook")).status_code in {404, 405}


class TestServer:
    async def test_the_domain_comes_as_json_or_yaml(self, server):
        params = {"token": server.token}
        as_json = (await server.client.get("/domain", params=params)).json()
        assert {"config", "intents", "entities", "slots", "responses", "actions", "session_config"} <= set(as_json)
        found = await server.client.get("/domain", params=params, headers={"accept": "application/yaml"})
        assert yaml.safe_load(found.text) == as_json
        assert (await server.client.get("/domain", params=params, headers={"accept": "text/html"})).status_code == 406

    async def test_flows_are_told_with_their_steps(self, server):
        flows = {f["id"]: f for f in (await server.client.get("/flows", params={"token": server.token})).json()}
        steps = flows["order"]["steps"]
        assert [next(key for key in step if key not in {"id", "next"}) for step in steps][:3] == ["collect", "collect", "collect"]
        assert steps[2]["next"][0] == {"if": "slots.confirmed", "then": "place"}
        assert steps[-1]["next"] == "END"

    @pytest.mark.parametrize(("method", "path"), sorted(NOT_HERE))
    async def test_what_rasa_has_and_this_engine_has_not_says_what_to_do_instead(self, server, method, path):
        url = path.replace("{sender:path}", SENDER)
        answer = await server.client.request(method, url, params={"token": server.token}, json={})
        assert (answer.status_code, answer.json()["reason"]) == (501, "NotImplemented")
        assert len(answer.json()["message"]) > 30
        assert (await server.client.request(method, url, json={})).status_code == 401

    async def test_an_unexpected_error_tells_the_caller_nothing_of_its_insides(self, server, monkeypatch):
        from tightrope.engine import repository

        async def breaks(*_args, **_kwargs):
            raise RuntimeError("secret figure 12345")

        monkeypatch.setattr(repository, "take", breaks)
        answer = await server.post("几点")
        assert (answer.status_code, answer.json()["reason"]) == (500, "ServerError")
        assert "12345" not in answer.text


class TestProtection:
    @pytest.fixture
    async def guarded(self, database, clock, superuser):
        with superuser("assistant") as connection:
            connection.execute("TRUNCATE engine.conversation CASCADE")
        settings = database.model_copy(update={"jwt_secret": _secret(), "protect_webhook": True})
        async with serving(settings, clock, Neighbours()) as made:
            yield made

    @staticmethod
    def bearer(username: str, role: str) -> dict[str, str]:
        claims = {"user": {"username": username, "role": role}}
        return {"authorization": "Bearer " + jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SHARED))}

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/status"), ("GET", "/flows"), ("GET", "/domain"), ("PUT", "/model"), ("GET", TRACKER),
            ("POST", f"{TRACKER}/events"), ("PUT", f"{TRACKER}/events"), ("POST", f"/conversations/{SENDER}/trigger_intent"),
            ("GET", f"/conversations/{SENDER}/replay"), ("POST", "/webhooks/rest/webhook"),
        ],
    )  # fmt: skip
    async def test_each_address_wants_to_know_who_asks(self, guarded, method, path):
        body = {"sender": SENDER, "message": "x"}
        nobody = await guarded.client.request(method, path, json=body)
        assert (nobody.status_code, nobody.json()["reason"]) == (401, "NotAuthenticated")
        other = await guarded.client.request(method, path, json=body, headers=self.bearer("cw-1-2-e0", "user"))
        assert (other.status_code, other.json()["reason"]) == (403, "NotAuthorized")

    @pytest.mark.parametrize("path", ["/", "/version", "/health", "/webhooks/rest/"])
    async def test_that_it_runs_may_be_asked_by_anybody(self, guarded, path):
        assert (await guarded.client.get(path)).status_code == 200

    async def test_a_user_has_the_own_conversation_and_the_webhook_for_it(self, guarded):
        own = self.bearer(SENDER, "user")
        assert (await guarded.client.get(TRACKER, headers=own)).status_code == 200
        body = {"sender": SENDER, "message": "x"}
        assert (await guarded.client.post("/webhooks/rest/webhook", json=body, headers=own)).status_code == 200
        assert (await guarded.client.get("/status", headers=own)).status_code == 403
        assert (await guarded.client.get("/status", headers=self.bearer("x", "admin"))).status_code == 200

    async def test_the_gateway_sends_the_token_with_each_message(self, guarded):
        from tightrope.gateway.assistant import Assistant

        settings = guarded.app.assistant._source.settings.model_copy(update={"assistant_url": "http://127.0.0.1"})
        gateway = Assistant(settings, transport=guarded.client._transport)
        assert (await gateway.say(SENDER, "几点", {"turn_id": "t" * 43}))[0]["text"]
        made = await gateway.made(SENDER, "t" * 43)
        assert made is not None
        assert made.events[0]["text"] == "几点"
        assert made.making is not None
        assert [one["is"] for one in made.making["record"]["inputs"]][:2] == ["StartSession", "UserMessage"]
        assert (made.making["number"], made.making["opening"][0]["event"]) == (1, "action")
        assert made.steps, "our engine tells every flow step that ran"

    async def test_an_open_webhook_is_open_as_with_rasa(self, server):
        assert (await server.post("几点")).status_code == 200


def _secret():
    from pydantic import SecretStr

    return SecretStr(SHARED)
