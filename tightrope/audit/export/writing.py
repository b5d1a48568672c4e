"""Writes the files of an export, record by record and then conversation by conversation, so that its size does not matter."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tightrope.audit.export import profiles
from tightrope.audit.export.bundle import Bundle, Lines, json_bytes
from tightrope.audit.export.masking import Known, known, masked
from tightrope.audit.export.models import Counts, Masker, Order, Record
from tightrope.audit.export.pages import Listed, ShardLine, conversation_html, index_html, page_of, period
from tightrope.audit.export.pdf import Printer
from tightrope.audit.export.proofs import ProofSource, proven
from tightrope.audit.export.words import words
from tightrope.audit.index.models import Source
from tightrope.audit.index.rows import row_of
from tightrope.audit.leaf import timestamp
from tightrope.audit.models import Entry, JsonObject, Place
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.proof import TlogProof


@dataclass(frozen=True, slots=True)
class Head:
    """The checkpoint that a shard's proofs lead to, and its note as it is handed out."""

    checkpoint: Checkpoint
    note: bytes


@dataclass(slots=True)
class _Conversation:
    """A conversation on the way: where its records stand."""

    name: str
    places: list[Place] = field(default_factory=list)


class Writer:
    """Fills a bundle. `add` every record in order, then `page` every conversation, then `finish`."""

    def __init__(
        self,
        bundle: Bundle,
        order: Order,
        mask: Masker,
        proofs: ProofSource,
        heads: dict[int, Head],
        made: datetime,
        printer: Printer | None,
    ) -> None:
        self.made = made
        self._bundle, self._order, self._mask, self._proofs, self._heads, self._printer = (
            bundle,
            order,
            mask,
            proofs,
            heads,
            printer,
        )
        self._conversations: dict[str, _Conversation] = {}
        self._listed: list[Listed] = []
        self._others: list[Entry] = []
        self._records = self._unreadable = 0
        self._stack = ExitStack()
        self._lines: Lines
        self._events: Lines
        self._profiles: dict[Any, Lines] = {}

    def __enter__(self) -> Self:
        self._lines = self._stack.enter_context(self._bundle.lines("records.jsonl"))
        self._events = self._stack.enter_context(self._bundle.lines("events.jsonl"))
        self._profiles = {
            name: self._stack.enter_context(self._bundle.lines(profiles.FILES[name])) for name in self._order.profiles
        }
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, records: Sequence[Record]) -> None:
        """The next records, in order of place: evidence and proofs.

        Raises:
            ExportRefused: one cannot be proven.
        """
        for record in records:
            head = self._heads[record.place.shard]
            proof = proven(self._proofs, head.checkpoint, record.place.shard, record.place.index, record.leaf)
            self._lines.add(_line(record, proof, unmasked=self._order.unmasked))
            name = f"proofs/{record.place.shard}-{record.place.index}.tlog-proof"
            self._bundle.write(name, TlogProof(record.place.index, tuple(proof), head.note).encode())
            self._records += 1
            self._unreadable += record.problem is not None
            if record.conv is None:
                self._tell([record])
                self._others.append(self._shown([record])[0])
            else:
                key = str(record.conv)
                told = self._conversations.setdefault(key, _Conversation(record.conversation_id or key))
                told.places.append(record.place)

    def conversations(self) -> Iterator[str]:
        """The conversations, in order of their first record."""
        yield from self._conversations

    def places_of(self, key: str) -> list[Place]:
        """Where a conversation's records stand."""
        return self._conversations[key].places

    def page(self, key: str, records: Sequence[Record]) -> None:
        """A conversation's events and pages."""
        told, number = self._conversations[key], len(self._listed) + 1
        entries = self._tell(records)
        path = f"conversations/{number:04d}"
        if self._order.pages:
            page = page_of(told.name, entries, self._order.language, masked=not self._order.unmasked)
            self._bundle.write(f"{path}.html", conversation_html(page).encode("utf-8", "backslashreplace"))
            if self._printer is not None:
                self._bundle.write(f"{path}.pdf", self._printer.print(page, self.made))
        journeys = sorted({journey for entry in entries for journey in _journeys(entry)})
        turns = len({entry.turn for entry in entries if entry.turn is not None})
        self._listed.append(
            Listed(
                name=told.name,
                period=period(entries),
                turns=turns,
                records=len(entries),
                journeys=", ".join(journeys),
                page=f"{path}.html" if self._order.pages else "",
                pdf=f"{path}.pdf" if self._order.pages and self._printer is not None else "",
            )
        )

    def finish(
        self,
        selection: JsonObject,
        facts: JsonObject,
        receipts: Sequence[JsonObject],
        gone: Sequence[tuple[Place, str, str]],
        verifier: Mapping[str, bytes],
    ) -> Counts:
        """Everything that stands beside the records; the manifest is the bundle's own."""
        counts = Counts(self._records, len(self._listed), self._unreadable)
        for shard, head in sorted(self._heads.items()):
            self._bundle.write(f"{shard}/checkpoint", head.note)
        self._bundle.write("anchors.json", json_bytes(list(receipts)))
        self._bundle.write("destroyed.json", json_bytes([{"kid": kid, "at": at, "place": str(place)} for place, kid, at in gone]))
        for name, source in verifier.items():
            self._bundle.write(name, source)
        self._bundle.write("README.txt", Path(__file__).with_name("README.txt").read_bytes())
        self._bundle.write("index.html", self._index(selection, facts, counts).encode("utf-8", "backslashreplace"))
        return counts

    def _index(self, selection: JsonObject, facts: JsonObject, counts: Counts) -> str:
        said = words(self._order.language)
        shown = (
            (said["made"], timestamp(self.made)),
            (said["log"], str(facts["log"])),
            (said["store"], str(facts["store"])),
            (said["form"], said["unmasked" if self._order.unmasked else "masked"]),
            (said["selection"], json.dumps(selection, ensure_ascii=False, sort_keys=True) if selection else said["whole_log"]),
            (said["records_n"], str(counts.records)),
            (said["conversations_n"], str(counts.conversations)),
            (said["unreadable_n"], str(counts.unreadable)),
        )
        shards = [
            ShardLine(h.checkpoint.origin, h.checkpoint.size, h.checkpoint.root.hex()) for _, h in sorted(self._heads.items())
        ]
        return index_html(
            self._order.language,
            masked=not self._order.unmasked,
            facts=shown,
            shards=shards,
            conversations=self._listed,
            others=self._others,
        )

    def _tell(self, records: Sequence[Record]) -> list[Entry]:
        """Write the events of some records of one conversation; gives them as they are shown."""
        entries = self._shown(records)
        for record, entry in zip(records, entries, strict=True):
            self._events.add(_event(record, entry))
            for name, lines in self._profiles.items():
                for line in profiles.lines(name, entry):
                    lines.add(line)
        return entries

    def _shown(self, records: Sequence[Record]) -> list[Entry]:
        said = words(self._order.language)
        entries = [
            replace(r.entry, problem=said[r.state]) if r.state in {"restricted", "destroyed"} else r.entry for r in records
        ]
        if self._order.unmasked:
            return entries
        secrets: Known = known(entry.payload for entry in entries if entry.payload)
        return [masked(entry, self._mask, secrets) for entry in entries]


def _line(record: Record, proof: Sequence[bytes], *, unmasked: bool) -> JsonObject:
    line: JsonObject = {
        "shard": record.place.shard,
        "index": record.place.index,
        "leaf": record.leaf.decode("utf-8"),
        "ct": _text(record.ct),
        "state": record.state,
        "proof": [_text(step) for step in proof],
    }
    if unmasked and record.payload is not None:
        line |= {"payload": _text(record.payload), "salt": _text(record.salt)}
    return line


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode("ascii")


def _event(record: Record, entry: Entry) -> JsonObject:
    return {
        "place": str(record.place),
        "record": str(record.record_id),
        "ts": entry.leaf.get("ts") or timestamp(record.ts),
        "event": entry.event,
        "conversation": record.conversation_id,
        "turn": entry.turn,
        "state": record.state,
        "problem": entry.problem,
        "leaf": entry.leaf,
        "payload": entry.payload,
    }


def _journeys(entry: Entry) -> tuple[str, ...]:
    if not entry.leaf:
        return ()
    return row_of(Source(entry.place or Place(0, 0), entry.record_id, entry.leaf, entry.payload, None, None, None)).journeys
