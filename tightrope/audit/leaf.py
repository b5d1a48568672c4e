"""The leaf: what is hashed into the tree and shown to anybody, without personal data. Pure.

docs/audit-formats.md, Leaf; the leaf hash is `tightrope.audit.tlog.merkle.leaf_hash`.
    commitment = SHA-256("audit-payload-v1" || 0x00 || salt of 32 bytes || payload); the salt lies inside the ciphertext
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from tightrope.audit.canon import canonical
from tightrope.audit.errors import CanonError, FactsRefused
from tightrope.audit.tlog.tiles import ENTRY_LIMIT
from tightrope.infra.retention import read_retention

LEAF_VERSION = 2

_PAYLOAD_TAG = b"audit-payload-v1\x00"
_FACT_TEXT_LIMIT = 200
_FACT_INTEGER_LIMIT = 10**10
_PRINTABLE = re.compile(r"[ -?A-~]*")  # ASCII without control characters and without @
_LONG_NUMBER = re.compile(r"\d{8}|\d(?:[ -]?\d){9}")
_HARMLESS = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?"  # dates and times
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # UUIDs
    r"|(?:r|kb)-[0-9a-f]{16}|[0-9a-f]{64}|[0-9a-f]{40}|(?=\d*[a-f])[0-9a-f]{8,39}"  # release ids, digests
    r")(?![0-9A-Za-z])"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def sha256(data: bytes) -> bytes:
    """SHA-256 of bytes."""
    return hashlib.sha256(data).digest()


def commitment(salt: bytes, payload: bytes) -> bytes:
    """The commitment that pins a payload without telling it."""
    return hashlib.sha256(_PAYLOAD_TAG + salt + payload).digest()


@dataclass(frozen=True, slots=True)
class PayloadRef:
    """How a leaf names its payload.

    Attributes:
        ct_sha256: SHA-256 of nonce and ciphertext as stored.
        commit: the commitment.
        ct_sm3: SM3 of the same bytes, for firms under the commercial-cryptography rules; else None.
    """

    kid: UUID
    ct_sha256: bytes
    commit: bytes
    ct_sm3: bytes | None = None


@lru_cache(maxsize=8)
def retention(path: Path | None = None) -> Mapping[str, int]:
    """Years that each class of record is kept: the firm's file, or ours (tightrope/audit/retention.json).

    Raises:
        ValueError: the file is not of its form (tightrope/infra/retention.py).
    """
    return read_retention(path or Path(__file__).with_name("retention.json"))


def keep_until(day: date, years: int) -> date:
    """The last day of retention; 29 February becomes 1 March."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def timestamp(at: datetime) -> str:
    """UTC with milliseconds, as in `2026-11-20T02:31:00.123Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def payload_bytes(payload: Mapping[str, Any]) -> bytes:
    """The payload as JSON in UTF-8. Not canonical: the commitment is over these bytes, and nobody encodes them again.

    A lone surrogate, which chat clients can send, is kept as its escape, so that no customer's message is lost to it.

    Raises:
        CanonError: a value that is no JSON.
    """
    try:
        text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)
        try:
            return text.encode("utf-8")
        except UnicodeEncodeError:
            return json.dumps(payload, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_plain).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise CanonError(f"the payload is no JSON: {error}") from error


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def check_facts(facts: Mapping[str, Any], *, forbidden: frozenset[str] = frozenset()) -> None:
    """Refuse facts that could hold personal data: the leaf is kept and shown in the clear for decades.

    Texts are at most 200 printable ASCII characters without `@` and without eight digits in a row (digests, UUIDs and ISO dates may have
    them); integers stay below 10^10, which no telephone or identity number does.

    Args:
        forbidden: texts that must not appear as a word: the customer's id, the assistant's sender id.

    Raises:
        FactsRefused: names the field, not its value.
    """
    _check_fact(facts, "facts", forbidden)


def _check_fact(value: object, place: str, forbidden: frozenset[str]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_text(str(key), f"the keys of {place}", forbidden)
            _check_fact(item, f"{place}.{key}", forbidden)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_fact(item, f"{place}[]", forbidden)
    elif isinstance(value, str):
        _check_text(value, place, forbidden)
    elif isinstance(value, int) and not -_FACT_INTEGER_LIMIT < value < _FACT_INTEGER_LIMIT:
        raise FactsRefused(
            f"{place}: an integer of more than ten digits could be a telephone or identity number; put it in the payload"
        )


def _check_text(value: str, place: str, forbidden: frozenset[str]) -> None:
    if len(value) > _FACT_TEXT_LIMIT or not _PRINTABLE.fullmatch(value):
        raise FactsRefused(
            f"{place}: facts are codes of printable ASCII, at most {_FACT_TEXT_LIMIT} characters, without @; put texts in the payload"
        )
    if _LONG_NUMBER.search(_HARMLESS.sub("", value)):
        raise FactsRefused(
            f"{place}: eight digits in a row could be a telephone, account or identity number; put it in the payload"
        )
    if any(re.search(rf"(?<![0-9A-Za-z]){re.escape(text)}(?![0-9A-Za-z])", value) for text in forbidden):
        raise FactsRefused(f"{place}: names the customer; the customer's id belongs in the payload")


def check_content(content: Mapping[str, str]) -> None:
    """Refuse references that are no SHA-256 in hex.

    Raises:
        FactsRefused: names the reference.
    """
    for name, digest in content.items():
        if not _SHA256.fullmatch(digest):
            raise FactsRefused(f"content.{name}: not a SHA-256 in lower-case hex")
    check_facts(dict.fromkeys(content, 0))


def build_leaf(
    *,
    record_id: UUID,
    at: datetime,
    host: str,
    build: str,
    release: str,
    event: str,
    conv: UUID | None,
    turn: int | None,
    payload: PayloadRef | None,
    cls: str,
    facts: Mapping[str, Any],
    content: Mapping[str, str],
    years: Mapping[str, int] | None = None,
) -> bytes:
    """The leaf's bytes, stored as they are (contracts/audit/leaf.schema.json).

    Args:
        payload: None for the log's own records, which have none.
        years: how long each class is kept [our own classes].

    Raises:
        CanonError: facts outside the canonical profile, or more than a log entry may hold (65,535 bytes).
    """
    fields: dict[str, Any] = {
        "v": LEAF_VERSION,
        "id": str(record_id),
        "ts": timestamp(at),
        "host": host,
        "build": build,
        "release": release,
        "event": event,
        "conv": str(conv) if conv else None,
        "turn": turn,
        "kid": str(payload.kid) if payload else None,
        "cls": cls,
        "until": keep_until(at.astimezone(UTC).date(), (years or retention())[cls]).isoformat(),
        "ct_sha256": payload.ct_sha256.hex() if payload else None,
        "commit": payload.commit.hex() if payload else None,
        "facts": dict(facts),
        "content": dict(content),
    }
    if payload and payload.ct_sm3 is not None:
        fields["ct_sm3"] = payload.ct_sm3.hex()
    leaf = canonical(fields)
    if len(leaf) > ENTRY_LIMIT:
        raise CanonError(f"a leaf of {len(leaf)} bytes does not fit a log entry ({ENTRY_LIMIT}); put long facts in the payload")
    return leaf


def build_log_leaf(
    *, record_id: UUID, at: datetime, host: str, build: str, release: str, event: str, facts: Mapping[str, Any]
) -> bytes:
    """The leaf of one of the log's own records: it names itself, a time and clear facts, and has no payload."""
    return build_leaf(
        record_id=record_id,
        at=at,
        host=host,
        build=build,
        release=release,
        event=event,
        conv=None,
        turn=None,
        payload=None,
        cls="system",
        facts=facts,
        content={},
    )
