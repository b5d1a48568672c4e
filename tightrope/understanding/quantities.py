"""Figures that customers type, Chinese and English: 5万, 50k, ¥3,000.50, 三千五, 1.2亿, 5.5%, 千分之三, 10手, 3年, 18 months, 半年.

They are found in folded text (normalise.folded) with their units, and read exactly, as Decimal. What has two readings (五六万, 5万多, 3到5万)
is found and has no value: whoever asked has to ask again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import cn2an

Unit = Literal["none", "money", "share", "lot", "percent", "month", "day", "other"]

_DIGITS = r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?"
_HAN = "零〇一二两三四五六七八九十百千万亿壹贰叁肆伍陆柒捌玖拾佰仟"
_SCALES = {"百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000, "w": 10_000, "k": 1000, "m": 1_000_000}
_SCALES |= {"mn": 1_000_000, "bn": 1_000_000_000, "hundred": 100, "thousand": 1000, "grand": 1000, "million": 1_000_000}
_SCALES |= {
    "billion": 1_000_000_000,
    "十万": 100_000,
    "百万": 1_000_000,
    "千万": 10_000_000,
    "百亿": 10**10,
    "千亿": 10**11,
    "万亿": 10**12,
}
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ENGLISH = {word: value for value, word in enumerate(_ONES.split())} | {word: 20 + 10 * i for i, word in enumerate(_TENS.split())}
_WORDS = "|".join(sorted(_ENGLISH, key=len, reverse=True))

_NUMBER = re.compile(
    rf"(?P<fraction>[百千万]分之)?(?P<number>"
    rf"(?:(?:{_DIGITS})|[{_HAN}]+)(?:点[{_HAN}\d]+)?(?:(?<=[{_HAN}])(?:\d+)|[{_HAN}])*"
    rf"|(?<![a-z])(?:{_WORDS})(?:[ -](?:{_WORDS}))?(?=[ -]?(?:hundred|thousand|grand|million|billion)\b|\b)"
    rf")(?P<scale> ?[kw](?![a-z])|mn?(?![a-z])|bn\b|[ -]?(?:hundred thousand|hundred million|hundred|thousand|grand|million|billion)\b)?"
    r"(?P<half> and a half\b)?",
    re.ASCII,
)
_BEFORE = re.compile(
    r"(?P<unit>人民币|港币|港元|美元|美金|rmb|cny|hk\$|us\$|hkd|usd|eur|¥|￥|\$|€|£)?[ :]*(?P<sign>[-−–负])?[ ]*$"
)
_AFTER = re.compile(
    r" ?(?:(?P<vague>多|几|来)?"
    r"(?:(?P<money>元(?!月|旦)|圆|块钱?|人民币|rmb\b|cny\b|yuan\b|港币|港元|hkd\b|美元|美金|usd\b|dollars?\b|bucks?\b)"
    r"|(?P<share>股(?!票|东|市|价)|份(?!额)|(?:[ah][- ])?shares?\b|units?\b)"
    r"|(?P<lot>手(?!续|机)|(?:board )?lots?\b)"
    r"|(?P<percent>%|percent(?:age points?)?\b|per cent\b|pct\b|个百分点|个点)"
    r"|(?P<permille>‰)"
    r"|(?P<halfyear>年半|个半月)"
    r"|(?P<year>年|years?\b|yrs?\b|y\b)"
    r"|(?P<month>个月|months?\b|mths?\b|mos?\b|期)"
    r"|(?P<quarter>个?季度?|quarters?\b)"
    r"|(?P<week>周(?!岁|[一二三四五六日天])|个?星期(?![一二三四五六日天])|个?礼拜(?![一二三四五六日天])|weeks?\b)"
    r"|(?P<day>天|日(?!元)|days?\b)"
    r"|(?P<other>个|只|支|次|笔|岁|点|号|月|倍|人|张|条|家|遍|位|分钟?|小时|秒|am\b|pm\b|x\b|times\b|hours?\b|minutes?\b|(?<! )[a-z]))"
    r"|(?P<trail>多|几|来|以上|以下|or more\b|\+))?",
    re.ASCII,
)
_RANGE = re.compile(r" ?(?:-|~|–|—|至|到|to|or|或者?)[ ]*(?=[¥$]?[\d零一二两三四五六七八九十])")
_SPLIT = re.compile(rf"(?:{_DIGITS}|[{_HAN}]+)[万千百亿][一二两三四五六七八九]")
_MEASURE = re.compile(r" ?(?:个|年|月|天|周|季|次|笔)")
_TENTHS = re.compile(r"(\d{1,2})(?:毛|角)?(?![\d股手份%个年月天日万千百,.])")
"""25块6 and 12元35: what follows is tenths or hundredths, unless it counts something of its own."""
_HALF_YEAR = re.compile(r"(?<![\d一二两三四五六七八九十年])半年|\bhalf a year\b|\bhalf year\b")
_NOT = re.compile(r"(?:不是|并非|而不是|不要|别|not|isn't|wasn't|instead of|rather than)[ ]*$")
_FOREIGN = {"港币": "HKD", "港元": "HKD", "hk$": "HKD", "hkd": "HKD", "美元": "USD", "美金": "USD", "us$": "USD", "usd": "USD"}
_FOREIGN |= {"$": "USD", "dollar": "USD", "dollars": "USD", "eur": "EUR", "€": "EUR", "£": "GBP"}
_MOST = Decimal(10) ** 13
_LONGEST_TERM = 1200
"""Months: 2026年 is no duration."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A figure in a text.

    Attributes:
        start, end: where it stands, unit and all.
        value: None if it has more than one reading, is negative or beyond all bounds. Percent as written (5.5% is 5.5), durations in months or days.
        unit: what it counts; `none`: nothing said.
        currency: ISO 4217, for money.
        han: written in Chinese numerals: alone they may be part of a word (一下, 万一).
        scaled: it counts in 万, k or the like, as money does.
    """

    start: int
    end: int
    value: Decimal | None
    unit: Unit
    currency: str = "CNY"
    han: bool = False
    scaled: bool = False


def scan(text: str) -> list[Quantity]:
    """The figures of a folded text, in order; those that it denies (不是3万) are left out."""
    found: list[Quantity] = []
    at = 0
    for half in _HALF_YEAR.finditer(text):
        found.append(Quantity(half.start(), half.end(), Decimal(6), "month"))
    while (match := _NUMBER.search(text, at)) is not None:
        if _SPLIT.fullmatch(match["number"]) and _MEASURE.match(text, match.end()):
            # 20万一个月: the last numeral begins the next figure.
            match = _NUMBER.match(text, match.start(), match.end() - 1) or match
        quantity = _read(text, match)
        at = max(match.end(), quantity.end)
        joined = _RANGE.match(text, quantity.end)
        if joined is not None and (other := _NUMBER.match(text, joined.end())) is not None:
            # 3到5万, 3-5 years: one figure that has no value.
            end = _read(text, other)
            quantity = Quantity(quantity.start, end.end, None, end.unit, end.currency, quantity.han)
            at = end.end
        if _NOT.search(text, max(0, quantity.start - 14), quantity.start) is None:
            found.append(quantity)
    return sorted(found, key=lambda quantity: quantity.start)


def _read(text: str, match: re.Match[str]) -> Quantity:
    value = _value(match["number"], (match["scale"] or "").strip(" -"))
    if match["half"]:
        value = None if match["scale"] or value is None else value + Decimal("0.5")
    before = _BEFORE.search(text, max(0, match.start() - 12), match.start())
    prefix = before["unit"] if before else None
    start = before.start() if before is not None and (prefix or before["sign"]) else match.start()
    if (
        before is not None
        and before["sign"] == "-"
        and match.start() >= 2
        and text[before.start("sign") - 1 : before.start("sign")].isalnum()
    ):
        start = match.start()
    elif before is not None and before["sign"]:
        value = None
    after = _AFTER.match(text, match.end())
    end = after.end() if after else match.end()
    unit, factor, currency = _unit(after)
    if match["fraction"]:
        unit, factor = "percent", {"百": Decimal(1), "千": Decimal("0.1"), "万": Decimal("0.01")}[match["fraction"][0]]
        end = match.end()
    elif prefix is not None and unit == "none":
        unit, currency = "money", _FOREIGN.get(prefix, "CNY")
    if after is not None and (after["vague"] or after["trail"]):
        value = None
    if value is not None:
        value *= factor
        if after is not None and after["halfyear"] == "年半":
            value += 6
        value = None if value >= _MOST or (unit == "month" and value > _LONGEST_TERM) else value
    scaled = bool(match["scale"]) or match["number"][-1] in "万亿"
    if (
        after is not None
        and after["money"] in {"块", "元"}
        and (tenths := _TENTHS.match(text, end)) is not None
        and value is not None
    ):
        value, end = value + Decimal(tenths[1]).scaleb(-len(tenths[1])), tenths.end()
    return Quantity(start, end, value, unit, currency, han=match["number"][0] in _HAN, scaled=scaled)


def _unit(after: re.Match[str] | None) -> tuple[Unit, Decimal, str]:
    """Unit, the factor to count it in, and its currency."""
    if after is None or after.lastgroup is None:
        return "none", Decimal(1), "CNY"
    said = after.groupdict()
    if said["money"]:
        return "money", Decimal(1), _FOREIGN.get(said["money"], "CNY")
    for name, unit, factor in _UNITS:
        if said[name]:
            return unit, Decimal(factor), "CNY"
    return "none", Decimal(1), "CNY"


_UNITS: tuple[tuple[str, Unit, str], ...] = (
    ("share", "share", "1"),
    ("lot", "lot", "1"),
    ("percent", "percent", "1"),
    ("permille", "percent", "0.1"),
    ("halfyear", "month", "12"),
    ("year", "month", "12"),
    ("month", "month", "1"),
    ("quarter", "month", "3"),
    ("week", "day", "7"),
    ("day", "day", "1"),
    ("other", "other", "1"),
)


def _value(number: str, scale: str) -> Decimal | None:
    """The number as written, times its scale; None if it cannot be read in one way."""
    read = _english(number) if number[0].isascii() and number[0].isalpha() else _chinese(number)
    if read is None:
        return None
    for word in scale.split():
        read *= _SCALES[word]
    return read


def _english(words: str) -> Decimal | None:
    parts = re.split(r"[ -]", words)
    values = [_ENGLISH[part] for part in parts]
    if len(values) == 2 and not (values[0] >= 20 and 0 < values[1] < 10):
        return None
    return Decimal(sum(values))


def _chinese(number: str) -> Decimal | None:
    plain = number.replace(",", "")
    if plain.isascii():
        return Decimal(plain)
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)([十百千]?[万亿]|万亿|百|千)", plain):
        return Decimal(found[1]) * _SCALES[found[2]]
    if found := re.fullmatch(r"(\d+)([百千万亿])(\d)", plain):
        # 3万5 is 35,000: a lone digit counts tenths of the scale before it.
        return (Decimal(found[1]) + Decimal(found[3]) / 10) * _SCALES[found[2]]
    if found := re.fullmatch(rf"([{_HAN}\d]+)点([零〇一二三四五六七八九\d]+)([百千]?[万亿])?", plain):
        whole, tail = _whole(found[1]), "".join(str(_whole(digit)) for digit in found[2])
        scale = _SCALES.get(found[3] or "", 1)
        return None if whole is None else Decimal(f"{whole}.{tail}") * scale
    return _whole(plain)


def _whole(numerals: str) -> Decimal | None:
    """Chinese numerals by cn2an; what it cannot read (五六百, 三万五万) has no one reading."""
    if "." in numerals or re.fullmatch("[一二两三四五六七八九]{2}", numerals):
        return None  # 一两 and 三五 are no twelve and no thirty-five
    try:
        return Decimal(str(cn2an.cn2an(numerals, "smart")))
    except (ValueError, KeyError, IndexError):
        return None
