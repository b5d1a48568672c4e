"""How the HTTP API shows conversations, flows and commands: Rasa's `include_events` and `until`, and what GET /flows gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from tightrope.engine.clients import tracker
from tightrope.engine.models import END, Flow, Project, Step
from tightrope.engine.state import Event, State, replay

Include = Literal["AFTER_RESTART", "ALL", "APPLIED", "NONE"]
INCLUDES: frozenset[str] = frozenset(get_args(Include))


def after_restart(events: list[Event]) -> list[Event]:
    """The events after the newest restart."""
    for at in range(len(events) - 1, -1, -1):
        if events[at]["event"] == "restart":
            return events[at + 1 :]
    return events


def applied(events: list[Event]) -> list[Event]:
    """The events that count: after the newest restart, without what `undo` (the last action) and `rewind` (the last message) took back."""
    kept: list[Event] = []
    for event in after_restart(events):
        if event["event"] in {"undo", "rewind"}:
            _take_back(kept, "action" if event["event"] == "undo" else "user")
        else:
            kept.append(event)
    return kept


def _take_back(kept: list[Event], kind: str) -> None:
    for at in range(len(kept) - 1, -1, -1):
        if kept[at]["event"] == kind:
            del kept[at:]
            return


def tracker_view(
    project: Project, state: State, events: list[Event], include: Include = "AFTER_RESTART", until: float | None = None
) -> dict[str, Any]:
    """A conversation as GET /conversations/{id}/tracker gives it.

    Args:
        events: all of the conversation.
        until: a Unix time in seconds: state and events as they were then, what happened at that very moment included.
    """
    if until is not None:
        events = [event for event in events if (event.get("timestamp") or 0.0) <= until]
        state = replay(state.sender_id, events, project.initials, state.seed)
    shown: dict[Include, list[Event] | None] = {"NONE": None, "ALL": events}
    if include == "AFTER_RESTART":
        shown[include] = after_restart(events)
    elif include == "APPLIED":
        shown[include] = applied(events)
    return {**tracker(project, state), "events": shown[include]}


def flows_view(project: Project) -> list[dict[str, Any]]:
    """GET /flows: every flow with its steps."""
    return [_flow(flow) for flow in project.flows.values()]


def _flow(flow: Flow) -> dict[str, Any]:
    return {
        "id": flow.id,
        "name": flow.name,
        "description": flow.description,
        "steps": [_step(step) for step in flow.steps.values()],
    }


def _step(step: Step) -> dict[str, Any]:
    does: Mapping[str, Any]
    if step.kind == "set_slots":
        does = {"set_slots": [{name: value} for name, value in step.assignments]}
    elif step.kind == "noop":
        does = {"noop": True}
    else:
        does = {step.kind: step.target}
    return {"id": step.id, **does, "next": _next(step)}


def _next(step: Step) -> Any:
    if all(branch.condition is None for branch in step.branches):
        return step.branches[0].target if step.branches else END
    return [
        {"if": branch.condition.text, "then": branch.target} if branch.condition else {"else": branch.target}
        for branch in step.branches
    ]
