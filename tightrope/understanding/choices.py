"""What a model may propose for one message: a closed list of commands, made of the flows and slots at hand.

The list is the grammar. It goes to the model server as the values of an enumeration, so that constrained decoding can spell nothing else, and the
answer is looked up in it, never read as a command: what stands in no list can be produced by no answer. Left out on purpose:

- values of typed slots and closed values with a digit: a model supplies no number (red line 4), parsers do (filling.py);
- yes and no: consent is given by words that rules know, or by a button;
- asking back: what the classifier thinks possible is asked where the model finds that nothing fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tightrope.understanding import rules
from tightrope.understanding.models import (
    CANCEL,
    REPEAT,
    SEARCH,
    SMALL_TALK,
    WHICH_FLOW_SLOT,
    Command,
    FlowOffer,
    Request,
    SetSlot,
    StartFlow,
    allowed,
    line,
)
from tightrope.understanding.slots import SlotBook

MOST: Final = 100
"""Choices of one list."""
MAX_DESCRIPTION: Final = 400
"""Characters of a description that a model is shown."""
MAX_LIST: Final = 16_000
"""Characters of all descriptions together; the least likely flows are left out beyond."""
NOTHING: Final = "none"
"""The choice that leaves the message to the classifier."""
_VALUE: Final = re.compile(r"(?!.*\d)\w[\w -]{0,59}")
_CONSENT: Final = frozenset({"true", "false", "yes", "no"})


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that may be said: `id` is how it is spelled, `commands` is what it leads to."""

    id: str
    description: str
    commands: tuple[Command, ...] = ()

    @property
    def starts(self) -> str | None:
        """The flow that it starts."""
        return next((command.flow for command in self.commands if isinstance(command, StartFlow)), None)


def choices(request: Request, book: SlotBook, startable: Sequence[str]) -> tuple[Choice, ...]:
    """The list for a message; empty where nothing could be chosen that the classifier does not do as well.

    Args:
        startable: flows that may start, likeliest first.
    """
    asked = (*_answers(request, book), *_starts(request, book, startable))[: MOST - len(_PLAIN) - 1]
    if not asked:
        return ()
    found = {choice.id: choice for choice in (*asked, *_plain(request))}
    return (*found.values(), Choice(NOTHING, "Nothing of the above, or more than one of it, or you are not sure."))


def schema(offered: Sequence[Choice]) -> dict[str, Any]:
    """JSON Schema of an answer: one command of the list."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["command"],
        "properties": {"command": {"type": "string", "enum": [choice.id for choice in offered]}},
    }


def max_tokens(offered: Sequence[Choice]) -> int:
    """Room for the longest answer: no token is shorter than a byte."""
    return 24 + max(len(choice.id.encode()) for choice in offered)


def chosen(data: Mapping[str, Any], offered: Sequence[Choice]) -> Choice | None:
    """The choice that an answer names; None if it names none."""
    said = data.get("command")
    return next((choice for choice in offered if choice.id == said), None)


def _answers(request: Request, book: SlotBook) -> Iterator[Choice]:
    """Closed values of the open question."""
    active = request.flow
    if active is None or active.slot is None or active.slot == WHICH_FLOW_SLOT or active.slot_type == "bool":
        return
    for value in _values(active.allowed_values):
        about = f"Answers the question that is open: {active.slot_description or active.slot}"
        yield from _allowed(about, (SetSlot(active.slot, value),), request, book)


def _starts(request: Request, book: SlotBook, startable: Sequence[str]) -> Iterator[Choice]:
    """Flows on offer, bare and with a closed value that may be said ahead of its question."""
    size = 0
    running = request.flow.id if request.flow else None
    for offer in filter(None, map(request.offer, startable)):
        for choice in _of_flow(offer, request, book) if offer.id != running else ():
            size += len(choice.description)
            if size > MAX_LIST:
                return
            yield choice


def _of_flow(offer: FlowOffer, request: Request, book: SlotBook) -> Iterator[Choice]:
    if offer.id != rules.PERSON_FLOW:
        yield from _allowed(offer.description, (StartFlow(offer.id),), request, book)
    for slot in offer.slots:
        spec = book.get(slot.name)
        early = spec is not None and spec.kind == "choice" and spec.early
        for value in _values(slot.allowed_values) if early or slot.name == rules.REASON_SLOT else ():
            about = f"{slot.name} is {value} ({slot.description}). {offer.description}"
            yield from _allowed(about, (StartFlow(offer.id), SetSlot(slot.name, value)), request, book)


_PLAIN: Final = (
    (SEARCH, "A question about rules, fees, deadlines, products or how something works, to be looked up in published documents."),
    (SMALL_TALK, "Small talk that asks for nothing."),
    (REPEAT, "The customer did not understand the last question and wants to hear it again."),
    (CANCEL, "The customer wants to stop what is under way."),
)


def _plain(request: Request) -> Iterator[Choice]:
    """Commands without arguments; the last two only where something is under way."""
    for command, about in _PLAIN if request.flow is not None else _PLAIN[:2]:
        yield Choice(line(command), about, (command,))


def _values(values: Sequence[str]) -> tuple[str, ...]:
    if any(value.lower() in _CONSENT for value in values):
        return ()
    return tuple(value for value in values if _VALUE.fullmatch(value))


def _allowed(about: str, commands: tuple[Command, ...], request: Request, book: SlotBook) -> Iterator[Choice]:
    """The choice, if all of it is allowed."""
    if allowed(commands, request, book) == commands:
        yield Choice(", ".join(map(line, commands)), " ".join(about.split())[:MAX_DESCRIPTION], commands)
