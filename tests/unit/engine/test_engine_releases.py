"""Releases while conversations are under way: changed and vanished steps, flows, slots, responses, types and values; never an error for the customer."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.engine.check import check
from tightrope.engine.loader import load_project
from tightrope.engine.models import Project
from tightrope.engine.state import replay
from tightrope.engine.testing import Conversation

TOLD = "We have just updated this service, so we have to start it again. Sorry for the trouble."
SORRY = "utter_internal_error_rasa"

BASE: dict[str, Any] = {
    "slots": {
        "size": {"type": "categorical", "values": ["small", "large"]},
        "count": {"type": "float"},
        "note": {"type": "text"},
        "agreed": {"type": "bool"},
        "colour": {"type": "text"},
        "day": {"type": "text"},
        "verdict": {"type": "text", "mappings": [{"type": "controlled"}]},
    },
    "responses": {
        "utter_ask_size": [{"text": "Which size?", "buttons": [{"title": word, "payload": f"/SetSlots(size={word})"} for word in ("small", "large")]}],
        "utter_ask_count": [{"text": "How many?"}],
        "utter_ask_note": [{"text": "Any note?"}],
        "utter_ask_agreed": [{"text": "{count} {size}, right?"}],
        "utter_ask_colour": [{"text": "Which colour?"}],
        "utter_ask_day": [{"text": "Which day?"}],
        "utter_ordered": [{"text": "Ordered."}],
        "utter_painted": [{"text": "Painted."}],
        "utter_booked": [{"text": "Booked."}],
    },
    "actions": ["action_price"],
    "flows": {
        "order": {
            "name": "order",
            "description": "orders goods",
            "steps": [
                {"id": "size", "collect": "size"},
                {"id": "count", "collect": "count"},
                {"id": "note", "collect": "note"},
                {"id": "agree", "collect": "agreed", "ask_before_filling": True},
                {"id": "done", "action": "utter_ordered"},
            ],
        },
        "paint": {"name": "paint", "description": "paints", "steps": [{"id": "child", "call": "choose"}, {"id": "end", "action": "utter_painted"}]},
        "choose": {"description": "child", "if": False, "steps": [{"id": "ask", "collect": "colour"}]},
        "book": {"name": "book", "description": "books a day", "steps": [{"id": "day", "collect": "day"}, {"id": "end", "action": "utter_booked"}]},
        "price": {"name": "price", "description": "the price", "steps": [{"id": "ask", "action": "action_price"}]},
    },
}  # fmt: skip


def _step_added(p: Any) -> None:
    p["flows"]["order"]["steps"].insert(1, {"id": "colour", "collect": "colour"})


def _step_gone(p: Any) -> None:
    del p["flows"]["order"]["steps"][2]


def _steps_renamed(p: Any) -> None:
    for step in p["flows"]["order"]["steps"]:
        step["id"] += "_anew"


def _child_changed(p: Any) -> None:
    p["flows"]["choose"]["steps"].append({"id": "more", "action": "utter_painted"})


def _flow_gone(p: Any) -> None:
    del p["flows"]["order"]


def _child_gone(p: Any) -> None:
    del p["flows"]["choose"]
    p["flows"]["paint"]["steps"] = [{"id": "child", "collect": "colour"}, {"id": "end", "action": "utter_painted"}]


def _slot_gone(p: Any) -> None:
    del p["slots"]["note"], p["responses"]["utter_ask_note"]
    del p["flows"]["order"]["steps"][2]


def _type_changed(p: Any) -> None:
    p["slots"]["count"] = {"type": "categorical", "values": ["one", "two"]}


def _type_widened(p: Any) -> None:
    p["slots"]["count"] = {"type": "text"}


def _values_changed(p: Any) -> None:
    p["slots"]["size"]["values"] = ["tiny", "huge"]
    p["responses"]["utter_ask_size"] = [{"text": "Tiny or huge?"}]


def _bounds_changed(p: Any) -> None:
    p["slots"]["count"].update(min_value=100, max_value=200)


def _asked_by_action(p: Any) -> None:
    del p["responses"]["utter_ask_note"]
    p["actions"].append("action_ask_note")


def _asked_by_other_words(p: Any) -> None:
    p["responses"]["utter_ask_count"] = [{"text": "How many pieces?"}]


def _pattern_changed(p: Any) -> None:
    p["flows"]["pattern_completed"] = {"description": "nothing", "steps": [{"id": "end", "noop": True, "next": "END"}]}


def _question_pattern_changed(p: Any) -> None:
    p["flows"]["pattern_collect_information"] = {
        "description": "asks",
        "steps": [
            {"id": "go", "action": "action_run_slot_rejections", "next": [{"if": "slots.{{context.collect}} is not null", "then": "END"}, {"else": "ask"}]},
            {"id": "ask", "action": "{{context.utter}}"},
            {"id": "wait", "action": "action_listen", "next": "go"},
        ],
    }  # fmt: skip


def _described_anew(p: Any) -> None:
    p["flows"]["order"]["description"] = "other words"


CHANGES = {
    change.__name__.strip("_"): change
    for change in (
        _step_added, _step_gone, _steps_renamed, _child_changed, _flow_gone, _child_gone, _slot_gone, _type_changed, _type_widened,
        _values_changed, _bounds_changed, _asked_by_action, _asked_by_other_words, _pattern_changed, _question_pattern_changed,
        _described_anew,
    )
}  # fmt: skip
ACTIONS = {
    "action_ask_note": lambda _tracker: {"responses": [{"text": "A note?"}]},
    "action_price": lambda _tracker: {
        "events": [{"event": "slot", "name": "verdict", "value": "ok"}],
        "responses": [{"text": "5"}],
    },
}


def write(folder: Path, made: dict[str, Any]) -> Project:
    domain = {key: made[key] for key in ("slots", "responses", "actions")}
    (folder / "data").mkdir(parents=True)
    (folder / "domain.yml").write_text(json.dumps(domain))
    (folder / "config.yml").write_text("language: en\n")
    (folder / "data" / "flows.yml").write_text(json.dumps({"flows": made["flows"]}, indent=1))
    errors = [str(problem) for problem in check(folder) if problem.severity == "error"]
    assert not errors, errors
    return load_project(folder)


@pytest.fixture(scope="module")
def projects() -> Iterator[dict[str, Project]]:
    """The project, and after each of the changes."""
    folder = Path(tempfile.mkdtemp(prefix="tightrope-releases-"))
    out = {"base": write(folder / "base", BASE)}
    for name, change in CHANGES.items():
        made = copy.deepcopy(BASE)
        change(made)
        out[name] = write(folder / name, made)
    yield out
    shutil.rmtree(folder)


@pytest.fixture
def talk(projects) -> Conversation:
    return Conversation(projects["base"], ACTIONS, strict=False)


def under_way(talk: Conversation) -> None:
    """An order of three large ones; the note is asked for."""
    talk.say("order", "start flow order")
    talk.say("x", "set slot size large\nset slot count 3")
    assert talk.state.stack[-1]["collect"] == "note"


def texts(talk: Conversation, text: str, commands: str | None = None) -> list[str]:
    return [reply["text"] for reply in talk.say(text, commands) if "text" in reply]


class TestChanges:
    @pytest.mark.parametrize(
        ("change", "said", "asks"),
        [
            ("step_added", [TOLD, "Which size?"], "size"),
            ("step_gone", [TOLD, "Which size?"], "size"),
            ("steps_renamed", [TOLD, "Which size?"], "size"),
            ("slot_gone", [TOLD, "Which size?"], "size"),
            ("type_changed", [TOLD, "Which size?"], "size"),
            ("values_changed", [TOLD, "Tiny or huge?"], "size"),
            ("bounds_changed", [TOLD, "Which size?"], "size"),
            ("asked_by_action", [TOLD, "Which size?"], "size"),
            ("question_pattern_changed", [TOLD, "Which size?"], "size"),
            ("child_changed", ["Any note?"], "note"),
            ("described_anew", ["Any note?"], "note"),
            ("pattern_changed", ["Any note?"], "note"),
            ("type_widened", ["Any note?"], "note"),
            ("asked_by_other_words", ["Any note?"], "note"),
        ],
    )
    def test_a_journey_goes_on_only_if_nothing_it_stands_on_changed(self, talk, projects, change, said, asks):
        under_way(talk)
        talk.project = projects[change]
        rest = texts(talk, "hm", "repeat message")
        assert [text for text in rest if text in {*said, TOLD}][-len(said) :] == said
        assert talk.state.stack[-1]["collect"] == asks
        if TOLD in said:
            assert (talk.slot("size"), talk.slot("count")) == (None, None)
        assert SORRY not in spoken(talk)

    def test_a_flow_that_is_gone_ends_with_a_sentence(self, talk, projects):
        under_way(talk)
        talk.project = projects["flow_gone"]
        assert texts(talk, "x", "set slot note hello")[0] == TOLD
        assert talk.state.stack == []
        assert talk.slot("size") is None
        assert any(event["event"] == "flow_cancelled" for event in talk.events)

    def test_a_called_flow_that_changed_or_is_gone_begins_its_caller_again(self, talk, projects):
        for change in ("child_changed", "child_gone"):
            talk.project = projects["base"]
            talk.say("x", "start flow paint")
            talk.project = projects[change]
            assert texts(talk, "hm", "offtopic reply")[0] == TOLD
            assert talk.state.stack[-1]["collect"] == "colour"
            talk.say("x", "cancel flow")

    def test_only_the_changed_journey_begins_again(self, talk, projects):
        under_way(talk)
        talk.say("x", "start flow book")
        talk.project = projects["step_added"]
        assert texts(talk, "tomorrow", "set slot day tomorrow")[:2] == [TOLD, "Booked."]
        assert [event["flow_id"] for event in talk.events if event["event"] == "flow_completed"][-1:] != ["order"]
        talk.say("yes", "set slot continue_interrupted_flow_confirmation true")
        assert talk.state.stack[-1]["collect"] == "size"

    def test_a_value_that_the_new_type_takes_is_kept_as_that_type(self, talk, projects):
        under_way(talk)
        talk.project = projects["type_widened"]
        talk.say("x", "set slot note hello")
        assert talk.slot("count") == "3.0"

    def test_slots_that_an_action_set_outlive_a_release(self, talk, projects):
        talk.say("x", "start flow price")
        talk.project = projects["values_changed"]
        talk.say("x", "start flow book")
        assert talk.slot("verdict") == "ok"

    def test_what_a_button_of_before_says_is_understood_as_far_as_it_still_means_something(self, talk, projects):
        talk.say("x", "start flow order")
        talk.project = projects["values_changed"]
        assert texts(talk, "/SetSlots(size=large)") == ["“large” is not one of the choices.", "Tiny or huge?"]
        assert talk.state.stack[-1]["collect"] == "size"
        talk.project = projects["slot_gone"]
        talk.say("/SetSlots(note=x)")
        assert SORRY not in spoken(talk)

    def test_a_paused_conversation_is_put_right_when_it_goes_on(self, talk, projects):
        under_way(talk)
        talk.state.paused = True
        talk.events.append({"event": "pause", "timestamp": talk.at})
        talk.project = projects["step_added"]
        assert texts(talk, "hello?", "offtopic reply") == []
        talk.state.paused = False
        talk.events.append({"event": "resume", "timestamp": talk.at})
        assert texts(talk, "hello?", "offtopic reply")[0] == TOLD

    def test_a_release_between_sessions_says_nothing(self, talk, projects):
        under_way(talk)
        talk.project = projects["step_added"]
        talk.open_session(idle=7200)
        assert TOLD not in texts(talk, "x", "start flow book")


class TestTwoServers:
    @pytest.mark.parametrize("change", ["step_added", "values_changed", "question_pattern_changed", "asked_by_action"])
    def test_a_journey_that_hops_between_two_releases_is_told_once_and_never_fails(self, talk, projects, change):
        under_way(talk)
        for number in range(9):
            talk.project = projects[change if number % 2 == 0 else "base"]
            talk.say("hm", "offtopic reply")
            assert talk.flow() == "order"
        assert said(talk).count(TOLD) == 1
        assert SORRY not in spoken(talk)

    def test_a_third_release_is_told_again(self, talk, projects):
        under_way(talk)
        for name in ("step_added", "base", "step_added", "steps_renamed", "step_added", "steps_renamed"):
            talk.project = projects[name]
            talk.say("hm", "offtopic reply")
        assert said(talk).count(TOLD) == 2

    def test_what_was_answered_before_the_hop_does_not_count_after_it(self, talk, projects):
        """What a release changed may be a check: nothing may be done on the word of an answer given before it."""
        under_way(talk)
        talk.say("x", "set slot note hello")
        assert talk.state.stack[-1]["collect"] == "agreed"
        talk.project = projects["step_added"]
        assert "Ordered." not in texts(talk, "yes", "set slot agreed true")
        talk.project = projects["base"]
        assert "Ordered." not in texts(talk, "yes", "set slot agreed true")


def said(talk: Conversation) -> list[str]:
    return [event.get("text") for event in talk.events if event["event"] == "bot"]


def spoken(talk: Conversation) -> list[str]:
    return [event["metadata"].get("utter_action") for event in talk.events if event["event"] == "bot"]


COMMANDS = [
    "start flow order", "start flow paint", "start flow book", "start flow price", "start flow choose", "cancel flow",
    "set slot size large", "set slot size tiny", "set slot count 3", "set slot count one", "set slot note hello", "set slot colour red",
    "set slot agreed true", "set slot day tomorrow", "offtopic reply", "repeat message", "skip question",
    "disambiguate flows order paint", "set slot continue_interrupted_flow_confirmation true", "set slot confirm_correction true",
    "set slot continue_conversation false", "search and reply", "",
]  # fmt: skip
turns = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from(["base", *CHANGES])),
        st.lists(st.sampled_from(COMMANDS), max_size=3).map("\n".join),
        st.sampled_from(["x", "/SetSlots(size=large)", "/SetSlots(note=x)", "/StartFlow(order)"]),
    ),
    min_size=3,
    max_size=25,
)


@given(turns=turns)
@settings(max_examples=settings.default.max_examples)
def test_any_releases_in_any_conversation_are_never_an_error_for_the_customer(request, turns):
    """Conversation itself asserts after each turn that the events replay to the state."""
    projects = request.getfixturevalue("projects")
    talk = Conversation(projects["base"], ACTIONS, strict=False)
    changes = 0
    for name, commands, text in turns:
        if name is not None:
            changes += projects[name].model_id != talk.project.model_id
            talk.project = projects[name]
        talk.say(text, None if text.startswith("/") else commands)
        assert set(talk.state.slots) <= set(talk.project.slots)
        for frame in talk.state.stack:
            assert talk.project.flows[frame["flow_id"]].hash == frame["flow_hash"]
            assert (
                frame["step_id"] == "START"
                or frame["step_id"].startswith("NEXT:")
                or frame["step_id"] in talk.project.flows[frame["flow_id"]].steps
            )
    assert SORRY not in spoken(talk)
    told = [event for event in talk.events if event["event"] == "flow_started" and event["flow_id"] == "pattern_code_change"]
    assert len(told) <= changes
    assert replay("test", talk.events, talk.project.initials).to_json() == talk.state.to_json()
