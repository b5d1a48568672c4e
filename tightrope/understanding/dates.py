"""Days and months that customers type, against a given today: 下周五, 明天, 11月28日, 2026-12-01, next Friday, 上个月, October.

Weeks begin on Monday. What two people would read as two days (next Friday on a Wednesday, 3/4/2026) is found and has no day.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Towards = Literal["future", "past", "near"]
"""Where a day without a year or a week belongs: at or after today, at or before it, or wherever is nearest."""

_MONTHS = "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
_MONTH_KEYS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tues?|wed|thurs?|fri|sat|sun"
_DAY_KEYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_HAN_DAYS = "一二三四五六日天"
_CN = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_SMALL = r"\d{1,3}|[一二两三四五六七八九]?十[一二三四五六七八九]?|[一二两三四五六七八九]"
_WORDS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}


@dataclass(frozen=True, slots=True)
class Found:
    """A day or month in a text; `value` is None where it has more than one reading or no such day exists. A month is its first day."""

    start: int
    end: int
    value: date | None


_Reader = Callable[[re.Match[str], date, Towards, bool], date | None]


def find_days(text: str, today: date, towards: Towards = "near") -> list[Found]:
    """The days that a folded text names, in order, each part of the text read once."""
    return list(_scan(_DAY_FORMS, text, today, towards))


def find_months(text: str, today: date, towards: Towards = "past") -> list[Found]:
    """The months that a folded text names; a day names its month too."""
    days = [Found(f.start, f.end, f.value.replace(day=1) if f.value else None) for f in _scan(_DAY_FORMS, text, today, towards)]
    masked = text
    for found in days:
        masked = masked[: found.start] + "\x00" * (found.end - found.start) + masked[found.end :]
    return sorted([*days, *_scan(_MONTH_FORMS, masked, today, towards)], key=lambda found: found.start)


def _scan(forms: tuple[tuple[re.Pattern[str], _Reader], ...], text: str, today: date, towards: Towards) -> Iterator[Found]:
    han = re.search(r"[\u4e00-\u9fff]", text) is not None
    found: list[Found] = []
    for pattern, read in forms:
        for match in pattern.finditer(text):
            if any(match.start() < other.end and other.start < match.end() for other in found):
                continue
            try:
                found.append(Found(match.start(), match.end(), read(match, today, towards, han)))
            except (ValueError, OverflowError):
                found.append(Found(match.start(), match.end(), None))
    yield from sorted(found, key=lambda one: one.start)


def small(text: str) -> int:
    """A number of at most three digits, in digits, Chinese numerals or an English word."""
    if text.isdigit():
        return int(text)
    if text in _WORDS:
        return _WORDS[text]
    tens, ten, ones = text.rpartition("十")
    return ((_CN[tens] if tens else 1) * 10 if ten else 0) + (_CN[ones] if ones else 0)


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text)


def _ymd(m: re.Match[str], _today: date, _towards: Towards, _han: bool) -> date | None:
    return date(_year(m["y"]), int(m["m"]), int(m["d"]))


def _numbers(m: re.Match[str], today: date, towards: Towards, han: bool) -> date | None:
    """11/28 or 28/11: read where only one order is a day, or where the message is Chinese (month first)."""
    first, second = int(m["a"]), int(m["b"])
    if first > 12 or (second <= 12 and first != second and not han):
        if second > 12 or first <= 12:
            return None
        first, second = second, first
    if m["y"]:
        return date(_year(m["y"]), first, second)
    return _without_year(first, second, today, towards)


def _without_year(month: int, day: int, today: date, towards: Towards) -> date | None:
    days: list[date] = []
    for year in (today.year - 1, today.year, today.year + 1):
        if day <= monthrange(year, month)[1]:
            days.append(date(year, month, day))
    if towards == "future":
        days = [one for one in days if one >= today]
    elif towards == "past":
        days = [one for one in days if one <= today]
    return min(days, key=lambda one: abs((one - today).days)) if days else None


def _han_day(m: re.Match[str], today: date, towards: Towards, _han: bool) -> date | None:
    day = small(m["d"])
    if m["rel"]:
        first = _shifted(today, _month_offset(m["rel"]))
        return first.replace(day=day)
    month = small(m["m"])
    if m["ry"]:
        return date(today.year + {"去": -1, "今": 0, "本": 0, "明": 1}[m["ry"][0]], month, day)
    return date(_year(m["y"]), month, day) if m["y"] else _without_year(month, day, today, towards)


def _month_offset(words: str) -> int:
    return {"上": -1, "下": 1, "本": 0, "这": 0}[words[0]]


def _shifted(today: date, months: int) -> date:
    """First day of the month that many months away."""
    count = today.year * 12 + today.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def months_later(day: date, months: int) -> date:
    """The same day that many months later, or the last one of a month that has no such day."""
    first = _shifted(day, months)
    return first.replace(day=min(day.day, monthrange(first.year, first.month)[1]))


def _english_day(m: re.Match[str], today: date, towards: Towards, _han: bool) -> date | None:
    month = _MONTH_KEYS.index(m["mon"][:3]) + 1
    return date(int(m["y"]), month, int(m["d"])) if m["y"] else _without_year(month, int(m["d"]), today, towards)


_RELATIVE = {"大前天": -3, "前天": -2, "昨天": -1, "昨日": -1, "今天": 0, "今日": 0, "明天": 1, "明日": 1, "后天": 2, "大后天": 3}
_RELATIVE |= {
    "明儿": 1,
    "今儿": 0,
    "后儿": 2,
    "the day before yesterday": -2,
    "yesterday": -1,
    "today": 0,
    "tomorrow": 1,
    "tmr": 1,
}
_RELATIVE |= {"tmrw": 1, "the day after tomorrow": 2, "day after tomorrow": 2}


def _relative(m: re.Match[str], today: date, _towards: Towards, _han: bool) -> date | None:
    return today + timedelta(days=_RELATIVE[m[0]])


def _days_away(m: re.Match[str], today: date, _towards: Towards, _han: bool) -> date | None:
    count = small(m["n"]) * (7 if m["unit"][0] in "周星礼w" else 1)
    back = any(word in m[0] for word in ("前", "ago"))
    return today + timedelta(days=-count if back else count)


def _han_weekday(m: re.Match[str], today: date, towards: Towards, _han: bool) -> date | None:
    weekday = min(_HAN_DAYS.index(m["d"]), 6)
    monday = today - timedelta(days=today.weekday())
    words = m["rel"] or ""
    if words:
        weeks = words.count("下") - words.count("上")
        return monday + timedelta(days=7 * weeks + weekday)
    return _bare_weekday(weekday, today, towards)


def _bare_weekday(weekday: int, today: date, towards: Towards) -> date:
    ahead = today + timedelta(days=(weekday - today.weekday()) % 7)
    if towards == "past" and ahead != today:
        return ahead - timedelta(days=7)
    return ahead


_FIXED_DAYS = {
    "元旦": (1, 1),
    "五一": (5, 1),
    "劳动节": (5, 1),
    "国庆": (10, 1),
    "十一长假": (10, 1),
    "十一假期": (10, 1),
    "圣诞": (12, 25),
}
_FIXED_DAYS |= {
    "new year's day": (1, 1),
    "labour day": (5, 1),
    "labor day": (5, 1),
    "national day": (10, 1),
    "christmas": (12, 25),
}
_FIXED_DAYS |= {
    "christmas eve": (12, 24),
    "平安夜": (12, 24),
    "boxing day": (12, 26),
    "new year's eve": (12, 31),
    "跨年": (12, 31),
}
_MOVING_DAYS: dict[str, tuple[date, ...]] = {
    # By the lunar calendar and the solar terms; General Office of the State Council, notices on holidays 2024 to 2026, and the almanac for 2027.
    "春节": (date(2024, 2, 10), date(2025, 1, 29), date(2026, 2, 17), date(2027, 2, 6)),
    "除夕": (date(2024, 2, 9), date(2025, 1, 28), date(2026, 2, 16), date(2027, 2, 5)),
    "清明": (date(2024, 4, 4), date(2025, 4, 4), date(2026, 4, 5), date(2027, 4, 5)),
    "端午": (date(2024, 6, 10), date(2025, 5, 31), date(2026, 6, 19), date(2027, 6, 9)),
    "中秋": (date(2024, 9, 17), date(2025, 10, 6), date(2026, 9, 25), date(2027, 9, 15)),
}
_MOVING_DAYS |= {
    "chinese new year": _MOVING_DAYS["春节"],
    "lunar new year": _MOVING_DAYS["春节"],
    "spring festival": _MOVING_DAYS["春节"],
}
_MOVING_DAYS |= {"qingming": _MOVING_DAYS["清明"], "dragon boat": _MOVING_DAYS["端午"], "mid-autumn": _MOVING_DAYS["中秋"]}
_HOLIDAYS = re.compile(
    "|".join(
        (rf"\b{re.escape(name)}\b" if name.isascii() else name + r"(?:假期|节|长假)?(?:当天|那天)?(?![年几个月])")
        for name in sorted((*_FIXED_DAYS, *_MOVING_DAYS), key=len, reverse=True)
    )
)


def _holiday(m: re.Match[str], today: date, towards: Towards, _han: bool) -> date | None:
    """The holiday that comes next; of the past, or of a year that the table does not hold, only where nothing else is meant."""
    name = next(word for word in sorted((*_FIXED_DAYS, *_MOVING_DAYS), key=len, reverse=True) if m[0].startswith(word))
    if name in _FIXED_DAYS:
        return _without_year(*_FIXED_DAYS[name], today, "past" if towards == "past" else "future")
    days = _MOVING_DAYS[name]
    coming = [day for day in days if day >= today] if towards != "past" else [day for day in reversed(days) if day <= today]
    return coming[0] if coming else None


def _english_weekday(m: re.Match[str], today: date, towards: Towards, _han: bool) -> date | None:
    weekday = _DAY_KEYS.index(m["d"][:3])
    this_week = today - timedelta(days=today.weekday()) + timedelta(days=weekday)
    match m["rel"]:
        case "this":
            return this_week if this_week >= today or towards == "past" else None
        case "coming" | "this coming":
            return _bare_weekday(weekday, today, "future")
        case "next":
            # The coming one, or the one of next week: read where both are the same.
            coming = today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
            return coming if coming == this_week + timedelta(days=7) else None
        case "last":
            gone = today - timedelta(days=(today.weekday() - weekday - 1) % 7 + 1)
            return gone if gone == this_week - timedelta(days=7) else None
    return _bare_weekday(weekday, today, towards)


def _month_end(m: re.Match[str], today: date, _towards: Towards, _han: bool) -> date | None:
    offset = _month_offset(m["rel"]) if m["rel"] else 0
    first = _shifted(today, offset)
    return first.replace(day=monthrange(first.year, first.month)[1])


_DAY_FORMS: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (re.compile(r"(?<!\d)(?P<y>20\d\d)[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)"), _ymd),
    (re.compile(r"(?<!\d)(?P<y>20\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?!\d)"), _ymd),
    (
        re.compile(
            rf"(?:(?:(?P<y>20\d\d|(?<!\d)\d\d)年|(?P<ry>[去今明本]年))? ?(?P<m>{_SMALL}) ?月(?:份)?"
            rf"|(?P<rel>[上下本这]个?月的?)) ?(?P<d>{_SMALL}) ?(?:日|号)"
        ),
        _han_day,
    ),
    (re.compile(r"(?P<rel>[上下本这]个?月)?月?(?:底|最后一天)"), _month_end),
    (_HOLIDAYS, _holiday),
    (re.compile(r"(?<![\d.])(?P<a>\d{1,2})/(?P<b>\d{1,2})(?:/(?P<y>20\d\d))?(?![\d/])"), _numbers),
    (re.compile(r"(?<![\d.])(?P<a>\d{1,2})\.(?P<b>\d{1,2})\.(?P<y>20\d\d)(?!\d)"), _numbers),
    (
        re.compile(rf"\b(?P<mon>{_MONTHS})\.? (?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y>20\d\d))?\b(?![.,]\d)"),
        _english_day,
    ),
    (
        re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<mon>{_MONTHS})\b\.?(?:,? (?P<y>20\d\d))?"),
        _english_day,
    ),
    (re.compile("|".join(sorted((rf"\b{w}\b" if w.isascii() else w for w in _RELATIVE), key=len, reverse=True))), _relative),
    (re.compile(rf"(?P<n>{_SMALL}) ?(?P<unit>天|个?星期|周|个?礼拜)(?:之|以)?(?P<dir>后|前)(?!的)"), _days_away),
    (
        re.compile(
            r"\bin (?P<n>\d{1,3}|a|one|two|three|four|five|six|seven|ten) (?P<unit>day|week)s?\b"
            r"|\b(?P<n2>\d{1,3}|a|one|two|three|four|five|six|seven|ten) (?P<unit2>day|week)s? (?:ago|from (?:now|today))\b"
        ),
        lambda m, today, _t, _h: (
            today
            + timedelta(
                days=small(m["n"] or m["n2"])
                * (7 if (m["unit"] or m["unit2"]) == "week" else 1)
                * (-1 if m[0].endswith("ago") else 1)
            )
        ),
    ),
    (
        re.compile(rf"(?P<rel>下+个?|上+个?|本|这个?)?(?:周|星期|礼拜)(?P<d>[{_HAN_DAYS}])(?!年|个)"),
        _han_weekday,
    ),
    (re.compile(rf"\b(?:(?P<rel>next|last|this coming|this|coming) )?(?P<d>{_DAYS})\b"), _english_weekday),
)


def _named_month(month: int, year: str | None, today: date, towards: Towards) -> date | None:
    if year:
        return date(_year(year), month, 1)
    first = today.replace(day=1)
    return _without_year(month, 1, first, towards)


_MONTH_FORMS: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (re.compile(r"(?<!\d)(?P<y>20\d\d)[-/.](?P<m>0?[1-9]|1[0-2])(?![\d])"), lambda m, *_: date(int(m["y"]), int(m["m"]), 1)),
    (re.compile(r"(?<!\d)(?P<y>20\d\d)(?P<m>0[1-9]|1[0-2])(?!\d)"), lambda m, *_: date(int(m["y"]), int(m["m"]), 1)),
    (
        re.compile(rf"(?:(?P<y>20\d\d|(?<!\d)\d\d)年|(?P<ry>[去今明本]年))? ?(?P<m>{_SMALL}) ?月(?:份)?"),
        lambda m, today, towards, _h: (
            date(today.year + {"去": -1, "今": 0, "本": 0, "明": 1}[m["ry"][0]], small(m["m"]), 1)
            if m["ry"]
            else _named_month(small(m["m"]), m["y"], today, towards)
        ),
    ),
    (re.compile(r"上上个?月"), lambda _m, today, *_: _shifted(today, -2)),
    (
        re.compile(r"(?P<rel>[上下本这])个?月(?:份)?|\b(?P<en>last|this|next|previous|current) month\b"),
        lambda m, today, *_: _shifted(
            today,
            _month_offset(m["rel"]) if m["rel"] else {"last": -1, "previous": -1, "this": 0, "current": 0, "next": 1}[m["en"]],
        ),
    ),
    (
        # "may" and "march" are words of their own: a month only with a year, after "in" and the like, or alone.
        re.compile(
            rf"\b(?P<mon>(?!may\b|march\b|mar\b)(?:{_MONTHS})|(?:(?<=\bin )|(?<=\bfor )|(?<=\bof )|(?<=\blast ))(?:may|march|mar)"
            r"|(?:may|march|mar)(?=,? 20\d\d)|^(?:may|march|mar)$)\b\.?(?:,? (?P<y>20\d\d))?"
        ),
        lambda m, today, towards, _h: _named_month(_MONTH_KEYS.index(m["mon"][:3]) + 1, m["y"], today, towards),
    ),
)
