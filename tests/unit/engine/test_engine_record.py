"""The record of turns: every input survives JSON, and any conversation played again from its record gives the same events, byte for byte."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine_properties import CAP, Conversations

from tightrope.engine.errors import EngineError
from tightrope.engine.mappings import Entity
from tightrope.engine.models import (
    ActionFailure,
    ActionResult,
    Command,
    Input,
    Options,
    SetSlot,
    StartFlow,
    StartSession,
    UserMessage,
)
from tightrope.engine.record import Appended, Record, from_plain, play, replay_turns, to_plain
from tightrope.engine.state import State
from tightrope.engine.turn import Incoming, Turn, TurnRunner, Understood, settle

words = st.text(max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), numbers, words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=5,
)
mappings = st.dictionaries(words, plain, max_size=3)
st.register_type_strategy(Entity, st.builds(Entity, words, plain, st.none() | words, st.none() | words))
by_type = {
    "value": plain, "info": mappings, "metadata": mappings, "understanding": st.none() | mappings,
    "events": st.lists(mappings, max_size=2).map(tuple), "responses": st.lists(mappings, max_size=2).map(tuple),
    "at": numbers, "confidence": numbers,
}  # fmt: skip


def made(cls: type) -> st.SearchStrategy[Any]:
    from dataclasses import fields

    given_fields = {field.name: by_type[field.name] for field in fields(cls) if field.name in by_type}
    if cls is UserMessage:
        given_fields["commands"] = st.lists(commands, max_size=4).map(tuple)
    return st.builds(cls, **given_fields)


commands = st.one_of(*(made(cls) for cls in get_args(Command)))
inputs = st.one_of(*(made(cls) for cls in (*get_args(Input), Appended)))


class TestInputs:
    @given(inputs)
    def test_each_input_comes_back_from_json_as_it_was(self, one):
        back = from_plain(orjson.loads(orjson.dumps(to_plain(one))))
        assert back == one
        assert orjson.dumps(to_plain(back)) == orjson.dumps(to_plain(one))

    @pytest.mark.parametrize("cls", get_args(Command))
    @given(st.data())
    def test_no_command_is_forgotten(self, cls, data):
        one = UserMessage("x", (data.draw(made(cls)),), 1.0)
        assert from_plain(orjson.loads(orjson.dumps(to_plain(one)))) == one

    def test_true_and_one_are_kept_apart(self):
        one = UserMessage("x", (SetSlot("a", True), SetSlot("b", 1), SetSlot("c", 1.0)), 1.0)
        back = from_plain(orjson.loads(orjson.dumps(to_plain(one))))
        assert [type(command.value) for command in back.commands] == [bool, int, float]

    @pytest.mark.parametrize(
        "found", [{}, {"is": "Telepathy"}, {"is": "StartSession"}, {"is": "StartSession", "at": 1.0, "colour": "red"},
                  {"is": "UserMessage", "text": "x", "at": 1.0, "commands": [{"is": "Gone"}]}],
    )  # fmt: skip
    def test_what_another_version_wrote_says_so(self, found):
        with pytest.raises(EngineError, match="version"):
            from_plain(found)

    @pytest.mark.parametrize(
        "found", [{"v": 2}, {"v": 1}, {"v": 1, "model": "m", "cap": 3, "inputs": [], "options": {"gone": True}}]
    )
    def test_a_record_of_another_version_says_so(self, found):
        with pytest.raises(EngineError, match="version"):
            Record.from_json(found)


class Kept:
    """Turns of a conversation as a database keeps them."""

    def __init__(self) -> None:
        self.turns: list[tuple[int, bytes, bytes | None]] = []
        self.state: bytes | None = None

    def keep(self, project, turn: Turn, cap: int = CAP) -> None:
        record = Record(project.model_id, cap, tuple(turn.inputs), project.options)
        self.turns.append((len(self.turns) + 1, orjson.dumps(turn.events), orjson.dumps(record.to_json())))
        self.state = orjson.dumps(turn.state.to_json())


class RecordedConversations(Conversations):
    """The conversations of the properties, each turn recorded; at the end all are played again under each of the projects."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = Kept()
        self.latest: list[Turn] = []

    def played(self, text: str, meant: tuple[Any, ...], given: list[Any]) -> Turn:
        turn = super().played(text, meant, given)
        self.latest.append(turn)
        return turn

    def turn(self, text: str, meant: tuple[Any, ...], given: list[Any]) -> None:
        self.latest.clear()
        super().turn(text, meant, given)
        self.kept.keep(self.project, self.latest[0])

    def teardown(self) -> None:
        for made in getattr(self, "made", ()):
            project = made.load(self.folder)
            found = replay_turns(project, "anyone", 7, self.kept.turns, self.kept.state)
            assert not found.differences, found.differences
            assert found.state_same
            assert found.same + found.other_model == found.turns == len(self.kept.turns)


class TestRecordedConversations(RecordedConversations.TestCase):
    """Runs the machine; `--hypothesis-profile=long` with many examples."""

    settings = settings(max_examples=settings.default.max_examples // 4, stateful_step_count=20)

    @classmethod
    def setUpClass(cls) -> None:
        Conversations.folder = Path(tempfile.mkdtemp(prefix="tightrope-record-"))

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(Conversations.folder)


class Neighbours:
    async def understand(self, _state, _text, _history) -> Understood:
        return Understood((StartFlow("price"),))

    async def run(self, _name, _state, _events):
        return [], [{"response": "utter_price", "price": "12.50"}]


@pytest.fixture
def kept(shop) -> Kept:
    out, state = Kept(), State("anyone", 7)
    runner = TurnRunner(shop, Neighbours(), Neighbours(), lambda: 1000.5)
    for number in range(3):
        turn = Turn(state)
        settle(runner.run(turn, Incoming("anyone", "多少钱", {"turn_id": "t" * 43}, message_id=f"m{number}")))
        out.keep(shop, turn, 30)
        state = turn.state
    return out


class TestReplay:
    def test_a_conversation_that_was_kept_is_whole(self, shop, kept):
        found = replay_turns(shop, "anyone", 7, kept.turns, kept.state)
        assert found.whole
        assert (found.turns, found.same) == (3, 3)

    def test_nothing_kept_is_whole(self, shop):
        assert replay_turns(shop, "anyone", 7, [], None).whole

    @pytest.mark.parametrize(
        ("old", "new", "at"),
        [(b"12.50", b"99.00", "bot"), (b'"action_price"', b'"action_place"', "action"), (b"1000.5", b"1000.6", "user")],
    )
    def test_an_event_that_was_altered_is_found_with_its_place(self, shop, kept, old, new, at):
        number, events, inputs_kept = kept.turns[1]
        assert old in events
        kept.turns[1] = (number, events.replace(old, new, 1), inputs_kept)
        [difference] = replay_turns(shop, "anyone", 7, kept.turns, kept.state).differences
        assert difference.turn == 2
        assert difference.stored["event"] == difference.replayed["event"] == at
        assert difference.stored != difference.replayed

    def test_an_event_that_was_taken_out_or_put_in_is_found(self, shop, kept):
        number, events, inputs_kept = kept.turns[2]
        found = orjson.loads(events)
        for altered in (found[:-1], [*found, {"event": "slot", "name": "verdict", "value": "ok", "timestamp": 1.0}]):
            turns = [*kept.turns[:2], (number, orjson.dumps(altered), inputs_kept)]
            [difference] = replay_turns(shop, "anyone", 7, turns, kept.state).differences
            assert (difference.turn, difference.at) == (3, min(len(altered), len(found)))

    def test_an_input_that_was_altered_is_found(self, shop, kept):
        number, events, inputs_kept = kept.turns[0]
        kept.turns[0] = (number, events, inputs_kept.replace(b"12.50", b"12.51"))
        assert replay_turns(shop, "anyone", 7, kept.turns, kept.state).differences[0].turn == 1

    def test_a_state_that_was_altered_is_found(self, shop, kept):
        found = replay_turns(shop, "anyone", 7, kept.turns, kept.state.replace(b'"bots":3', b'"bots":4'))
        assert not found.differences
        assert not found.state_same
        assert not found.whole

    def test_another_seed_is_another_conversation_but_the_same_events_where_nothing_is_chosen(self, shop, kept):
        found = replay_turns(shop, "anyone", 8, kept.turns, kept.state)
        assert not found.state_same

    def test_an_answer_that_nobody_asked_for_is_told_and_does_not_stop_the_rest(self, shop, kept):
        record = Record(shop.model_id, 30, (ActionResult("action_place", 1.0),))
        kept.turns.insert(1, (9, b"[]", orjson.dumps(record.to_json())))
        found = replay_turns(shop, "anyone", 7, kept.turns, kept.state)
        assert [difference.turn for difference in found.differences] == [9]
        assert "not asked for" in found.differences[0].why
        assert found.same == 3

    def test_turns_of_another_project_are_counted_and_their_events_taken_as_they_are(self, shop, kept):
        found = replay_turns(replace(shop, model_id="other"), "anyone", 7, kept.turns, kept.state)
        assert (found.other_model, found.same, found.differences, found.state_same) == (3, 0, (), True)
        assert not found.whole

    def test_turns_without_a_record_are_counted(self, shop, kept):
        kept.turns[0] = (*kept.turns[0][:2], None)
        found = replay_turns(shop, "anyone", 7, kept.turns, kept.state)
        assert (found.unrecorded, found.same, found.state_same) == (1, 2, True)

    def test_the_operator_s_choices_of_then_hold_in_the_replay(self, shop):
        record = Record(
            shop.model_id,
            30,
            (StartSession(1.0), UserMessage("x", (StartFlow("hours"), StartFlow("price")), 2.0)),
            Options(clarify_several_starts=True),
        )
        state, events = play(shop, State("anyone"), record)
        assert any(event["event"] == "bot" for event in events)
        _, without = play(shop, State("anyone"), replace(record, options=Options()))
        assert orjson.dumps(events) != orjson.dumps(without)
        kept = [(1, orjson.dumps(events), orjson.dumps(record.to_json()))]
        assert replay_turns(shop, "anyone", 0, kept, orjson.dumps(state.to_json())).whole

    def test_events_from_outside_are_part_of_the_record(self, shop):
        slot = {"event": "slot", "name": "size", "value": "large", "timestamp": 5.0}
        kept, state = [], State("anyone", 7)
        for number, one in enumerate((Appended(5.0, (slot,)), Appended(6.0, (slot, {"event": "restart"}), replacing=True)), 1):
            record = Record(shop.model_id, 30, (one,))
            state, events = play(shop, state, record)
            kept.append((number, orjson.dumps(events), orjson.dumps(record.to_json())))
        assert state.slots == {}
        assert replay_turns(shop, "anyone", 7, kept, orjson.dumps(state.to_json())).whole

    def test_a_failure_is_played_again(self, shop):
        state = State("anyone")
        record = Record(
            shop.model_id,
            30,
            (StartSession(1.0), UserMessage("x", (StartFlow("price"),), 2.0), ActionFailure("action_price", 3.0, "status 500")),
        )
        state, events = play(shop, state, record)
        assert events[-1]["event"] == "action"
        assert replay_turns(
            shop, "anyone", 0, [(1, orjson.dumps(events), orjson.dumps(record.to_json()))], orjson.dumps(state.to_json())
        ).whole
