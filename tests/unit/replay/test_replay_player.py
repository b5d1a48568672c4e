"""Turns played again from their record: states that follow each other, turns that the record lacks, inputs that do not fit, a model's part."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from tightrope.engine.loader import load_project
from tightrope.engine.models import StartFlow
from tightrope.engine.record import Record, seed_of, state_digest
from tightrope.engine.state import Event, State
from tightrope.engine.turn import Incoming, Turn, TurnRunner, Understood, settle
from tightrope.replay.models import Check, Mark, Part
from tightrope.replay.player import Player, play_turns
from tightrope.replay.worker import WorkerFailed, play_apart

SENDER = "cw-1-1-e0"
FILES = {
    "domain.yml": """
slots:
  size: {type: categorical, values: [small, large], mappings: [{type: from_llm}]}
  price: {type: text, mappings: [{type: custom}]}
responses:
  utter_ask_size: [{text: Which size?, buttons: [{title: Large, payload: "/SetSlots(size=large)"}]}]
  utter_price: [{text: "It is {price}."}, {text: "It costs {price}."}]
actions: [action_price]
""",
    "data/flows/order.yml": """
flows:
  order:
    description: order something
    steps:
      - collect: size
      - action: action_price
      - action: utter_price
""",
    "config.yml": "language: en\nassistant_id: shop\n",
    "tightrope/gateway/wording.yml": "disclosure: {zh: 您好, en: I am a machine.}\nerror: {zh: 抱歉, en: Sorry.}\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


class Shop:
    """Answers as the assistant does, and writes the payload that the gateway records."""

    def __init__(self, root: Path) -> None:
        self.project = load_project(root)
        self.state = State(SENDER, seed_of(SENDER))
        self.number = 0
        self.at = 1_800_000_000.0

    async def understand(self, *_: Any) -> Understood:
        return Understood((StartFlow("order"),), {"source": "none"})

    async def run(self, name: str, _state: State, _events: list[Event]) -> tuple[list[Any], list[Any]]:
        assert name == "action_price"
        return [{"event": "slot", "name": "price", "value": "12.50"}], []

    def say(self, text: str) -> dict[str, Any]:
        self.number += 1
        self.at += 1.0
        runner = TurnRunner(self.project, self, self, lambda: self.at)
        turn, turn_id = Turn(self.state), f"turn-{self.number}"
        settle(runner.run(turn, Incoming(SENDER, text, {"turn_id": turn_id, "language": "en"}, message_id="m")))
        record = Record(self.project.model_id, 30, tuple(turn.inputs), self.project.options, state_digest(self.state))
        self.state = State.from_json(orjson.loads(orjson.dumps(turn.state.to_json())))
        first = next(at for at, event in enumerate(turn.events) if event["event"] == "user")
        texts = [event for event in turn.events if event["event"] == "bot"]
        made = {
            "turn_sha256": hashlib.sha256(turn_id.encode()).hexdigest(),
            "sender_id": SENDER,
            "said": text,
            "events": turn.events[first:],
            "engine": {"number": self.number, "opening": turn.events[:first], "record": record.to_json()},
            "envelopes": [],
            "sent": [
                {
                    "kind": "message",
                    "body": {"content": bot["text"]},
                    "offers": [{"title": b["title"], "payload": b["payload"]} for b in bot["data"].get("buttons") or ()],
                }
                for bot in texts
            ],
        }
        plain: dict[str, Any] = orjson.loads(orjson.dumps(made))
        return plain


FACTS = {"decision": "answered", "lang": "en"}


def job(root: Path, payloads: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    turns = [{"payload": payload, "facts": FACTS} for payload in payloads]
    return {"root": str(root), "cache": str(root / "cache"), "missing": {}, "states": {}, "numbers": {}, "turns": turns, **more}


def played(root: Path, payloads: list[dict[str, Any]], **more: Any) -> list[list[Check]]:
    return [[Check.from_json(check) for check in turn] for turn in play_turns(job(root, payloads, **more))["checks"]]


def marks(checks: list[Check]) -> dict[Part, Mark]:
    return {check.part: check.mark for check in checks}


@pytest.fixture
def conversation(root: Path) -> list[dict[str, Any]]:
    shop = Shop(root)
    return [shop.say("I want one"), shop.say("/SetSlots(size=large)"), shop.say("another")]


def test_a_conversation_comes_out_the_same(root: Path, conversation: list[dict[str, Any]]):
    for checks in played(root, conversation):
        assert {check.mark for check in checks} <= {Mark.SAME, Mark.FROM_RECORD}, checks
        assert marks(checks)[Part.FLOWS] is Mark.SAME
    [_, pressed, _] = played(root, conversation)
    assert any(check.detail == "a button" and check.mark is Mark.SAME for check in pressed)


def test_states_go_on_in_the_turns_of_the_next_release(root: Path, conversation: list[dict[str, Any]]):
    first = play_turns(job(root, conversation[:1]))
    again = played(root, conversation[1:], states=first["states"], numbers=first["numbers"])
    assert all(marks(checks)[Part.FLOWS] is Mark.SAME for checks in again)


def test_a_process_of_its_own_gives_the_same_checks(root: Path, conversation: list[dict[str, Any]]):
    assert play_apart(root, job(root, conversation)) == json.loads(json.dumps(play_turns(job(root, conversation))))


def test_a_process_that_fails_is_told_with_its_last_word(root: Path):
    with pytest.raises(WorkerFailed, match="KeyError"):
        play_apart(root, {"root": str(root)})


def test_code_of_the_release_runs_before_the_installed_code(root: Path, conversation: list[dict[str, Any]]):
    engine = root / "tightrope" / "rules"
    engine.mkdir(parents=True)
    (engine / "__init__.py").write_text("raise ImportError('the rules of the release')")
    with pytest.raises(WorkerFailed, match="the rules of the release"):
        play_apart(root, job(root, conversation))


def test_a_process_of_its_own_gets_no_settings(root: Path, conversation: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TIGHTROPE_SECRETS_DIR", "/etc/tightrope/secrets")
    rules = root / "tightrope" / "rules"
    rules.mkdir(parents=True)
    (rules / "__init__.py").write_text("import os\nraise ImportError(str([name for name in os.environ if 'TIGHTROPE' in name]))")
    with pytest.raises(WorkerFailed, match=r"ImportError: \[\]"):
        play_apart(root, job(root, conversation))


def test_a_turn_that_the_record_lacks_is_named_and_nothing_after_it_is_guessed(root: Path, conversation: list[dict[str, Any]]):
    [_, last] = played(root, [conversation[0], conversation[2]])
    assert marks(last)[Part.FLOWS] is Mark.MISSING
    assert any("turn 2 left" in check.detail for check in last)


def test_a_turn_after_one_that_could_not_be_run_is_not_guessed(root: Path, conversation: list[dict[str, Any]]):
    broken = copy.deepcopy(conversation[0])
    broken["engine"]["record"]["v"] = 99
    first, second, _ = played(root, [broken, *conversation[1:]])
    assert marks(first)[Part.FLOWS] is Mark.MISSING
    assert marks(second)[Part.FLOWS] is Mark.MISSING


def test_another_end_of_the_turn_before_is_a_difference(root: Path, conversation: list[dict[str, Any]]):
    conversation[0]["engine"]["record"]["inputs"][1]["commands"] = []
    first, second, _ = played(root, conversation)
    assert marks(first)[Part.FLOWS] is Mark.DIFFERS
    assert marks(second)[Part.FLOWS] is Mark.DIFFERS


def test_a_button_that_was_never_offered_does_not_press(root: Path, conversation: list[dict[str, Any]]):
    """A forger lets the customer press what nobody offered; the engine would have taken it for words."""
    said = conversation[2]["engine"]["record"]["inputs"][0]
    said["text"], said["payload"] = "/SetSlots(size=small)", True
    said["commands"] = [{"is": "SetSlot", "name": "size", "value": "small", "extractor": "SetSlots"}]
    checks = played(root, conversation)[2]
    assert marks(checks)[Part.INPUT] is Mark.DIFFERS
    assert marks(checks)[Part.FLOWS] is Mark.DIFFERS


def test_an_answer_of_an_action_that_nobody_asked_differs(root: Path, conversation: list[dict[str, Any]]):
    given = {"is": "ActionResult", "name": "action_price", "at": 1.0}
    conversation[0]["engine"]["record"]["inputs"].append(given)
    [first, *_] = played(root, conversation)
    assert any(check.mark is Mark.DIFFERS and "do not fit" in check.detail for check in first)


def test_other_flows_make_other_events(root: Path, conversation: list[dict[str, Any]]):
    flow = root / "data" / "flows" / "order.yml"
    flow.write_text(flow.read_text().replace("action: utter_price", "action: utter_ask_size"))
    assert marks(played(root, conversation)[1])[Part.FLOWS] is Mark.DIFFERS


def test_files_that_nobody_holds_are_named(root: Path, conversation: list[dict[str, Any]]):
    for checks in played(root, conversation, missing={"flows": "the log does not hold data/flows/order.yml"}):
        assert marks(checks)[Part.FLOWS] is Mark.MISSING
    assert "order.yml" in str(played(root, conversation, missing={"flows": "the log does not hold data/flows/order.yml"})[0])


def test_files_that_make_no_project_are_named(root: Path, conversation: list[dict[str, Any]]):
    (root / "data" / "flows" / "order.yml").write_text("flows: [")
    assert "make no project" in str(played(root, conversation)[0])


@pytest.mark.parametrize(
    ("facts", "mark"),
    [({"decision": "answered"}, Mark.MISSING), ({"decision": "failed"}, Mark.FROM_RECORD), ({"decision": "wording"}, None)],
)
def test_a_turn_without_the_assistants_inputs(root: Path, facts: dict[str, Any], mark: Mark | None):
    player = Player(root, root / "cache", {}, {})
    payload = {"said": "x", "engine": None, "sent": [{"kind": "message", "body": {"content": "Sorry."}}]}
    assert marks(player.turn(payload, facts)).get(Part.FLOWS) is mark


def test_commands_without_an_account_of_how_they_came_about_are_taken_from_the_record(
    root: Path, conversation: list[dict[str, Any]]
):
    told = [check for check in played(root, conversation)[0] if check.part is Part.COMMANDS]
    assert [(check.mark, check.detail) for check in told] == [(Mark.FROM_RECORD, "taken from the record: none")]
