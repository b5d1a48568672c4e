"""Units, scales, currencies and number words that figures are read with, Chinese and English to one canonical name. Data and its index, no logic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Unit:
    """A canonical unit and how many of it one of the spelled unit is."""

    name: str
    factor: Decimal = Decimal(1)


_ROWS: tuple[tuple[str, str, str], ...] = (
    # canonical, factor, spellings
    ("CNY", "1", "元|块钱|圆|人民币元|人民币|yuan|cny|rmb|renminbi|¥|￥"),
    ("CNY", "0.1", "角"),
    ("HKD", "1", "港元|港币|hkd|hk$|hong kong dollars|hong kong dollar"),
    ("USD", "1", "美元|美金|usd|us$|us dollars|us dollar|dollars|dollar|$"),
    ("EUR", "1", "欧元|eur|euros|euro|€"),
    ("percent", "1", "%|percent|per cent|pct"),
    ("percent", "0.1", "‰|per mille"),
    ("percent", "0.01", "bp|bps|个基点|基点|basis points|basis point"),
    ("percent", "10", "成"),
    ("percentage point", "1", "个百分点|percentage points|percentage point"),
    ("month", "12", "周年|整年|年|years|year|yrs|yr"),
    ("month", "3", "个季度|季度|quarters|quarter"),
    ("month", "1", "个月|月|months|month|months'|month's"),
    ("day", "7", "周|个星期|星期|个礼拜|weeks|week"),
    ("day", "1", "天|日|days|day"),
    ("trading day", "1", "个交易日|交易日|trading days|trading day"),
    ("settlement day", "1", "个交收日|交收日|settlement days|settlement day"),
    ("working day", "1", "个工作日|工作日|working days|working day|business days|business day"),
    ("calendar day", "1", "个自然日|自然日|calendar days|calendar day|natural days|natural day"),
    ("minute", "60", "个小时|小时|个钟头|hours|hour|hrs"),
    ("minute", "1", "分钟|minutes|minute|mins"),
    ("second", "1", "秒钟|秒|seconds"),
    ("age", "1", "周岁|岁|years old|years of age"),
    ("share", "1", "股|shares|share"),
    ("lot", "1", "手|board lots|lots|lot"),
    ("unit", "1", "份|units|unit"),
    ("contract", "1", "张合约|contracts|contract"),
    ("time", "1", "次|回|times"),
    ("fold", "1", "倍|fold"),
    ("digit", "1", "位数字|位数|位|digits|digit"),
    ("level", "1", "个等级|个级别|级|levels|level"),
    ("firm", "1", "家"),
    ("sheet", "1", "张"),
    ("deal", "1", "笔"),
    ("person", "1", "名|人"),
    ("piece", "1", "只|支|条|项|件|款|部|台|套"),
    ("kind", "1", "种|类"),
    ("discount", "1", "折"),
)
_UNITS = {spelled: Unit(name, Decimal(factor)) for name, factor, spellings in _ROWS for spelled in spellings.split("|")}


def unit_of(spelled: str) -> Unit:
    """The canonical unit of a spelling that `UNIT` or `CURRENCY` found."""
    return _UNITS[spelled.strip()]


_BEFORE_NUMBERS = frozenset({"人民币", "港币", "港元", "美元", "cny", "rmb", "hkd", "usd", "us$", "hk$", "¥", "￥", "$", "€"})
"""Currencies that are written before their amount: the next amount's are not this one's unit."""
_WEEKS = frozenset({"个星期", "星期", "个礼拜"})


def _either(words: list[str]) -> str:
    return "|".join(re.escape(word) + (r"(?![a-z])" if word[-1].isascii() and word[-1].isalpha() else "") for word in words)


def _after_a_number(word: str) -> str:
    closed = r"(?!\s?\d)" if word in _BEFORE_NUMBERS else r"(?![一二三四五六日天])" if word in _WEEKS else ""
    return _either([word]) + closed


_LONGEST_FIRST = sorted(_UNITS, key=len, reverse=True)
_APART = "of|in|to|and|or|for|from|at|on|by|the|a|an|with|is|are|be|can|may|must|per|each|within|as|than|before|after|until"
"""Words across which a number does not reach: 200 STAR Market shares is an amount of shares, 200 of the shares is read as bare."""
UNIT = re.compile(
    r"[\s-]?(?:个|整|个?连续)?\s?(?:(?!(?:"
    + _APART
    + r")\b)[a-z-]+ ){0,3}?(?P<unit>"
    + "|".join(_after_a_number(unit) for unit in _LONGEST_FIRST if unit not in {"¥", "￥", "$", "€", "us$", "hk$"})
    + r")(?!票|东|权|份额|市场|价格|续|机号|别|似|型|线|本)"
)
"""A unit right after its number. 股票, 股东 and the like are words of their own."""
CURRENCY = _either(sorted(_BEFORE_NUMBERS, key=lambda word: (-len(word), word))).replace("(?![a-z])", "")
SCALES = {
    "百": Decimal(100),
    "千": Decimal(1000),
    "万": Decimal(10_000),
    "十万": Decimal(100_000),
    "百万": Decimal(1_000_000),
    "千万": Decimal(10_000_000),
    "亿": Decimal(100_000_000),
    "万亿": Decimal(10**12),
    "hundred": Decimal(100),
    "thousand": Decimal(1000),
    "million": Decimal(1_000_000),
    "billion": Decimal(10**9),
    "trillion": Decimal(10**12),
    "bn": Decimal(10**9),
    "mn": Decimal(1_000_000),
    "k": Decimal(1000),
}
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS = {word: value for value, word in enumerate(_ONES.split())} | {word: 20 + 10 * i for i, word in enumerate(_TENS.split())}
ZH_ARTICLE = re.compile(r"个(?!月|交易日|工作日|自然日|季度|小时|星期|交收日)|种|项|类|款|条|部|套|级")
