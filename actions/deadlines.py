"""By when a request is answered, as a reply says it: the firm's own day, and never a later one than its rule allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from actions.turn import Turn
from tightrope.business.models import Ticket
from tightrope.rules.models import RuleRefusal


@dataclass(frozen=True, slots=True)
class Due:
    """What the customer is told."""

    answered_by: date
    acknowledged_by: date | None
    """None: the calendar of that year is not published yet."""


def due(turn: Turn, kind: str, ticket: Ticket) -> Due:
    """The days for a ticket; the rule and, where the firm's day is another, that too stand in the record.

    Args:
        kind: one of tightrope.rules.deadlines.KINDS.
    """
    rules = turn.context.rules
    try:
        allowed = rules.deadlines.due(kind, ticket.created_at, rules.calendar)
    except RuleRefusal:
        return Due(ticket.due_on, None)
    verdict = "kept" if ticket.due_on <= allowed.answered_by else "firm_names_a_later_day"
    inputs = {"due_on": ticket.due_on.isoformat(), "answered_by": allowed.answered_by.isoformat()}
    turn.used_rule(
        f"service_deadlines.{kind}", allowed.version, verdict, inputs, {"created_at": ticket.created_at, "due_on": ticket.due_on}
    )
    return Due(min(ticket.due_on, allowed.answered_by), allowed.acknowledged_by)
