"""What understanding is told: the variables of Rasa's prompt templates, rendered by the project's own template.

The template decides what leaves the engine; the project's prompts/command.jinja2 takes no slot value and no bot turn (docs/wire-contracts.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2

from tightrope.engine.errors import ProjectError
from tightrope.engine.models import Flow, Project, Slot, Version
from tightrope.engine.processing import on_offer
from tightrope.engine.prompt_parts import Offer, PromptTemplate
from tightrope.engine.run import ASKING
from tightrope.engine.state import Event, State
from tightrope.engine.templates import ENVIRONMENT, Condition

_PROMPTS = ENVIRONMENT.overlay()
_PROMPTS.filters["to_json_escaped_string"] = lambda value: json.dumps(value, ensure_ascii=False)
_PROMPTS.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
_OWN = Path(__file__).parent / "defaults" / "command.jinja2"


class Prompt:
    """A project's prompt, compiled once."""

    @property
    def command_syntax(self) -> Version:
        """The text form in which commands are to be answered."""
        return self._project.command_syntax

    def __init__(self, project: Project, source: str, name: str) -> None:
        self._project = project
        try:
            self._template = PromptTemplate(_PROMPTS, source)
        except jinja2.TemplateSyntaxError as error:
            raise ProjectError(f"the prompt cannot be compiled: {error.message}", file=name, line=error.lineno) from None
        self.needs_history = "current_conversation" in self._template.names
        flows = [flow for flow in project.flows.values() if not flow.is_pattern]
        # Many flows share a guard: each is asked once a message.
        self._guards = list({_guard(flow): flow for flow in flows}.values())
        places = {_guard(flow): at for at, flow in enumerate(self._guards)}
        self._flows = [(places[_guard(flow)], _flow_view(project, flow)) for flow in flows]

    @staticmethod
    def load(project: Project) -> Prompt:
        """The prompt that config.yml names, else our own in the command syntax of the project's command generator.

        Raises:
            ProjectError: the file that it names is missing, lies outside the project or cannot be compiled.
        """
        name = project.prompt_template
        if not name:
            return Prompt(project, _OWN.read_text(encoding="utf-8"), f"defaults/{_OWN.name}")
        path = Path(project.root) / name
        if not path.resolve().is_relative_to(Path(project.root).resolve()):
            # What stands in it goes to the model with every message.
            raise ProjectError(f"the prompt {name} lies outside the project; copy it into it", file="config.yml", line=1)
        if not path.is_file():
            raise ProjectError(f"there is no prompt {name}", file="config.yml", line=1)
        return Prompt(project, path.read_text(encoding="utf-8"), name)

    def render(self, state: State, text: str, recent: Callable[[], list[Event]] = list, now: datetime | None = None) -> str:
        """The prompt for a message; `recent` gives the events for templates that want the conversation, `now` the time with its zone."""
        return self._template.render(*self._told(state, text, recent, now))

    def render_json(
        self, state: State, text: str, recent: Callable[[], list[Event]] = list, now: datetime | None = None
    ) -> bytes:
        """As `render`, written as a JSON string in UTF-8."""
        return self._template.render_json(*self._told(state, text, recent, now))

    def _told(
        self, state: State, text: str, recent: Callable[[], list[Event]], now: datetime | None
    ) -> tuple[Offer, dict[str, Any]]:
        project = self._project
        slots = {**project.initials, **state.slots}
        flow_id, asked = under_way(state)
        flow = project.flows.get(flow_id or "")
        question = project.slots.get(asked or "")
        values: dict[str, Any] = {
            "current_flow": flow_id,
            "current_slot": asked,
            "current_slot_description": _description(project, flow, state, asked),
            "current_slot_type": question.type if question else None,
            "current_slot_allowed_values": question.allowed_values if question else None,
            "flow_slots": _flow_slots(project, flow, slots, asked),
            "user_message": text,
            "command_syntax": project.command_syntax,
            "current_datetime": now.astimezone(ZoneInfo(project.prompt_timezone)) if now and project.prompt_timezone else None,
            "current_conversation": _transcript(recent(), text) if self.needs_history else "",
        }
        return self._offer(slots), values

    def _offer(self, slots: Mapping[str, Any]) -> Offer:
        """The flows whose guards hold now."""
        held = bytes(on_offer(flow, slots) for flow in self._guards)
        constants = {"command_syntax": self._project.command_syntax}
        return self._template.offer(held, lambda: [view for guard, view in self._flows if held[guard]], constants)


def _guard(flow: Flow) -> str | bool:
    """What decides whether a flow is on offer; conditions of the same text are the same."""
    return flow.guard.text if isinstance(flow.guard, Condition) else flow.guard is not False


def under_way(state: State) -> tuple[str | None, str | None]:
    """Flow (or pattern) that asks or runs, and the slot asked for."""
    asked: str | None = None
    for frame in reversed(state.stack):
        if frame["type"] in ASKING:
            asked = asked or frame.get("collect") or frame.get("validate")
            continue
        if frame["type"] == "flow" or asked is not None:
            return frame["flow_id"], asked
    return None, asked


def _slot_view(slot: Slot, description: str) -> dict[str, Any]:
    return {"name": slot.name, "description": description, "allowed_values": slot.allowed_values}


def _flow_view(project: Project, flow: Flow) -> dict[str, Any]:
    seen: dict[str, dict[str, Any]] = {}
    for step in flow.collects():
        slot = project.slots.get(step.target)
        if slot is not None and slot.by_model and slot.name not in seen:
            seen[slot.name] = _slot_view(slot, step.description)
    return {"name": flow.id, "description": flow.description, "slots": list(seen.values())}


def _description(project: Project, flow: Flow | None, state: State, asked: str | None) -> str | None:
    """The hint of the collect step that asks now."""
    for frame in reversed(state.stack):
        if frame["type"] in ASKING:
            of = frame.get("of")
            owner = project.flows.get(of[0]) if of else flow
            step = owner.steps.get(of[1]) if of and owner else None
            if step is not None and step.target == asked:
                return step.description or None
            break
    return None


def _flow_slots(project: Project, flow: Flow | None, slots: Mapping[str, Any], asked: str | None) -> list[dict[str, Any]]:
    names = {step.target: step.description for step in flow.collects()} if flow else {}
    if asked is not None:
        names.setdefault(asked, "")
    return [
        {
            "name": name,
            "value": slots.get(name),
            "type": project.slots[name].type,
            "description": description,
            "allowed_values": project.slots[name].allowed_values,
        }
        for name, description in names.items()
        if name in project.slots
    ]


def _transcript(events: list[Event], text: str) -> str:
    lines: list[str] = []
    for event in events[-40:]:
        if event["event"] == "user" and event.get("text"):
            lines.append(f"USER: {event['text']}")
        elif event["event"] == "bot" and event.get("text"):
            lines.append(f"AI: {event['text']}")
    return "\n".join([*lines, f"USER: {text}"])
