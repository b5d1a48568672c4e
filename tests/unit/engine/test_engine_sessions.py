"""Sessions: their start (ours, the project's own, by /session_start), restart, and the end for good."""

from __future__ import annotations

import pytest

from tightrope.engine.core import step
from tightrope.engine.models import ActionFailure, ActionResult, Listen, RunAction, StartSession, UserMessage
from tightrope.engine.state import State, replay
from tightrope.engine.testing import Conversation

FLOWS = """
flows:
  f: {description: d, steps: [{collect: a}, {action: utter_done}]}
"""
DOMAIN = """
slots: {a: {type: text}, kept: {type: text, mappings: [{type: controlled}]}}
responses: {utter_ask_a: [{text: a?}], utter_done: [{text: done}], utter_hi: [{text: hi}], utter_restart: [{text: anew}]}
"""
OWN = DOMAIN + "actions: [action_session_start]\n"


def kinds(events):
    return [e["event"] for e in events]


class TestOwnAction:
    def begin(self, project, *, slots=None, metadata=None):
        made = project(FLOWS, OWN)
        state = State("s", slots=dict(slots or {}), sessions=2 if slots else 0)
        return made, step(made, state, StartSession(1.0, metadata or {}))

    def test_the_project_s_own_action_is_asked_before_the_first_message(self, project):
        _, result = self.begin(project, metadata={"locale": "en", "turn_id": "secret"})
        assert result.effects == (RunAction("action_session_start"),)
        assert result.state.slots == {"session_started_metadata": {"locale": "en"}}

    def test_it_carries_over_what_it_says_and_nothing_else(self, project):
        made, result = self.begin(project, slots={"a": "1", "kept": "x"}, metadata={"locale": "en"})
        events = (
            {"event": "session_started"}, {"event": "slot", "name": "kept", "value": "y"}, {"event": "action", "name": "action_listen"},
        )  # fmt: skip
        ended = step(made, result.state, ActionResult("action_session_start", 2.0, events))
        assert isinstance(ended.effect, Listen)
        assert ended.state.slots == {"kept": "y", "session_started_metadata": {"locale": "en"}}
        assert kinds(ended.events) == ["action", "session_started", "slot", "slot", "action"]
        assert [e["name"] for e in ended.events if e["event"] == "action"] == ["action_session_start", "action_listen"]
        assert ended.problems == ()

    def test_one_that_forgets_the_event_is_helped_and_told(self, project):
        made, result = self.begin(project)
        ended = step(made, result.state, ActionResult("action_session_start", 2.0))
        assert (ended.state.sessions, ended.problems) == (
            1,
            ("action_session_start gave no session_started event; one was added",),
        )

    def test_one_that_fails_does_not_keep_the_customer_out(self, project):
        made, result = self.begin(project, metadata={"locale": "en"})
        ended = step(made, result.state, ActionFailure("action_session_start", 2.0, "down"))
        assert (ended.state.sessions, ended.state.stack) == (1, [])
        assert ended.state.slots == {"session_started_metadata": {"locale": "en"}}
        assert "down" in ended.problems[0]

    def test_it_may_greet_and_the_first_message_is_answered_after_it(self, project):
        talk = Conversation(
            project(FLOWS, OWN),
            {
                "action_session_start": lambda _t: {
                    "events": [{"event": "session_started"}],
                    "responses": [{"response": "utter_hi"}],
                }
            },
        )
        assert talk.texts("x", "start flow f") == ["hi", "a?"]

    def test_asked_for_with_the_first_message_it_runs_once(self, project):
        talk = Conversation(
            project(FLOWS, OWN),
            {
                "action_session_start": lambda _t: {
                    "events": [{"event": "session_started"}],
                    "responses": [{"response": "utter_hi"}],
                }
            },
            strict=False,
        )
        assert talk.texts("/session_start") == ["hi"]
        assert talk.texts("/session_start") == ["hi"]
        assert (talk.ran, talk.state.sessions) == (["action_session_start"] * 2, 2)


class TestAskedFor:
    def test_it_begins_a_new_session_and_ends_what_was_under_way(self, project):
        talk = Conversation(project(FLOWS, DOMAIN), strict=False)
        talk.say("x", "start flow f")
        talk.say("/session_start")
        assert (talk.state.sessions, talk.state.stack) == (2, [])
        assert "flow_cancelled" in kinds(talk.events)

    def test_with_the_first_message_there_is_one_session(self, project):
        talk = Conversation(project(FLOWS, DOMAIN), strict=False)
        talk.say("/session_start")
        assert kinds(talk.events).count("session_started") == 1

    def test_the_pattern_s_other_steps_run_on(self, project):
        pattern = "  pattern_session_start: {description: s, steps: [{action: action_session_start}, {set_slots: [{kept: y}]}, {action: utter_hi}]}\n"
        talk = Conversation(project(FLOWS + pattern, DOMAIN), strict=False)
        assert talk.texts("x", "start flow f") == ["a?"]
        assert talk.texts("/session_start") == ["hi"]
        assert (talk.state.stack, talk.slot("kept")) == ([], None)

    def test_a_session_that_begins_by_itself_does_not_run_the_pattern(self, project):
        pattern = "  pattern_session_start: {description: s, steps: [{action: utter_hi}]}\n"
        talk = Conversation(project(FLOWS + pattern, DOMAIN), strict=False)
        assert talk.texts("x", "start flow f") == ["a?"]

    @pytest.mark.parametrize(("carry", "kept"), [("true", "x"), ("false", None)])
    def test_slots_are_carried_over_as_the_domain_says_and_the_old_request_s_metadata_never(self, project, carry, kept):
        talk = Conversation(
            project(FLOWS, DOMAIN + f"session_config: {{carry_over_slots_to_new_session: {carry}}}\n"), strict=False
        )
        talk.say("x", "start flow f", {"locale": "de"})
        talk.events.append({"event": "slot", "timestamp": 1.0, "name": "kept", "value": "x"})
        talk.state.slots["kept"] = "x"
        talk.say("/session_start")
        assert (talk.slot("kept"), talk.slot("session_started_metadata")) == (kept, None)


class TestRestart:
    def test_everything_begins_anew_and_the_next_message_begins_a_session(self, project):
        talk = Conversation(project(FLOWS, DOMAIN), strict=False)
        talk.say("x", "start flow f")
        assert talk.texts("/restart") == ["anew"]
        assert (talk.state.stack, talk.state.slots, talk.state.offers, talk.state.sessions) == ([], {}, [], 0)
        talk.say("x", "start flow f")
        assert talk.state.sessions == 1

    def test_a_paused_conversation_goes_on_after_it_only(self, project):
        state = State("s")
        for kind in ("session_started", "pause", "session_started"):
            state = replay("s", [{"event": k} for k in ("session_started", "pause", kind)], {})
        assert state.paused
        assert not replay("s", [{"event": k} for k in ("pause", "restart")], {}).paused

    def test_while_a_question_must_be_answered_one_may_still_start_over(self, project):
        flows = FLOWS.replace("{collect: a}", "{collect: a, force_slot_filling: true}")
        talk = Conversation(project(flows, DOMAIN), strict=False)
        talk.say("x", "start flow f")
        assert talk.texts("never mind", "cancel flow") == ["a?"]
        assert talk.texts("/restart") == ["anew"]


class TestTheEnd:
    def test_after_it_nothing_happens_any_more(self, project):
        talk = Conversation(project(FLOWS, DOMAIN), strict=False)
        talk.say("x", "start flow f")
        talk.say("/session_end")
        assert talk.state.ended
        assert kinds(talk.events)[-1] == "session_ended"
        count = len(talk.events)
        assert talk.texts("hello?", "start flow f") == []
        talk.at += 1e6
        assert talk.texts("hello?", "start flow f") == []
        assert len(talk.events) == count
        assert "closed for good" in talk.problems[-1]

    def test_an_action_that_ends_it_ends_the_turn(self, project):
        flows = "flows: {f: {description: d, steps: [{action: action_end}, {action: utter_done}]}}"
        talk = Conversation(
            project(flows, DOMAIN + "actions: [action_end]\n"),
            {"action_end": lambda _t: [{"event": "session_ended"}, {"event": "slot", "name": "kept", "value": "late"}]},
        )
        assert talk.texts("x", "start flow f") == []
        assert (talk.state.slots, talk.state.stack) == ({}, [])

    def test_nothing_of_the_turn_is_left_when_it_ends_beyond_the_cap(self, project):
        flows = "flows: {f: {description: d, steps: [{id: a, action: action_more, next: a}]}, " + (
            "pattern_internal_error: {description: e, steps: [{action: action_end}]}}"
        )
        talk = Conversation(
            project(flows, DOMAIN + "actions: [action_more, action_end]\n"),
            {"action_end": lambda _t: [{"event": "session_ended"}]},
            cap=3,
        )
        talk.say("x", "start flow f")
        assert talk.state.ended
        assert talk.state == State.from_json(talk.state.to_json())

    def test_a_session_is_not_begun_for_it(self, project):
        made = project(FLOWS, DOMAIN)
        ended = State("s", sessions=1, ended=True)
        for inputs in (StartSession(1.0), UserMessage("x", (), 1.0)):
            result = step(made, ended, inputs)
            assert (result.events, result.effects) == ([], (Listen(),))
