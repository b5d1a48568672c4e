"""What recognisers report: a stretch of the text and what it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is masked; the value is what stands in its place, in brackets."""

    IDENTITY = "ID"
    CARD = "CARD"
    SECRET = "SECRET"  # noqa: S105 - the placeholder
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    CONTACT = "CONTACT"
    ACCOUNT = "ACCOUNT"
    ADDRESS = "ADDRESS"
    NAME = "NAME"
    AMOUNT = "AMOUNT"
    NUMBER = "NUMBER"


_RANK = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (excluded) are a `kind`."""

    start: int
    end: int
    kind: Kind


def united(spans: Iterable[Span]) -> list[Span]:
    """Spans without overlap, in order: what overlaps becomes one, under the first of its kinds."""
    out: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        if out and span.start < out[-1].end:
            last = out.pop()
            kind = min(last.kind, span.kind, key=_RANK.__getitem__)
            out.append(Span(last.start, max(last.end, span.end), kind))
        else:
            out.append(span)
    return out


def found(pattern: re.Pattern[str], kind: Kind, text: str) -> Iterator[Span]:
    """Where a pattern finds something: its group `x`, or all of it."""
    group: str | int = "x" if "x" in pattern.groupindex else 0
    for match in pattern.finditer(text):
        yield Span(match.start(group), match.end(group), kind)
