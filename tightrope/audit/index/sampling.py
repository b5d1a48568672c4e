"""Reproducible samples and their working papers. Pure.

Method (named in the papers): every place of the population is hashed with the seed, SHA-256("tightrope-sample-v1" ‖ 0x00 ‖ seed ‖ 0x00 ‖ place);
the records with the smallest hashes are the sample. So anybody can draw it again with a few lines of any language, a larger sample holds the
smaller one, and the order of the population does not matter.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tightrope.audit.errors import QuestionInvalid
from tightrope.audit.index.models import Hit, Question
from tightrope.audit.leaf import timestamp
from tightrope.audit.models import JsonObject, Place

TAG = "tightrope-sample-v1"
METHOD = (
    f'Simple random sample without replacement: the records with the smallest SHA-256("{TAG}" || 0x00 || seed || 0x00 || place), '
    "seed and place (such as 2026/17) in UTF-8."
)
COLUMNS = ("no", "place", "record", "time_utc", "conversation", "turn", "event", "journeys", "findings", "cited", "release")
BLANK = ("tested_by", "tested_on", "result", "remarks")
"""Columns for the auditor's own work."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample and what it was drawn from.

    Attributes:
        population: how many records answer the question.
        population_sha256: SHA-256 of their places, one a line.
        up_to: the last place that the index knew: with it the same question has the same population later.
    """

    question: JsonObject
    asked_by: str
    drawn_at: datetime
    seed: str
    size: int
    population: int
    population_sha256: str
    up_to: str
    command: str
    hits: tuple[Hit, ...]


def draw(population: Sequence[Place], size: int, seed: str) -> list[Place]:
    """The sample, in order of place; the whole population where it is no larger than `size`.

    Raises:
        QuestionInvalid: a size below one, or an empty seed.
    """
    if size < 1:
        raise QuestionInvalid("a sample has at least one record: --sample 25")
    if not seed:
        raise QuestionInvalid("a reproducible sample needs a seed that the auditor chooses: --seed 20260501")
    return sorted(sorted(population, key=lambda place: (_rank(seed, place), place))[:size])


def fingerprint(population: Sequence[Place]) -> str:
    """SHA-256 of a population, in hex: its places in order, each with a newline."""
    return hashlib.sha256("".join(f"{place}\n" for place in sorted(population)).encode()).hexdigest()


def papers_json(sample: Sample) -> bytes:
    """The working paper for programs."""
    plain: JsonObject = {
        "kind": "tightrope-audit-sample",
        "v": 1,
        "question": sample.question,
        "asked_by": sample.asked_by,
        "drawn_at": timestamp(sample.drawn_at),
        "method": METHOD,
        "seed": sample.seed,
        "size": sample.size,
        "drawn": len(sample.hits),
        "population": sample.population,
        "population_sha256": sample.population_sha256,
        "up_to": sample.up_to,
        "again": sample.command,
        "sample": [hit.to_json() for hit in sample.hits],
    }
    return (json.dumps(plain, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def papers_csv(sample: Sample) -> bytes:
    """The working paper for a spreadsheet: one line a record, with empty columns for the test's result. UTF-8 with a byte-order mark."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*COLUMNS, *BLANK])
    for number, hit in enumerate(sample.hits, start=1):
        row = hit.row
        cells = [
            str(number),
            str(row.place),
            str(row.record_id),
            timestamp(row.ts),
            hit.conversation_id or "",
            "" if row.turn is None else str(row.turn),
            row.event,
            " ".join(row.journeys),
            " ".join(row.findings),
            " ".join(row.cited),
            row.release,
        ]
        writer.writerow([*(_harmless(cell) for cell in cells), *("" for _ in BLANK)])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def command(question: Question, size: int, seed: str, up_to: Place | None) -> str:
    """How the same sample is drawn again; the customer's id is left for the auditor to fill in."""
    words = ["tightrope", "audit", "find"]
    for name, value in question.to_json(customer="ID").items():
        option = {"start": "from", "end": "to", "inputs": "input", "lang": "language", "reason": "code"}.get(name, name)
        if name != "up_to":
            words += [
                word for one in (value if isinstance(value, list) else [value]) for word in (f"--{option}", _quoted(str(one)))
            ]
    words += ["--sample", str(size), "--seed", _quoted(seed)]
    return " ".join([*words, *(["--up-to", str(up_to)] if up_to else [])])


def _rank(seed: str, place: Place) -> bytes:
    return hashlib.sha256(b"\x00".join((TAG.encode(), seed.encode(), str(place).encode()))).digest()


def _harmless(cell: str) -> str:
    """A spreadsheet must not take a cell for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _quoted(text: str) -> str:
    return (
        text
        if text.replace("-", "").replace(":", "").replace("_", "").replace(".", "").isalnum()
        else "'" + text.replace("'", "'\\''") + "'"
    )
