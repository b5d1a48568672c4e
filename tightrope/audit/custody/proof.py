"""Did two people destroy this key? Checked from the record alone: the clear leaf, the payload and the file of custodians. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tightrope.audit.custody import keyset, rules, statements
from tightrope.audit.custody.custodians import Custodians
from tightrope.audit.custody.models import Act
from tightrope.audit.errors import CustodyRefused
from tightrope.audit.models import Event


@dataclass(frozen=True, slots=True)
class Destroyed:
    """A record that says that a key was destroyed, as found in the database or in a segment."""

    kid: UUID
    record_id: UUID
    leaf: bytes
    ct: bytes


def destroyed_in(segment: bytes) -> Iterator[Destroyed]:
    """The destructions in a segment's bytes; lines that are none are passed over (their form is the verification's concern)."""
    for line in segment.split(b"\n"):
        if b"audit:key:destroyed" not in line:
            continue
        try:
            row = json.loads(line)
            found = destroyed(row["leaf"].encode(), statements.decoded(row["ct"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if found is not None:
            yield found


def destroyed(leaf: bytes, ct: bytes) -> Destroyed | None:
    """A leaf and its ciphertext, if the leaf destroys a key and names this ciphertext."""
    try:
        read = json.loads(leaf)
        if read["event"] != Event.KEY_DESTROYED or read["ct_sha256"] != hashlib.sha256(ct).hexdigest():
            return None
        return Destroyed(UUID(read["facts"]["kid"]), UUID(read["id"]), leaf, ct)
    except (ValueError, KeyError, TypeError):
        return None


def check(found: Destroyed, payload: Mapping[str, Any], custodians: Custodians) -> tuple[str, str]:
    """The two people who destroyed the key.

    Raises:
        CustodyRefused: the record does not hold two good statements, of two people of two offices, that destroy this key.
    """
    leaf = json.loads(found.leaf)
    try:
        proposed, approved = payload["statements"]
        said = proposed["statement"]
        about = statements.About(Act.DESTROY, UUID(said["id"]), dict(said["keys"]), None)
        at = datetime.fromisoformat(leaf["ts"])
        digests = [statements.digest(item) for item in (proposed, approved)]
    except (KeyError, TypeError, ValueError):
        raise CustodyRefused("no_statements", f"the record {found.record_id} holds no two statements") from None
    if leaf["facts"].get("statements") != digests:
        raise CustodyRefused("signed_other", f"what was signed is not what the record of the key {found.kid} names")
    keyset.check(found.kid, about.keys, payload.get("inclusion"))
    now = at.astimezone(UTC) + timedelta(hours=1)
    first = statements.check_proposal(proposed, about, custodians, now)
    second = statements.check_approval(approved, proposed, about, custodians, now)
    rules.two_people(first, second)
    return first.custodian.person, second.custodian.person
