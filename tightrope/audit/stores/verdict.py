"""What the last self-test of a bucket said, kept in a file of the state folder, and for how long it counts."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from tightrope.audit.errors import StoreError

Verdict = Literal["worm", "degraded", "not worm"]


@dataclass(frozen=True, slots=True)
class KeptVerdict:
    """The outcome of one self-test.

    Attributes:
        server: name and version that the server gave then; empty where it gives none.
        at: when, ISO 8601.
        reason: the first probe that did not hold, and what that means; empty where all held.
    """

    endpoint: str
    bucket: str
    server: str
    at: str
    verdict: Verdict
    reason: str


def why_not_worm(kept: KeptVerdict | None, *, now: datetime, days: int, server: str | None) -> str | None:
    """Why a bucket may not be called WORM, in a sentence, or None when it may.

    Args:
        server: what the server called itself in its last answer; None while it was not asked.
    """
    if kept is None:
        return "no self-test has been run; run `tightrope audit store check`"
    if kept.verdict != "worm":
        return f"{kept.reason} (self-test of {kept.at[:10]})"
    if now - datetime.fromisoformat(kept.at) > timedelta(days=days):
        return f"the last self-test is of {kept.at[:10]}; run `tightrope audit store check` again"
    if server is not None and server != kept.server:
        return f"the server was {kept.server or 'unnamed'} at the self-test and is {server or 'unnamed'} now; run `tightrope audit store check`"
    return None


class VerdictFile:
    """Keeps one verdict for each bucket."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "worm-selftests.json"

    def read(self, endpoint: str, bucket: str) -> KeptVerdict | None:
        """The last verdict on this bucket, or None.

        Raises:
            StoreError: the file is there and cannot be read.
        """
        return next((kept for kept in self._all() if (kept.endpoint, kept.bucket) == (endpoint, bucket)), None)

    def write(self, verdict: KeptVerdict) -> None:
        """Keep a verdict in the place of the one before on the same bucket."""
        others = [kept for kept in self._all() if (kept.endpoint, kept.bucket) != (verdict.endpoint, verdict.bucket)]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        beside.write_text(json.dumps([asdict(kept) for kept in [*others, verdict]], indent=1) + "\n", encoding="utf-8")
        beside.replace(self._path)

    def _all(self) -> list[KeptVerdict]:
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))
            return [KeptVerdict(**row) for row in rows]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            raise StoreError(f"{self._path} cannot be read ({error}); remove it and run `tightrope audit store check`") from error
