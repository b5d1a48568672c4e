"""What the gate says of a draft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tightrope.knowledge.models import Clause, Sentence

Reason = Literal[
    "empty",
    "control characters",
    "cites nothing",
    "citation is not its source",
    "not in force",
    "other language",
    "connective not approved",
    "not verbatim",
    "a figure is not in the source",
    "polarity differs",
    "bound differs",
    "condition differs",
    "name not in the source",
    "not supported",
    "out of scope",
    "said twice",
    "too long",
    "clause not approved",
]
"""Closed, since it goes to the record."""


@dataclass(frozen=True)
class Refused:
    """A sentence or clause that may not be sent, and why."""

    sentence: Sentence | Clause
    reason: Reason
    detail: str = ""
    """What exactly differs, for the record and for whoever mends the composer; never shown to a customer."""


@dataclass(frozen=True)
class Verdict:
    """What the gate let through, in order, what it refused, and which required clauses the draft lacks."""

    kept: tuple[Sentence, ...]
    refused: tuple[Refused, ...]
    missing_clauses: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """The draft may be sent as it is, but for repetitions, which are left out.

        A draft of which anything else was refused may have lost a condition or a step: its caller falls back rather than send the rest.
        """
        return bool(self.kept) and not self.missing_clauses and all(item.reason == "said twice" for item in self.refused)
