"""How typed answers are read, slot by slot: `data/understanding/slots.json` (data/understanding/README.md has the format).

A value that leaves here is canonical: of a closed alphabet for its kind, or, for free text, cleaned of everything that could be read as more than text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args

from tightrope.understanding import names, securities
from tightrope.understanding.errors import TrainingDataError
from tightrope.understanding.normalise import folded, normalise
from tightrope.understanding.securities import Securities

Kind = Literal["amount", "percentage", "count", "months", "date", "month", "security", "text", "choice"]
MAX_TEXT = 500
"""Characters of a free text; what is longer is cut."""

_KEYS: dict[str, dict[str, tuple[Any, ...]]] = {
    "amount": {"currency": ("CNY", "HKD", "USD", "any")},
    "percentage": {},
    "count": {"of": ("shares", "days", "any")},
    "months": {"bare": ("months", "years", None)},
    "date": {"towards": ("future", "past", "near"), "lengths": ("from_today",)},
    "month": {"towards": ("future", "past", "near")},
    "security": {},
    "text": {},
    "choice": {"whole": (True, False), "named": (True, False)},
}
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,12})(?:\.[0-9]{1,8})?")
_QUOTES = str.maketrans({'"': "”", "'": "’", "`": "’", "{": "（", "}": "）", "<": "（", ">": "）", "\\": "、", "|": "，"})
_NULLS = {"none", "null", "undefined"}


@dataclass(frozen=True, slots=True)
class SlotSpec:
    """How a slot is read.

    Attributes:
        names: words that stand beside its value (本金, principal), folded.
        early: whether it may be taken from a message that does not answer its question (the one that starts the flow, say).
        wordings: for a choice, value -> what customers say for it, folded.
        options: what the kind allows beside, as `currency`.
    """

    name: str
    kind: Kind
    names: tuple[str, ...] = ()
    early: bool = True
    wordings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    options: dict[str, str | None] = field(default_factory=dict)

    def accepts(self, value: str) -> bool:
        """Whether a value is one that this kind can have: the last gate before it becomes part of a command."""
        return _FORMS[self.kind](self, value)


def _number(_spec: SlotSpec, value: str) -> bool:
    return _NUMBER.fullmatch(value) is not None


def _whole(_spec: SlotSpec, value: str) -> bool:
    return re.fullmatch(r"0|[1-9][0-9]{0,11}", value) is not None


def _day(_spec: SlotSpec, value: str) -> bool:
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) is None:
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


_FORMS: dict[Kind, Callable[[SlotSpec, str], bool]] = {
    "amount": _number,
    "percentage": _number,
    "count": _whole,
    "months": _whole,
    "date": _day,
    "month": lambda _spec, value: re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", value) is not None,
    "security": lambda _spec, value: re.fullmatch(r"[0-9]{4,6}", value) is not None,
    "text": lambda _spec, value: bool(value) and value == free_text(value),
    "choice": lambda spec, value: value in spec.wordings,
}


def free_text(message: str) -> str:
    """A message as the value of a slot: one line, no quotes, braces or angle brackets, no leading slash, at most 500 characters, never a null."""
    text = normalise(message).translate(_QUOTES)[:MAX_TEXT]
    text = normalise(text.lstrip("/ ")).rstrip()
    return f"{text}。" if text.casefold() in _NULLS else text


@dataclass(frozen=True, slots=True)
class SlotBook:
    """All slots that are read from typed words, the securities that one may name, and the names of journeys."""

    specs: dict[str, SlotSpec] = field(default_factory=dict)
    securities: Securities = field(default_factory=lambda: Securities(frozenset(), {}, None))
    journeys: dict[str, str] = field(default_factory=dict)
    """Folded name -> flow id (names.py)."""

    def get(self, name: str | None) -> SlotSpec | None:
        """The slot of this name, if it is read from typed words."""
        return self.specs.get(name or "")


EMPTY = SlotBook()


def load(folder: Path) -> SlotBook:
    """The slots and securities of `folder`; none where there are no such files.

    Raises:
        TrainingDataError: a file is not of the documented form; names file, slot and what is wrong.
    """
    path = folder / "slots.json"
    journeys = names.load(folder.parent / "flows")
    if not path.is_file():
        return SlotBook({}, securities.load(folder), journeys)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingDataError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(entries, dict):
        raise TrainingDataError(f"{path}: expected an object with one entry a slot")
    return SlotBook({name: _spec(path, name, entry) for name, entry in entries.items()}, securities.load(folder), journeys)


def _spec(path: Path, name: str, entry: Any) -> SlotSpec:
    def wrong(why: str) -> TrainingDataError:
        return TrainingDataError(f"{path.name}: {name}: {why}")

    if not isinstance(entry, dict) or entry.get("kind") not in get_args(Kind):
        raise wrong(f"`kind` has to be one of {', '.join(get_args(Kind))}")
    kind: Kind = entry["kind"]
    known = {"kind", "names", "early", "note", *_KEYS[kind], *({"values"} if kind == "choice" else ())}
    if unknown := set(entry) - known:
        raise wrong(f"{', '.join(sorted(unknown))} is not known for a slot of kind {kind}; known: {', '.join(sorted(known))}")
    options = {key: entry[key] for key in _KEYS[kind] if key in entry}
    for key, value in options.items():
        if value not in _KEYS[kind][key]:
            raise wrong(f"`{key}` has to be one of {', '.join(str(v) for v in _KEYS[kind][key] if v)}")
    names = entry.get("names", [])
    if not _texts(names):
        raise wrong("`names` has to be a list of words")
    early = entry.get("early", kind not in {"text", "choice"})
    if not isinstance(early, bool) or (early and kind == "text"):
        raise wrong("`early` has to be true or false, and a free text is only ever the answer to its question")
    wordings = {}
    if kind == "choice":
        values = entry.get("values")
        if not isinstance(values, dict) or not all(_texts(words) for words in values.values()) or len(values) < 2:
            raise wrong('`values` has to be an object: {"buy": ["买入", "buy"], …}, two values or more')
        wordings = {value: tuple(folded(word) for word in words) for value, words in values.items()}
        said = [word for words in wordings.values() for word in words]
        if twice := sorted({word for word in said if said.count(word) > 1}):
            raise wrong(f"{', '.join(twice)} leads to two values")
    return SlotSpec(name, kind, tuple(folded(word) for word in names), early, wordings, options)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and folded(one) for one in value)
