"""Frames that leave the stack before their end take along what they filled: found by the property tests, kept as cases of their own."""

from __future__ import annotations

import pytest
from engine_shop import boom

from tightrope.engine.loader import load_project
from tightrope.engine.testing import Conversation

DOMAIN = """
slots: {mood: {type: text}, why: {type: text}}
responses: {utter_ask_mood: [{text: Mood?}], utter_ask_why: [{text: Why?}], utter_x: [{text: X}]}
actions: [action_fails]
"""
CHAT = """
flows:
  f: {description: d, steps: [{action: utter_x}]}
  pattern_chitchat:
    steps:
      - collect: mood
      - action: action_fails
      - collect: why
"""


@pytest.mark.parametrize(
    ("leaves", "fails"),
    [("cancel flow", False), ("start flow f", False), ("set slot why x", True)],
)
def test_a_pattern_that_breaks_off_takes_its_answers_along(project, leaves, fails):
    talk = Conversation(project(CHAT, DOMAIN), {"action_fails": boom} if fails else {})
    talk.say("hi", "offtopic reply")
    talk.say("good", "set slot mood good")
    if not fails:
        assert talk.slot("mood") == "good"
        talk.say("x", leaves)
    assert talk.slot("mood") is None


def test_a_session_that_ends_takes_the_answers_of_its_patterns_along(project):
    talk = Conversation(project(CHAT, DOMAIN))
    talk.say("hi", "offtopic reply")
    talk.say("good", "set slot mood good")
    talk.open_session(9999)
    assert (talk.slot("mood"), talk.state.stack) == (None, [])


def test_a_release_that_no_longer_asks_a_question_forgets_its_answer(folder):
    asks = "flows: {f: {description: d, steps: [{collect: mood}, {collect: why}]}}"
    talk = Conversation(load_project(folder(asks, DOMAIN)))
    talk.say("f", "start flow f\nset slot mood good")
    talk.project = load_project(folder(asks.replace("{collect: mood}, ", ""), DOMAIN))
    talk.say("x", "")
    assert (talk.slot("mood"), talk.flow()) == (None, "f")


def test_an_asking_action_that_restarts_leaves_no_question_behind(project):
    made = project(
        "flows: {f: {description: d, steps: [{collect: mood}]}}", "slots: {mood: {type: text}}\nactions: [action_ask_mood]"
    )
    talk = Conversation(made, {"action_ask_mood": lambda _t: [{"event": "restart"}]})
    talk.say("f", "start flow f")
    assert talk.state.stack == []
