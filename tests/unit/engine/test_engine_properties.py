"""Whatever is said in whatever order: the core never raises, always comes to listen, keeps the stack well formed, and replays."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.engine.commands import parse_line, parse_payload, parse_text
from tightrope.engine.core import step
from tightrope.engine.errors import CommandSyntaxError, PredicateError
from tightrope.engine.loader import load_project
from tightrope.engine.models import (
    ActionFailure,
    ActionResult,
    CancelFlow,
    CannotHandle,
    ChitChat,
    Clarify,
    Fail,
    KnowledgeAnswer,
    Listen,
    RepeatBotMessages,
    SetSlot,
    SkipQuestion,
    StartFlow,
    StartSession,
    UserMessage,
)
from tightrope.engine.predicates import compile_predicate
from tightrope.engine.state import State, replay

SHOP = load_project(Path(__file__).parents[2] / "golden" / "engine" / "shop")
FLOWS = [*SHOP.flows, "nowhere"]
SLOTS = [*SHOP.slots, "nothing"]
VALUES = ["true", "false", "5", "999", "large", "small", "pink", "red", "done", "order", "none", "", None]

flows = st.sampled_from(FLOWS)
commands = st.one_of(
    st.builds(StartFlow, flows),
    st.builds(SetSlot, st.sampled_from(SLOTS), st.sampled_from(VALUES), st.sampled_from(["LLM", "SetSlots"])),
    st.just(CancelFlow()),
    st.builds(Clarify, st.lists(flows, max_size=4).map(tuple)),
    st.just(KnowledgeAnswer()),
    st.just(ChitChat()),
    st.just(SkipQuestion()),
    st.just(RepeatBotMessages()),
    st.builds(CannotHandle, st.sampled_from([None, "cannot_handle_chitchat"])),
    st.builds(Fail, st.just("rasa_internal_error_user_input_empty")),
)
slot_events = st.builds(
    lambda name, value: {"event": "slot", "name": name, "value": value},
    st.sampled_from(SLOTS),
    st.sampled_from(["login", "ok", "x", 3.0, True, None]),
)
outcomes = st.one_of(
    st.just("fail"),
    st.lists(
        st.one_of(
            slot_events,
            st.sampled_from(
                [{"event": "restart"}, {"event": "reset_slots"}, {"event": "followup", "name": "action_price"}, {"event": "odd"}]
            ),
        ),
        max_size=3,
    ),
)
turns = st.lists(st.tuples(st.lists(commands, max_size=4).map(tuple), st.lists(outcomes, max_size=6)), max_size=10)


@settings(max_examples=250, deadline=None)
@given(turns)
def test_any_conversation_ends_each_turn_listening_and_replays_identically(script):
    state, events = State("anyone"), []

    def take(result):
        nonlocal state
        state = result.state
        events.extend(result.events)
        return result

    result = take(step(SHOP, state, StartSession(1.0)))
    for said, answers in script:
        before = orjson.dumps(state.to_json())
        given_state = state
        result = take(step(SHOP, state, UserMessage("x", said, 2.0)))
        assert orjson.dumps(given_state.to_json()) == before, "the given state was changed"
        queue = list(answers)
        for _ in range(60):
            if isinstance(result.effect, Listen):
                break
            name = result.effect.name
            answer = queue.pop(0) if queue else []
            answered = ActionFailure(name, 2.0, "no") if answer == "fail" else ActionResult(name, 2.0, tuple(answer))
            result = take(step(SHOP, state, answered))
        assert isinstance(result.effect, Listen)
        ids = [frame["frame_id"] for frame in state.stack]
        assert len(ids) == len(set(ids))
        assert all(frame["flow_id"] in SHOP.flows for frame in state.stack)
        assert all(frame["type"] == "flow" or frame["flow_id"].startswith("pattern_") for frame in state.stack)
        assert orjson.dumps(replay("anyone", events, SHOP.initials).to_json()) == orjson.dumps(state.to_json())
        again = State.from_json(orjson.loads(orjson.dumps(state.to_json())))
        assert again == state


@given(st.text(max_size=80))
def test_no_text_breaks_the_command_parsers(text):
    parse_text(text, "v1")
    parse_text(text, "v2")
    parse_text(text, "v3")
    for parse in (parse_line, parse_payload):
        with suppress(CommandSyntaxError):
            parse(text)


WORDS = ["slots.a", "slots.b", "context.c", "and", "OR", "not", "(", ")", "=", "!=", "<", ">=", "is", "is not", "contains", "matches",
         "'x'", "5", "-2.5", "null", "true", "empty", "{'a' 'b'}", "'('"]  # fmt: skip


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from(WORDS), max_size=8),
    st.fixed_dictionaries({"a": st.sampled_from([None, 1, 2.5, "x", "", True, [1], {"k": 1}])}),
)
def test_a_condition_is_refused_when_it_is_compiled_or_never_raises(words, slots):
    try:
        predicate = compile_predicate(" ".join(words))
    except PredicateError:
        return
    assert predicate.holds(slots, {}) in {True, False}
