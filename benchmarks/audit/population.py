"""What a year of a firm writes into the log, in kinds: conversations of every sort as the gateway records them, and what the index says of each record.

A kind is made once from a real draft (facts and payload by the gateway's own functions, verdicts by the rules); of the millions of its records only
ids, times, keys and hashes differ.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import tightrope
from benchmarks.audit.world import RELEASE
from tests.audit_turns import agent_message, cited, margin, message, turn  # noqa: TID251 - a benchmark runs from the root
from tightrope.audit.index.models import LISTS, IndexRow, Source
from tightrope.audit.index.rows import row_of
from tightrope.audit.leaf import PayloadRef, build_leaf, payload_bytes
from tightrope.audit.models import Event, Place, RecordDraft

TURN_BYTES = 8640
"""Length of a turn's payload in the demo (`benchmarks.audit turns`)."""

OLD, YEAR, FRESH = 800, 400, 90
"""Ages of risk assessments in days: past the rule's two years, past one year, and fresh."""

DOCUMENT = "fees-brokerage"
_DOCUMENTS = (DOCUMENT, *(f"guide-{number:02}" for number in range(40)))
_TODAY = date(2026, 5, 20)

_COMMIT, _DIGEST, _ID, _CONV, _KID = "c0" * 32, "d1" * 32, UUID(int=1), UUID(int=2), UUID(int=3)
_AT = datetime(2026, 5, 20, 2, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of record.

    Attributes:
        template: the leaf, with `%s` for commitment, conversation, ciphertext's hash, id, key, time and last day, in that order.
        cells: columns of its index row from `release` on as COPY's text, with `%s` for the customer; `closed`: where its key is restricted.
        named: the payload names the customer.
    """

    event: str
    turn: int | None
    template: str
    cells: str
    closed: str
    named: bool


@dataclass(frozen=True, slots=True)
class Script:
    """A conversation's records in order. `verified`: of a customer who is logged in."""

    kinds: tuple[Kind, ...]
    verified: bool
    weight: int


def drafts(sort: str, conversation: str, customer: str | None, *, today: date = _TODAY) -> list[RecordDraft]:
    """The records of one conversation.

    Args:
        sort: `old`, `level`, `level-year` (refused), `granted`, `person`, or a document with its version (`fees-brokerage@v3`).
    """
    said = [
        RecordDraft(Event.CONVERSATION_OPENED, conversation, facts={"lang": "zh"}, payload={"inbox": 1}),
        RecordDraft(Event.SESSION_STARTED, conversation, facts={"session": 1}, payload={"epoch": 1}),
        RecordDraft(Event.DISCLOSURE_SHOWN, conversation, facts={"lang": "zh"}, payload={"text": "您正在与智能客服对话。"}),
    ]
    for number, one in enumerate(_turns(sort, conversation, customer, today), start=1):
        said += [
            message(conversation, "我能开通融资融券吗" if number == 1 else "佣金最低多少？"),
            _long(replace(one, turn=number)),
            RecordDraft(Event.OUTBOX_SENT, conversation, turn=number, facts={"attempts": 1}, payload={"message_id": 10 + number}),
        ]
    if sort == "person":
        said += [
            RecordDraft(Event.HANDOFF_OPENED, conversation, facts={"reason": "request"}, payload={"priority": "normal"}),
            RecordDraft(Event.STATUS_CHANGED, conversation, facts={"status": "open"}, payload={"status": "open"}),
            agent_message(conversation, "您好，我来为您处理。"),
        ]
    said.append(RecordDraft(Event.CONVERSATION_RESOLVED, conversation, facts={"turns": 3}, payload={"by": "timer"}))
    return said


def _turns(sort: str, conversation: str, customer: str | None, today: date) -> list[RecordDraft]:
    ages = {"old": (OLD, "C4"), "level": (FRESH, "C2"), "level-year": (YEAR, "C2"), "granted": (FRESH, "C4")}
    document, _, version = sort.partition("@")
    small = cited("guide-00", "v1")
    if sort in ages:
        age, level = ages[sort]
        first = margin(today, today - timedelta(days=age), level=level)
    else:
        first = cited(document, version) if version else cited("guide-01", "v1", used=False)
    return [turn(conversation, number, made, customer=customer) for number, made in enumerate((first, small, small), start=1)]


def _long(draft: RecordDraft) -> RecordDraft:
    """A turn's payload in the demo's length: the tracker's events of a turn are many more than a test writes."""
    events = list(draft.payload.get("events") or [])
    slots = [{"event": "slot", "name": f"slot_{number:03}", "value": None, "timestamp": 1779244260.5} for number in range(200)]
    short = TURN_BYTES - len(payload_bytes(dict(draft.payload)))
    return replace(draft, payload={**draft.payload, "events": [*events, *slots[: max(0, short // len(payload_bytes(slots[0])))]]})


def scripts() -> list[Script]:
    """Every sort of conversation with its weight: of 1,000 some 35 margin checks, two thirds of them refused, 75 with a person, the rest answers from 123
    documents' versions, a few of them asked for often."""
    made = [_script("old", 6), _script("level", 8), _script("level-year", 4), _script("granted", 10), _script("person", 60)]
    for rank, document in enumerate(_DOCUMENTS, start=1):
        made += [_script(f"{document}@v{version}", max(1, 120 * version // (6 * rank))) for version in (1, 2, 3)]
        made.append(_script(f"{document}@v3", max(1, 60 // rank), verified=False))
    return made


def _script(sort: str, weight: int, *, verified: bool = True) -> Script:
    told = drafts(sort, "1-1", "C1001" if verified else None)
    return Script(tuple(_kind(draft) for draft in told), verified, weight)


def _kind(draft: RecordDraft) -> Kind:
    leaf = build_leaf(
        record_id=_ID,
        at=_AT,
        host="bench",
        build=tightrope.__version__,
        release=RELEASE,
        event=str(draft.event),
        conv=_CONV,
        turn=draft.turn,
        payload=PayloadRef(_KID, bytes.fromhex(_DIGEST), bytes.fromhex(_COMMIT)),
        cls="conversation",
        facts=draft.facts,
        content={"manifest": hashlib.sha256(b"manifest").hexdigest()} if draft.event is Event.TURN_MADE else {},
    )
    parsed, payload = json.loads(leaf), json.loads(payload_bytes(draft.payload))
    customer = b"\x01" * 32 if draft.subject else None
    full = row_of(Source(Place(2026, 0), _ID, parsed, payload, _KID, "active", customer))
    closed = row_of(Source(Place(2026, 0), _ID, parsed, None, _KID, "restricted", None))
    template = leaf.decode("ascii").replace("%", "%%")
    for value in (_COMMIT, str(_CONV), _DIGEST, str(_ID), str(_KID), parsed["ts"], parsed["until"]):
        assert template.count(f'"{value}"') == 1, value
        template = template.replace(f'"{value}"', '"%s"')
    return Kind(full.event, draft.turn, template, cells(full), cells(closed), named=customer is not None)


def cells(row: IndexRow) -> str:
    """The columns of an index row from `key_state` on, as COPY's text format has them; `%s` stands for the customer where there is one."""
    arrays = ["{" + ",".join(f'"{value}"' for value in getattr(row, name)) + "}" for name in LISTS]
    plain = [row.key_state, row.release, row.lang, row.handoff]
    texts = [str(value) if value is not None else r"\N" for value in plain]
    middle = "%s" if row.customer is not None else r"\N"
    escaped = [text.replace("%", "%%") for text in (*arrays, json.dumps(row.inputs, sort_keys=True))]
    return "\t".join([*texts, middle, *escaped])


class Busy:
    """Conversations that go on side by side, as at the market's opening: each next record is of any of them."""

    def __init__(self, side_by_side: int, seed: int) -> None:
        self._random = random.Random(seed)  # synthetic, and the same each time
        made = scripts()
        self._scripts, self._weights = made, [script.weight for script in made]
        self._side_by_side = side_by_side

    def slots(self, count: int) -> list[int]:
        """Which of them speak next."""
        return [int(one * self._side_by_side) for one in (self._random.random() for _ in range(count))]

    def begin(self, count: int) -> list[Script]:
        """New conversations."""
        return self._random.choices(self._scripts, self._weights, k=count)

    def customer(self, customers: int) -> int:
        """Whose the next one is: a few customers ask much, most seldom."""
        return int(customers * self._random.random() ** 1.5)
