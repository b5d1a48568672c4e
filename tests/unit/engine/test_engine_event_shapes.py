"""Events have the shapes that rasa-sdk gives and reads: field by field, for every kind that the engine records."""

from __future__ import annotations

import orjson
import pytest
from rasa_sdk import events as sdk

from tightrope.engine.state import replay
from tightrope.engine.testing import Conversation

FLOWS = """
flows:
  f:
    description: d
    steps: [{collect: a}, {action: action_all}, {action: utter_done}]
  broken: {description: e, steps: [{action: action_broken}]}
  end: {description: g, steps: [{action: action_end}]}
"""
DOMAIN = """
actions: [action_all, action_broken, action_end, action_more]
slots: {a: {type: text}, b: {type: any, mappings: [{type: controlled}]}}
responses:
  utter_ask_a: [{text: a?, buttons: [{title: t, payload: p}]}]
  utter_done: [{text: done}]
"""
SHAPES = {
    "user": sdk.UserUttered("x", {}),
    "bot": sdk.BotUttered("x", {}, {}),
    "slot": sdk.SlotSet("x"),
    "action": sdk.ActionExecuted("x"),
    "action_execution_rejected": sdk.ActionExecutionRejected("x"),
    "session_started": sdk.SessionStarted(),
    "session_ended": sdk.SessionEnded(),
    "restart": sdk.Restarted(),
    "reset_slots": sdk.AllSlotsReset(),
    "followup": sdk.FollowupAction("x"),
    "pause": sdk.ConversationPaused(),
    "resume": sdk.ConversationResumed(),
    "agent": sdk.AgentUttered("x", {}),
    "flow_started": {"event", "timestamp", "flow_id"},
    "flow_completed": {"event", "timestamp", "flow_id", "step_id"},
    "flow_cancelled": {"event", "timestamp", "flow_id", "step_id"},
    "stack": {"event", "timestamp", "update"},
}
GIVEN = [
    sdk.SlotSet("b", {"k": [1]}), sdk.ConversationPaused(), sdk.ConversationResumed(), sdk.AgentUttered("hello", {"x": 1}),
    sdk.FollowupAction("action_more"), sdk.AllSlotsReset(), sdk.BotUttered("said", {"custom": {"y": 1}}, {"z": 1}),
]  # fmt: skip


def boom(_tracker):
    raise RuntimeError


@pytest.fixture
def talk(project):
    fakes = {
        "action_all": lambda _t: GIVEN,
        "action_broken": boom,
        "action_end": lambda _t: [sdk.SessionEnded(metadata={"why": "bye"})],
    }
    talk = Conversation(project(FLOWS, DOMAIN, "language: en\nassistant_id: shop\n"), fakes, strict=False)
    talk.say("x", "start flow f")
    talk.say("x", "set slot a 1")
    talk.say("x", "start flow broken")
    talk.say("x", "start flow f")
    talk.say("/session_start")
    talk.say("/restart")
    talk.say("x", "start flow end")
    return talk


def test_every_kind_that_is_recorded_has_rasas_fields(talk):
    seen = {event["event"]: event for event in talk.events}
    assert seen.keys() == SHAPES.keys()
    for kind, event in seen.items():
        assert set(SHAPES[kind]) <= event.keys(), kind


def test_each_event_has_time_and_assistant_and_can_be_sent_as_json(talk):
    for event in talk.events:
        assert isinstance(event["timestamp"], float)
        assert event["metadata"]["assistant_id"] == "shop"
    assert orjson.loads(orjson.dumps(talk.events)) == talk.events


def test_what_an_action_gives_keeps_its_fields(talk):
    said = next(e for e in talk.events if e["event"] == "bot" and e["text"] == "said")
    assert said["data"] == {"custom": {"y": 1}}
    assert {"z": 1, "utter_source": "action_all"}.items() <= said["metadata"].items()
    assert next(e for e in talk.events if e["event"] == "agent")["data"] == {"x": 1}
    assert talk.events[-1]["metadata"] == {"why": "bye", "assistant_id": "shop"}


@pytest.mark.parametrize("event", [sdk.ActionReverted(), sdk.UserUtteranceReverted(), sdk.ActiveLoop("f"), sdk.StoryExported()])
def test_what_flows_do_not_use_is_told(project, event):
    talk = Conversation(project(FLOWS, DOMAIN), {"action_all": lambda _t: [event]})
    talk.say("x", "start flow f\nset slot a 1")
    assert any(event["event"] in problem and "ignored" in problem for problem in talk.problems)


def test_the_stack_travels_as_a_json_patch(talk):
    updates = [orjson.loads(e["update"]) for e in talk.events if e["event"] == "stack"]
    assert all([part["op"], part["path"]] == ["replace", ""] for update in updates for part in update)
    frames = updates[0][0]["value"]
    assert {"frame_id", "flow_id", "step_id", "type"} <= frames[0].keys()
    assert [f["type"] for f in frames] == ["flow", "pattern_collect_information"]


def test_the_tracker_can_be_had_back_at_any_event(talk):
    for until in range(len(talk.events) + 1):
        state = replay("test", talk.events[:until], talk.project.initials)
        assert state.to_json() == replay("test", orjson.loads(orjson.dumps(talk.events[:until])), talk.project.initials).to_json()
