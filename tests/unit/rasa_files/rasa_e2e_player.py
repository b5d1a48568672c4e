"""Plays Rasa e2e test files on the embedded engine, understanding included: the part of the format that tests/e2e/ uses.

Events are compared per user turn, as Rasa does. An assertion or step that is not known here is an error, never a silent pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from tightrope.engine.models import Project
from tightrope.engine.prompt import Prompt
from tightrope.engine.testing import Conversation, Fake
from tightrope.understanding.models import Request, line
from tightrope.understanding.service import Understanding


@dataclass(frozen=True)
class Case:
    """One test case with what its file gives it."""

    file: str
    name: str
    steps: list[dict[str, Any]]
    metadata: dict[str, Any]
    stubs: dict[str, dict[str, Any]]


def cases(folder: Path) -> Iterator[Case]:
    """All test cases of the files in `folder`."""
    for path in sorted(folder.glob("*.yml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        metadata = {name: values for item in data.get("metadata", ()) for name, values in item.items()}
        for case in data["test_cases"]:
            name = case["test_case"]
            stubs = {key: stub for key, stub in data["stub_custom_actions"].items() if "::" not in key}
            for key, stub in data["stub_custom_actions"].items():
                owner, _, action = key.partition("::")
                if action and owner == name:
                    stubs[action] = stub
            yield Case(path.name, name, case["steps"], metadata.get(case.get("metadata", ""), {}), stubs)


def play(case: Case, project: Project, understanding: Understanding) -> list[str]:
    """Play a case; returns what went otherwise than asserted."""
    prompt = Prompt.load(project)

    def understand(text: str) -> str:
        request = Request.model_validate(orjson.loads(prompt.render(talk.state, text)))
        return "\n".join(line(command) for command in understanding.understand(request).commands)

    talk = Conversation(project, {name: _stub(stub) for name, stub in case.stubs.items()}, understand=understand)
    wrong: list[str] = []
    for step in case.steps:
        since = len(talk.events)
        talk.say(step["user"], metadata={"turn_id": "t" * 43, **case.metadata})
        events = talk.events[since:]
        for assertion in step["assertions"]:
            for kind, wanted in assertion.items():
                if problem := _check(kind, wanted, events, talk):
                    wrong.append(f"{case.file} {case.name}, after {step['user']!r}: {problem}")
    unstubbed = set(talk.ran) - set(case.stubs)
    if unstubbed:
        wrong.append(f"{case.file}: Rasa demands a stub for every custom action; missing {sorted(unstubbed)}")
    return wrong + [f"{case.name}: {problem}" for problem in talk.problems]


def _stub(stub: Mapping[str, Any]) -> Fake:
    def answer(_: dict[str, Any]) -> dict[str, Any]:
        return {"events": list(stub["events"]), "responses": [dict(item) for item in stub["responses"]]}

    return answer


def _check(kind: str, wanted: Any, events: list[dict[str, Any]], talk: Conversation) -> str | None:
    match kind:
        case "flow_started":
            started = {e["flow_id"] for e in events if e["event"] == "flow_started"}
            fits = all if wanted["operator"] == "all" else any
            return None if fits(flow in started for flow in wanted["flow_ids"]) else f"started {sorted(started)}, not {wanted}"
        case "flow_completed":
            ended = [(e["flow_id"], e["step_id"]) for e in events if e["event"] == "flow_completed"]
            fit = [step for flow, step in ended if flow == wanted["flow_id"]]
            good = wanted["flow_step_id"] in fit if "flow_step_id" in wanted else bool(fit)
            return None if good else f"completed {ended}, not {wanted}"
        case "slot_was_set" | "slot_was_not_set":
            return _slots(kind, wanted, events)
        case "action_executed":
            ran = [e["name"] for e in events if e["event"] == "action"]
            return None if wanted in ran else f"ran {ran}, not {wanted}"
        case "bot_uttered":
            said = [e for e in events if e["event"] == "bot"]
            return None if any(_said(wanted, e) for e in said) else f"said {[e['text'] for e in said]}, not {wanted}"
        case "bot_did_not_utter":
            return f"said {wanted}" if any(_said(wanted, e) for e in events if e["event"] == "bot") else None
    return f"the assertion {kind} is not known to this player ({talk.flow()})"


def _slots(kind: str, wanted: list[dict[str, Any]], events: list[dict[str, Any]]) -> str | None:
    given = [(e["name"], e["value"]) for e in events if e["event"] == "slot"]
    for slot in wanted:
        hits = [value for name, value in given if name == slot["name"] and value is not None]
        found = slot["value"] in hits if "value" in slot else bool(hits)
        if found != (kind == "slot_was_set"):
            return f"slots were set to {given}; wanted {kind} {slot}"
    return None


def _said(wanted: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    if "utter_name" in wanted and event["metadata"].get("utter_action") != wanted["utter_name"]:
        return False
    if "text_matches" in wanted and not re.search(wanted["text_matches"], event["text"] or ""):
        return False
    return "buttons" not in wanted or (event["data"].get("buttons") or []) == wanted["buttons"]
