"""What the log records of its own anchors: clear facts, no personal data."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from tightrope.audit.anchors.repository import Gap, Kept


def receipt_facts(kept: Kept) -> dict[str, Any]:
    """What the log records of a receipt (`log:anchor:received`): clear, no personal data."""
    receipt = kept.receipt
    return {
        "anchor": receipt.anchor,
        "kind": receipt.kind,
        "shard": receipt.shard,
        "size": receipt.size,
        "note_sha256": hashlib.sha256(kept.note).hexdigest(),
        "body_sha256": hashlib.sha256(receipt.body).hexdigest(),
        "asserted": _time(receipt.asserted) if receipt.asserted else None,
        "received": _time(receipt.received),
        "settles": kept.settles,
        "waited_seconds": max(0, round((receipt.received - kept.waiting_since).total_seconds())),
    }


def gap_facts(gap: Gap) -> dict[str, Any]:
    """What the log records of a gap (`log:anchor:late`), when it is found and when it is covered."""
    return {
        "state": "covered" if gap.covered_at else "open",
        "shard": gap.place.shard,
        "size": gap.place.size,
        "since": _time(gap.since),
        "found": _time(gap.found_at),
        "covered": _time(gap.covered_at) if gap.covered_at else None,
        "need": gap.need,
        "missing": list(gap.missing),
    }


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
