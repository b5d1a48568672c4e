"""Answers that come late, twice or in the wrong form. Sections 2.5 to 2.8 of the reference, and what public suites of CALM projects expect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tightrope.engine.models import Project
from tightrope.engine.state import apply, stack_update
from tightrope.engine.testing import Conversation

FLOWS = """
flows:
  pay:
    name: pay
    description: pays somebody
    steps:
      - collect: to
      - collect: amount
      - collect: kind
      - collect: sure
        ask_before_filling: true
      - action: utter_paid
  hours:
    name: hours
    description: says when we are open
    steps:
      - action: utter_hours
  pattern_correction:
    description: asks before it changes anything
    steps:
      - collect: change_it
        next:
          - if: slots.change_it
            then: apply
          - else: END
      - id: apply
        action: action_correct_flow_slot
      - action: utter_corrected_previous_input
"""
DOMAIN = """
slots:
  to: {type: text}
  amount: {type: float}
  kind: {type: categorical, values: [once, monthly]}
  sure: {type: bool}
  change_it: {type: bool}
responses:
  utter_ask_to: [{text: To whom?}]
  utter_ask_amount: [{text: How much?}]
  utter_ask_kind: [{text: How often?}]
  utter_ask_sure: [{text: "{amount} to {to}?"}]
  utter_ask_change_it: [{text: Change it?}]
  utter_paid: [{text: Paid.}]
  utter_hours: [{text: At nine.}]
"""


@pytest.fixture
def talk(project: Callable[..., Project]) -> Conversation:
    """A conversation with a payment, in English."""
    return Conversation(project(FLOWS, DOMAIN, "language: en\n"))


def _slots(talk: Conversation, name: str, since: int) -> list[Any]:
    return [e["value"] for e in talk.events[since:] if e["event"] == "slot" and e["name"] == name]


def test_a_second_correction_replaces_the_one_that_still_asks(talk):
    talk.say("to Joe", "start flow pay\nset slot to Joe")
    assert talk.texts("I meant John", "set slot to John") == ["Change it?"]
    assert talk.texts("no, Alex", "set slot to Alex") == ["Change it?"]
    assert talk.texts("yes", "set slot change_it true") == ["All right, changed: to is now Alex.", "How much?"]
    assert talk.slot("to") == "Alex"


def test_corrections_one_after_another_are_confirmed_together(talk):
    talk.say("5 to Joe", "start flow pay\nset slot to Joe\nset slot amount 5")
    talk.say("John", "set slot to John")
    talk.say("and 6", "set slot amount 6")
    talk.say("yes", "set slot change_it true")
    assert (talk.slot("to"), talk.slot("amount")) == ("John", 6.0)


def test_a_refused_correction_changes_nothing_of_either(talk):
    talk.say("5 to Joe", "start flow pay\nset slot to Joe\nset slot amount 5")
    talk.say("John", "set slot to John")
    talk.say("and 6", "set slot amount 6")
    assert talk.texts("no", "set slot change_it false") == ["How often?"]
    assert (talk.slot("to"), talk.slot("amount")) == ("Joe", 5.0)


def test_after_a_cancellation_with_nothing_below_the_end_is_the_end_of_a_task(talk):
    talk.say("pay", "start flow pay")
    said = talk.texts("stop", "cancel flow")
    assert said == ["All right, I have stopped “pay”.", "Is there anything else I can do for you?"]


def test_a_cancellation_beside_a_new_task_asks_for_more_only_once(talk):
    talk.say("pay", "start flow pay")
    said = talk.texts("stop, when do you open?", "cancel flow\nstart flow hours")
    assert said == ["All right, I have stopped “pay”.", "At nine.", "Is there anything else I can do for you?"]


def test_answering_the_interrupted_question_goes_on_with_the_task(talk):
    talk.say("pay Joe", "start flow pay\nset slot to Joe")
    assert talk.texts("when do you open?", "start flow hours") == ["At nine.", "Shall we go on with “pay”?"]
    assert talk.texts("ah, it was 500", "set slot amount 500") == ["How often?"]
    assert [f["flow_id"] for f in talk.state.stack] == ["pay", "pattern_collect_information"]
    assert [e["flow_id"] for e in talk.events if e["event"] == "flow_resumed"] == ["pay"]


def test_a_no_to_going_on_beside_nothing_else_still_drops_the_task(talk):
    talk.say("pay Joe", "start flow pay\nset slot to Joe")
    talk.say("when do you open?", "start flow hours")
    talk.say("no", "set slot continue_interrupted_flow_confirmation false")
    assert not any(f["flow_id"] == "pay" for f in talk.state.stack)


def test_a_refused_value_never_enters_the_slot_which_is_told_to_be_empty(talk):
    talk.say("5 to Joe", "start flow pay\nset slot to Joe\nset slot amount 5")
    since = len(talk.events)
    assert talk.texts("weekly", "set slot kind weekly") == ["“weekly” is not one of the choices.", "How often?"]
    assert _slots(talk, "kind", since) == [None]
    assert talk.slot("kind") is None


def test_a_refused_value_does_not_empty_a_slot_that_is_filled(talk):
    talk.say("5 to Joe", "start flow pay\nset slot to Joe\nset slot amount 5")
    since = len(talk.events)
    said = talk.texts("make it lots", "set slot amount lots")
    assert said[0] == "“lots” is not a number. Please give digits only."
    assert (talk.slot("amount"), _slots(talk, "amount", since)) == (5.0, [])


def test_patterns_are_seen_to_start_and_end_but_questions_are_not(talk):
    talk.say("hm", "")
    told = [(e["event"], e["flow_id"]) for e in talk.events if e["event"].startswith("flow_")]
    assert told[-2:] == [("flow_started", "pattern_cannot_handle"), ("flow_completed", "pattern_cannot_handle")]
    talk.say("pay", "start flow pay")
    assert not any(e.get("flow_id") == "pattern_collect_information" for e in talk.events)


def test_the_end_of_a_journey_tells_every_slot_that_it_resets(talk):
    talk.say("pay Joe", "start flow pay\nset slot to Joe")
    since = len(talk.events)
    talk.say("stop", "cancel flow")
    assert {e["name"]: e["value"] for e in talk.events[since:] if e["event"] == "slot" and e["name"] in {"to", "amount", "sure"}} == {
        "to": None, "amount": None, "sure": None,
    }  # fmt: skip


def test_a_frame_that_does_not_say_which_flow_it_began_with_starts_again(talk):
    talk.say("to Joe", "start flow pay\nset slot to Joe")
    frames = [{key: frame[key] for key in ("frame_id", "flow_id", "step_id", "type", "frame_type")} for frame in talk.state.stack]
    event = {"event": "stack", "timestamp": talk.at, "update": stack_update(frames)}
    apply(talk.state, event, talk.project.initials)
    talk.events.append(event)
    assert talk.texts("5", "set slot amount 5")[-1] == "To whom?"
