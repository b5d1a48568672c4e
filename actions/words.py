"""Securities, quantities and days as they look in a reply, beside wording.py's money and times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from actions.wording import SHANGHAI
from tightrope.business.models import Security
from tightrope.rules.text import MONTHS_EN

_MARKDOWN: Final = str.maketrans(
    {
        "*": "＊",
        "_": "＿",
        "`": "＇",
        "[": "［",
        "]": "］",
        "<": "＜",
        ">": "＞",
        "~": "～",
        "#": "＃",
        "|": "｜",
        "{": "｛",
        "}": "｝",
        "\\": "＼",
    }
)
_ADDRESS: Final = re.compile(r"(?<=\w)\.(?=[^\W\d_])")
"""The dot of `www.example` or `x@example.cn`, which chats make tappable without any sign of Markdown; that of a figure stays."""
_LONGEST_NAME: Final = 100
_UNITS: Final[Mapping[str, tuple[str, str, str]]] = {
    "share": ("股", "share", "shares"),
    "fund": ("份", "unit", "units"),
    "bond": ("张", "bond", "bonds"),
}
_FUNDS: Final[Mapping[str, tuple[str, ...]]] = {"sse": ("5",), "szse": ("15", "16", "18")}
_BONDS: Final[Mapping[str, tuple[str, ...]]] = {"sse": ("10", "11", "13"), "szse": ("10", "11", "12")}


def plain(text: str, *, longest: int = _LONGEST_NAME) -> str:
    """Words of others (a name of the firm's making, what a customer wrote) that the chat shows as they stand: `*ST` keeps its star.

    Without signs that the chat would take for Markdown or a template for a variable, that break the line, turn its direction or print
    nothing, without an address to tap, and no longer than `longest` characters.
    """
    seen = "".join(char if char.isprintable() else " " for char in text)
    shown = " ".join(seen.split())[:longest].replace("://", "：//")
    return _ADDRESS.sub("．", shown).translate(_MARKDOWN)


def security_title(security: Security, language: str) -> str:
    """`半亭酒业（609233）` or `Banting Liquor (609233)`."""
    name = plain(security.name(language))
    return f"{name} ({security.code})" if language == "en" else f"{name}（{security.code}）"


def quantity(count: int, security: Security, language: str) -> str:
    """`1,200 股` or `1,200 shares`; funds come in units and bonds in bonds, by the exchanges' ranges of codes."""
    zh, one, many = _UNITS[_kind(security)]
    return f"{count:,} {zh}" if language != "en" else f"{count:,} {one if count == 1 else many}"


def _kind(security: Security) -> str:
    for kind, ranges in (("fund", _FUNDS), ("bond", _BONDS)):
        if len(security.code) == 6 and security.code.startswith(ranges.get(security.market, ("?",))):
            return kind
    return "share"


def day(of: date, now: datetime, language: str) -> str:
    """`11月20日` or `20 Nov`, with the year when it is not this one in Shanghai."""
    this_year = of.year == now.astimezone(SHANGHAI).year
    if language == "en":
        return f"{of.day} {MONTHS_EN[of.month - 1]}" + ("" if this_year else f" {of.year}")
    return ("" if this_year else f"{of.year}年") + f"{of.month}月{of.day}日"


def month(of: date, language: str) -> str:
    """`2026年10月` or `Oct 2026`."""
    return f"{MONTHS_EN[of.month - 1]} {of.year}" if language == "en" else f"{of.year}年{of.month}月"
