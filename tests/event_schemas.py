"""What events look like (contracts/audit/events), and a watch over everything that our code records while tests run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tightrope.audit.leaf import payload_bytes
from tightrope.audit.recorder import Recorder

FOLDER = Path(__file__).resolve().parents[1] / "contracts/audit/events"
OURS = ("tightrope.", "actions.")


@lru_cache(maxsize=1)
def index() -> list[dict[str, Any]]:
    """The entries of index.json, one for each version of each event."""
    entries: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))["events"]
    return entries


@lru_cache(maxsize=200)
def validator(event: str, version: int = 1) -> Draft202012Validator:
    """The schema of one version of an event.

    Raises:
        AssertionError: the index does not know it.
    """
    found = [entry["schema"] for entry in index() if (entry["event"], entry["version"]) == (event, version)]
    assert len(found) == 1, f"{event} version {version} stands {len(found)} times in contracts/audit/events/index.json"
    return Draft202012Validator(json.loads((FOLDER / found[0]).read_text(encoding="utf-8")))


def faults(event: str, facts: Any, payload: Any) -> list[str]:
    """What is wrong with a record; a payload of None (a leaf of the log itself has none) counts as empty."""
    version = facts.get("v", 1) if isinstance(facts, dict) else 1
    found = validator(str(event), version).iter_errors({"facts": facts, "payload": payload or {}})
    return [f"{event}: {'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def watch_recorder() -> Callable[[], None]:
    """Hold every draft that our own code records (not those that tests make up) against its schema; returns what ends it."""
    real = Recorder.record

    def record(self: Recorder, conn: Any, draft: Any, **more: Any) -> Any:
        if str(sys._getframe(1).f_globals.get("__name__", "")).startswith(OURS):
            plain = json.loads(json.dumps(draft.facts, ensure_ascii=False))
            found = faults(draft.event, plain, json.loads(payload_bytes(draft.payload)))
            assert not found, "a record outside its schema: " + "; ".join(found)
        return real(self, conn, draft, **more)

    Recorder.record = record  # type: ignore[method-assign]

    def end() -> None:
        Recorder.record = real  # type: ignore[method-assign]

    return end
