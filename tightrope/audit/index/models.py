"""Types of the auditor's index: a row for each record, a question, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tightrope.audit.models import JsonObject, Place


@dataclass(frozen=True, slots=True)
class Source:
    """A sequenced record as the index reads it.

    Attributes:
        leaf: parsed.
        payload: decrypted, or None where it cannot or may not be read.
        key_state: `active`, `restricted`, `destroyed`, `missing`; None where the record has no payload.
        customer: keyed hash of the customer the payload names.
    """

    place: Place
    record_id: UUID
    leaf: JsonObject
    payload: JsonObject | None
    kid: UUID | None
    key_state: str | None
    customer: bytes | None


@dataclass(frozen=True, slots=True)
class IndexRow:
    """What the index knows of one record.

    Attributes:
        rules: rules that decided, as `rule` and `rule@version`.
        findings: `rule=verdict`.
        reasons: codes: why not answered, why handed over, what failed.
        outcomes: `action=outcome`.
        cited: documents an answer quotes, as `document@version`; `considered`: those found and not quoted.
        responses: ids of the responses that were said.
        models: models that took part, as they were named.
        people: `agent:7`, login names of operators and auditors, persons who signed.
        inputs: what rules decided by, as `rule.condition.input`: ages in days, levels, codes, small counts; no amounts.
    """

    place: Place
    record_id: UUID
    ts: datetime
    event: str
    conv: UUID | None
    turn: int | None
    kid: UUID | None
    key_state: str | None
    release: str
    lang: str | None
    handoff: str | None
    customer: bytes | None
    journeys: tuple[str, ...]
    rules: tuple[str, ...]
    findings: tuple[str, ...]
    verdicts: tuple[str, ...]
    reasons: tuple[str, ...]
    outcomes: tuple[str, ...]
    cited: tuple[str, ...]
    considered: tuple[str, ...]
    responses: tuple[str, ...]
    models: tuple[str, ...]
    people: tuple[str, ...]
    inputs: dict[str, int | str]


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison with an input of a rule.

    Attributes:
        name: the input's name, or its last parts: `risk_assessment_age`, `margin_eligibility.risk_level.level`.
        operator: `=`, `!=`, `<`, `<=`, `>`, `>=`.
        value: a number (ages in days), or a code.
    """

    name: str
    operator: str
    value: int | str

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value}"


@dataclass(frozen=True, slots=True)
class Question:
    """What an auditor asks. Everything given must hold.

    Attributes:
        verdict: a rule's verdict; `refused` and `granted` stand for every verdict of that meaning.
        rule: `margin_eligibility`, or with its version `margin_eligibility@2023.1`.
        event: an event, or its beginning: `operator:`.
        cited: `document@version` or `document`.
        agent: `agent:7`, `7`, or a login name.
        conversation: the inbox's id (`1-441`) or the leaf's UUID.
        start, end: the time of the record, end excluded.
        inputs: comparisons with what a rule decided by.
        up_to: last place that is looked at, to ask an old question again.
        quiet: without the log's heartbeats, where no event is asked for.
    """

    journey: str | None = None
    verdict: str | None = None
    rule: str | None = None
    event: str | None = None
    cited: str | None = None
    agent: str | None = None
    customer: str | None = None
    conversation: str | None = None
    release: str | None = None
    model: str | None = None
    response: str | None = None
    handoff: str | None = None
    reason: str | None = None
    outcome: str | None = None
    lang: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    inputs: tuple[Condition, ...] = ()
    up_to: Place | None = None
    quiet: bool = False

    def to_json(self, *, customer: str | None = None) -> JsonObject:
        """What was asked, empty fields left out.

        Args:
            customer: stands in place of the customer's id: a keyed hash.
        """
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        plain["customer"] = customer if self.customer is not None else None
        plain["inputs"] = [str(condition) for condition in self.inputs]
        for name in ("start", "end"):
            plain[name] = plain[name].isoformat() if plain[name] else None
        plain["up_to"] = str(self.up_to) if self.up_to else None
        plain["quiet"] = self.quiet or None
        return {name: value for name, value in plain.items() if value not in (None, [])}


@dataclass(frozen=True, slots=True)
class Hit:
    """One record that answers a question."""

    row: IndexRow
    conversation_id: str | None

    def to_json(self) -> JsonObject:
        """A plain JSON object."""
        row = self.row
        found: dict[str, Any] = {
            "place": str(row.place),
            "record": str(row.record_id),
            "ts": row.ts.isoformat(),
            "event": row.event,
            "conversation": self.conversation_id,
            "conv": str(row.conv) if row.conv else None,
            "customer": row.customer.hex() if row.customer else None,
            "payload": row.key_state,
        }
        named = ("turn", "release", "lang", "handoff", "inputs", *LISTS)
        return found | {name: _plain(getattr(row, name)) for name in named}


LISTS = (
    "journeys",
    "rules",
    "findings",
    "verdicts",
    "reasons",
    "outcomes",
    "cited",
    "considered",
    "responses",
    "models",
    "people",
)
"""The columns of an index row that hold several values, in order."""


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class Position:
    """How far the index has read.

    Attributes:
        last: the last place in the index, None while it is empty.
        behind: sequenced records that it has not read yet.
        version: of the rules by which its rows were made.
    """

    last: Place | None
    behind: int
    version: int
    built_at: datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a question.

    Attributes:
        hits: in order of place; cut at the limit.
        records, conversations, customers: how many there are in all.
        unreadable: records among those looked at whose key is restricted or destroyed: what their payloads say could not be asked.
    """

    question: Question
    hits: tuple[Hit, ...]
    records: int
    conversations: int
    customers: int
    unreadable: int
    position: Position
