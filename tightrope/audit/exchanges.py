"""A conversation cut into exchanges: what was said beside how it came about. Pure; terminal, page and paper draw the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tightrope.audit.models import Entry, Event
from tightrope.audit.trail import Line, said, trail

_OPENERS = {
    Event.CUSTOMER_MESSAGE_RECEIVED,
    Event.CUSTOMER_BUTTON_PRESSED,
    Event.CUSTOMER_ATTACHMENT_RECEIVED,
    Event.AGENT_MESSAGE_RECEIVED,
}


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that was said: speaker (`customer`, `bot`, `agent`, `note`, `system`), text, small marks (buttons, sources)."""

    speaker: str
    text: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was said from one message to the next, and the trail of each record in it; `entries`: those records, in the same order."""

    at: datetime
    left: list[Said] = field(default_factory=list)
    right: list[list[Line]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


def exchanges(entries: Iterable[Entry], language: str) -> Iterator[Exchange]:
    """The exchanges of a conversation, in order; a message of customer or agent begins a new one."""
    block: Exchange | None = None
    for entry in entries:
        if block is None or entry.event in _OPENERS:
            if block is not None:
                yield block
            block = Exchange(entry.at)
        block.left.extend(Said(speaker, text, tuple(marks)) for speaker, text, marks in said(entry, language))
        block.right.append(list(trail(entry, language)))
        block.entries.append(entry)
    if block is not None:
        yield block
