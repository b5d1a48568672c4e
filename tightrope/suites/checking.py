"""Compares what a turn had to show with the events of that turn: extra events are ignored, order is free unless it was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tightrope.engine.models import Project
from tightrope.engine.state import Event
from tightrope.suites.cases import (
    PLACEHOLDER,
    ActionRan,
    ButtonWanted,
    Expected,
    FlowEnded,
    FlowsStarted,
    NotJudged,
    Offered,
    Said,
    SlotsWanted,
    SlotWanted,
    Wanted,
    shown,
)
from tightrope.suites.models import Expectation

NOWHERE: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one turn shows: its events from the customer's message on, and the slots after it."""

    project: Project
    events: Sequence[Event]
    slots: Mapping[str, Any]

    def of(self, *kinds: str) -> list[tuple[int, Event]]:
        """Events of these kinds with their places."""
        return [(at, event) for at, event in enumerate(self.events) if event["event"] in kinds]


@dataclass(frozen=True, slots=True)
class _Found:
    """Whether something was met, and the places of the events that show it, the last of which orders what follows."""

    met: bool
    places: tuple[int, ...] = NOWHERE


def judge(expected: Iterable[Expected], evidence: Evidence, *, ordered: bool = False) -> tuple[Expectation, ...]:
    """One result for each expectation; with `ordered` each must be shown after the one before it."""
    out: list[Expectation] = []
    start = 0
    used: set[int] = set()
    for item in expected:
        if isinstance(item.wanted, NotJudged):
            out.append(Expectation(item.kind, "not_run", str(item.wanted), "", item.line, item.wanted.reason))
            continue
        found = _find(item.wanted, evidence, start, used if item.plain else set())
        if found.met and item.plain:
            used.update(found.places)
        if found.met and ordered and found.places:
            # One slot event may be what two items in a row mean: that it was set, and to what.
            start = max(found.places) + (0 if isinstance(item.wanted, SlotsWanted) else 1)
        reason = ""
        if not found.met and start and _find(item.wanted, evidence, 0, set()).met:
            reason = "it is there, but not after what is expected before it (assertion_order_enabled)"
        actual = "" if found.met else _actual(item.wanted, evidence)
        status = "passed" if found.met else "failed"
        out.append(Expectation(item.kind, status, str(item.wanted), actual, item.line, reason))  # type: ignore[arg-type]
    return tuple(out)


def _find(wanted: Wanted, evidence: Evidence, start: int, used: set[int]) -> _Found:
    match wanted:
        case FlowsStarted():
            return _started(wanted, evidence, start)
        case FlowEnded():
            return _first(at for at, event in evidence.of(wanted.event) if at >= start and _ended(wanted, event))
        case SlotsWanted():
            return _slots(wanted, evidence, start)
        case ActionRan(name):
            return _first(at for at, event in evidence.of("action") if at >= start and event["name"] == name)
        case Said(wanted=False):
            return _Found(not any(_said(wanted, event) for _, event in evidence.of("bot")))
        case Said():
            return _first(at for at, event in evidence.of("bot") if at >= start and at not in used and _said(wanted, event))
        case Offered():
            return _offered(wanted, evidence, start)
    return _Found(met=False)


def _first(places: Iterable[int]) -> _Found:
    place = next(iter(places), None)
    return _Found(place is not None, NOWHERE if place is None else (place,))


def _started(wanted: FlowsStarted, evidence: Evidence, start: int) -> _Found:
    began = [(at, event["flow_id"]) for at, event in evidence.of("flow_started") if at >= start]
    firsts = [next((at for at, flow in began if flow == wanted_flow), None) for wanted_flow in wanted.flows]
    places = tuple(at for at in firsts if at is not None)
    if wanted.every:
        return _Found(len(places) == len(firsts), places)
    return _Found(bool(places), places and (min(places),))


def _ended(wanted: FlowEnded, event: Event) -> bool:
    return bool(event["flow_id"] == wanted.flow and wanted.step in {None, event.get("step_id")})


def _slots(wanted: SlotsWanted, evidence: Evidence, start: int) -> _Found:
    given = evidence.of("slot")
    if not wanted.wanted:
        return _Found(not any(_shows(slot, event, positive=False) for slot in wanted.slots for _, event in given))
    firsts = [
        next((at for at, event in given if at >= start and _shows(slot, event, positive=True)), None) for slot in wanted.slots
    ]
    places = tuple(at for at in firsts if at is not None)
    return _Found(len(places) == len(firsts), places)


def _shows(wanted: SlotWanted, event: Event, *, positive: bool) -> bool:
    """Whether a slot event is the one meant. By name alone any is; for `slot_was_not_set` any with a value."""
    if event["name"] != wanted.name:
        return False
    if wanted.given:
        return same(event.get("value"), wanted.value)
    return positive or event.get("value") is not None


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal; a truth value equals no number."""
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _said(wanted: Said, event: Event) -> bool:
    text = str(event.get("text") or "")
    if wanted.utter is not None and wanted.utter != PLACEHOLDER and wanted.utter != _name(event):
        return False
    if wanted.text is not None and wanted.text.strip() != text.strip():
        return False
    if wanted.pattern is not None and not occurs(wanted.pattern, text):
        return False
    return wanted.buttons is None or _same_buttons(wanted.buttons, _buttons(event))


def _name(event: Event) -> Any:
    """The response that a message is, if it is one."""
    return (event.get("metadata") or {}).get("utter_action")


def occurs(pattern: str, text: str) -> bool:
    """Whether a text or regular expression occurs in `text`: the documentation allows either."""
    if pattern in text:
        return True
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def _buttons(event: Event) -> list[Mapping[str, Any]]:
    return list((event.get("data") or {}).get("buttons") or ())


def _same_buttons(wanted: tuple[ButtonWanted, ...], found: list[Mapping[str, Any]]) -> bool:
    return len(wanted) == len(found) and all(
        (one.title is None or one.title == button.get("title")) and (one.payload is None or one.payload == button.get("payload"))
        for one, button in zip(wanted, found, strict=True)
    )


def _offers(evidence: Evidence) -> list[str] | None:
    """Ids of the flows that a clarification of this turn offered; None when there was none."""
    for _, event in evidence.of("user"):
        for command in (event.get("parse_data") or {}).get("commands") or ():
            if command.get("command") == "clarify":
                return list(command.get("options") or ())
    return None


def _offered(wanted: Offered, evidence: Evidence, start: int) -> _Found:
    options = _offers(evidence)
    began = [at for at, event in evidence.of("flow_started") if event["flow_id"] == "pattern_clarification" and at >= start]
    if options is None or not began:
        return _Found(met=False)
    known = {name: flow for flow in options for name in _names(evidence.project, flow)}
    named = {known.get(name.casefold()) for name in wanted.flows}
    return _Found(named == set(options), (began[0],))


def _names(project: Project, flow_id: str) -> list[str]:
    flow = project.flows.get(flow_id)
    return [name.casefold() for name in (flow_id, *((flow.name, *flow.translated_names.values()) if flow else ()))]


# what there was instead


def _actual(wanted: Wanted, evidence: Evidence) -> str:
    match wanted:
        case FlowsStarted():
            return ", ".join(event["flow_id"] for _, event in evidence.of("flow_started"))
        case FlowEnded():
            found = [FlowEnded(wanted.event, event["flow_id"], event.get("step_id")) for _, event in evidence.of(wanted.event)]
            return "\n".join(str(replace(one, step=one.step if wanted.step is not None else None)) for one in found)
        case SlotsWanted():
            return _actual_slots(wanted, evidence)
        case ActionRan():
            return "\n".join(event["name"] for _, event in evidence.of("action") if event["name"] != "action_listen")
        case Said():
            return _actual_messages(wanted, evidence)
        case Offered():
            options = _offers(evidence)
            return "" if options is None else ", ".join(evidence.project.flow_name(flow, None) for flow in options) or "no flow"
    return ""


def _actual_slots(wanted: SlotsWanted, evidence: Evidence) -> str:
    names = {slot.name for slot in wanted.slots}
    changes = [(event["name"], event.get("value")) for _, event in evidence.of("slot")]
    about = [f"{name} = {shown(value)}" for name, value in changes if name in names]
    if wanted.wanted:
        changed = {name for name, _ in changes}
        for name in sorted(names - changed):
            held = evidence.slots.get(name)
            about.append(f"{name} = {shown(held)} since before this turn" if held is not None else f"{name} not set")
    return "\n".join(about)


def _actual_messages(wanted: Said, evidence: Evidence) -> str:
    """The messages as far as they matter to what was wanted: those of the response that was asked for, if there are any."""
    events = [event for _, event in evidence.of("bot")]
    named = [event for event in events if _name(event) == wanted.utter]
    if not wanted.wanted:
        events = [event for event in events if _said(replace(wanted, wanted=True), event)]
    elif wanted.utter is not None and named:
        events = named
    return "\n".join(str(_as_wanted(wanted, event)) for event in events)


def _as_wanted(wanted: Said, event: Event) -> Said:
    name = _name(event)
    text = event.get("text")
    by_name = wanted.utter is not None and name is not None
    with_text = wanted.text is not None or wanted.pattern is not None or not by_name
    buttons = tuple(ButtonWanted(button.get("title"), button.get("payload")) for button in _buttons(event))
    return Said(
        utter=str(name) if by_name else None,
        text=(str(text) if text is not None else "(no text)") if with_text else None,
        buttons=buttons if wanted.buttons is not None else None,
    )
