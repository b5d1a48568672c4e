"""What the terminal chat shows: replies with numbered buttons, and beside or below them stack, slots and events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tightrope.cli.recorder import QUIET
from tightrope.engine.commands import dict_line
from tightrope.engine.models import Project
from tightrope.engine.responses import replies
from tightrope.engine.state import Event, State
from tightrope.suites.text import visible, wrap

WIDE = 100
"""Columns from which the panel stands beside the replies."""
_PANEL, _GAP = 42, 2
_GUTTERS = {"▌ "}
"""Marks that stand before every row of a text."""


@dataclass(slots=True)
class Shown:
    """Which parts are shown."""

    stack: bool = True
    slots: bool = True
    events: bool = False
    commands: bool = True


def buttons(events: Sequence[Event]) -> list[Mapping[str, str]]:
    """The buttons of these replies, in the order of their numbers."""
    return [button for reply in replies("chat", list(events)) for button in reply.get("buttons") or ()]


def turn_view(
    project: Project, before: State, state: State, events: Sequence[Event], problems: Sequence[str], shown: Shown, width: int
) -> RenderableType:
    """One turn: left (or above) what was understood and said, right (or below) where the conversation stands."""
    panel = panel_view(project, before, state, events, shown, width if width < WIDE else _PANEL)
    beside = panel is not None and width >= WIDE
    room = width - _PANEL - _GAP if beside else width
    told = [*_understood(events, shown), *_said(events), *(("! ", "bold red", problem, "red") for problem in problems)]
    said = Group(*(_line(*part, width=room) for part in told or [("", "", "(no reply)", "dim")]))
    if panel is None:
        return said
    if not beside:
        return Group(said, panel)
    grid = Table.grid(padding=(0, _GAP, 0, 0))
    grid.add_column(width=room)
    grid.add_column(width=_PANEL)
    grid.add_row(said, panel)
    return grid


def line_view(text: str, width: int, style: str = "") -> Text:
    """A text as lines of at most `width` cells, safe to print whatever it holds."""
    return _line("", "", text, style, width=width)


def panel_view(
    project: Project, before: State, state: State, events: Sequence[Event], shown: Shown, width: int
) -> RenderableType | None:
    """Stack, slots and events as far as they are switched on and hold anything."""
    parts: list[tuple[str, list[_Part]]] = []
    if shown.stack:
        parts.append(("stack", _stack(state)))
    if shown.slots:
        parts.append(("slots", _slots(project, before, state)))
    if shown.events:
        parts.append(("events", [("  ", "", line, style) for line, style in map(_event, events) if line]))
    lines = [part for title, found in parts if found for part in [("", "", title, "bold underline dim"), *found]]
    return Group(*(_line(*part, width=width) for part in lines)) if lines else None


_Part = tuple[str, str, str, str]
"""A line: what stands before each of its rows and in which style, the text and its style."""


def _line(mark: str, mark_style: str, text: str, style: str, *, width: int) -> Text:
    whole = visible(text)
    rows = [whole[start:end] for start, end in wrap(whole, max(8, width - len(mark)))]
    out = Text(no_wrap=True, overflow="ignore")
    for number, row in enumerate(rows):
        out.append("\n" if number else "").append(
            mark if number == 0 or mark in _GUTTERS else " " * len(mark), mark_style
        ).append(row, style)
    return out


def _understood(events: Sequence[Event], shown: Shown) -> Iterator[_Part]:
    parsed: Mapping[str, Any] = next((e.get("parse_data") or {} for e in events if e["event"] == "user"), {})
    if not shown.commands:
        return
    lines = [dict_line(command) for command in parsed.get("commands") or ()]
    if lines:
        yield "⇒ ", "dim", f"{'; '.join(lines)}{_source(parsed)}", "dim"
    for command in parsed.get("dropped") or ():
        yield "⇏ ", "yellow", f"{dict_line(command)} ({command.get('why', 'dropped')})", "yellow"


def _source(parsed: Mapping[str, Any]) -> str:
    """Who understood: a rule, or the classifier with its best guess."""
    found = parsed.get("understanding") or {}
    if found.get("rule"):
        return f"  (rule {found['rule']})"
    candidates = found.get("candidates") or ()
    return f"  ({candidates[0][0]} {candidates[0][1] / 100:.0f} %)" if candidates else ""


def _said(events: Sequence[Event]) -> Iterator[_Part]:
    number = 0
    for reply in replies("chat", list(events)):
        if reply.get("text"):
            yield "▌ ", "green", str(reply["text"]), ""
        for button in reply.get("buttons") or ():
            number += 1
            yield f"  {number} ", "bold cyan", str(button.get("title", "")), ""
        for key in ("image", "attachment", "custom"):
            if key in reply:
                yield "  ", "", f"{key} {json.dumps(reply[key], ensure_ascii=False)}", "dim"


def _stack(state: State) -> list[_Part]:
    return [
        ("› " if number == 0 else "  ", "", f"{frame['flow_id']} · {frame['step_id']}", "dim" if frame["type"] != "flow" else "")
        for number, frame in enumerate(reversed(state.stack))
    ]


def _slots(project: Project, before: State, state: State) -> list[_Part]:
    """Slots that differ from their initial values; those that this turn changed stand out, also when it emptied them."""
    out: list[_Part] = []
    for name in sorted({*before.slots, *state.slots} - QUIET):
        old, new = (found.slots.get(name, project.initials.get(name)) for found in (before, state))
        if name in state.slots or old != new:
            shown = f"{name} = {json.dumps(new, ensure_ascii=False, default=str)}"
            out.append(("• ", "bold green", shown, "bold") if old != new else ("  ", "", shown, ""))
    return out


def _event(event: Event) -> tuple[str, str]:
    kind = event["event"]
    if kind == "slot":
        return f"slot {event['name']} = {json.dumps(event.get('value'), ensure_ascii=False, default=str)}", ""
    if kind in {"flow_started", "flow_completed", "flow_cancelled", "flow_interrupted", "flow_resumed"}:
        step = f" · {event['step_id']}" if event.get("step_id") else ""
        return f"{kind} {event['flow_id']}{step}", "dim" if event["flow_id"].startswith("pattern_") else "cyan"
    if kind == "action":
        return f"action {event['name']}", "dim" if event["name"] == "action_listen" else ""
    if kind == "bot":
        return f"bot {(event.get('metadata') or {}).get('utter_action') or 'text'}", "green"
    if kind == "stack":
        return "", ""
    return kind, "dim"
