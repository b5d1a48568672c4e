"""The terminal chat's parts: what a line means, what an action returns, what is shown, what is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tightrope.cli.chat_actions import Asked, Stubs, read_stubs
from tightrope.cli.chat_view import Shown, line_view, turn_view
from tightrope.cli.recorder import Spoken, recorded
from tightrope.cli.talk import NotUnderstood, Talk
from tightrope.engine.errors import ActionFailed, ProjectError
from tightrope.engine.loader import load_project
from tightrope.engine.models import Project
from tightrope.engine.state import State
from tightrope.infra.settings import REPOSITORY

SHOP = load_project(REPOSITORY / "tests" / "golden" / "engine" / "shop")
OURS = load_project(REPOSITORY)


class Nothing:
    """Actions that do nothing."""

    async def run(self, _name: str, _state: Any, _events: Any) -> tuple[list[Any], list[Any]]:
        return [], []


def typed(*lines: str) -> Callable[[str], str]:
    waiting = list(lines)
    return lambda _prompt: waiting.pop(0)


def answer(project: Project, *lines: str, name: str = "action_price") -> tuple[list[Any], list[Any], list[str]]:
    told: list[str] = []
    events, responses = asyncio.run(Asked(project, typed(*lines), told.append).run(name, State("x"), []))
    return events, responses, told


def test_an_empty_line_is_nothing() -> None:
    assert answer(SHOP, "")[:2] == ([], [])


def test_every_kind_of_answer_is_taken() -> None:
    events, responses, _ = answer(
        SHOP,
        "slot verdict ok",
        "slot count=3",
        "slot confirmed TRUE",
        "slot size null",
        "utter utter_price price=12",
        "say 你好 there",
        "",
    )
    assert [(e["name"], e["value"]) for e in events] == [("verdict", "ok"), ("count", 3.0), ("confirmed", True), ("size", None)]
    assert responses == [{"response": "utter_price", "price": "12"}, {"text": "你好 there"}]


def test_rasas_json_is_taken() -> None:
    events, responses, _ = answer(
        SHOP, '{"events": [{"event": "slot", "name": "size", "value": "s"}], "responses": [{"text": "a"}]}', ""
    )
    assert events == [{"event": "slot", "name": "size", "value": "s"}]
    assert responses == [{"text": "a"}]


@pytest.mark.parametrize(
    "line",
    ["slot nothing 1", "slot count many", "slot confirmed perhaps", "utter utter_nothing", "utter utter_price price", "slot", "say", "dance",
     "{", '{"event": []}', '{"events": {}}', '{"events": [1]}'],
)  # fmt: skip
def test_what_cannot_be_returned_is_said_and_asked_again(line: str) -> None:
    events, responses, told = answer(SHOP, line, "say ok", "")
    assert (events, responses) == ([], [{"text": "ok"}])
    assert len(told) == 2


def test_help_is_shown_and_failing_fails() -> None:
    told: list[str] = []
    with pytest.raises(ActionFailed):
        asyncio.run(Asked(SHOP, typed("?", "fail"), told.append).run("action_price", State("x"), []))
    assert "utter NAME" in told[1]


def test_the_same_again_is_one_empty_line_and_what_runs_every_turn_is_asked_once() -> None:
    asked = Asked(OURS, typed("say a", "", "", "slot language en", ""), lambda _text: None)
    one = lambda name: asyncio.run(asked.run(name, State("x"), []))  # noqa: E731
    assert one("action_tell_balance") == ([], [{"text": "a"}])
    assert one("action_tell_balance") == ([], [{"text": "a"}])
    first = one("action_set_language")
    assert one("action_set_language") == first == ([{"event": "slot", "name": "language", "value": "en"}], [])


def test_stubs_of_single_cases_are_left_out_and_unknown_actions_go_on(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_text("stub_custom_actions:\n  a: {events: [], responses: [{text: hi}]}\n  case::a: {events: []}\n")
    stubs = Stubs(read_stubs(path), Nothing())
    assert asyncio.run(stubs.run("a", State("x"), [])) == ([], [{"text": "hi"}])
    assert asyncio.run(stubs.run("b", State("x"), [])) == ([], [])


@pytest.mark.parametrize(
    "text",
    ["a: 1\n", "stub_custom_actions: [1]\n", "stub_custom_actions: {a: 1}\n", "stub_custom_actions: {a: {events: 1}}\n", "{"],
)
def test_a_file_without_usable_stubs_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yml"
    path.write_text(text)
    with pytest.raises(ProjectError):
        read_stubs(path)


def test_strict_payloads_hold_here_too() -> None:
    talk = Talk(OURS, None, Nothing(), strict=True)
    with pytest.raises(NotUnderstood):
        asyncio.run(talk.say("/SetSlots(login_state=done)"))
    free = Talk(SHOP, None, Nothing())
    asyncio.run(free.say(":start flow order"))
    heard = asyncio.run(free.say("/SetSlots(size=large)"))
    assert heard.commands is None
    assert free.state.slots["size"] == "large"


def test_a_language_is_set_before_the_first_turn_and_goes_with_every_message() -> None:
    talk = Talk(OURS, None, Nothing(), language="en")
    heard = asyncio.run(talk.say(":start flow greet"))
    assert heard.turn.state.slots["language"] == "en"
    assert heard.turn.state.latest_message["metadata"]["language"] == "en"


def test_a_channel_gets_its_own_variation(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.yml").write_text("flows:\n  a: {description: d, steps: [{action: utter_a}]}\n")
    (tmp_path / "domain.yml").write_text("responses:\n  utter_a:\n  - text: short\n    channel: sms\n  - text: long\n")
    project = load_project(tmp_path)
    said = [
        asyncio.run(Talk(project, None, Nothing(), channel=name).say(":start flow a")).turn.events for name in ("sms", "rest")
    ]
    assert [next(e["text"] for e in events if e["event"] == "bot") for events in said] == ["short", "long"]


def test_buttons_stay_numbered_until_others_are_offered_and_their_payload_is_sent() -> None:
    talk = Talk(OURS, None, Nothing())
    asyncio.run(talk.say(":start flow decline_investment_advice"))
    before = len(talk.spoken)
    with pytest.raises(NotUnderstood):
        asyncio.run(talk.say("1"))  # its payload is a text, which nobody understands here
    assert len(talk.spoken) == before


def shown(width: int, *, events: bool = False) -> str:
    talk = Talk(SHOP, None, Nothing())
    heard = asyncio.run(talk.say(":start flow order; set slot size large"))
    console = Console(width=width, force_terminal=False, record=True, file=StringIO())
    console.print(turn_view(SHOP, heard.before, heard.turn.state, heard.turn.events, ["a problem"], Shown(events=events), width))
    return console.export_text()


@pytest.mark.parametrize("width", [40, 80, 100, 140])
def test_a_turn_fits_the_terminal(width: int) -> None:
    from rich.cells import cell_len

    text = shown(width, events=True)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    for part in ("⇒ start flow order", "! a problem", "stack", 'size = "large"', "flow_started order"):
        assert part in text
    beside = any("⇒" in line and "stack" in line for line in text.splitlines())
    assert beside == (width >= 100)


def test_hostile_texts_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in line_view("a\x1b[2J[red]b", 40).plain
    assert "[red]" in line_view("a[red]b", 40).plain
    assert "\u202e" not in line_view("a\u202eb", 40).plain


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"event": kind, "timestamp": 1.0, **fields}


def test_a_recording_asserts_what_was_seen_and_escapes_texts() -> None:
    turn = Spoken(
        "how much?",
        None,
        (
            event("session_started"),
            event("user", text="how much?"),
            event("flow_started", flow_id="price"),
            event("flow_started", flow_id="pattern_completed"),
            event("action", name="action_price"),
            event("bot", text="12.50 (net)\nmore", metadata={}),
            event("bot", text="x", metadata={"utter_action": "utter_price"}),
            event("slot", name="size", value="s"),
            event("slot", name="count", value=None),
            event("flow_completed", flow_id="price", step_id="a"),
        ),
    )
    made = recorded(
        SHOP,
        "case",
        "f.yml",
        [turn],
        [("action_price", [event("slot", name="size", value=None)], [{"text": "a", "image": None}])],
        {},
        {},
    )
    from tightrope.engine.yamlfile import parse

    found = parse(made.test, "f.yml")
    assert made.commands is None
    assert found["test_cases"][0]["steps"][0]["assertions"] == [
        {"flow_started": {"operator": "all", "flow_ids": ["price"]}},
        {"slot_was_set": [{"name": "size", "value": "s"}]},
        {"action_executed": "action_price"},
        {"bot_uttered": {"text_matches": r"12\.50 \(net\)"}},
        {"bot_uttered": {"utter_name": "utter_price"}},
        {"flow_completed": {"flow_id": "price"}},
    ]
    assert found["stub_custom_actions"]["action_price"] == {
        "events": [{"event": "slot", "name": "size", "value": None}], "responses": [{"text": "a"}],
    }  # fmt: skip


def test_an_action_that_answers_differently_is_told() -> None:
    made = recorded(SHOP, "case", "f.yml", [], [("a", [], [{"text": "1"}]), ("a", [], [{"text": "2"}])], {}, {})
    assert "a did not always return the same" in made.notes[0]
