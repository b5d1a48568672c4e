"""The four layers of slot validation in their order, and what is left of queued flows after a cancellation."""

from __future__ import annotations

import pytest

from tightrope.engine.testing import Conversation

FLOWS = """
flows:
  f:
    description: d
    steps:
      - collect: n
        rejections: [{if: slots.n > 5, utter: utter_flow_refuses}]
      - collect: later
      - action: utter_done
  g: {description: e, steps: [{collect: other}, {action: utter_g}]}
  pattern_completed: {description: quiet, steps: [{noop: true, next: END}]}
"""
DOMAIN = """
actions: [validate_n]
slots:
  n:
    type: float
    validation: {rejections: [{if: slots.n > 3, utter: utter_domain_refuses}], refill_utter: utter_again}
  later: {type: text}
  other: {type: text}
responses:
  utter_ask_n: [{text: n?}]
  utter_ask_later: [{text: later?}]
  utter_ask_other: [{text: other?}]
  utter_again: [{text: again?}]
  utter_float_slot_rejection: [{text: no number}]
  utter_domain_refuses: [{text: domain}]
  utter_flow_refuses: [{text: flow}]
  utter_done: [{text: done}]
  utter_g: [{text: g}]
  utter_flow_cancelled_rasa: [{text: stopped}]
"""


@pytest.fixture
def asked(project):
    """The customer is asked for n; the action layer takes 1 and 2 only and makes 20 of 2."""

    def validate(tracker):
        value = tracker["slots"]["n"]
        return {1: [], 2: [{"event": "slot", "name": "n", "value": 20}]}.get(
            value, [{"event": "slot", "name": "n", "value": None}]
        )

    talk = Conversation(project(FLOWS, DOMAIN), {"validate_n": validate})
    assert talk.texts("x", "start flow f") == ["n?"]
    return talk


class TestLayers:
    def test_the_type_comes_first(self, asked):
        assert asked.texts("ten", "set slot n ten") == ["no number", "n?"]
        assert asked.ran == []

    def test_then_the_domain_which_asks_in_its_own_words(self, asked):
        assert asked.texts("9", "set slot n 9") == ["domain", "again?"]
        assert asked.ran == []

    def test_then_the_flow(self, project):
        domain = DOMAIN.replace("slots.n > 3", "slots.n > 7").replace("actions: [validate_n]", "")
        talk = Conversation(project(FLOWS, domain))
        talk.say("x", "start flow f")
        assert talk.texts("6", "set slot n 6") == ["flow", "n?"]
        assert talk.texts("8", "set slot n 8") == ["domain", "again?"]
        assert talk.texts("6", "set slot n 6") == ["flow", "n?"]
        assert talk.texts("2", "set slot n 2") == ["later?"]

    def test_then_the_action_which_may_refuse_change_or_take_it(self, asked):
        assert asked.texts("3", "set slot n 3") == ["n?"]
        assert asked.texts("2", "set slot n 2") == ["later?"]
        assert asked.slot("n") == 20
        assert asked.ran == ["validate_n", "validate_n"]

    def test_given_before_it_is_asked_the_domain_checks_it_at_once_and_the_flow_at_its_question(self, project):
        domain = DOMAIN.replace("slots.n > 3", "slots.n > 7").replace("actions: [validate_n]", "")
        talk = Conversation(project(FLOWS, domain))
        assert talk.texts("x", "start flow f\nset slot n 8") == ["domain", "again?"]
        talk = Conversation(project(FLOWS, domain))
        assert talk.texts("x", "start flow f\nset slot n 6") == ["flow", "n?"]

    def test_a_correction_is_checked_by_the_domain_too(self, project):
        talk = Conversation(project(FLOWS, DOMAIN.replace("actions: [validate_n]", "")))
        talk.say("x", "start flow f\nset slot n 1")
        assert talk.texts("no, 9", "set slot n 9")[-2:] == ["domain", "again?"]


class TestQueuedFlows:
    def test_a_flow_that_was_named_later_still_runs_after_the_first_is_cancelled(self, project):
        talk = Conversation(project(FLOWS, DOMAIN.replace("actions: [validate_n]", "")))
        assert talk.texts("x", "start flow f\nstart flow g") == ["n?"]
        assert talk.texts("stop", "cancel flow") == ["stopped", "other?"]
        assert talk.texts("o", "set slot other o") == ["g"]

    def test_what_is_named_beside_a_cancellation_runs_after_it(self, project):
        talk = Conversation(project(FLOWS, DOMAIN.replace("actions: [validate_n]", "")))
        talk.say("x", "start flow f")
        assert talk.texts("stop, g instead", "cancel flow\nstart flow g") == ["stopped", "other?"]
