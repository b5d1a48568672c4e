"""Finding records by conversation, event and period. Every question is on the record before its answer is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.audit.render import BEIJING
from tightrope.console.sessions import Session

PAGE = 50
CONVERSATION_LIMIT = 100

_WHERE: LiteralString = (
    "FROM audit.records r LEFT JOIN audit.conversations c ON c.conv = r.conv LEFT JOIN audit.leaves l ON l.record_id = r.id "
    "WHERE (%(conversation)s::text IS NULL OR c.conversation_id = %(conversation)s OR r.conv = %(conv)s::uuid) "
    "AND (%(event)s::text IS NULL OR starts_with(r.event, %(event)s)) "
    "AND (%(first)s::timestamptz IS NULL OR r.ts >= %(first)s) AND (%(end)s::timestamptz IS NULL OR r.ts < %(end)s) "
    "AND (%(event)s::text IS NOT NULL OR r.event <> 'log:sequencer:beat') "
    "AND (%(before)s::bigint IS NULL OR r.ord < %(before)s)"
)
_COUNT: LiteralString = "SELECT count(*) AS n " + _WHERE
_FIND: LiteralString = (
    "SELECT r.ord, r.ts, r.event, r.turn, c.conversation_id, l.shard, l.index " + _WHERE + " ORDER BY r.ord DESC LIMIT %(limit)s"
)


class QuestionRefused(ValueError):
    """A field of the form that cannot be understood; the message is its name."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; everything given must hold.

    Attributes:
        conversation: the inbox's id or the UUID in leaves.
        event: an event or its beginning (`operator:`).
        first, last: days in Beijing, both included.
        before: goes on after the record with this order number.
    """

    conversation: str | None = None
    event: str | None = None
    first: date | None = None
    last: date | None = None
    before: int | None = None

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> Question:
        """A question from the fields of the form.

        Raises:
            QuestionRefused: a field is not well-formed.
        """
        conversation, event = fields.get("conversation", "").strip(), fields.get("event", "").strip()
        if len(conversation) > CONVERSATION_LIMIT or not conversation.isprintable():
            raise QuestionRefused("conversation")
        if event and not any(one.value.startswith(event) for one in Event):
            raise QuestionRefused("event")
        before = fields.get("before", "")
        if before and not (before.isascii() and before.isdigit() and len(before) < 19):
            raise QuestionRefused("before")
        return cls(
            conversation or None,
            event or None,
            _day(fields, "from"),
            _day(fields, "to"),
            int(before) if before else None,
        )

    def fields(self) -> dict[str, str]:
        """The form's fields again, without the page."""
        given = {"conversation": self.conversation, "event": self.event, "from": self.first, "to": self.last}
        return {name: str(value) for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Found:
    """A page of records, newest first; `next`: where the next page begins, None on the last one."""

    rows: tuple[dict[str, Any], ...]
    next: int | None


async def search(conn: AsyncConnection[Any], recorder: Recorder, session: Session, question: Question) -> Found:
    """The records that answer a question. Heartbeats are left out unless an event is asked for.

    Raises:
        psycopg.Error: the database does not answer.
    """
    values = {
        "conversation": question.conversation,
        "conv": _uuid(question.conversation),
        "event": question.event,
        "first": _midnight(question.first) if question.first else None,
        "end": _midnight(question.last + timedelta(days=1)) if question.last else None,
        "before": question.before,
        "limit": PAGE + 1,
    }
    rows = await (await conn.cursor(row_factory=dict_row).execute(_FIND, values)).fetchall()
    counted = await (await conn.cursor(row_factory=dict_row).execute(_COUNT, values)).fetchone()
    shown = rows[:PAGE]
    await recorder.record(
        conn,
        RecordDraft(
            Event.INDEX_QUERIED,
            facts={"mode": "list", "records": counted["n"] if counted else 0, "shown": len(shown)},
            payload={"who": session.person, "reason": session.purpose, "question": question.fields()},
        ),
    )
    await conn.commit()
    return Found(tuple(shown), shown[-1]["ord"] if len(rows) > PAGE else None)


def _day(fields: Mapping[str, str], name: str) -> date | None:
    given = fields.get(name, "").strip()
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


def _uuid(given: str | None) -> UUID | None:
    try:
        return UUID(given) if given else None
    except ValueError:
        return None
