"""Types of an export: what is asked for, one record of it, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol
from uuid import UUID

from tightrope.audit.index.models import Question
from tightrope.audit.models import Entry, JsonObject, Place

Language = Literal["zh", "en"]
Profile = Literal["otel-genai", "ocsf"]
PROFILES: tuple[Profile, ...] = ("otel-genai", "ocsf")

Progress = Callable[[str, int, int], None]
"""Told how far an export is: the stage (`index`, `records`, `conversations`, `packing`), how many of it are done, of how many (0: not known)."""


class Masker(Protocol):
    """Takes out of a text what says who somebody is or what he has; gives a text without anything of that back as it is."""

    def __call__(self, text: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Order:
    """An export as it is asked for.

    Attributes:
        target: the folder to be made, or a file ending in `.zip`; neither may exist.
        who: login name of the one who asks.
        reason: why; needed for an unmasked export.
        unmasked: with names, numbers and amounts, and with payloads and salts in `records.jsonl`.
        whole: take the whole conversations in which something was found, and not the found records alone.
        pages, pdf: write the reading form as pages; also as PDF.
        font: a font file with Chinese for the PDF; None looks where Debian has one.
        most: refuse what holds more records than this; None takes any number.
    """

    question: Question
    target: Path
    who: str
    reason: str = ""
    unmasked: bool = False
    whole: bool = True
    language: Language = "zh"
    pages: bool = True
    pdf: bool = True
    font: Path | None = None
    profiles: tuple[Profile, ...] = ()
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an export, as the log has it.

    Attributes:
        state: of its key: `active`, `restricted` or `destroyed`; `active` also where there is no payload.
        payload: the payload's bytes, None where they cannot or may not be read; `salt` comes with them.
        problem: why the payload cannot be read, in a sentence.
        conversation_id: the inbox's id of its conversation.
    """

    place: Place
    record_id: UUID
    ts: datetime
    leaf: bytes
    ct: bytes | None
    state: str
    payload: bytes | None
    salt: bytes | None
    problem: str | None
    conv: UUID | None
    conversation_id: str | None
    entry: Entry


@dataclass(frozen=True, slots=True)
class Counts:
    """What an export holds."""

    records: int
    conversations: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class Made:
    """A finished export.

    Attributes:
        manifest_sha256: in hex; the record of the export names it too.
    """

    target: Path
    counts: Counts
    manifest_sha256: str
    selection: JsonObject
