"""A conversation as the page shows it: the exchanges that terminal and paper show too, and with each record the flows that it ran. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tightrope.audit.exchanges import Exchange, Said, exchanges
from tightrope.audit.models import ConversationView, Entry
from tightrope.audit.trail import Line, visited
from tightrope.console.pictures import Recorded, Source, source_of
from tightrope.engine.models import END, START, Project

STEPS_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Way:
    """The way of one turn through one flow, as ids of steps.

    Attributes:
        source: the release whose flow is drawn.
        missing: why it cannot be drawn: a word of the pages; empty where it can.
        detail: the same more closely, for the auditor.
    """

    flow: str
    name: str
    steps: tuple[str, ...]
    source: Source
    missing: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One record: its trail and the flows that it ran."""

    entry: Entry
    title: Line
    lines: tuple[Line, ...]
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """From one message of a person to the next."""

    at: datetime
    bubbles: tuple[Said, ...]
    cards: tuple[Card, ...]


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


def sources(view: ConversationView) -> list[Source]:
    """The releases whose flows the page needs, each once."""
    return list(dict.fromkeys(source_of(entry) for entry in view.entries if any(_places(entry.payload or {}))))


def blocks(view: ConversationView, language: str, recorded: Mapping[Source, Recorded]) -> Iterator[Block]:
    """The exchanges in order; `recorded` holds every one of `sources`."""
    for exchange in exchanges(view.entries, language):
        yield Block(exchange.at, tuple(exchange.left), tuple(_cards(exchange, language, recorded)))


def _cards(exchange: Exchange, language: str, recorded: Mapping[Source, Recorded]) -> Iterator[Card]:
    for entry, (title, *lines) in zip(exchange.entries, exchange.right, strict=True):
        found = recorded.get(source_of(entry))
        told = ways(entry.payload or {}, language, found) if found is not None else ()
        # The last line of a trail is the record's place, which the page shows with its button.
        yield Card(entry, title, tuple(lines[:-1]), tuple(told))


def ways(payload: dict[str, Any], language: str, recorded: Recorded) -> Iterator[Way]:
    """The ways through the firm's own flows, in the order in which they were entered.

    A way is drawn only where the recorded release is at hand and its flow has every step that the assistant told; else it comes with the
    reason, and the steps as they are on record.
    """
    project = recorded.project
    told = _told(payload)
    found: dict[str, list[str]] = {}
    strange: set[str] = set()
    for flow_id, step_id in _places(payload):
        flow = project.flows.get(flow_id) if project is not None else None
        if (
            not flow_id
            or not step_id
            or step_id == START
            or flow_id.startswith("pattern_")
            or (flow is not None and flow.builtin)
        ):
            continue
        if project is not None and (flow is None or not (step_id in flow.steps or step_id == END)):
            if not told:
                continue  # frames of a stack also name what is no step
            strange.add(flow_id)
        steps = found.setdefault(flow_id, [])
        if (not steps and step_id != END) or (steps and steps[-1] != step_id):
            steps.append(step_id)
    for flow_id, steps in found.items():
        if not steps:
            continue
        name = project.flow_name(flow_id, language) if project is not None and flow_id in project.flows else flow_id
        missing, detail = (recorded.missing, recorded.detail) if project is None else ("", "")
        if flow_id in strange:
            missing = "flow_differs"
        yield Way(flow_id, name, tuple(steps), recorded.source, missing, detail)


def _told(payload: dict[str, Any]) -> list[list[Any]]:
    """The steps as the assistant itself told them."""
    return [one for one in payload.get("steps") or [] if isinstance(one, list) and len(one) == 2]


def _places(payload: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The steps that ran, as the assistant told them; else where the turn stood after each event, by the stack. END where a flow was completed."""
    events = [event for event in payload.get("events") or [] if isinstance(event, dict)]
    told = _told(payload)
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
    if flow is None or len(steps) > STEPS_LIMIT or any(step != END and step not in flow.steps for step in steps):
        return None
    return steps
