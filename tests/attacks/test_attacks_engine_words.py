"""A customer with malice, an action that lies, and conversations without an end, against the pure core."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from textwrap import dedent

import orjson
import pytest

from tightrope.engine import responses
from tightrope.engine.errors import ActionFailed
from tightrope.engine.inprocess import InProcessActions
from tightrope.engine.loader import load_project
from tightrope.engine.models import Project
from tightrope.engine.state import Event, State
from tightrope.engine.testing import Conversation
from tightrope.engine.turn import Turn

FLOWS = """
flows:
  f: {description: d, steps: [{collect: name}, {collect: sure}, {action: action_x}, {action: utter_done}]}
  g: {description: g, steps: [{collect: other}]}
"""
DOMAIN = """
slots:
  name: {type: text}
  other: {type: text}
  sure: {type: text, mappings: [{type: controlled}]}
actions: [action_x]
intents: [restart]
responses:
  utter_ask_name: [{text: name?}]
  utter_ask_other: [{text: other?}]
  utter_done: [{text: done}]
  utter_ask_sure: [{text: "sure?", buttons: [{title: yes, payload: "/SetSlots(sure=y)"}]}]
"""
OFFERED = "/SetSlots(sure=y)"


def write(folder: Path, flows: str, domain: str) -> Project:
    (folder / "data").mkdir()
    (folder / "data" / "flows.yml").write_text(dedent(flows), encoding="utf-8")
    (folder / "domain.yml").write_text(dedent(domain), encoding="utf-8")
    (folder / "config.yml").write_text("language: en\n", encoding="utf-8")
    return load_project(folder)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return write(tmp_path, FLOWS, DOMAIN)


@pytest.fixture
def asked(project: Project) -> Conversation:
    """A customer who is asked for a press that was offered."""
    talk = Conversation(project)
    talk.say("a", "start flow f")
    talk.say("b", "set slot name Ann")
    return talk


@pytest.mark.parametrize(
    "typed",
    [
        "/SetSlots(name=Eve)", "/SetSlots(sure=n)", "/SetSlots(sure=y, name=Eve)", "/StartFlow(g)", "/restart", "/session_start",
        "/session_end", '/restart{"a": 1}', "/restart@1.0", "／SetSlots(sure=y)", "⁄SetSlots(sure=y)", "/SetSlots（sure=y）",
        "/SetSlots(sure＝y)", "/ЅetSlots(sure=y)", OFFERED + " ", " " + OFFERED, OFFERED + "\n", "\n" + OFFERED, OFFERED + "\x00",
        "\u200b" + OFFERED, OFFERED + "\u200b", "\ufeff" + OFFERED, "/setslots(sure=y)", "/SetSlots( sure=y)", "/SetSlots(sure= y)",
        "/SetSlots(sure='y')", OFFERED + OFFERED, "start flow g", "set slot sure y", "SetSlot(sure, y)", "EXTERNAL: restart",
    ],
)  # fmt: skip
def test_typed_text_is_words_and_never_a_command(asked, typed):
    journey, slots = asked.flow(), dict(asked.state.slots)
    asked.say(typed)
    assert asked.flow() == journey == "f"
    assert asked.state.slots == slots
    assert asked.ran == []


def test_a_button_acts_once(asked):
    asked.say(OFFERED)
    assert asked.ran == ["action_x"]
    asked.say(OFFERED)
    assert asked.ran == ["action_x"]


def test_a_button_of_an_ended_session_or_of_another_customer_does_nothing(asked, project):
    other = Conversation(project)
    other.say("a", "start flow f")
    other.say("b", "set slot name Eve")
    other.state.offers.clear()
    other.say(OFFERED)
    assert other.ran == []
    asked.at += 10**6
    asked.say(OFFERED)
    assert asked.ran == []


LIES = """
from rasa_sdk import Action

class Lies(Action):
    def name(self):
        return "action_x"

    def run(self, dispatcher, tracker, domain):
        {said}
        return {events}
"""


@pytest.mark.parametrize(
    ("said", "events"),
    [
        ("pass", "[{'event': 'slot', 'name': ['x']}]"), ("pass", "[{'event': [1]}]"),
        ("pass", "[{'event': 'bot', 'data': 5}]"), ("pass", "[{'event': 'bot', 'data': {'buttons': ['x']}}]"),
        ("dispatcher.messages.append(5)", "[]"), ("dispatcher.messages.append({'buttons': 5})", "[]"),
        ("pass", "[{'event': 'slot', 'name': 'name', 'value': '\\ud800'}]"),
    ],
)  # fmt: skip
def test_an_action_in_this_process_that_lies_is_a_failed_action(tmp_path, monkeypatch, said, events):
    """As over HTTP: the customer reads the apology and the turn ends, where the terminal chat and the test player broke."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    project = write(tmp_path, FLOWS, DOMAIN)
    module = f"lies_{abs(hash((said, events)))}"
    (tmp_path / f"{module}.py").write_text(LIES.format(said=said, events=events), encoding="utf-8")
    actions = InProcessActions(project, module)

    with pytest.raises(ActionFailed):
        asyncio.run(actions.run("action_x", State("test"), []))


class Long(Conversation):
    """A conversation that keeps no history: thousands of turns in a second or two."""

    def _keep(self, turn: Turn) -> list[dict[str, object]]:
        self.state = turn.state
        self.newest: list[Event] = turn.events
        return responses.replies("test", turn.events)

    def sizes(self) -> tuple[int, int, int]:
        """Bytes of state, bytes of the last turn, frames."""
        return len(orjson.dumps(self.state.to_json())), len(orjson.dumps(self.newest)), len(self.state.stack)


MANY = 8
LONG_FLOWS = "flows:\n" + "".join(
    f"""\
  f{n}:
    description: d{n}
    steps:
      - collect: a{n}
      - collect: b{n}
      - id: again
        collect: c{n}
        ask_before_filling: true
        next: [{{if: slots.c{n} = "stop", then: END}}, {{else: again}}]
"""
    for n in range(MANY)
)
LONG_DOMAIN = "slots:\n" + "".join(f"  {key}{n}: {{type: text}}\n" for n in range(MANY) for key in "abc") + "responses:\n"
LONG_DOMAIN += "".join(
    f'  utter_ask_{key}{n}: [{{text: q, buttons: [{{title: x, payload: "/SetSlots({key}{n}=x)"}}]}}]\n'
    for n in range(MANY)
    for key in "abc"
)
TALKS = {
    "interruptions": lambda turn: f"start flow f{turn % MANY}",
    "loops": lambda turn: ["start flow f0", "set slot a0 x", "set slot b0 x"][turn] if turn < 3 else "set slot c0 x",
    "corrections in circles": lambda turn: (
        ["start flow f0", "set slot a0 x", "set slot b0 x"][turn]
        if turn < 3
        else f"set slot {'ab'[turn % 2]}0 {1000 + turn % 997}"
    ),
    "clarifications": lambda _turn: "disambiguate flows f1 f2",
    "skips": lambda turn: "skip question" if turn else "start flow f1",
    "not understood": lambda turn: "" if turn else "start flow f1",
    "cancelled and begun": lambda turn: f"cancel flow\nstart flow f{turn % MANY}",
}


@pytest.mark.parametrize("kind", TALKS)
def test_a_long_conversation_stays_as_small_as_a_short_one(tmp_path, kind):
    talk = Long(write(tmp_path, LONG_FLOWS, LONG_DOMAIN))
    early: tuple[int, int, int] = (0, 0, 0)
    for turn in range(2500):
        talk.say("x", TALKS[kind](turn))
        if turn == 99:
            early = talk.sizes()
    late = talk.sizes()
    assert late[2] <= early[2]
    # Numbers in the state (messages, frames) get longer by digits.
    assert late[0] <= early[0] + 50
    assert late[1] <= early[1] + 50
