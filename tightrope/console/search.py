"""From the form of the search page to a question for the auditor's index, and back. Pure: asking is the index's own business."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from tightrope.audit.errors import QuestionInvalid
from tightrope.audit.index.models import Condition, Hit, Question
from tightrope.audit.index.query import condition
from tightrope.audit.index.query import place as read_place
from tightrope.audit.models import Event, Place
from tightrope.audit.render import BEIJING

PAGE: Final = 50
TEXT_LIMIT: Final = 120
_CONDITIONS: Final = 8

TEXTS: Final = ("journey", "rule", "verdict", "cited", "conversation", "agent")
"""Fields of the form that a question takes as they are."""
FIELDS: Final = ("journey", "rule", "verdict", "input", "cited", "customer", "conversation", "agent", "event", "from", "to")
"""Every field of the form, in the order of the page."""


class QuestionRefused(ValueError):
    """A field of the form that cannot be understood; the message is its name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the form gave it.

    Attributes:
        fields: the form's fields that hold something. A customer stands here by the session's alias, never by the id: addresses are kept by
            browsers and proxies.
        question: for the index; whoever asks without naming an event is spared the log's heartbeats.
        before: the page begins before this place.
    """

    fields: dict[str, str]
    question: Question
    before: Place | None

    @classmethod
    def read(cls, given: Mapping[str, str], customer_of: Callable[[str], str | None]) -> Asked:
        """A question from the fields of a form or an address.

        Args:
            customer_of: the customer's id behind an alias of this session, None where there is none.

        Raises:
            QuestionRefused: a field is not well-formed.
        """
        fields = {name: text for name in FIELDS if (text := _text(given, name))}
        customer = customer_of(fields["customer"]) if "customer" in fields else None
        if "customer" in fields and customer is None:
            raise QuestionRefused("customer")
        first, last = _day(fields, "from"), _day(fields, "to")
        if first and last and last < first:
            raise QuestionRefused("to")
        event = fields.get("event")
        if event and event not in set(Event) and not (event.endswith(":") and any(one.startswith(event) for one in Event)):
            raise QuestionRefused("event")
        texts: dict[str, Any] = {name: fields.get(name) for name in TEXTS}
        question = Question(
            **texts,
            event=event,
            customer=customer,
            start=_midnight(first) if first else None,
            end=_midnight(last + timedelta(days=1)) if last else None,
            inputs=_conditions(fields.get("input", "")),
            # Whatever else is asked for leaves them out anyway; and an export's selection says no more than it must.
            quiet=not fields.keys() - {"from", "to"},
        )
        return cls(fields, question, _before(given.get("before", "")))


def what(hit: Hit) -> list[str]:
    """What the index knows of a record, for one line of the list: journeys, verdicts of whole rules, documents, people, handoff."""
    row = hit.row
    findings = [finding for finding in row.findings if "." not in finding]
    return [*row.journeys, *findings, *row.cited, *row.people, *([row.handoff] if row.handoff else [])]


def _text(given: Mapping[str, str], name: str) -> str:
    text = given.get(name, "").strip()
    if len(text) > TEXT_LIMIT or not text.isprintable():
        raise QuestionRefused(name)
    return text


def _conditions(text: str) -> tuple[Condition, ...]:
    parts = [part for part in re.split("[;,；，]", text) if part.strip()]
    if len(parts) > _CONDITIONS:
        raise QuestionRefused("input")
    try:
        return tuple(condition(part.replace("＞", ">").replace("＜", "<").replace("＝", "=")) for part in parts)
    except QuestionInvalid:
        raise QuestionRefused("input") from None


def _before(text: str) -> Place | None:
    if not text:
        return None
    try:
        return read_place(text)
    except QuestionInvalid:
        raise QuestionRefused("before") from None


def _day(fields: Mapping[str, str], name: str) -> date | None:
    given = fields.get(name, "")
    if not given:
        return None
    try:
        found = date.fromisoformat(given)
    except ValueError:
        raise QuestionRefused(name) from None
    if not 2000 <= found.year <= 2200:
        raise QuestionRefused(name)
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), BEIJING).astimezone(UTC)
