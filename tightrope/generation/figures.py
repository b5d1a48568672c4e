"""Recognisers of what is written in digits: identity and card numbers with their check digits, phones, accounts, exact amounts. Pure.

A run of digits is read across whatever separates them (spaces, punctuation, "杠"), in any script, in Chinese numerals and in English words.
Seven digits and more that are no date, time, round amount or list of security codes are masked even where no recogniser knows them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tightrope.generation.spans import Kind, Span

LONG: Final = 7
"""Digits from which a run is masked whatever it may be: security codes have six."""
_ROW: Final = 20
"""Letters beside each other that are looked at: longer rows of them are no digits."""
_READ: Final = 64
"""A run of more digits is not looked into; it is masked as a number."""
_GAP: Final = 3
"""Separating characters that may lie between two digits of one run."""

_HAN: Final = {
    **{character: str(value) for value, character in enumerate("零一二三四五六七八九")},
    **{character: str(value) for value, character in enumerate("零壹贰叁肆伍陆柒捌玖")},
    **{character: str(value) for value, character in enumerate("零壹貳參肆伍陸柒捌玖")},
    "〇": "0",
    "○": "0",
    "洞": "0",
    "幺": "1",
    "拐": "7",
    "勾": "9",
    "两": "2",
}
_LOOKALIKE: Final = {"o": "0", "O": "0", "l": "1", "I": "1", "i": "1", "|": "1"}
_NUMBER_WORDS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SPOKEN: Final = {**{word: str(value) for value, word in enumerate(_NUMBER_WORDS)}, "oh": "0", "nought": "0"}
_SPOKEN_WORD: Final = re.compile(r"(?<![a-z])(double|triple)?[ -]?(" + "|".join(_SPOKEN) + r")(?![a-z])", re.IGNORECASE)
_BETWEEN: Final = frozenset("杠横减点空格")
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK: Final = "10X98765432"

_TIME: Final = r"(?:2[0-3]|[01]?\d):[0-5]\d(?::[0-5]\d)?"
_YEAR: Final = r"(?:19[5-9]\d|20[0-4]\d)"
_DATE: Final = rf"{_YEAR}(?P<s>[-/.])(?:1[0-2]|0?[1-9])(?P=s)(?:3[01]|[12]\d|0?[1-9])"
_MOMENT: Final = re.compile(
    rf"{_DATE}(?:[ T]{_TIME})?|{_YEAR}(?:1[0-2]|0[1-9])(?:3[01]|[12]\d|0[1-9])(?!\d)|{_TIME}|{_YEAR}(?!\d)(?![.,]\d)", re.ASCII
)
_JOINT: Final = re.compile(r"[ ,;~/、至到-]{1,3}")
_CODE: Final = re.compile(r"(?:60|68|00|30|43|83|87|92|15|16|51|52|56|58|11|12)\d{4}", re.ASCII)
_AMOUNT: Final = re.compile(r"\d{1,3}(?:,\d{3}){1,6}(?:\.\d{1,4})?|\d{1,16}(?:\.\d{1,4})?", re.ASCII)
_UNIT: Final = re.compile(
    r" ?(?:万|亿|千|元|块|圆|股|份|手|人民币|港币|港元|美元|cny|rmb|hkd|usd|yuan|dollars?|shares?|lots?|units?|million|billion)",
    re.IGNORECASE,
)
_CURRENCY: Final = re.compile(r"(?:[¥￥$€£]|cny|rmb|hkd|usd|人民币|港币|美元) ?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Digit:
    start: int
    end: int
    value: str


def runs(text: str) -> Iterator[list[_Digit]]:
    """Maximal runs of digits in any guise, with at most _GAP separating characters between two of them."""
    run: list[_Digit] = []
    for digit in _digits(text):
        if run and not _separates(text, run[-1].end, digit.start):
            yield run
            run = []
        run.append(digit)
    if run:
        yield run


def _digits(text: str) -> Iterator[_Digit]:
    spoken = {match.start(): match for match in _SPOKEN_WORD.finditer(text)}
    at = 0
    while at < len(text):
        if match := spoken.get(at):
            times = {"double": 2, "triple": 3}.get((match[1] or "").lower(), 1)
            yield _Digit(at, match.end(), _SPOKEN[match[2].lower()] * times)
            at = match.end()
            continue
        value = _value(text, at)
        if value is not None:
            yield _Digit(at, at + 1, value)
        at += 1


def _value(text: str, at: int) -> str | None:
    character = text[at]
    if character in _HAN:
        return _HAN[character]
    found = unicodedata.digit(character, None)
    if found is not None:
        return str(found)
    if character in _LOOKALIKE and _beside_digits(text, at):
        return _LOOKALIKE[character]
    return None


def _beside_digits(text: str, at: int) -> bool:
    """A letter is read as a digit only amid digits: no other letter touches it and its row of lookalikes has a digit at one end."""
    for step in (-1, 1):
        near = at + step
        while 0 <= near < len(text) and abs(near - at) < _ROW and text[near] in _LOOKALIKE:
            near += step
        if 0 <= near < len(text) and text[near].isascii() and text[near].isalpha():
            return False
    return any(0 <= at + step < len(text) and (text[at + step].isdigit() or text[at + step] in _LOOKALIKE) for step in (-1, 1))


def _separates(text: str, start: int, end: int) -> bool:
    between = text[start:end]
    return len(between) <= _GAP and all(one in _BETWEEN or unicodedata.category(one)[0] in "PSZC" for one in between)


def long_runs(text: str) -> Iterator[Span]:
    """Numbers of seven digits and more, under the name of what they are."""
    for run in runs(text):
        value = "".join(digit.value for digit in run)
        start, end = run[0].start, run[-1].end
        if text[end : end + 1] in {"x", "X"} and not text[end + 1 : end + 2].isalpha():
            value, end = value + "X", end + 1
        elif trailing := re.match(r"[ .-]{1,2}[xX](?![A-Za-z])", text[end : end + 4]):
            value, end = value + "X", end + trailing.end()
        if len(value) < LONG:
            continue
        written = text[start:end]
        if not checked(value) and (_moments(written) or _codes(written)):
            continue
        kind = known(value)
        if kind is None and _round_amount(text, start, end):
            continue
        yield Span(start, end, kind or Kind.NUMBER)


def checked(value: str) -> bool:
    """A check digit says that the whole row of digits is an identity or a card number."""
    return identity_number(value) or card_number(value)


def known(value: str) -> Kind | None:
    """What a row of digits is by its own arithmetic, looked for anywhere in it: what stands before or after may be chance."""
    if len(value) > _READ:
        return None
    for length, test, kind in (
        (18, identity_number, Kind.IDENTITY),
        (19, card_number, Kind.CARD),
        (18, card_number, Kind.CARD),
        (17, card_number, Kind.CARD),
        (16, card_number, Kind.CARD),
        (15, old_identity_number, Kind.IDENTITY),
        (15, card_number, Kind.CARD),
        (11, mobile_number, Kind.PHONE),
    ):
        if any(test(value[at : at + length]) for at in range(len(value) - length + 1)):
            return kind
    if re.fullmatch(r"(?:0[1-9]\d{1,2}\d{7,8}|(?:00)?85[23]\d{8}|00\d{9,13})", value):
        return Kind.PHONE
    return None


def identity_number(value: str) -> bool:
    """A resident's identity number: 18 characters, a date of birth, and the check digit of GB 11643-1999 (ISO 7064, MOD 11-2)."""
    if not re.fullmatch(r"[1-9]\d{16}[\dX]", value, re.ASCII) or not _birthday(value[6:14]):
        return False
    return _CHECK[sum(int(digit) * weight for digit, weight in zip(value[:17], _WEIGHTS, strict=True)) % 11] == value[17]


def old_identity_number(value: str) -> bool:
    """An identity number of the first generation: 15 digits with a date of birth, without check digit."""
    return bool(re.fullmatch(r"[1-9]\d{14}", value, re.ASCII)) and _birthday("19" + value[6:12])


def _birthday(value: str) -> bool:
    return bool(re.fullmatch(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", value, re.ASCII))


def card_number(value: str) -> bool:
    """A payment card: ISO/IEC 7812 prefix of a card scheme and Luhn's check digit (ISO/IEC 7812-1, annex B)."""
    return bool(re.fullmatch(r"[3-69]\d{12,18}", value, re.ASCII)) and luhn(value)


def luhn(value: str) -> bool:
    """Luhn's sum over all digits is a multiple of ten."""
    total = 0
    for place, digit in enumerate(reversed(value)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def mobile_number(value: str) -> bool:
    """A mainland mobile number."""
    return bool(re.fullmatch(r"1[3-9]\d{9}", value, re.ASCII))


def _moments(written: str) -> bool:
    """Dates and times and nothing else."""
    at = 0
    while at < len(written):
        match = _MOMENT.match(written, at)
        if match is None:
            return False
        at = match.end()
        joint = _JOINT.match(written, at)
        if joint is not None and joint.end() < len(written):
            at = joint.end()
        elif at < len(written):
            return False
    return True


def _codes(written: str) -> bool:
    """Security codes side by side."""
    parts = re.split(r"[ ,;、/]{1,3}", written)
    return len(parts) > 1 and all(_CODE.fullmatch(part) for part in parts)


def _round_amount(text: str, start: int, end: int) -> bool:
    """An amount of at most three significant digits, with a unit or grouped by thousands."""
    match = _AMOUNT.fullmatch(text[start:end])
    if match is None or _significant(match[0]) > 3:
        return False
    return bool(_UNIT.match(text, end)) or bool(_CURRENCY.search(text[max(0, start - 5) : start])) or "," in match[0]


def exact_amounts(text: str) -> Iterator[Span]:
    """Amounts that are nobody's rule of thumb: with cents, or with more than three significant digits and a unit of money or securities."""
    for match in _AMOUNT.finditer(text):
        start, end = match.span()
        if text[start - 1 : start].isalnum() and text[start - 1 : start].isascii():
            continue
        cents = re.fullmatch(r"[\d,]{4,}\.\d{2}", match[0], re.ASCII)
        money = _UNIT.match(text, end) or _CURRENCY.search(text[max(0, start - 5) : start])
        if cents or (money and (_significant(match[0]) > 3 or re.search(r"\.\d{2}$", match[0]))):
            yield Span(start, end, Kind.AMOUNT)


def _significant(written: str) -> int:
    return len(re.sub(r"\D", "", written, flags=re.ASCII).strip("0"))
