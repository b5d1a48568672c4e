"""Requests and results of the understanding server (docs/wire-contracts.md, "Assistant -> understanding")."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from tightrope.generation.ledger import ModelCall
from tightrope.understanding.slots import EMPTY, SlotBook

MAX_MESSAGE = 8000
"""Longest message in characters that is looked at; longer ones are refused."""

WHICH_FLOW_SLOT = "interrupted_flow_to_continue"
"""Slot of Rasa's pattern_continue_interrupted when several flows wait: holds the id of one, or NO_FLOW."""
NO_FLOW = "none"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")


def _values(raw: Any) -> Any:
    """A list of texts, also from the spellings that a template engine makes of one: `None`, `"[done, person]"`, booleans."""
    if raw is None or raw == "":
        return []
    if isinstance(raw, str):
        raw = [part.strip().strip("'\"") for part in raw.strip("[]() ").split(",")]
    if isinstance(raw, list | tuple):
        return [
            str(value).lower() if isinstance(value, bool) else str(value)
            for value in raw
            if value is not None and str(value).strip()
        ]
    return raw


def _text(raw: Any) -> Any:
    return "" if raw is None else raw


Values = Annotated[list[str], BeforeValidator(_values)]
Text = Annotated[str, BeforeValidator(_text)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class SlotOffer(_Part):
    """A slot of an offered flow: `allowed_values` is empty for free values."""

    name: str
    description: Text = ""
    allowed_values: Values = []


class FlowOffer(_Part):
    """A flow that may be started now."""

    id: str
    description: Text = ""
    slots: list[SlotOffer] = []


class FlowSlot(_Part):
    """A slot that the running flow asks for: whether it has a value, never which."""

    name: str
    given: bool = False


class ActiveFlow(_Part):
    """The flow that runs now; `slot` is the question that is open, if one is."""

    id: str
    slot: str | None = None
    slot_description: Text = ""
    slot_type: Text = ""
    allowed_values: Values = []
    slots: list[FlowSlot] = []


class Request(_Part):
    """One customer message with what the assistant would accept for it. No bot turns, no slot values, no history."""

    v: Literal[1]
    message: str
    language: Literal["zh", "en"] | None = None
    flow: ActiveFlow | None = None
    flows: list[FlowOffer] = []

    def offer(self, flow: str) -> FlowOffer | None:
        """The offered flow of this id, if it is on offer and its id is one that a command line can carry."""
        return self._offers.get(flow) if _NAME.fullmatch(flow) else None

    @cached_property
    def _offers(self) -> dict[str, FlowOffer]:
        return {offered.id: offered for offered in reversed(self.flows)}


@dataclass(frozen=True, slots=True)
class StartFlow:
    """`start flow F`"""

    flow: str


@dataclass(frozen=True, slots=True)
class SetSlot:
    """`set slot S V`; V is one of a closed list, or canonical for its kind (slots.py)."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Clarify:
    """`disambiguate flows F1 F2 …`"""

    flows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plain:
    """A command without arguments."""

    kind: Literal["cancel flow", "search and reply", "repeat message", "offtopic reply"]


Command = StartFlow | SetSlot | Clarify | Plain
SEARCH = Plain("search and reply")
CANCEL = Plain("cancel flow")
REPEAT = Plain("repeat message")
SMALL_TALK = Plain("offtopic reply")


def line(command: Command) -> str:
    """The command in the text form of Rasa's third command language."""
    match command:
        case StartFlow(flow):
            return f"start flow {flow}"
        case SetSlot(name, value):
            return f"set slot {name} {value}"
        case Clarify(flows):
            return "disambiguate flows " + " ".join(flows)
        case Plain(kind):
            return kind


@dataclass(frozen=True, slots=True)
class Result:
    """What was understood and by what. Scores and the threshold are in 1e-4."""

    commands: tuple[Command, ...] = ()
    source: Literal["rule", "classifier", "model", "none"] = "none"
    rule: str | None = None
    candidates: tuple[tuple[str, int], ...] = ()
    threshold: int = 0
    classifier: str = field(default="")
    label: str | None = None
    """The likeliest class, where the classifier was asked."""
    undecided: tuple[tuple[str, int], ...] = ()
    """Every flow with its probability, best first, where none of them is sure: then a model may propose. Empty elsewhere."""
    calls: tuple[ModelCall, ...] = ()
    """Calls of the language model for this message, whatever came of them."""
    proposal: str | None = None
    """What became of the model's part where it had one (proposing.py): `used`, `nothing`, `resting`, or why it failed."""

    @property
    def text(self) -> str:
        """Command lines; empty: not understood."""
        return "\n".join(map(line, self.commands))


def allowed(commands: tuple[Command, ...], request: Request, book: SlotBook = EMPTY) -> tuple[Command, ...]:
    """The commands that stay within the offer, in order, each once.

    Flows must be on offer. A slot must be the open question, belong to the flow that runs or to one started by the same commands; its value must be
    one of its allowed values or, for slots of `book`, canonical for its kind.
    """
    kept: list[Command] = []
    started: list[FlowOffer] = []
    for command in commands:
        if command in kept:
            continue
        match command:
            case StartFlow(flow):
                offered = request.offer(flow)
                if offered is not None:
                    started.append(offered)
                    kept.append(command)
            case SetSlot():
                if _settable(command, request, started, book):
                    kept.append(command)
            case Clarify(flows):
                known = tuple(dict.fromkeys(f for f in flows if request.offer(f)))
                if len(known) > 1:
                    kept.append(Clarify(known))
            case Plain():
                kept.append(command)
    return tuple(kept)


def _settable(command: SetSlot, request: Request, started: list[FlowOffer], book: SlotBook) -> bool:
    if not _NAME.fullmatch(command.name) or not command.value or len(command.value.splitlines()) != 1:
        return False
    active = request.flow
    if active is not None and active.slot == command.name == WHICH_FLOW_SLOT:
        return command.value == NO_FLOW or request.offer(command.value) is not None
    spec = book.get(command.name)
    if active is not None and active.slot == command.name:
        closed = active.allowed_values or (["true", "false"] if active.slot_type == "bool" else [])
        return command.value in closed or (not closed and spec is not None and spec.accepts(command.value))
    typed = spec is not None and spec.kind != "text" and spec.accepts(command.value)
    if typed and active is not None and any(slot.name == command.name for slot in active.slots):
        return True
    return any(
        slot.name == command.name and (command.value in slot.allowed_values or (typed and not slot.allowed_values))
        for offered in started
        for slot in offered.slots
    )
