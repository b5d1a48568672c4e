"""From a question to its SQL: fixed texts and parameters, never the auditor's words in a statement. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from tightrope.audit.errors import QuestionInvalid
from tightrope.audit.index.models import Condition, Question
from tightrope.audit.index.rows import SHANGHAI, document_name
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, Place

MEANINGS = {
    "refused": ("refused", "not_eligible", "rejected", "denied"),
    "granted": ("granted", "eligible", "already_enabled"),
}
"""Words an auditor may use for every verdict of one meaning."""

_UNITS = {"": 1, "d": 1, "w": 7, "m": 30, "y": 365}
_CONDITION = re.compile(
    r"\s*([A-Za-z_][A-Za-z0-9_.]{0,119})\s*(<=|>=|!=|=|<|>)\s*(?:(-?\d{1,9})\s*([dwmy]?)|([A-Za-z_][A-Za-z0-9_]{0,31}))\s*",
    re.ASCII,
)
_PLACE = re.compile(r"(\d{4})/(\d{1,18})", re.ASCII)
_COMPARE = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def condition(text: str) -> Condition:
    """A comparison such as `risk_assessment_age>365d`, `risk_level.level=C3` or `months>=6`.

    Units of ages: d (days, also without a unit), w, m (30 days), y (365 days).

    Raises:
        QuestionInvalid: says how to write one.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise QuestionInvalid(
            f"{text!r} is no comparison: write NAME OPERATOR VALUE, such as risk_assessment_age>365d or level=C3"
        )
    name, operator, number, unit, word = match.groups()
    if word is not None:
        if operator not in {"=", "!="}:
            raise QuestionInvalid(f"{text!r}: a code is compared with = or !=, sizes need a number")
        return Condition(name, operator, word)
    return Condition(name, operator, int(number) * _UNITS[unit])


def moment(text: str) -> datetime:
    """A day (its beginning in Asia/Shanghai) or an ISO time; without an offset it is Asia/Shanghai too.

    Raises:
        QuestionInvalid: neither.
    """
    try:
        if len(text) == len("2026-05-01"):
            return datetime.combine(date.fromisoformat(text), time(), SHANGHAI).astimezone(UTC)
        at = datetime.fromisoformat(text)
    except ValueError:
        raise QuestionInvalid(f"{text!r} is no day or time: write 2026-05-01 or 2026-05-01T09:30") from None
    return (at if at.tzinfo else at.replace(tzinfo=SHANGHAI)).astimezone(UTC)


def place(text: str) -> Place:
    """A place such as `2026/17`.

    Raises:
        QuestionInvalid: not so written.
    """
    match = _PLACE.fullmatch(text)
    if match is None:
        raise QuestionInvalid(f"{text!r} is no place in the log: write shard/index, such as 2026/17")
    return Place(int(match[1]), int(match[2]))


def month(year: int, number: int) -> tuple[datetime, datetime]:
    """Beginning and end (excluded) of a month in Asia/Shanghai."""
    first = date(year, number, 1)
    return moment(first.isoformat()), moment((first + timedelta(days=32)).replace(day=1).isoformat())


def where(question: Question, keyring: Keyring) -> tuple[str, dict[str, Any]]:
    """The WHERE clause over `audit_index.records i`, and its parameters.

    Raises:
        QuestionInvalid: an event that is not on the list, a period that ends before it begins.
    """
    if question.start and question.end and question.end <= question.start:
        raise QuestionInvalid("the period ends before it begins; --to is the first day that no longer belongs to it")
    clauses: list[str] = []
    params: dict[str, Any] = {}

    def add(clause: str, **values: Any) -> None:
        clauses.append(clause)
        params.update(values)

    for name, column in (
        ("journey", "journeys"),
        ("response", "responses"),
        ("model", "models"),
        ("reason", "reasons"),
        ("outcome", "outcomes"),
    ):
        value = getattr(question, name)
        if value is not None:
            add(
                f"i.{column} && %({name})s::text[] AND i.{column} <> '{{}}'",
                **{name: _outcome(value) if name == "outcome" else [value]},
            )
    for name in ("release", "lang", "handoff"):
        if getattr(question, name) is not None:
            add(f"i.{name} = %({name})s", **{name: getattr(question, name)})
    _rule_and_verdict(question, add)
    if question.event is not None:
        _event(question.event, add)
    elif question.quiet:
        add("i.event <> %(beat)s", beat=str(Event.SEQUENCER_BEAT))
    if question.cited is not None:
        _cited(question.cited, add)
    _who(question, keyring, add)
    _when(question, add)
    for number, item in enumerate(question.inputs):
        _input(item, f"input{number}", add)
    return " AND ".join(clauses) or "true", params


def customer_hash(keyring: Keyring, customer: str) -> bytes:
    """The keyed hash by which the index names a customer."""
    return keyring.owner(conversation_id=None, subject=customer, year=0).subject_hash


def conversation(keyring: Keyring, name: str) -> UUID:
    """The leaf's name of a conversation, given by the inbox's id or by that name itself."""
    try:
        return UUID(name)
    except ValueError:
        return keyring.conv(name)


def _who(question: Question, keyring: Keyring, add: Any) -> None:
    if question.agent is not None:
        named = [question.agent, f"agent:{question.agent}"]
        add("i.people && %(people)s::text[] AND i.people <> '{}'", people=named)
    if question.customer is not None:
        add("i.customer = %(customer)s", customer=customer_hash(keyring, question.customer))
    if question.conversation is not None:
        add("i.conv = %(conv)s", conv=conversation(keyring, question.conversation))


def _when(question: Question, add: Any) -> None:
    if question.start is not None:
        add("i.ts >= %(start)s", start=question.start)
    if question.end is not None:
        add("i.ts < %(end)s", end=question.end)
    if question.up_to is not None:
        add(
            "(i.shard, i.index) <= (%(up_to_shard)s, %(up_to_index)s)",
            up_to_shard=question.up_to.shard,
            up_to_index=question.up_to.index,
        )


def _rule_and_verdict(question: Question, add: Any) -> None:
    verdicts = list(MEANINGS.get(question.verdict, (question.verdict,))) if question.verdict is not None else None
    if question.rule is not None:
        rule = question.rule.partition("@")[0]
        add("i.rules && %(rule)s::text[] AND i.rules <> '{}'", rule=[question.rule])
        if verdicts is not None:
            add("i.findings && %(findings)s::text[]", findings=[f"{rule}={verdict}" for verdict in verdicts])
    elif verdicts is not None:
        add("i.verdicts && %(verdicts)s::text[] AND i.rules <> '{}'", verdicts=verdicts)


def _event(event: str, add: Any) -> None:
    if event.endswith(":"):
        if not any(str(known).startswith(event) for known in Event):
            raise QuestionInvalid(f"no event begins with {event!r}; docs/audit.md lists them")
        add("i.event LIKE %(event)s", event=event.replace("%", "").replace("_", r"\_") + "%")
        return
    if event not in set(Event):
        raise QuestionInvalid(
            f"{event!r} is no event; write one such as {Event.TURN_MADE}, or the beginning of several such as operator:"
        )
    add("i.event = %(event)s", event=event)


def _cited(cited: str, add: Any) -> None:
    document, marked, version = cited.partition("@")
    if marked:
        add("i.cited && %(cited)s::text[] AND i.cited <> '{}'", cited=[document_name(document, version)])
    else:
        add("audit_index.documents(i.cited) && %(cited)s::text[] AND i.cited <> '{}'", cited=[document])


def _outcome(outcome: str) -> list[str]:
    return [outcome.replace(":", "=", 1)]


def _input(item: Condition, name: str, add: Any) -> None:
    compared = _COMPARE[item.operator]
    if isinstance(item.value, int):
        # The kind is looked at first: Postgres may not cast a code to a number.
        test = f"CASE WHEN jsonb_typeof(one.value) = 'number' THEN (one.value)::numeric {compared} %({name})s ELSE false END"
    else:
        test = f"one.value #>> '{{}}' {compared} %({name})s"
    named = f"one.key = %({name}_key)s OR right(one.key, length(%({name}_key)s) + 1) = '.' || %({name}_key)s"
    add(
        f"EXISTS (SELECT 1 FROM jsonb_each(i.inputs) AS one WHERE ({named}) AND {test})",  # noqa: S608 - own texts, values are parameters
        **{name: item.value, f"{name}_key": item.name},
    )
