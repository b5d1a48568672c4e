"""Which language a message asks for: sticky, switchable by asking, blind to tickers, figures and emoji."""

from __future__ import annotations

import re
from typing import Literal

from tightrope.understanding.normalise import folded, normalise

Language = Literal["zh", "en"]

_TO_EN = re.compile(
    r"(说|讲|用|换成?|切换[到为成]?|改[成用为]?|转[成到]?|以|会)\s*(英文|英语|english)(?!版|名|的|资料|合同|账|报告|材料)"
    r"|(英文|英语)\s*(回答|回复|沟通|交流|服务|可以吗|好吗|行吗|谢谢)"
    r"|^(请|麻烦)?\s*(英文|英语)\s*(吧|谢谢)?[.!。]?$"
    r"|\b(speak|reply|answer|respond|write|talk|switch|change|continue|chat|communicate|explain|say)\b[^.?!]{0,24}\benglish\b"
    r"|^(in )?english( only)?( please| pls| plz)?[.!?]?$|\bin english,? (please|pls|plz)\b|\benglish,? (please|pls|plz)\b"
)
_TO_ZH = re.compile(
    r"(说|讲|用|换成?|切换[到为成]?|改[成用为]?|转[成到]?|以|会)\s*(中文|汉语|普通话|国语|chinese)(?!版|名|的|资料|合同|账|报告|材料)"
    r"|(中文|汉语|普通话)\s*(回答|回复|沟通|交流|服务|可以吗|好吗|行吗|谢谢)"
    r"|^(请|麻烦)?\s*(中文|汉语|普通话)\s*(吧|谢谢)?[.!。]?$"
    r"|\b(speak|reply|answer|respond|write|talk|switch|change|continue|chat|communicate|explain|say)\b[^.?!]{0,24}\b(chinese|mandarin)\b"
    r"(?! (stock|share|market|fund|etf|compan|bond|a-share|yuan|broker))"
    r"|^(in )?(chinese|mandarin)( only)?( please| pls| plz)?[.!?]?$|\bin (chinese|mandarin),? (please|pls|plz)\b|\b(chinese|mandarin),? (please|pls|plz)\b"
)
_REFUSED = re.compile(
    r"(不要|别|不用|不想|不会|不懂|听不懂|看不懂)\s*(再)?\s*(说|讲|用)?\s*(中文|英文|英语|汉语)"
    r"|\b(don'?t|do not|can'?t|cannot|stop|not) \w{0,10} ?(in )?(english|chinese|mandarin)"
)
_NEUTRAL = re.compile(r"https?://\S+|\S+@\S+|[\w-]+(\.[\w-]+)+|\[[^\]]*\]|[a-z]*\d[\w.+-]*|t\s?\+\s?\d", re.IGNORECASE)
_LATIN = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)?")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_OTHER = re.compile(r"[\u3040-\u30ff\uac00-\ud7af\u0400-\u04ff\u0600-\u06ff\u0e00-\u0e7f]")
_SHARED = frozenset(
    {
        "ok",
        "okay",
        "app",
        "etf",
        "ipo",
        "vip",
        "pdf",
        "bug",
        "hi",
        "bye",
        "lof",
        "fof",
        "reits",
        "reit",
        "ios",
        "android",
        "wifi",
        "emmm",
        "hm",
    }
)
"""Words that Chinese speakers use as well: alone they say nothing about the language."""

_ACRONYM_LENGTH = 5
_MIN_WORD = 3
_CLEARLY = 4
"""Chinese characters per foreign word from which a mixed message is plainly Chinese."""


def requested(text: str) -> Language | None:
    """The language that the message asks to be answered in, if it asks."""
    plain = folded(text)
    if _REFUSED.search(plain):
        return None
    english, chinese = bool(_TO_EN.search(plain)), bool(_TO_ZH.search(plain))
    if english == chinese:
        return None
    return "en" if english else "zh"


def detect(text: str, previous: Language | None) -> Language | None:
    """The language to answer in.

    A request ("说中文", "speak English please") wins. Otherwise a message that is clearly in one language decides; mixed text, codes, digits,
    emoji and other scripts keep `previous`. Mixed text without a previous language goes by weight. None: nothing to go by yet.
    """
    asked = requested(text)
    if asked:
        return asked
    plain = _NEUTRAL.sub(" ", normalise(text))
    if _OTHER.search(plain):
        return previous
    han = len(_HAN.findall(plain))
    words = [w for w in _LATIN.findall(plain) if not _says_nothing(w)]
    if han and not words:
        return "zh"
    if words and not han:
        return "en"
    if not han:
        return previous
    if previous is None:
        return "zh" if han >= len(words) else "en"
    return "zh" if han > _CLEARLY * len(words) else previous


def _says_nothing(word: str) -> bool:
    """Acronyms, single letters and words that both languages use."""
    if word.lower() in _SHARED or len(word) == 1:
        return word not in {"I", "a"}
    if word.isupper() and len(word) <= _ACRONYM_LENGTH:
        return True
    return len(word) < _MIN_WORD and word.lower() not in _SHORT_WORDS


_SHORT_WORDS = frozenset(
    {
        "is",
        "my",
        "do",
        "to",
        "no",
        "me",
        "in",
        "it",
        "of",
        "on",
        "or",
        "an",
        "at",
        "be",
        "by",
        "go",
        "he",
        "if",
        "we",
        "us",
        "so",
        "up",
        "as",
    }
)
