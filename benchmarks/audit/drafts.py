"""Records of the size that a turn of the demo writes, through the recorder or straight into the tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg

import tightrope
from benchmarks.audit.world import RELEASE, World
from tightrope.audit.keyring import Keyring
from tightrope.audit.leaf import PayloadRef, build_leaf, payload_bytes
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.tlog.merkle import leaf_hash

TURN = (
    (Event.CUSTOMER_MESSAGE_RECEIVED, {"lang": "zh", "kind": "text"}, 245),
    (Event.TURN_MADE, {"label": "check_margin_eligibility", "commands": 1, "events": 14, "latency_ms": 143}, 8640),
    (Event.STATUS_CHANGED, {"status": "open"}, 80),
    (Event.OUTBOX_SENT, {"attempts": 1}, 60),
)
"""What one turn writes: event, facts of the leaf, bytes of the payload's text; the ciphertexts are as long as those of the demo (`turns`)."""

CUSTOMERS = 500
_CONTENT = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("flows", "domain")}


def drafts(number: int) -> list[RecordDraft]:
    """The records of turn `number`, of one of 500 customers in a conversation of their own."""
    customer, turn = number % CUSTOMERS, number // CUSTOMERS
    return [
        RecordDraft(
            event,
            f"1-{customer}",
            f"C{1000 + customer}",
            turn,
            facts,
            {"turn": number, "text": "x" * size},
            _CONTENT if event is Event.TURN_MADE else {},
        )
        for event, facts, size in TURN
    ]


Row = tuple[UUID, UUID, str, int | None, datetime, UUID, bytes, bytes]
"""id, conv, event, turn, ts, kid, leaf, ciphertext: the columns of `audit.records` in the order they are copied."""


def rows(keyring: Keyring, first: int, count: int, began: datetime) -> Iterator[Row]:
    """Records made as the recorder makes them, without its database: real leaves, real ciphertexts. They are synthetic: nobody said this."""
    for number in range(first, first + count):
        draft = drafts(number // len(TURN))[number % len(TURN)]
        at = began + timedelta(milliseconds=number)
        owner = keyring.owner(conversation_id=draft.conversation_id, subject=draft.subject, year=at.year)
        key = keyring.cached(owner) or keyring.new_key(owner)
        record_id = uuid4()
        sealed = keyring.encrypt(key, record_id, payload_bytes(draft.payload))
        conv = keyring.conv(str(draft.conversation_id))
        leaf = build_leaf(
            record_id=record_id,
            at=at,
            host="bench",
            build=tightrope.__version__,
            release=RELEASE,
            event=str(draft.event),
            conv=conv,
            turn=draft.turn,
            payload=PayloadRef(key.kid, hashlib.sha256(sealed.ct).digest(), sealed.commit),
            cls=owner.cls,
            facts=draft.facts,
            content=draft.content,
        )
        yield record_id, conv, str(draft.event), draft.turn, at, key.kid, leaf, sealed.ct


def keep_keys(conn: psycopg.Connection, keyring: Keyring, began: datetime) -> None:
    """Put every customer's key and conversation and the content that records name into the tables, as writers would have."""
    conn.execute("INSERT INTO audit.master (check_value) VALUES (%s) ON CONFLICT (one) DO NOTHING", (keyring.check_value,))
    for name, digest in _CONTENT.items():
        conn.execute(
            "INSERT INTO audit.content (sha256, kind, data) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (bytes.fromhex(digest), name, name.encode()),
        )
    for customer in range(CUSTOMERS):
        owner = keyring.owner(conversation_id=f"1-{customer}", subject=f"C{1000 + customer}", year=began.year)
        key = keyring.cached(owner) or keyring.new_key(owner)
        conn.execute(
            "INSERT INTO audit.keys (kid, subject_hash, class, year, wrapped) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (key.kid, owner.subject_hash, owner.cls, owner.year, key.wrapped),
        )
        conn.execute(
            "INSERT INTO audit.conversations VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (keyring.conv(f"1-{customer}"), f"1-{customer}"),
        )


def copy_records(world: World, keyring: Keyring, first: int, count: int) -> list[tuple[UUID, bytes]]:
    """Copy records into the table; the trigger queues them for the sealer as any other. Returns ids and leaf hashes in order."""
    began, made = datetime.now(UTC) - timedelta(milliseconds=first + count), list[tuple[UUID, bytes]]()
    with world.superuser() as conn:
        keep_keys(conn, keyring, began)
        with (
            conn.cursor() as cursor,
            cursor.copy("COPY audit.records (id, conv, event, turn, ts, kid, leaf, ct) FROM STDIN (FORMAT binary)") as copy,
        ):
            copy.set_types(["uuid", "uuid", "text", "int4", "timestamptz", "uuid", "bytea", "bytea"])
            for row in rows(keyring, first, count, began):
                copy.write_row(row)
                made.append((row[0], leaf_hash(row[6])))
    return made
