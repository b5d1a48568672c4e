"""Every figure of a text in one canonical form, Chinese and English: amounts, percentages, dates, times, durations, codes, ordinals, number words. Pure.

Two spellings of the same figure are equal (50万元, CNY 500,000, 五十万元; 百分之三, 3%, 30‰, 300bp; 半年, half a year, 6个月); two figures that differ
in value or unit never are. No arithmetic beyond the unit itself: 24 hours are 1,440 minutes, but a trading day is no day. No digit of a text stays unread.
Unlike what customers type (tightrope/understanding/quantities.py), nothing here is left out as denied or vague: a gate must see all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import cn2an

from tightrope.knowledge.gate.units import CURRENCY, SCALES, UNIT, WORDS, ZH_ARTICLE, Unit, unit_of


@dataclass(frozen=True)
class Figure:
    """A figure and what it counts.

    Attributes:
        value: number in its unit's base (percent for ‰ and bp, months for years, minutes for hours), or text for dates (ISO 8601, `--08-28`
            without a year), times of day (24 h), T+n and codes.
        unit: canonical name; empty where the text names none.
    """

    value: Decimal | str
    unit: str

    def __str__(self) -> str:
        number = f"{self.value:f}" if isinstance(self.value, Decimal) else self.value
        return f"{number} {self.unit}".strip()


@dataclass(frozen=True)
class Found:
    """A figure and where it stands in the normalised text."""

    figure: Figure
    start: int
    end: int


_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?"
_HAN = "零〇一二两三四五六七八九十百千万亿"
_WORD = "|".join(sorted(WORDS, key=len, reverse=True))
_ENGLISH = rf"(?<![a-z'])(?:{_WORD})(?:(?:[ -]| and )(?:{_WORD}|hundred|thousand|million|billion))*(?![a-z])"
_NUMBER = rf"(?:(?:{_DIGITS})|[{_HAN}]+(?:点[{_HAN}]+)?|{_ENGLISH})"
_SCALE = r"\s?(?:" + "|".join(sorted(SCALES, key=len, reverse=True)) + r")(?![a-z])"
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH = "(?:" + "|".join(_MONTHS) + ")"
_ORDINALS = {
    word: number
    for number, word in enumerate(["second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"], 2)
}

_IDIOM = re.compile(
    r"一般|一定|一律|一旦|一致|一并|一经|一次性|统一|唯一|同一|(?<!分)之一|进一步|一方|一起|一直|一样|任一|(?<![\d零〇一二两三四五六七八九十百千])万一|一些|一切|一体|一码通|一级市场|二级市场|"
    "第三方|三方存管|两融|两市|四舍五入|新三板|三板市场|十分(?!之)|四角(?=完整|齐全|清)|千万(?=不|别|要|注意|勿)|"
    r"\b(?:at once|no one|one another|one of|the one|one's|each one|any one|one-time|one time password|once (?!a |per |in |every )(?=[a-z]))"
)
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("date", r"(?P<y>\d{4})\s?年\s?(?P<m>\d{1,2})\s?月(?:\s?(?P<d>\d{1,2})\s?[日号])?"),
        ("date", r"(?<!\d)(?P<y>(?:19|20)\d{2})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)"),
        ("date", rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<mn>{_MONTH})(?:,? (?P<y>\d{{4}}))?(?![a-z\d])"),
        ("date", rf"(?<![a-z])(?P<mn>{_MONTH}) (?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:%]|,\d)(?:,? (?P<y>\d{{4}}))?"),
        ("date", rf"(?<![a-z])(?P<mn>{_MONTH}) (?P<y>(?:19|20)\d{{2}})(?!\d)"),
        ("date", r"(?<!\d)(?P<m>\d{1,2})\s?月\s?(?P<d>\d{1,2})\s?[日号]"),
        ("date", r"(?<!\d)(?P<m>\d{1,2})\s?月(?:份)"),
        ("weekday", rf"(?<![\d{_HAN}])(?:周|星期|礼拜)(?P<zh>[一二三四五六日天])|(?<![a-z])(?P<en>{'|'.join(_DAYS)})s?(?![a-z])"),
        ("year", r"(?<![\d.,])(?P<y>(?:19|20)\d{2})\s?年(?:度)?(?!\s?以[上内])"),
        (
            "time",
            r"(?P<half>上午|下午|晚上|凌晨|中午)?\s?(?<!\d)(?P<h>\d{1,2}):(?P<mi>\d{2})(?::\d{2})?\s?(?P<ap>[ap]\.?m\b\.?)?",
        ),
        (
            "time",
            r"(?P<half>上午|下午|晚上|凌晨|中午)?\s?(?<![\d.])(?P<h>\d{1,2})\s?[点时](?!候|间|段)(?:(?P<mi>\d{1,2})分|(?P<hh>半)|整)?",
        ),
        ("time", r"(?<![\d.,])(?P<h>\d{1,2})(?P<mi>)\s?(?P<ap>[ap]\.?m\b\.?)"),
        ("session", r"(?<![a-z])t\s?(?P<sign>[+-])\s?(?P<n>\d+)\s?日?"),
        ("phone", r"(?<!\d)\d{3,4}-\d{3,4}-\d{3,4}(?!\d)|(?<!\d)0\d{2,3}-\d{7,8}(?!\d)"),
        ("fraction", rf"(?P<of>{_NUMBER})分之(?P<n>{_NUMBER})"),
        ("slash", r"(?<![\d/])(?P<n>\d+)\s?/\s?(?P<of>\d+)(?![\d/])"),
        ("english fraction", r"(?<![a-z])(?P<n>one|two|three|a)[ -](?P<of>third|quarter|fifth|tenth)s?(?![a-z])"),
        ("half a", r"(?<![a-z])half[ -](?:a |an )?(?P<unit>year|month|day|hour)s?(?![a-z])"),
        ("half a", r"半\s?个?(?P<unit>年|月|天|日|小时|交易日)"),
        ("half", r"(?<![a-z])half(?![a-z])|一半|半数"),
        (
            "amount",
            rf"(?P<sign>(?<![\da-z%])[-−]\s?|负)?(?P<cur>{CURRENCY})?\s?(?P<n>{_NUMBER})(?P<scale>{_SCALE})?(?P<plus>年半)?",
        ),
        ("ordinal", r"(?<![a-z])(?P<word>" + "|".join(_ORDINALS) + r")(?![a-z])"),
        ("times", r"(?<![a-z])(?P<word>once|twice)(?![a-z])"),
        ("code", r"(?<![a-z\d])[a-z]{1,6}-?\d+[a-z\d.-]*[a-z\d]|(?<![a-z\d])[a-z]{1,6}-?\d+"),
    )
)
_ORDER = ("phone", "date", "weekday", "year", "time", "session", "fraction", "slash", "english fraction", "half a", "half")
_RANGE = re.compile(r"\s?(?:-|–|—|~|至|到|to|and|or|或者?|、)\s?")
_ZERO_FRACTION = Decimal(0)


@lru_cache(maxsize=8192)
def figures(text: str) -> tuple[Figure, ...]:
    """The figures of a text, in its order."""
    return tuple(found.figure for found in scan(text))


def plain(text: str) -> str:
    """The form in which figures are read: half width, lower case, idioms with a numeral in them blotted out, same length throughout."""
    folded = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return _IDIOM.sub(lambda match: "\u00b7" * len(match[0]), folded)


def scan(text: str) -> list[Found]:
    """The figures of a text with their places in `plain(text)`."""
    spelled = plain(text)
    found: list[Found] = []
    at = 0
    while at < len(spelled):
        hit = _first(spelled, at)
        if hit is None:
            break
        name, match = hit
        read, end = _READERS[name](match, spelled)
        if read is not None:
            found.append(Found(read, match.start(), end))
        at = max(end, match.end(), at + 1)
    return _ranges(spelled, found)


_RANKS = {name: rank for rank, name in enumerate((*_ORDER, "code", "amount", "ordinal", "times"))}


def _first(text: str, at: int) -> tuple[str, re.Match[str]] | None:
    """The leftmost match; of those that touch the same numeral, the more telling kind."""
    best: tuple[str, re.Match[str]] | None = None
    for name, pattern in _PATTERNS:
        match = pattern.search(text, at)
        if match is None or not match[0].strip():
            continue
        if best is None or _better(name, match, *best):
            best = name, match
    return best


def _better(name: str, match: re.Match[str], other_name: str, other: re.Match[str]) -> bool:
    if match.end() <= other.start() or other.end() <= match.start():
        return match.start() < other.start()
    # They overlap: a code such as C4 holds the figure 4; a currency and its figure are no code.
    if {name, other_name} == {"code", "amount"}:
        amount = match if name == "amount" else other
        return (name == "amount") == bool(amount["cur"])
    return _RANKS[name] < _RANKS[other_name]


def _date(match: re.Match[str], _: str) -> tuple[Figure, int]:
    said = match.groupdict()
    month = int(said["m"]) if said.get("m") else _MONTHS.index(said["mn"]) + 1
    year, day = said.get("y"), said.get("d")
    value = (f"{year}-" if year else "--") + f"{month:02}" + (f"-{int(day):02}" if day else "")
    return Figure(value, "date"), match.end()


def _year(match: re.Match[str], _: str) -> tuple[Figure, int]:
    return Figure(match["y"], "date"), match.end()


def _weekday(match: re.Match[str], _: str) -> tuple[Figure, int]:
    number = "一二三四五六日".index("日" if match["zh"] == "天" else match["zh"]) if match["zh"] else _DAYS.index(match["en"])
    return Figure(_DAYS[number], "weekday"), match.end()


def _time(match: re.Match[str], _: str) -> tuple[Figure, int]:
    said = match.groupdict()
    hour, minute = int(said["h"]), int(said["mi"] or (30 if said.get("hh") else 0))
    late = said.get("half") in {"下午", "晚上"} or (said.get("ap") or "").startswith("p")
    if late and hour < 12:
        hour += 12
    elif (said.get("ap") or "").startswith("a") and hour == 12:
        hour = 0
    return Figure(f"{hour:02}:{minute:02}", "time"), match.end()


def _session(match: re.Match[str], _: str) -> tuple[Figure, int]:
    return Figure(f"T{match['sign']}{int(match['n'])}", "session"), match.end()


def _code(match: re.Match[str], _: str) -> tuple[Figure, int]:
    return Figure(match[0].upper(), "code"), match.end()


def _fraction(match: re.Match[str], _: str) -> tuple[Figure, int]:
    part, whole = number(match["n"]), SCALES.get(match["of"]) or number(match["of"])
    if part is None or not whole:
        return Figure(match[0], "share of"), match.end()
    if whole in {100, 1000, 10_000}:
        return Figure(_tidy(part * 100 / whole), "percent"), match.end()
    return Figure(f"{_tidy(part):f}/{_tidy(whole):f}", "share of"), match.end()


def _english_fraction(match: re.Match[str], _: str) -> tuple[Figure, int]:
    whole = {"third": 3, "quarter": 4, "fifth": 5, "tenth": 10}[match["of"]]
    return Figure(f"{WORDS.get(match['n'], 1)}/{whole}", "share of"), match.end()


def _half_a(match: re.Match[str], _: str) -> tuple[Figure, int]:
    unit = unit_of("个月" if match["unit"] == "月" else match["unit"])
    return Figure(_tidy(unit.factor / 2), unit.name), match.end()


def _half(match: re.Match[str], _: str) -> tuple[Figure, int]:
    return Figure("1/2", "share of"), match.end()


def _ordinal(match: re.Match[str], text: str) -> tuple[Figure, int]:
    return _with_unit(Decimal(_ORDINALS[match["word"]]), text, match.end(), ordinal=True)


def _times(match: re.Match[str], _: str) -> tuple[Figure, int]:
    return Figure(Decimal(1 if match["word"] == "once" else 2), "time"), match.end()


def _amount(match: re.Match[str], text: str) -> tuple[Figure | None, int]:
    value = number(match["n"])
    if value is None:
        return Figure(match["n"], "unreadable"), match.end()
    if match["scale"]:
        value *= SCALES[match["scale"].strip()]
    if match["sign"]:
        value = -value
    if match["plus"]:
        return Figure(_tidy(value * 12 + 6), "month"), match.end()
    if re.fullmatch(r"0\d+", match["n"]) and not match["scale"]:
        return Figure(match["n"], "code"), match.end()  # 001 is no 1
    currency = unit_of(match["cur"].strip()) if match["cur"] else None
    ending = re.compile(r"(?:st|nd|rd|th)\b").match(text, match.end())
    if text[match.start() - 1 : match.start()] == "第" or ending:
        return _with_unit(value, text, ending.end() if ending else match.end(), ordinal=True)
    figure, end = _with_unit(value, text, match.end(), currency=currency)
    if match["n"] == "一" and (not figure.unit or ZH_ARTICLE.match(text, match.end())):
        return None, match.end()  # 一个, 一种 are articles
    if not figure.unit and isinstance(figure.value, Decimal) and re.fullmatch(r"(?:19|20)\d\d", match["n"]):
        return Figure(match["n"], "date"), end
    return figure, end


def _with_unit(value: Decimal, text: str, at: int, *, currency: Unit | None = None, ordinal: bool = False) -> tuple[Figure, int]:
    after = UNIT.match(text, at)
    unit = unit_of(after["unit"]) if after else currency
    end = after.end() if after else at
    if currency is not None:
        unit = currency if unit is None or unit.name == "CNY" else unit
    if unit is None:
        return Figure(_tidy(value), "ordinal" if ordinal else ""), at
    name = f"ordinal {unit.name}" if ordinal else unit.name
    return Figure(_tidy(value if ordinal else value * unit.factor), name), end


def _ranges(text: str, found: list[Found]) -> list[Found]:
    """3至5个交易日, 10 to 20%: the first of the two counts what the second counts."""
    for at in range(len(found) - 2, -1, -1):
        one, other = found[at], found[at + 1]
        if (
            not one.figure.unit
            and other.figure.unit
            and isinstance(one.figure.value, Decimal)
            and isinstance(other.figure.value, Decimal)
        ):
            between = _RANGE.fullmatch(text, one.end, other.start)
            after = UNIT.search(text, other.start, other.end)
            if between is not None and not other.figure.unit.startswith("ordinal"):
                factor = unit_of(after["unit"]).factor if after else Decimal(1)
                found[at] = Found(Figure(_tidy(one.figure.value * factor), other.figure.unit), one.start, one.end)
    return found


def number(spelled: str) -> Decimal | None:
    """Digits, Chinese numerals or English number words as a number; None if they make none."""
    if spelled[0].isdigit() and spelled.isascii():
        return Decimal(spelled.replace(",", ""))
    if "a" <= spelled[0] <= "z":
        return _english(spelled)
    try:
        spelled = f"一{spelled}" if spelled[0] in "百千万亿" else spelled  # 每万份 is 每1万份
        return Decimal(str(cn2an.cn2an(spelled.replace("〇", "零"), "smart")))
    except (ValueError, KeyError, IndexError):
        return None


def _english(words: str) -> Decimal | None:
    total, group = 0, 0
    for word in re.split(r"[ -]", words):
        if word == "and":
            continue
        if word in WORDS:
            if WORDS[word] < 20 and group % 10 and group % 100 != 0:
                return None  # "one two" is no number
            group += WORDS[word]
        elif word == "hundred":
            group *= 100
        else:
            total, group = total + group * int(SCALES[word]), 0
    return Decimal(total + group)


def _tidy(value: Decimal) -> Decimal:
    """No trailing zeros and no exponent, so that equal values are written alike."""
    return Decimal(f"{value.normalize():f}") if value else _ZERO_FRACTION


_READERS: dict[str, Callable[[re.Match[str], str], tuple[Figure | None, int]]] = {
    "date": _date,
    "weekday": _weekday,
    "year": _year,
    "time": _time,
    "session": _session,
    "phone": _code,
    "code": _code,
    "fraction": _fraction,
    "slash": _fraction,
    "english fraction": _english_fraction,
    "half a": _half_a,
    "half": _half,
    "ordinal": _ordinal,
    "times": _times,
    "amount": _amount,
}
