"""A conversation as the page shows it: exchanges, each with what was said, and the records behind it with their place and the flows they ran. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tightrope.audit.models import ConversationView, Entry, Event
from tightrope.audit.trail import Line, said, trail, visited
from tightrope.engine.models import END, Project

_OPENERS = {
    Event.CUSTOMER_MESSAGE_RECEIVED,
    Event.CUSTOMER_BUTTON_PRESSED,
    Event.CUSTOMER_ATTACHMENT_RECEIVED,
    Event.AGENT_MESSAGE_RECEIVED,
}


@dataclass(frozen=True, slots=True)
class Bubble:
    """One thing that was said; `marks`: buttons and sources."""

    speaker: str
    text: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """The way of one turn through one flow, as ids of steps."""

    flow: str
    name: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One record: its trail and the flows that it ran."""

    entry: Entry
    title: Line
    lines: tuple[Line, ...]
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """From one message of a person to the next."""

    at: datetime
    bubbles: list[Bubble] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above a conversation."""

    first: datetime
    last: datetime
    releases: tuple[str, ...]
    records: int
    waiting: int
    unreadable: int
    places: tuple[str, str] | None


def head(view: ConversationView) -> Head:
    """The conversation in numbers."""
    entries = view.entries
    placed = sorted(entry.place for entry in entries if entry.place is not None)
    return Head(
        first=entries[0].at,
        last=entries[-1].at,
        releases=tuple(sorted({str(entry.leaf["release"]) for entry in entries if entry.leaf.get("release")})),
        records=len(entries),
        waiting=len(entries) - len(placed),
        unreadable=sum(entry.problem is not None for entry in entries),
        places=(str(placed[0]), str(placed[-1])) if placed else None,
    )


def exchanges(entries: Iterable[Entry], language: str, project: Project) -> Iterator[Exchange]:
    """The exchanges in order."""
    block: Exchange | None = None
    for entry in entries:
        if block is None or entry.event in _OPENERS:
            if block is not None:
                yield block
            block = Exchange(entry.at)
        block.bubbles.extend(Bubble(speaker, text, tuple(marks)) for speaker, text, marks in said(entry, language))
        title, *lines = trail(entry, language)
        # The last line of a trail is the record's place, which the page shows with its button.
        block.cards.append(Card(entry, title, tuple(lines[:-1]), tuple(ways(entry.payload or {}, language, project))))
    if block is not None:
        yield block


def ways(payload: dict[str, Any], language: str, project: Project) -> Iterator[Way]:
    """The ways through the firm's own flows, in the order in which they were entered; steps that today's flow lacks end a way."""
    found: dict[str, list[str]] = {}
    for flow_id, step_id in _places(payload):
        flow = project.flows.get(flow_id)
        if flow is None or flow.builtin or flow_id.startswith("pattern_") or not (step_id in flow.steps or step_id == END):
            continue
        steps = found.setdefault(flow_id, [])
        if (not steps and step_id != END) or (steps and steps[-1] != step_id):
            steps.append(step_id)
    found = {flow_id: steps for flow_id, steps in found.items() if steps}
    for flow_id, steps in found.items():
        yield Way(flow_id, project.flow_name(flow_id, language), tuple(steps))


def _places(payload: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The steps that ran, as the assistant told them; else where the turn stood after each event, by the stack. END where a flow was completed."""
    events = [event for event in payload.get("events") or [] if isinstance(event, dict)]
    told = [one for one in payload.get("steps") or [] if isinstance(one, list) and len(one) == 2]
    if told:
        yield from ((str(flow), str(step)) for flow, step in told)
        yield from ((str(event.get("flow_id")), END) for event in events if event.get("event") == "flow_completed")
        return
    for event in events:
        if event.get("event") == "stack":
            yield from _frames(event.get("update"))
        elif event.get("event") == "flow_completed" and event.get("flow_id"):
            yield str(event["flow_id"]), str(event.get("step_id") or "")
            yield str(event["flow_id"]), END
        elif event.get("event") != "flow_cancelled":
            yield from visited({"events": [event]})


def _frames(update: Any) -> Iterator[tuple[str, str]]:
    """Frames of a stack that was written whole; a JSON patch of parts of it tells no step."""
    try:
        changes = json.loads(update) if isinstance(update, str) else None
    except ValueError:
        return
    for change in changes if isinstance(changes, list) else []:
        whole = isinstance(change, dict) and change.get("path") == "" and isinstance(change.get("value"), list)
        for frame in change["value"] if whole else []:
            if isinstance(frame, dict):
                yield str(frame.get("flow_id") or ""), str(frame.get("step_id") or "")


def steps_of(project: Project, flow_id: str, path: str) -> Sequence[str] | None:
    """The steps that an address names, or None where the flow or one of them is unknown."""
    flow = project.flows.get(flow_id)
    steps = [step for step in path.split(",") if step]
    if flow is None or len(steps) > 200 or any(step != END and step not in flow.steps for step in steps):
        return None
    return steps
