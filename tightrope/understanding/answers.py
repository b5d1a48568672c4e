"""Typed values: which slots a message fills, and with what. Only when sure; doubt leaves the slot to its question.

A figure belongs to a slot by its unit (10手, 3年), by a name beside it (本金10万, at 12.3) or, without either, because the open question asks for it.
Two slots that fit one figure, or two figures that fit one slot: neither is filled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from tightrope.understanding import dates, phrases, quantities
from tightrope.understanding.quantities import Quantity, Unit
from tightrope.understanding.slots import SlotBook, SlotSpec

_LONGEST = 120
"""Longest folded message whose figures are read: longer ones tell a story."""
_NEAR = 8
"""Characters before a figure in which a name of its slot counts."""
_LONGEST_DAYS = 100_000
_LOT = 100
"""Shares of a board lot on the mainland exchanges (trading rules of SSE and SZSE, 3.4.9)."""
_UNITS: dict[str, frozenset[Unit]] = {
    "amount": frozenset({"money"}),
    "percentage": frozenset({"percent"}),
    "count": frozenset({"share", "lot", "day"}),
    "months": frozenset({"month"}),
}
_LEADING = {"at", "@", "for", "by", "till", "until", "to", "到", "至"}
"""Names that only stand before their figure: what they follow is another's."""
_BARE = {"amount", "percentage", "count", "months"}
_STOP = re.compile(r"[,，。;；?？!！]")
_FILLER = re.compile(
    r"[\s,，.。!！~、:：]|我|想|要|就|是|吧|的|呢|啊|了|大概|大约|差不多|左右|约|先|按|用|用吧|一共|总共|共|打算|计划|准备|填|输入|投|买|卖|出|入|借|"
    r"\b(?:i|i'm|id|i'd|want|like|to|about|around|roughly|say|let's|lets|make|it|just|is|it's|its|the|a|please|pls|for|of|at|with|"
    r"maybe|use|take|put|in|be|would|will|my|total|approximately|approx|on|by)\b"
)


_BETWEEN = re.compile(r"到|至|或者?|那|somewhere|between|from|and|or")


@dataclass(frozen=True, slots=True)
class _Piece:
    """Something in the text that could be a slot's value: a figure, a day, a month, a security."""

    start: int
    end: int
    kinds: dict[str, str | None]
    """Slot name -> canonical value, None: it fits and cannot be read for sure."""
    bare: bool
    """Nothing about it but the open question says what it is."""


def read(text: str, specs: Iterable[SlotSpec], book: SlotBook, today: date, opened: str | None = None) -> dict[str, str]:
    """The slots that a folded message fills for sure; `opened` is the one that is asked for now."""
    wanted = {spec.name: spec for spec in specs}
    if len(text) > _LONGEST or not wanted:
        return {}
    filled = _choices(text, wanted.values(), opened)
    pieces = _pieces(text, wanted, book, today, opened)
    left: list[_Piece] = []
    named: dict[str, list[str | None]] = {}
    for number, piece in enumerate(pieces):
        owners = _named(text, piece, pieces[number - 1].end if number else 0, wanted)
        if len(owners) == 1:
            named.setdefault(owners[0], []).append(piece.kinds[owners[0]])
        else:
            left.append(piece)
    for name, values in named.items():
        if len(set(values)) == 1 and values[0] is not None:
            filled[name] = values[0]
    taken = set(named)
    for name in wanted:
        fitting = [piece for piece in left if name in piece.kinds and (not piece.bare or name == opened)]
        if name in taken or name in filled or not fitting or len({piece.kinds[name] for piece in fitting}) > 1:
            continue
        rivals = {
            other for piece in fitting for other in piece.kinds if other not in taken and not (piece.bare and other != opened)
        } - {name}
        value = fitting[0].kinds[name]
        if value is not None and (not rivals or name == opened) and (not fitting[0].bare or _plain_answer(text, pieces)):
            filled[name] = value
    return {name: value for name, value in filled.items() if wanted[name].accepts(value)}


def _plain_answer(text: str, pieces: list[_Piece]) -> bool:
    """Whether a message says hardly more than its figures: a bare number in a question or a story answers nothing."""
    rest = text
    for piece in pieces:
        rest = rest[: piece.start] + " " * (piece.end - piece.start) + rest[piece.end :]
    rest = _FILLER.sub("", rest)
    return len(rest) <= 6 and not phrases.QUESTION.search(text)


def only_figures(text: str) -> bool:
    """Whether a folded message says nothing but figures: it answers a question or nothing, whatever its words are like."""
    found = quantities.scan(text)
    rest = text
    for quantity in found:
        rest = rest[: quantity.start] + " " * (quantity.end - quantity.start) + rest[quantity.end :]
    return bool(found) and not phrases.QUESTION.search(text) and len(_BETWEEN.sub("", _FILLER.sub("", rest))) <= 1


def _named(text: str, piece: _Piece, since: int, wanted: dict[str, SlotSpec]) -> list[str]:
    """The slots that fit the piece and whose name stands right before it, or right after it."""
    before = _STOP.split(text[max(since, piece.start - _NEAR - 8) : piece.start])[-1]
    after = text[piece.end : piece.end + _NEAR + 2].lstrip(" 的")
    found: dict[str, int] = {}
    behind: list[str] = []
    for name in piece.kinds:
        for word in wanted[name].names:
            if word not in _LEADING and after.startswith(word) and _is_word(after, 0, word):
                behind.append(name)
            at = before.rfind(word)
            if at >= 0 and len(before) - at - len(word) <= _NEAR and _is_word(before, at, word):
                found[name] = max(found.get(name, -1), at + len(word))
    closest = max(found.values(), default=-1)
    return [name for name, end in found.items() if end == closest] if found else list(dict.fromkeys(behind))


def _is_word(text: str, at: int, word: str) -> bool:
    """Latin names are whole words; Chinese ones stand anywhere."""
    if not word.isascii():
        return True
    around = text[at - 1 : at] + text[at + len(word) : at + len(word) + 1]
    return not any(char.isascii() and char.isalpha() for char in around)


def _pieces(text: str, wanted: dict[str, SlotSpec], book: SlotBook, today: date, opened: str | None) -> list[_Piece]:
    """What stands in the text, each part read once: securities, then days, then figures."""
    found: list[_Piece] = []
    masked = text

    def take(piece: _Piece) -> None:
        nonlocal masked
        found.append(piece)
        masked = masked[: piece.start] + "\x00" * (piece.end - piece.start) + masked[piece.end :]

    names = [name for name, spec in wanted.items() if spec.kind == "security"]
    for security in book.securities.find(text):
        asked = wanted.get(opened or "")
        if security.known or (asked is not None and asked.kind == "security"):
            take(_Piece(security.start, security.end, dict.fromkeys(names, security.code), bare=False))
    days = {name: spec for name, spec in wanted.items() if spec.kind in {"date", "month"}}
    for span, kinds in _days(masked, days, today).items():
        take(_Piece(*span, kinds, bare=False))
    for quantity in quantities.scan(masked):
        values = {name: value for name, spec in wanted.items() if (value := _fits(spec, quantity, name == opened)) is not _NO_FIT}
        if quantity.han and quantity.unit == "none" and quantity.end - quantity.start == 1 and not _plain_answer(text, []):
            continue
        bare = quantity.unit == "none" and not quantity.scaled
        ends = {name: _end(quantity, today) for name, spec in days.items() if _is_length(spec, quantity, name == opened)}
        kinds = {name: _written(value) for name, value in values.items()} | ends
        found.append(_Piece(quantity.start, quantity.end, kinds, bare))
    return sorted(found, key=lambda piece: piece.start)


def _days(text: str, specs: dict[str, SlotSpec], today: date) -> dict[tuple[int, int], dict[str, str | None]]:
    """Days and months by where they stand. Without a slot for them they are found all the same: their figures are nobody else's."""
    found: dict[tuple[int, int], dict[str, str | None]] = {(f.start, f.end): {} for f in dates.find_days(text, today)}
    for name, spec in specs.items():
        towards: dates.Towards = spec.options.get("towards") or ("past" if spec.kind == "month" else "near")  # type: ignore[assignment]
        finder = dates.find_months if spec.kind == "month" else dates.find_days
        for one in finder(text, today, towards):
            value = one.value.isoformat()[: 7 if spec.kind == "month" else 10] if one.value else None
            found.setdefault((one.start, one.end), {})[name] = value
    return found


def _is_length(spec: SlotSpec, quantity: Quantity, opened: bool) -> bool:
    """Whether a figure can be the length of time that ends on a slot's day; without a unit only as the answer to the question, in days."""
    if not spec.options.get("lengths"):
        return False
    return quantity.unit in {"day", "month"} or (opened and quantity.unit == "none" and not quantity.scaled)


def _end(quantity: Quantity, today: date) -> str | None:
    """The day on which a length of time that begins today ends; None where it has no one reading."""
    value = quantity.value
    if value is None or value != value.to_integral_value() or value > _LONGEST_DAYS:
        return None
    try:
        return (dates.months_later(today, int(value)) if quantity.unit == "month" else today + timedelta(int(value))).isoformat()
    except (ValueError, OverflowError):
        return None


_NO_FIT = Decimal(-1)


def _fits(spec: SlotSpec, quantity: Quantity, opened: bool) -> Decimal | None:
    """The figure as this slot would hold it; None: it fits but cannot be read for sure; `_NO_FIT`: it is something else."""
    if spec.kind not in _BARE:
        return _NO_FIT
    value = quantity.value
    if quantity.unit == "none":
        return _NO_FIT if quantity.scaled and spec.kind not in {"amount", "count"} else _bare(spec, value)
    if quantity.unit not in _UNITS[spec.kind]:
        return _NO_FIT
    match spec.kind:
        case "amount":
            wants = spec.options.get("currency") or "CNY"
            return value if wants in {"any", quantity.currency} else None if opened else _NO_FIT
        case "count":
            of = spec.options.get("of") or "shares"
            if (quantity.unit == "day") != (of == "days") and of != "any":
                return _NO_FIT
            value = value * _LOT if value is not None and quantity.unit == "lot" else value
            return value if value is None or value == value.to_integral_value() else None
        case "months":
            return value if value is None or value == value.to_integral_value() else None
    return value


def _bare(spec: SlotSpec, value: Decimal | None) -> Decimal | None:
    """A figure without a unit: what it means goes by the slot."""
    if value is None:
        return None
    match spec.kind:
        case "percentage":
            # 0.05 may be five per cent or a twentieth of one.
            return value if value >= 1 or value == 0 else None
        case "months":
            bare = spec.options.get("bare")
            value = value * 12 if bare == "years" else value
            return value if bare and value == value.to_integral_value() else None
        case "count":
            return value if value == value.to_integral_value() else None
    return value


def _written(value: Decimal | None) -> str | None:
    """A figure without exponent and superfluous zeros."""
    if value is None:
        return None
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_AROUND = re.compile(r"^(?:[\s.,!~，。！、]|嗯|好的?|那|就|行|ok|okay|please)+|(?:[\s.,!~，。！、]|吧|啊|呀|了|哦|please)+$")
"""What stands around a whole answer without changing it. No question mark: to ask is not to say."""


def _choices(text: str, specs: Iterable[SlotSpec], opened: str | None) -> dict[str, str]:
    """Choices that the message words: one value alone, and the longest wording first (买入 is not within 不买入)."""
    found: dict[str, str] = {}
    for spec in specs:
        if spec.kind != "choice" or not (spec.early or spec.name == opened):
            continue
        if spec.options.get("whole"):
            plain = {_AROUND.sub("", text), text.strip(" .,!~，。！、")}
            value = next((value for value, said in spec.wordings.items() if plain & set(said)), None)
            if value is not None:
                found[spec.name] = value
            continue
        words = sorted(((word, value) for value, said in spec.wordings.items() for word in said), key=lambda w: -len(w[0]))
        rest, values = text, set()
        for word, value in words:
            at = rest.find(word)
            while at >= 0:
                if _is_word(rest, at, word):
                    denied = re.search(r"(?:不|不是|没|别|非|not|don't|no)\s*$", rest[max(0, at - 6) : at])
                    values |= set() if denied else {value}
                    rest = rest[:at] + "\x00" * len(word) + rest[at + len(word) :]
                at = rest.find(word, at + 1)
        if len(values) == 1 and (
            spec.name != opened or len(text) <= 4 + max(map(len, words[0])) or not phrases.QUESTION.search(text)
        ):
            found[spec.name] = values.pop()
    return found
