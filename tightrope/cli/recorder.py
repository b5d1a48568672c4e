"""A conversation of the terminal chat as a test case in Rasa's e2e format: what was said, what it led to, and what actions returned.

Turns that the author entered as commands go into a second file beside it, in the form of `tightrope test e2e --commands`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tightrope.engine.models import Project
from tightrope.engine.state import Event

QUIET = frozenset({"session_started_metadata"})
"""Slots that the engine fills with what the channel sent: nobody's business in a test or a picture of the slots."""
_SHORT = 60


@dataclass(frozen=True, slots=True)
class Spoken:
    """One turn: what was said, the commands that the author entered in its place (if so), and its events."""

    text: str
    commands: tuple[str, ...] | None
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """The test file, the commands file if one is needed, and what the format could not hold."""

    test: str
    commands: str | None
    notes: tuple[str, ...]


def recorded(
    project: Project,
    name: str,
    file: str,
    turns: Sequence[Spoken],
    given: Sequence[tuple[str, Sequence[Any], Sequence[Any]]],
    fixtures: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> Recording:
    """The conversation as a test case called `name`.

    Args:
        file: the test file's name, for the commands file.
        given: what each custom action returned, in order.
        fixtures: slots that were set before the first turn.
        metadata: of every message.
    """
    stubs, notes = _stubs(given)
    case: dict[str, Any] = {"test_case": name}
    out: dict[str, Any] = {}
    if fixtures:
        out["fixtures"] = [{"chat": [{key: value} for key, value in fixtures.items()]}]
        case["fixtures"] = ["chat"]
    if metadata:
        out["metadata"] = [{"chat": dict(metadata)}]
        case["metadata"] = "chat"
    if stubs:
        out["stub_custom_actions"] = stubs
    case["steps"] = [_step(project, turn) for turn in turns]
    out["test_cases"] = [case]
    commands = [
        {"index": index, "commands": list(turn.commands)} for index, turn in enumerate(turns) if turn.commands is not None
    ]
    companion = _yaml([{"file": file, "test_case": name, "turns": commands}]) if commands else None
    return Recording(f"# Recorded by tightrope chat.\n{_yaml(out)}", companion, notes)


def _stubs(given: Sequence[tuple[str, Sequence[Any], Sequence[Any]]]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """One stub an action, as the format has it: its first answer."""
    stubs: dict[str, Any] = {}
    differing: set[str] = set()
    for name, events, responses in given:
        stub = {"events": [_plain(event) for event in events], "responses": [_plain(response) for response in responses]}
        if stubs.setdefault(name, stub) != stub:
            differing.add(name)
    notes = tuple(
        f"{name} did not always return the same; a stub has one answer, and the file has the first" for name in sorted(differing)
    )
    return stubs, notes


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty or belongs to one moment; what a stub's event must name is kept."""
    kept = {key: value for key, value in item.items() if key != "timestamp" and value not in (None, [], {}, "")}
    return {**kept, "value": item.get("value")} if item.get("event") == "slot" else kept


def _step(project: Project, turn: Spoken) -> dict[str, Any]:
    said = next((at for at, event in enumerate(turn.events) if event["event"] == "user"), 0)
    assertions = list(_assertions(project, turn.events[said:]))
    return {"user": turn.text, **({"assertions": assertions} if assertions else {})}


def _assertions(project: Project, events: Sequence[Event]) -> Iterator[dict[str, Any]]:
    started = [e["flow_id"] for e in events if e["event"] == "flow_started" and not e["flow_id"].startswith("pattern_")]
    if started:
        yield {"flow_started": {"operator": "all", "flow_ids": list(dict.fromkeys(started))}}
    slots = {
        e["name"]: e.get("value")
        for e in events
        if e["event"] == "slot" and e["name"] not in QUIET and e.get("value") is not None
    }
    if slots:
        yield {"slot_was_set": [{"name": name, "value": value} for name, value in slots.items()]}
    for name in dict.fromkeys(e["name"] for e in events if e["event"] == "action"):
        if name in project.actions and name not in project.every_turn:
            yield {"action_executed": name}
    for event in events:
        if event["event"] == "bot":
            yield from _uttered(event)
        elif event["event"] in {"flow_completed", "flow_cancelled"} and not event["flow_id"].startswith("pattern_"):
            yield {event["event"]: {"flow_id": event["flow_id"]}}


def _uttered(event: Event) -> Iterator[dict[str, Any]]:
    name = (event.get("metadata") or {}).get("utter_action")
    text = event.get("text")
    if name:
        yield {"bot_uttered": {"utter_name": name}}
    elif text:
        first = next((line for line in text.splitlines() if line.strip()), "")[:_SHORT]
        yield {"bot_uttered": {"text_matches": re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", first)}}


def _yaml(found: Any) -> str:
    plain = json.loads(json.dumps(found, ensure_ascii=False, default=str))
    text: str = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=120, default_flow_style=None)
    return text
