"""One turn without a database: who is asked what, and what is left when something fails."""

from __future__ import annotations

import asyncio

import pytest

from tightrope.engine.core import step
from tightrope.engine.errors import ActionFailed, EngineError, UnderstandingFailed
from tightrope.engine.models import CannotHandle, Fail, SetSlot, StartFlow
from tightrope.engine.state import State
from tightrope.engine.turn import UNDERSTANDING_DOWN, Incoming, Turn, TurnRunner, Understood, settle

FLOW = """
flows:
  order:
    description: an order
    steps:
      - id: ask
        collect: size
        next:
          - if: slots.size = "large"
            then: stock
          - else: END
      - id: stock
        action: action_stock
"""
DOMAIN = """
slots: {size: {type: text}}
actions: [action_stock]
responses:
  utter_ask_size: [{text: Which size?, buttons: [{title: Large, payload: /SetSlots(size=large)}]}]
"""


class Neighbours:
    """Both neighbours; answers what it was given, or raises it."""

    def __init__(self, understood=Understood((StartFlow("order"),), {"source": "test"}), answer=([], [])):
        self.understood = understood
        self.answer = answer
        self.asked = []
        self.ran = []

    async def understand(self, state, text, history):
        self.asked.append((text, [e["event"] for e in history()]))
        if isinstance(self.understood, Exception):
            raise self.understood
        return self.understood

    async def run(self, name, state, events):
        self.ran.append((name, events[-1]["event"]))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def play(project, neighbours, *messages, **options):
    """Play messages (a text, or text and what is given); gives the turns."""
    runner = TurnRunner(project, neighbours, neighbours, lambda: 1000.0, **options)
    state, turns = State("s"), []
    for message in messages:
        text, given = message if isinstance(message, tuple) else (message, None)
        turn = Turn(state)
        settle(runner.run(turn, Incoming("s", text, {}), given))
        state = turn.state
        turns.append(turn)
    return turns


def test_a_text_is_understood_with_the_history_and_a_pressed_button_is_not(project):
    neighbours = Neighbours()
    first, second = play(project(FLOW, DOMAIN), neighbours, "order please", "/SetSlots(size=large)")
    assert neighbours.asked == [("order please", ["action", "session_started", "action"])]
    assert first.commands == (StartFlow("order"),)
    assert second.commands == (SetSlot("size", "large", "SetSlots"),)
    assert next(e for e in first.events if e["event"] == "user")["parse_data"]["understanding"] == {"source": "test"}
    assert neighbours.ran == [("action_stock", "stack")]


def test_given_commands_ask_nobody(project):
    neighbours = Neighbours()
    (turn,) = play(project(FLOW, DOMAIN), neighbours, ("anything", Understood((StartFlow("order"),))))
    assert neighbours.asked == []
    assert turn.state.stack[0]["flow_id"] == "order"


def test_nothing_understood_is_cannot_handle(project):
    (turn,) = play(project(FLOW, DOMAIN), Neighbours(Understood(())), "mumble")
    assert turn.commands == (CannotHandle(),)


def test_understanding_that_fails_is_an_internal_error_and_told_at_once(project):
    told = []
    (turn,) = play(project(FLOW, DOMAIN), Neighbours(UnderstandingFailed("status 500")), "order", on_problem=told.append)
    assert turn.commands == (Fail(UNDERSTANDING_DOWN),)
    assert turn.problems == told == ["understanding failed: status 500"]


@pytest.mark.parametrize("text", ["", "  ", "x" * 421])
def test_a_text_that_nothing_may_read_reaches_no_understanding(project, text):
    neighbours = Neighbours()
    play(project(FLOW, DOMAIN), neighbours, text)
    assert neighbours.asked == []


def test_the_steps_run_are_told_in_order_over_all_inputs(project):
    first, second = play(project(FLOW, DOMAIN), Neighbours(), "order", "/SetSlots(size=large)")
    assert [v for v in first.visited if v[0] == "order"] == [("order", "ask")]
    assert [v for v in second.visited if v[0] == "order"] == [("order", "stock")]
    assert "pattern_completed" in {flow for flow, _ in second.visited}


def test_every_kind_of_step_is_told(project):
    flows = """
    flows:
      every:
        description: every kind of step
        steps:
          - {id: branch, noop: true, next: [{if: slots.a is null, then: [{id: set, set_slots: [{a: x}], next: child}]}, {else: END}]}
          - {id: child, call: called}
          - {id: away, link: other}
      called: {description: called, steps: [{id: say, action: utter_hi}]}
      other: {description: other, steps: [{id: hi, action: utter_hi}]}
    """
    domain = "slots: {a: {type: text}}\nresponses: {utter_hi: [{text: Hi}]}"
    (turn,) = play(project(flows, domain), Neighbours(Understood((StartFlow("every"),))), "go")
    ours = [(flow, at) for flow, at in turn.visited if not flow.startswith("pattern_")]
    assert ours == [
        ("every", "branch"), ("every", "set"), ("every", "child"), ("called", "say"), ("every", "away"), ("other", "hi"),
    ]  # fmt: skip


def test_the_recorded_inputs_give_the_same_events_again(project):
    made = project(FLOW, DOMAIN)
    state = State("s")
    for turn in play(made, Neighbours(answer=([{"event": "slot", "name": "size", "value": "small"}], [])), "order", "small one"):
        events = []
        for inputs in turn.inputs:
            result = step(made, state, inputs)
            state = result.state
            events.extend(result.events)
        assert events == turn.events


def test_a_failed_action_ends_in_the_pattern_and_stands_in_the_problems(project):
    _, turn = play(
        project(FLOW, DOMAIN), Neighbours(answer=ActionFailed("action_stock", "status 500")), "o", "/SetSlots(size=large)"
    )
    assert turn.problems == ["action action_stock failed: status 500"]
    assert "pattern_internal_error" in {flow for flow, _ in turn.visited}


def test_actions_that_ask_for_actions_without_an_end_stop(project):
    neighbours = Neighbours(answer=([{"event": "followup", "name": "action_stock"}] * 3, []))
    with pytest.raises(EngineError, match="200 action requests"):
        play(project(FLOW, DOMAIN), neighbours, "o", "/SetSlots(size=large)", prediction_cap=10_000)


def test_a_turn_that_has_to_wait_is_refused_where_nothing_can_wait(project):
    class Slow(Neighbours):
        async def understand(self, state, text, history):
            await asyncio.sleep(0)
            return self.understood

    with pytest.raises(EngineError, match="event loop"):
        play(project(FLOW, DOMAIN), Slow(), "order")


def test_what_breaks_off_leaves_what_happened_in_the_turn(project):
    neighbours = Neighbours(answer=LookupError("no stub"))
    runner = TurnRunner(project(FLOW, DOMAIN), neighbours, neighbours, lambda: 1000.0, strict_payloads=False)
    turn = Turn(State("s"))
    with pytest.raises(LookupError):
        settle(runner.run(turn, Incoming("s", "x", {}), Understood((StartFlow("order"), SetSlot("size", "large")))))
    assert {"user", "flow_started", "slot"} <= {e["event"] for e in turn.events}
    assert ("order", "stock") in turn.visited


def test_a_typed_payload_is_held_to_the_length_of_any_text_but_an_offered_one_is_not(project):
    made = project(FLOW, DOMAIN)
    long = f"/SetSlots(size={'x' * 500})"
    [turn] = play(made, Neighbours(), long, strict_payloads=False)
    assert [type(c) for c in turn.commands] == [Fail]
    first = play(made, Neighbours(), "order", strict_payloads=False)[0]
    first.state.offers.append(long)
    runner = TurnRunner(made, Neighbours(), Neighbours(), lambda: 1.0)
    assert settle(runner.meaning(first, long)).pressed
