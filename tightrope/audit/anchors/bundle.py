"""Receipts and keys for those who verify without us: anchors.json, policy.txt and the cosigned checkpoint (docs/audit-formats.md, Bundle)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from tightrope.audit.anchors.models import Place
from tightrope.audit.anchors.repository import Conn, Kept, cosigned_notes
from tightrope.audit.errors import NoteInvalid
from tightrope.audit.tlog.keys import VerifierKey
from tightrope.audit.tlog.note import Note, Signature
from tightrope.audit.tlog.policy import Log, Policy


def anchors_json(kept: Iterable[Kept]) -> list[dict[str, Any]]:
    """The content of anchors.json."""
    return [
        {
            "anchor": one.receipt.anchor,
            "kind": one.receipt.kind,
            "shard": one.receipt.shard,
            "size": one.receipt.size,
            "checkpoint": one.note.decode(),
            "received": _time(one.receipt.received),
            "asserted": _time(one.receipt.asserted) if one.receipt.asserted else None,
            "body": base64.b64encode(one.receipt.body).decode(),
        }
        for one in kept
    ]


def policy_for(policy: Policy | None, vkeys: Sequence[str]) -> Policy:
    """The policy to hand out: the firm's; where it names no log, with the keys that the log's own table names.

    Args:
        policy: of `audit_policy_file`, or None.
        vkeys: of `audit.shards`.

    Raises:
        NoteInvalid: a key of the table is malformed.
        PolicyInvalid: two of its keys are the same.
    """
    if policy is not None and policy.logs:
        return policy
    logs = tuple(Log(VerifierKey.parse(vkey)) for vkey in vkeys)
    return Policy(logs, policy.witnesses, policy.groups, policy.quorum) if policy is not None else Policy(logs, (), ())


async def cosigned_checkpoint(conn: Conn, policy: Policy, shard: int) -> tuple[Place, bytes] | None:
    """The newest checkpoint of a shard that reaches the policy's quorum, as a note with all its cosignatures; None while there is none."""
    for place, note, bodies in await cosigned_notes(conn, shard):
        try:
            lines = [Signature.parse(line) for body in bodies for line in body.decode().splitlines()]
            whole = Note.parse(note).with_signatures(lines).encode()
            policy.check(whole)
        except (NoteInvalid, UnicodeDecodeError):
            continue
        return place, whole
    return None


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
