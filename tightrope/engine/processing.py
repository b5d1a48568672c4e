"""From commands as understood to commands as applied: the rules of post-processing, one function each, in the order of `RULES`.

Sources: reference/primitives (starting flows, slots, patterns) and, where the documentation is silent, docs/decisions. A rule takes
and gives the list; what it takes out goes to `Sifted.dropped` with the reason. If nothing usable is left, CannotHandle stands for the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tightrope.engine.intents import SESSION_INTENTS, holds
from tightrope.engine.models import (
    CancelFlow,
    CannotHandle,
    Clarify,
    Command,
    Fail,
    Flow,
    SetSlot,
    Slot,
    StartFlow,
    TriggerPattern,
)
from tightrope.engine.run import Run
from tightrope.engine.templates import Condition

DEFAULT_OPTIONS, OPTIONS_LIMIT = 3, 1000
"""How many flows a clarification offers unless its slot says so, and what is no sensible number of them."""


@dataclass(slots=True)
class Sifted:
    """What is left of a turn's commands, and what was taken out and why."""

    kept: list[Command]
    dropped: list[tuple[Command, str]] = field(default_factory=list)
    harmless: bool = False
    """Something was understood that changes nothing; the turn is no failure."""

    def drop(self, command: Command, why: str) -> None:
        self.dropped.append((command, why))


def on_offer(flow: Flow, slots: Mapping[str, Any]) -> bool:
    """Whether a flow may be started by understanding now: its guard holds."""
    if isinstance(flow.guard, Condition):
        return flow.guard.holds(slots, {})
    return flow.guard is not False


def offered(run: Run, flow_id: str) -> bool:
    """Whether a command may start this flow: it exists, is no pattern, and its guard holds."""
    flow = run.project.flows.get(flow_id)
    return flow is not None and not flow.is_pattern and on_offer(flow, run.slots)


def active_flows(run: Run) -> list[str]:
    """Ids of the active journey and its called flows."""
    return [run.stack[at]["flow_id"] for at in run.chain()]


def _forced(run: Run, commands: list[Command], out: Sifted) -> list[Command]:
    """force_slot_filling: while such a question stands, only its answer counts."""
    asking = run.asking()
    step = run.collect_step(asking[0]) if asking else None
    if asking is None or step is None or not step.force_slot_filling:
        return commands
    kept: list[Command] = []
    for command in commands:
        answer = isinstance(command, SetSlot) and command.name == asking[1]
        ends_all = isinstance(command, TriggerPattern) and command.pattern in SESSION_INTENTS.values()
        if answer or ends_all or isinstance(command, Fail):
            kept.append(command)
        else:
            out.drop(command, f"{asking[1]} has to be answered first")
            out.harmless = True
    return kept


def _startable(run: Run, commands: list[Command], out: Sifted) -> list[Command]:
    """A flow that is not on offer cannot be started; an intent that starts one outright is not held up by the flow's guard."""
    kept: list[Command] = []
    for command in commands:
        if isinstance(command, StartFlow) and not (command.by_intent or offered(run, command.flow)):
            out.drop(command, "there is no such flow on offer")
        else:
            kept.append(command)
    return kept


def _intent_wins(_run: Run, commands: list[Command], out: Sifted) -> list[Command]:
    """Where an intent and understanding differ over a slot, or over which flow to start, the intent wins."""
    starts = any(isinstance(c, StartFlow) and c.by_intent for c in commands)
    filled = {c.name for c in commands if isinstance(c, SetSlot) and c.extractor == "NLU"}
    kept: list[Command] = []
    for command in commands:
        loses = (isinstance(command, StartFlow) and starts and not command.by_intent) or (
            isinstance(command, SetSlot) and command.extractor != "NLU" and command.name in filled
        )
        if loses:
            out.drop(command, "an intent says otherwise")
        else:
            kept.append(command)
    return kept


def _one_at_a_time(run: Run, commands: list[Command], out: Sifted) -> list[Command]:
    """With `clarify_several_starts`: several flows at once while nothing is under way become a question which one."""
    starts = [c for c in commands if isinstance(c, StartFlow) and not c.by_intent]
    flows = tuple(dict.fromkeys(c.flow for c in starts))
    if len(flows) < 2 or not run.project.options.clarify_several_starts or next(run.roots(), None) is not None:
        return commands
    for command in starts:
        out.drop(command, "several at once: the customer is asked which one")
    return [Clarify(flows), *(c for c in commands if c not in starts)]


def _fillable(run: Run, commands: list[Command], out: Sifted) -> list[Command]:
    """Each slot is filled by whom its mappings name: understanding, a button, an intent; a list by none of them."""
    flows = set(active_flows(run)) | {c.flow for c in commands if isinstance(c, StartFlow)}
    kept: list[Command] = []
    for command in commands:
        if isinstance(command, SetSlot):
            slot = run.project.slots.get(command.name)
            if slot is None:
                out.drop(command, "there is no such slot")
                continue
            if slot.type == "list" or not _may_fill(run, slot, command, flows):
                out.drop(command, "its mapping does not allow it")
                continue
        kept.append(command)
    return kept


def _may_fill(run: Run, slot: Slot, command: SetSlot, flows: set[str]) -> bool:
    if command.extractor == "SetSlots":
        return slot.by_payload
    if command.extractor == "NLU":
        return slot.by_intent
    ways = [m for m in slot.mappings if m.type == "from_llm" and holds(run, m, flows)]
    corrects = run.slots.get(slot.name) is not None and slot.name in run.state.by_intent
    return any(way.allow_nlu_correction or not corrects for way in ways)


def _relevant(run: Run, commands: list[Command], out: Sifted) -> list[Command]:
    """A slot must be asked for now, or belong to the active journey or to one that starts in this turn."""
    asking = run.asking()
    flows = active_flows(run) + [c.flow for c in commands if isinstance(c, StartFlow)]
    names = frozenset().union(*(run.project.owned.get(flow, frozenset()) for flow in flows)) if flows else frozenset()
    kept: list[Command] = []
    for command in commands:
        if isinstance(command, SetSlot) and command.name not in names and (asking is None or asking[1] != command.name):
            out.drop(command, "no active flow asks for it")
        else:
            kept.append(command)
    return kept


def _once(_run: Run, commands: list[Command], out: Sifted) -> list[Command]:
    """Said twice is said once; of two values for a slot the later one counts."""
    last = {c.name: c for c in commands if isinstance(c, SetSlot)}
    kept: list[Command] = []
    for command in commands:
        if isinstance(command, SetSlot) and last[command.name] is not command:
            out.drop(command, "another value follows")
        elif command in kept:
            out.drop(command, "said twice")
        else:
            kept.append(command)
    return kept


def _definite(_run: Run, commands: list[Command], out: Sifted) -> list[Command]:
    """A clarification beside a definite start, and a not-understood beside anything understood, are dropped."""
    starts = any(isinstance(c, StartFlow) for c in commands)
    understood = any(not isinstance(c, CannotHandle) for c in commands)
    kept: list[Command] = []
    for command in commands:
        if isinstance(command, Clarify) and starts:
            out.drop(command, "a flow starts")
        elif isinstance(command, CannotHandle) and understood:
            out.drop(command, "something else was understood")
        else:
            kept.append(command)
    return kept


def _choices(run: Run, commands: list[Command], out: Sifted) -> list[Command]:
    """A clarification offers flows that exist, each once, at most max_clarification_options."""
    kept: list[Command] = []
    limit = _most_options(run)
    for command in commands:
        if isinstance(command, Clarify) and command.options:
            options = tuple(dict.fromkeys(flow for flow in command.options if offered(run, flow)))[:limit]
            if not options:
                out.drop(command, "none of its flows is on offer")
                continue
            command = Clarify(options)  # noqa: PLW2901
        kept.append(command)
    return kept


def _most_options(run: Run) -> int:
    """The slot max_clarification_options, which an action may have set to anything."""
    found = run.slots.get("max_clarification_options")
    return int(found) if isinstance(found, int | float) and 1 <= found < OPTIONS_LIMIT else DEFAULT_OPTIONS


def _cancellable(run: Run, commands: list[Command], out: Sifted) -> list[Command]:
    """There must be something to cancel."""
    if run.stack:
        return commands
    kept: list[Command] = []
    for command in commands:
        if isinstance(command, CancelFlow):
            out.drop(command, "nothing is under way")
        else:
            kept.append(command)
    return kept


Rule = Callable[[Run, list[Command], Sifted], list[Command]]
RULES: tuple[Rule, ...] = (
    _forced,
    _startable,
    _intent_wins,
    _one_at_a_time,
    _fillable,
    _relevant,
    _once,
    _choices,
    _definite,
    _cancellable,
)


def sift(run: Run, commands: Sequence[Command]) -> Sifted:
    """Apply all rules."""
    out = Sifted(kept=[])
    left = list(commands)
    for rule in RULES:
        left = rule(run, left, out)
    if not left and not out.harmless:
        left = [CannotHandle()]
    out.kept = left
    return out
