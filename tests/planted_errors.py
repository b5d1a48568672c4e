"""Planted errors: what makes a true sentence of the knowledge base say something that its source does not (planted_answers.py makes the drafts).

An error is one by construction, never by what the gate says of it: a value becomes another value, a negation goes or comes, a condition is cut off, a
name becomes another name, half of another document's sentence is grafted on, a citation names a version that does not say it. Left out beforehand is
what would still be true: figures swapped within a list, a graft that stands in the cited passage, a name that is there already.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tightrope.knowledge.models import Language, Passage


@dataclass(frozen=True)
class Base:
    """A true sentence: the passage, its own sentence, and words for it (the same, or a paraphrase)."""

    passage: Passage
    quote: str
    text: str


_FIGURE = re.compile(r"(?<![A-Za-z\d.:,])\d+(?:,\d{3})*(?:\.\d+)?(?![\d:.,]*\d)|\d{1,2}:\d{2}|(?<=[A-Za-z+-])\d+")
_WORDS = {
    "zh": ["一", "两", "三", "四", "五", "六", "七", "八", "九", "十"],
    "en": ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twenty"],
}
_COUNTED = r"(?=个交易日|个工作日|个自然日|个月|年|日|天|周岁|家|次|倍)"


def number(base: Base, rng: random.Random) -> str | None:
    """One figure becomes another; or two figures of a sentence change places where they stand for different things."""
    places = list(_FIGURE.finditer(base.text))
    words = _WORDS[base.passage.language]
    spelled = list(
        re.finditer(
            rf"(?<![一两三四五六七八九十第])(?:{'|'.join(words)}){_COUNTED}"
            if base.passage.language == "zh"
            else rf"\b(?:{'|'.join(words[1:])})\b(?= \w)",
            base.text,
        )
    )
    if len(places) > 1 and rng.random() < 0.25:
        one, other = sorted(rng.sample(places, 2), key=lambda m: m.start())
        between = base.text[one.end() : other.start()]
        alike = [base.text[m.end() : m.end() + 2] for m in (one, other)]
        if one[0] != other[0] and alike[0] == alike[1] and len(re.sub(r"[\W\d]|和|或|至|to|and|or", "", between)) > 3:
            return base.text[: one.start()] + other[0] + between + one[0] + base.text[other.end() :]
    if not places and not spelled:
        return None
    place = rng.choice(places + spelled)
    return base.text[: place.start()] + _other(place[0], words, rng) + base.text[place.end() :]


def _other(figure: str, words: Sequence[str], rng: random.Random) -> str:
    if not figure[0].isdigit():
        return rng.choice([word for word in words if word != figure])
    if ":" in figure:
        hour, minute = figure.split(":")
        return (
            f"{(int(hour) + rng.randint(1, 5)) % 24}:{minute}"
            if rng.random() < 0.5
            else f"{hour}:{(int(minute) + rng.randint(1, 59)) % 60:02}"
        )
    while True:
        at = rng.choice([at for at, char in enumerate(figure) if char.isdigit()])
        digit = rng.choice([d for d in "123456789" if d != figure[at]])
        changed = figure[:at] + digit + figure[at + 1 :]
        if rng.random() < 0.3 and "." not in figure:
            changed = figure + "0"
        if float(changed.replace(",", "")) != float(figure.replace(",", "")):
            return changed


_UNITS: dict[Language, list[tuple[str, tuple[str, ...]]]] = {
    "zh": [
        (r"(?<=\d)万元", ("元", "亿元", "万港元")),
        (r"(?<=\d)亿元", ("万元", "元")),
        (r"(?<=[\d])元", ("万元", "港元", "美元")),
        (r"(?<=\d)万股", ("股", "万手")),
        (r"(?<=\d)股", ("手", "万股", "份")),
        (r"(?<=\d)手", ("股",)),
        (r"(?<=\d)%", ("‰", "个百分点")),
        (r"(?<=\d)‰", ("%",)),
        (r"(?<=[\d两三五十])个交易日", ("个自然日", "个工作日", "个月", "周")),
        (r"(?<=[\d两三五十])个工作日", ("个自然日", "个交易日", "小时")),
        (r"(?<=[\d两三五十])个自然日", ("个交易日", "个月")),
        (r"(?<=[\d两三六])个月", ("年", "天", "周")),
        (r"(?<=[\d两三二十]{2})年(?!\d|修订|度|第)(?=以上|内|。|，|的)", ("个月",)),
        (r"(?<=\d)天", ("个月", "小时", "个交易日")),
        (r"(?<=\d)分钟", ("小时", "秒")),
        (r"(?<=\d)小时", ("分钟", "天")),
        (r"(?<=\d)倍", ("%", "次")),
        (r"半年", ("半个月", "半天")),
    ],
    "en": [
        (r"\bCNY (?=\d)", ("HKD ", "USD ")),
        (r"(?<=\d)%", ("‰", " percentage points")),
        (r"(?<=\d )million\b", ("billion", "thousand")),
        (r"(?<=\d )trading days?", ("calendar days", "working days", "months", "weeks")),
        (r"(?<=\d )working days?", ("calendar days", "trading days", "hours")),
        (r"(?<=\d )calendar days?", ("trading days", "months")),
        (r"(?<=\d )months?\b", ("years", "days", "weeks")),
        (r"(?<=\d )years?\b", ("months", "weeks")),
        (r"(?<=\d )days?\b", ("months", "hours")),
        (r"(?<=\d )minutes?\b", ("hours", "seconds")),
        (r"(?<=\d )hours?\b", ("minutes", "days")),
        (r"(?<=\d )shares?\b", ("lots", "units")),
        (r"half a year", ("half a month", "half a day")),
    ],
}


def unit(base: Base, rng: random.Random) -> str | None:
    """The unit of one figure becomes another."""
    return _swap(base.text, _UNITS[base.passage.language], rng)


_ZERO = re.compile(r"(?<![\d.,])0(?:\.0+)?\s?$")
"""0 % is 0 ‰: nothing has no unit."""


def _swap(text: str, table: Sequence[tuple[str, tuple[str, ...]]], rng: random.Random) -> str | None:
    found = [
        (match, others)
        for pattern, others in table
        for match in re.finditer(pattern, text)
        if not _ZERO.search(text[: match.start()])
    ]
    if not found:
        return None
    match, others = rng.choice(found)
    return text[: match.start()] + rng.choice(others) + text[match.end() :]


_NEGATIONS: dict[Language, list[tuple[str, tuple[str, ...]]]] = {
    "zh": [
        (r"不得(?!低于|超过|少于|高于)", ("可以", "应当")),
        (r"不能|不可以", ("能", "可以")),
        (r"不会", ("会",)),
        (r"不收取", ("收取",)),
        (r"不需要|无需", ("需要", "不能")),
        (r"不(?=包括|计入|影响|适用|设|办理|接受|再|予|代表|受理|参与|属于)", ("", "一律")),
        (r"没有", ("有",)),
        (r"未(?=完成|成交|了结|开通|及时|按|在|经|补|到|通过|缴|使用)", ("已", "")),
        (r"(?<!不)可以(?=[买卖申办开提取转购撤用享查在通])", ("不可以", "不得")),
        (r"(?<![不无])(?:必须|应当|须)(?!不)", ("无须", "不得")),
        (r"禁止", ("允许",)),
    ],
    "en": [
        (r"\bmay not\b(?! exceed| be (?:below|less|more|above|higher))", ("may", "must")),
        (r"\bcannot\b", ("can",)),
        (r"\bmust not\b", ("must",)),
        (r"\b(?:do|does) not (?=[a-z])", ("",)),
        (r"\b(?:is|are|was) not\b", ("is", "are")),
        (r"\bnever\b", ("always", "sometimes")),
        (r"\bneither\b", ("both",)),
        (r"\bnot (?=to|by|yet|available|counted|charged|subject)", ("",)),
        (r"\bno (?!longer|more|later|matter)(?=[a-z])", ("", "some ")),
        (r"\bnobody\b", ("anybody",)),
        (r"\bcan (?=be|apply|only|ask|use|buy|sell|open|get|have|transfer)", ("cannot ",)),
        (r"\bmust (?=be|have|first|hold|sign|add|apply|not)(?!not)", ("must not ", "need not ")),
        (r"\bwithout\b", ("with",)),
    ],
}


def negation(base: Base, rng: random.Random) -> str | None:
    """A negation goes, or one comes."""
    return _swap(base.text, _NEGATIONS[base.passage.language], rng)


_CONDITIONS: dict[Language, list[tuple[str, tuple[str, ...]]]] = {
    "zh": [
        (r"不低于|不少于|至少", ("不超过", "最多", "低于")),
        (r"(?<!最[长多高])(?<!最[长多高]不得)不(?:得)?超过|最多", ("不低于", "至少", "超过")),
        (r"(?<=\d)(?:%|元|股|个月|年|倍)?以上", ("以下",)),
        (r"低于(?<!不低于)(?<!不得低于)", ("高于", "不低于")),
        (r"(?<![不得])超过(?=\d)", ("低于", "不超过")),
        (r"(?<!不)(?:必须|应当|须(?!知))", ("可以", "建议")),
        (r"(?<=[交请办日易束算效户止])前(?=[，应须完可，申2-9先])", ("后",)),
        (r"(?<=[交请办日易束算效户止成过])后(?=[，方才可的由])", ("前",)),
        (r"，且|并且", ("，或者",)),
        (r"(?<=[\d月日天])内(?=[，办完答提登])", ("后",)),
        (r"只能|仅能", ("能", "可以")),
        (r"^(?:[^，。（]{4,26}(?:时|后|的|前|内)，)(?=.{6,})", ("",)),
        (r"(?<=.{6})，(?:但|且|除)[^，。]{5,40}(?=。)", ("",)),
        (r"(?:在|经|按)(?!很短)[^，。]{3,16}(?:后|内|时)(?=[^，。]{4,})", ("",)),
    ],
    "en": [
        (r"\bat least\b", ("at most", "less than")),
        (r"\bat most\b|\bup to\b(?! and)", ("at least", "more than")),
        (r"\bno more than\b|\bnot exceed\b", ("at least",)),
        (r"\bmore than\b(?<!no more than)(?<!not more than)", ("less than", "at most")),
        (r"\bless than\b|\bfewer than\b|\bbelow\b", ("more than",)),
        (r"\bmust\b(?! not)|\bneeds? to\b|\bhas to\b", ("may", "should")),
        (r"\bbefore\b", ("after",)),
        (r"\bafter\b", ("before",)),
        (r"\bonly\b", ("", "also")),
        (r"\bwithin\b", ("after",)),
        (r"(?<=\w)(?<!states) (?:if|when|unless|provided|except|once) [^,.]{8,60}(?=[.,])", ("",)),
        (r"^(?:If|When|After|Before|Once|Unless|For(?! example)) [^,]{6,70}, (?=\w.{12,})", ("",)),
        (r"(?<=\w), (?:but|except|unless) [^,.]{8,80}(?=\.)", ("",)),
    ],
}


def condition(base: Base, rng: random.Random) -> str | None:
    """A bound turns, a duty becomes a permission, before becomes after, or a condition is cut off."""
    changed = _swap(base.text, _CONDITIONS[base.passage.language], rng)
    return changed[0].upper() + changed[1:] if changed and base.passage.language == "en" else changed


_NAMES: dict[Language, tuple[tuple[str, ...], ...]] = {
    "zh": (
        ("科创板", "创业板", "北交所", "新三板", "主板", "港股通"),
        ("上海", "深圳", "北京", "香港"),
        ("沪市", "深市"),
        ("中国证监会", "中国结算", "中国证券业协会", "中国人民银行", "财政部"),
        ("交易所", "存管银行", "证券公司", "基金管理人", "上市公司"),
        ("融资融券", "股票期权", "国债逆回购", "可转债", "公募基金", "港股通"),
        ("印花税", "过户费", "佣金", "经手费", "管理费"),
        ("交易密码", "资金密码", "银行卡密码", "登录密码"),
        ("证券账户", "资金账户", "信用账户", "衍生品合约账户", "银行账户"),
        ("普通投资者", "专业投资者", "机构投资者"),
        ("身份证", "护照", "银行卡", "户口簿"),
        ("衡远证券（演示）", "恒安证券", "远衡银行"),
        ("营业部", "在线客服", "合规部门"),
        ("身份认证", "人脸识别", "视频见证", "短信验证"),
        ("A股", "B股", "H股", "优先股"),
        ("买入", "卖出"),
        ("认购期权", "认沽期权"),
        ("集合竞价", "连续竞价"),
        ("公安机关", "税务机关", "人民法院"),
        ("招股说明书", "募集说明书", "基金合同", "风险揭示书"),
    ),
    "en": (
        ("STAR Market", "ChiNext", "Beijing Stock Exchange", "main board", "Stock Connect"),
        ("Shanghai", "Shenzhen", "Beijing", "Hong Kong"),
        ("CSRC", "ChinaClear", "the Ministry of Finance", "SAC"),
        ("margin trading", "options trading", "reverse repo", "fund subscription"),
        ("stamp duty", "transfer fee", "commission", "handling fee", "management fee"),
        ("trading password", "funds password", "bank card password"),
        ("securities account", "funds account", "credit account", "bank account"),
        ("ordinary investor", "professional investor", "institutional investor"),
        ("identity card", "passport", "bank card"),
        ("Hengyuan Securities (demo)", "Heng'an Securities", "Yuanheng Bank"),
        ("securities company", "custody bank", "fund manager", "listed company"),
        ("A-share", "B-share", "H-share"),
        ("call auction", "continuous trading"),
        ("buyer", "seller"),
        ("call option", "put option"),
        ("customer service", "the compliance department", "the branch"),
        ("prospectus", "fund contract", "risk disclosure"),
        ("face recognition", "the video check", "a text message code"),
    ),
}


def name(base: Base, rng: random.Random) -> str | None:
    """A board, authority, product, account, document or firm becomes another of its kind, one that the sentence does not name yet."""
    found = []
    for kind in _NAMES[base.passage.language]:
        for member in kind:
            others = [other for other in kind if other not in base.text and other not in member and member not in other]
            found.extend((match, others) for match in re.finditer(re.escape(member), base.text) if others)
    if not found:
        return None
    match, others = rng.choice(found)
    return base.text[: match.start()] + rng.choice(others) + base.text[match.end() :]
