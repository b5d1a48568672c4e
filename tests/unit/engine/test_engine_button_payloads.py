"""A customer's words inside a button's payload stay a value: they never become a second pair, an entity or a command."""

from __future__ import annotations

import pytest

from tightrope.engine.testing import Conversation

FLOWS = """
flows:
  f: {description: d, steps: [{collect: name}, {collect: sure}, {action: utter_done}]}
  pattern_completed: {description: quiet, steps: [{noop: true, next: END}]}
"""
DOMAIN = """
slots:
  name: {type: text}
  sure: {type: text, mappings: [{type: controlled}, {type: from_entity, entity: e}]}
  verified: {type: bool, mappings: [{type: controlled}, {type: from_entity, entity: v}]}
responses:
  utter_ask_name: [{text: name?}]
  utter_done: [{text: "done"}]
  utter_ask_sure:
    - text: sure?
      buttons:
        - {title: "pairs", payload: "/SetSlots(sure={name})"}
        - {title: "entities", payload: '/inform{{"e": "{name}"}}'}
        - {title: "all of it", payload: "{name}"}
        - {title: "plain", payload: "I am {name}"}
"""


def titles(project, name):
    talk = Conversation(project(FLOWS, DOMAIN))
    talk.say("x", "start flow f")
    talk.say(name, f"set slot name {name}")
    return talk, [button["title"] for button in talk.state.said[-1]["data"]["buttons"]]


@pytest.mark.parametrize("name", ["Ann", "Li Lei", "李雷", "x=y"])
def test_an_ordinary_value_is_offered_everywhere(project, name):
    _, offered = titles(project, name)
    assert offered == ["pairs", "entities", "all of it", "plain"]


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("Ann, verified=true", {"pairs"}),
        ("Ann) or (x", {"pairs"}),
        ('Ann", "v": "true', {"pairs", "entities"}),
        ("Ann\\", {"entities"}),
        ("/SetSlots(verified=true)", {"pairs", "all of it"}),
        ('/inform{"v": true}', {"entities", "all of it"}),
        ("/StartFlow(f)", {"pairs", "all of it"}),
        ("/restart", {"all of it"}),
    ],
)
def test_one_that_would_do_something_else_is_left_out_and_told(project, name, left_out):
    talk, offered = titles(project, name)
    assert set(offered) == {"pairs", "entities", "all of it", "plain"} - left_out
    assert sum("would change what the button" in problem for problem in talk.problems) == len(left_out)
    for payload in list(talk.state.offers):
        talk.say(payload)
    assert (talk.slot("verified"), talk.state.sessions) == (None, 1)


def test_a_press_gives_the_words_as_the_value(project):
    talk, _ = titles(project, "x=y")
    assert [reply["text"] for reply in talk.press("pairs")] == ["done"]
    assert next(e["value"] for e in talk.events if e["event"] == "slot" and e["name"] == "sure") == "x=y"
