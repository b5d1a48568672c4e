"""Any project, any conversation: the core never raises, every turn ends listening after a bounded number of steps, the stack is well
formed, the record replays to the same state, and what a flow filled is gone with the flow.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from engine_projects import FLOWS, SAID, SLOTS, VALUES, Made, projects
from engine_stack import stack_flaws
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tightrope.engine.answers import read_action
from tightrope.engine.core import step
from tightrope.engine.errors import ActionFailed
from tightrope.engine.models import (
    CancelFlow,
    CannotHandle,
    ChitChat,
    Clarify,
    KnowledgeAnswer,
    Listen,
    Project,
    RepeatBotMessages,
    SetSlot,
    SkipQuestion,
    StartFlow,
)
from tightrope.engine.run import ASKING
from tightrope.engine.state import State, replay
from tightrope.engine.turn import Incoming, Turn, TurnRunner, Understood, settle

CAP = 8
flows = st.sampled_from([*FLOWS, "f_gone", "pattern_search", "pattern_completed"])
sets = st.builds(SetSlot, st.sampled_from(SLOTS), st.sampled_from(SAID))
commands = st.lists(
    st.one_of(
        st.builds(StartFlow, flows),
        st.builds(StartFlow, flows),
        sets,
        sets,
        st.just(CancelFlow()),
        st.builds(Clarify, st.lists(flows, max_size=4).map(tuple)),
        st.sampled_from([KnowledgeAnswer(), ChitChat(), SkipQuestion(), RepeatBotMessages()]),
        st.builds(CannotHandle, st.sampled_from([None, "cannot_handle_chitchat"])),
    ),
    max_size=4,
).map(tuple)

plain = st.recursive(
    st.sampled_from([None, True, 3, 2.5, "x", "bad", "red", "", [], {}]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["payload", "title", "k"]), inner, max_size=2)
    ),
    max_leaves=3,
)
slot_values = {
    "max_clarification_options": "many",
    "t0": "x",
    "t1": None,
    "n0": 700,
    "b0": True,
    "c0": "red",
    "k0": "y",
    "items": ["x"],
    "language": "en",
    "gone": 1,
}
good_events = st.one_of(
    st.sampled_from([{"event": "slot", "name": name, "value": value} for name, value in slot_values.items()]),
    st.sampled_from(
        [
            {"event": "followup", "name": "action_x"},
            {"event": "followup", "name": "utter_say"},
            {"event": "followup", "name": "action_listen"},
            {"event": "followup", "name": "action_restart"},
            {"event": "restart"},
            {"event": "reset_slots"},
            {"event": "pause"},
            {"event": "resume"},
            {"event": "session_ended"},
            {"event": "session_started"},
            {"event": "bot", "text": "hi", "data": {"buttons": [{"title": "t", "payload": "/SetSlots(b0=true)"}]}},
            {"event": "undo"},
            {"event": "user", "text": "x"},
            {"event": "stack", "update": "[]"},
        ]
    ),
)
kinds = ["slot", "followup", "bot", "reset_slots", "restart", "pause", "user", "stack", "action", "odd", None, 3]
bad_events = st.builds(
    lambda kind, rest: {"event": kind, **rest},
    st.sampled_from(kinds),
    st.dictionaries(st.sampled_from(["name", "value", "text", "data", "metadata", "parse_data", "update"]), plain, max_size=3),
)
good_responses = st.sampled_from(
    [
        {"response": "utter_say", "t0": "given"},
        {"template": "utter_missing"},
        {"text": "plain", "buttons": [{"title": "t", "payload": "/SetSlots(k0=y)"}]},
        {"text": None, "custom": {"a": 1}},
    ]
)
bad_responses = st.dictionaries(
    st.sampled_from(["text", "response", "template", "buttons", "custom", "image", "attachment", "elements", "t0"]),
    plain,
    max_size=3,
)
answers = st.one_of(
    st.just("fails"),
    st.tuples(st.lists(good_events, max_size=3), st.lists(good_responses, max_size=2)),
    st.tuples(st.lists(bad_events, max_size=2), st.lists(bad_responses, max_size=2)),
)
outcomes = st.lists(answers, max_size=3)
texts = st.one_of(
    st.sampled_from(
        [
            "x", "", "   ", "y" * 500, "/SetSlots(secret=yes)", "/SetSlots(k0=x)", "/SetSlots(b0=true, secret=yes)", "/StartFlow(f0)",
            "/f0", "/restart", "/session_start", "/session_end", '/f0{"secret": "yes"}', "set slot secret yes", "/SetSlots(",
        ]
    ),
    st.text(max_size=10),
)  # fmt: skip


class Neighbours:
    """Understanding and the action server: the first says what it was given, the second takes its answers from a list, then does nothing."""

    def __init__(self, meant: tuple[Any, ...], given: list[Any]) -> None:
        self.meant = meant
        self.given = list(given)
        self.acted = False

    async def understand(self, _state: State, _text: str, _history: Any) -> Understood:
        return Understood(self.meant)

    async def run(self, name: str, _state: State, _events: Any) -> tuple[list[Any], list[Any]]:
        answer = self.given.pop(0) if self.given else ([], [])
        if answer == "fails":
            raise ActionFailed(name, "down")
        read = read_action(name, orjson.dumps({"events": answer[0], "responses": answer[1]}))
        self.acted = self.acted or bool(answer[0])
        return read


class Conversations(RuleBasedStateMachine):
    """One customer of a made-up project, whose flows may change under the conversation."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.at = 1000.0
        self.state = State("anyone", 7)
        self.events: list[dict[str, Any]] = []
        self.touched: set[str] = {"session_started_metadata"}

    @initialize(made=projects(), later=projects())
    def begin(self, made: Made, later: Made) -> None:
        # The slots of both begin with the same values, since a replay reads these from the project of today.
        self.made = [made, replace(later, initial=made.initial)]
        self.persisted: set[str] = set()
        self.load()

    def load(self) -> None:
        self.project: Project = self.made[0].load(self.folder)
        self.persisted |= set().union(*(flow.persisted for flow in self.project.flows.values()))

    @rule()
    def release(self) -> None:
        """The other flows from now on."""
        self.made.reverse()
        self.load()

    @rule(minutes=st.sampled_from([10, 600]))
    def wait(self, minutes: int) -> None:
        self.at += minutes * 60

    @rule(number=st.integers(0, 3), more=st.lists(sets, max_size=2).map(tuple), given=outcomes)
    def start(self, number: int, more: tuple[Any, ...], given: list[Any]) -> None:
        """Ask for a flow of this project, perhaps with something that it needs."""
        names = [name for name in FLOWS if name in self.project.flows]
        self.turn("start", (StartFlow(names[number % len(names)]), *more), given)

    @precondition(lambda self: self.asked())
    @rule(number=st.integers(0, 1), more=st.one_of(st.just(()), st.just(()), commands), given=outcomes)
    def answer(self, number: int, more: tuple[Any, ...], given: list[Any]) -> None:
        """What was asked is given, perhaps with something else."""
        name = self.asked()
        self.turn("answer", (SetSlot(name, VALUES.get(name, ["true", "no"])[number]), *more), given)

    @precondition(lambda self: self.passed())
    @rule(
        which=st.integers(0, 3), number=st.integers(0, 1), more=st.one_of(st.just(()), sets.map(lambda c: (c,))), given=outcomes
    )
    def correct(self, which: int, number: int, more: tuple[Any, ...], given: list[Any]) -> None:
        """Something that was asked before is changed."""
        names = self.passed()
        name = names[which % len(names)]
        self.turn("correct", (SetSlot(name, VALUES.get(name, ["true", "no"])[number]), *more), given)

    def asked(self) -> str | None:
        """The slot asked for now."""
        return next((f.get("collect") or f.get("validate") for f in reversed(self.state.stack) if f["type"] in ASKING), None)

    def passed(self) -> list[str]:
        """Slots that the flows under way asked for or called flows for."""
        return sorted(
            {
                name
                for frame in self.state.stack
                if (flow := self.project.flows.get(frame["flow_id"]))
                for at in frame.get("trail") or ()
                if (found := flow.steps.get(at))
                for name in ([found.target] if found.kind == "collect" else self.project.owned.get(found.target, ()))
            }
        )

    @rule(meant=commands, given=outcomes)
    def say(self, meant: tuple[Any, ...], given: list[Any]) -> None:
        self.turn("something", meant, given)

    @rule(text=texts, given=outcomes)
    def type(self, text: str, given: list[Any]) -> None:
        self.turn(text, (), given)

    @rule(number=st.integers(0, 5), given=outcomes)
    def press(self, number: int, given: list[Any]) -> None:
        if self.state.offers:
            self.turn(self.state.offers[-1 - number % len(self.state.offers)], (), given)

    def turn(self, text: str, meant: tuple[Any, ...], given: list[Any]) -> None:
        """Play a turn twice and look at all that must hold."""
        self.at += 1
        before = orjson.dumps(self.state.to_json())
        offered = list(self.state.offers)
        first, again = self.played(text, meant, given), self.played(text, meant, given)
        assert orjson.dumps(self.state.to_json()) == before, "the given state was changed"
        assert orjson.dumps(first.events) == orjson.dumps(again.events), "the same turn gave other events"
        held = self.value("secret")
        self.state = first.state
        self.events += first.events
        assert orjson.dumps(replay("anyone", self.events, self.project.initials, 7).to_json()) == orjson.dumps(
            self.state.to_json()
        )
        assert State.from_json(orjson.loads(orjson.dumps(self.state.to_json()))) == self.state, "the state is not plain data"
        if not self.state.paused:  # A paused conversation is left as it is, whatever was released meanwhile.
            flaws = stack_flaws(self.project, self.state, first.inputs)
            assert not flaws, flaws
        self.look_at_slots()
        if text not in offered:
            assert not any(isinstance(c, SetSlot) and c.extractor == "SetSlots" for c in first.commands)
            assert self.value("secret") in {held, None}, "typed text filled a slot that only a button may fill"
            if not meant:
                assert not any(isinstance(c, StartFlow | SetSlot) for c in first.commands)
        elif text.startswith("/") and first.events and not any(self.offers_again(event, text) for event in first.events):
            assert text not in self.state.offers, "a button may be pressed twice"

    def played(self, text: str, meant: tuple[Any, ...], given: list[Any]) -> Turn:
        neighbours = Neighbours(meant, given)
        runner = TurnRunner(self.project, neighbours, neighbours, lambda: self.at, prediction_cap=CAP)
        turn = Turn(self.state, lambda: self.events)
        settle(runner.run(turn, Incoming("anyone", text, {"k": 1}, message_id="m")))
        state = self.state
        for inputs in turn.inputs:
            result = step(self.project, state, inputs, cap=CAP)
            state = result.state
        assert isinstance(result.effect, Listen)
        if neighbours.acted:
            self.touched |= set(slot_names(turn.inputs))
        return turn

    def value(self, name: str) -> Any:
        return self.state.slots.get(name, self.project.initials.get(name))

    @staticmethod
    def offers_again(event: dict[str, Any], text: str) -> bool:
        return event["event"] == "bot" and any(b.get("payload") == text for b in event["data"].get("buttons") or ())

    def look_at_slots(self) -> None:
        """A value stands for a flow that lies on the stack, or an action set it, or a flow keeps it; and it is of its slot's type.

        A conversation that was closed for good is left as it is.
        """
        if self.state.ended:
            return
        owned = set().union(*(self.project.owned.get(f["flow_id"], frozenset()) for f in self.state.stack))
        owned.update(name for frame in self.state.stack for name in frame.get("resets", ()))
        left = set(self.state.slots) - owned - self.touched - self.persisted
        assert not left, f"{left} outlived the flows that filled them"
        for name, value in self.state.slots.items():
            slot = self.project.slots.get(name)
            if slot is None or name in self.touched or value is None:
                continue
            fits = {"bool": bool, "float": int | float, "text": str, "categorical": str}.get(slot.type, object)
            assert isinstance(value, fits), f"{name} of type {slot.type} holds {value!r}"
            assert slot.type != "categorical" or value in slot.values, f"{name} holds {value!r}"


def slot_names(inputs: list[Any]) -> list[str]:
    """Slots that answers of actions set."""
    return [
        event["name"]
        for one in inputs
        for event in getattr(one, "events", ())
        if event.get("event") == "slot" and isinstance(event.get("name"), str)
    ]


class TestConversations(Conversations.TestCase):
    """Runs the machine; `--hypothesis-profile=long` with many examples."""

    settings = settings(max_examples=settings.default.max_examples // 2, stateful_step_count=30)

    @classmethod
    def setUpClass(cls) -> None:
        Conversations.folder = Path(tempfile.mkdtemp(prefix="tightrope-properties-"))

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(Conversations.folder)
