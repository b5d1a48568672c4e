"""The checkpoint kept beside the sealed segments, in the store that nobody may overwrite; how much that is worth, the store says itself."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import asdict
from typing import Any

from tightrope.audit.anchors.errors import AnchorRefused, AnchorUnavailable
from tightrope.audit.anchors.models import Kind, Place, Point, Receipt, Verdict
from tightrope.audit.errors import StoreError, WriteOnceViolation
from tightrope.audit.stores.models import SegmentStore
from tightrope.infra.clock import Clock

__all__ = ["SegmentStore", "WormAnchor", "check", "checkpoint_key"]
# The store's protocol is taken from here by the others in this folder: one import to change.


def checkpoint_key(place: Place, note: bytes) -> str:
    """Where a checkpoint lies (docs/audit-formats.md, Segment)."""
    return f"checkpoint/{place.shard}/{place.size:012d}.{hashlib.sha256(note).hexdigest()}"


class WormAnchor:
    """Puts checkpoints into the segment store; the store reads back what it wrote before it gives a receipt."""

    newest_only = False

    def __init__(self, store: SegmentStore, clock: Clock, *, name: str = "worm") -> None:
        self.name = name
        self._store = store
        self._clock = clock

    @property
    def kind(self) -> Kind:
        """By what the store says of itself: `worm-folder` unless it is WORM."""
        return "worm-s3" if self._store.describe().worm else "worm-folder"

    async def submit(self, point: Point) -> Receipt:
        """Keep the note under its own digest; the same bytes again are harmless."""
        key = checkpoint_key(point.place, point.note)
        try:
            kept = await asyncio.to_thread(self._store.put, key, point.note)
        except WriteOnceViolation as error:
            raise AnchorRefused(f"{error}: somebody wrote in the store; run `tightrope audit verify`") from error
        except StoreError as error:
            raise AnchorUnavailable(f"the segment store did not take the checkpoint: {error}") from error
        body: dict[str, Any] = asdict(kept) | {"store": self._store.describe().text}
        return Receipt(
            self.name,
            self.kind,
            point.place.shard,
            point.place.size,
            self._clock.now(),
            None,
            json.dumps(body, sort_keys=True, separators=(",", ":"), default=str).encode(),
        )

    async def health(self) -> str | None:
        """The sealer's own health speaks for the store."""
        return None

    async def aclose(self) -> None:
        """Nothing to close."""


def check(note: bytes, receipt: Receipt) -> Verdict:
    """Whether a store's receipt names these bytes; the store vouches for no time, and whoever runs it could have made this text."""
    who = "the segment store, run by the firm" if receipt.kind == "worm-s3" else "a folder of this installation, not WORM"
    try:
        body = json.loads(receipt.body)
        key, digest = body["key"], body["sha256"]
    except (ValueError, KeyError, TypeError):
        return Verdict(False, None, who, "the receipt is not readable JSON with key and sha256")
    if key != checkpoint_key(receipt.place, note) or digest != hashlib.sha256(note).hexdigest():
        return Verdict(False, None, who, "the receipt is of another checkpoint")
    return Verdict(True, None, who, f"kept as {key}; read that object back to see it")
