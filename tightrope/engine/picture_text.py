"""Texts of a flow picture: how wide they are, where they break, what of them may stand in XML, and conditions as people read them.

Pure. Widths are in em and rather too large than too small: the reader's fonts are not known here, and a box that is a little too wide is
no fault while a text that is cut off is one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "zh"]

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "say": "says",
        "action": "runs",
        "collect": "asks for",
        "call": "calls",
        "link": "goes on with",
        "set_slots": "sets",
        "noop": "decides",
        "start": "Start",
        "end": "End",
        "else": "otherwise",
        "or": "or",
        "and": "and",
        "not": "not",
        "set": "is given",
        "unset": "is not given",
        "cleared": "is cleared",
        "only_if": "only if",
        "child": "only called by other flows",
        "refuses": "refuses if",
        "anew": "asks anew each time",
        "unreachable": "no way leads here",
        "contains": "contains",
        "matches": "matches",
        "path": "The way that was gone",
    },
    "zh": {
        "say": "回复",
        "action": "执行",
        "collect": "询问",
        "call": "调用",
        "link": "转到",
        "set_slots": "设置",
        "noop": "判断",
        "start": "开始",
        "end": "结束",
        "else": "其他情况",
        "or": "或",
        "and": "且",
        "not": "非",
        "set": "已提供",
        "unset": "未提供",
        "cleared": "清空",
        "only_if": "仅当",
        "child": "仅供其他流程调用",
        "refuses": "拒绝条件",
        "anew": "每次重新询问",
        "unreachable": "没有路径到达",
        "contains": "包含",
        "matches": "匹配",
        "path": "经过的路径",
    },
}

_NARROW, _SLIM, _WIDE = frozenset("iIl.,:;'|!` "), frozenset('fjrt()[]{}-"/\\*'), frozenset("mwMW@%—…")
_MONO = 0.62
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)


def clean(text: str) -> str:
    """The text without what XML forbids and without marks that turn or hide text; each becomes U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text)


def width(text: str, *, mono: bool = False) -> float:
    """Width in em, at least as wide as common fonts draw it."""
    return sum(_character(c, mono=mono) for c in text)


def _character(c: str, *, mono: bool) -> float:
    if unicodedata.combining(c):
        return 0.0
    if unicodedata.east_asian_width(c) in "WF":
        return 1.05
    if ord(c) > 0x2E7F:
        return 1.3
    if mono:
        return _MONO
    if c in _NARROW:
        return 0.36
    if c in _SLIM:
        return 0.47
    if c in _WIDE:
        return 1.0
    return 0.74 if c.isupper() or ord(c) > 0x2FF else 0.63


_HAN = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_PIECES = re.compile(rf"\s+|[“‘（【《「(\[{{]*(?:[{_HAN}]|[^\s{_HAN}]+)|.", re.DOTALL)
_NO_START = frozenset("，。、；：？！）】》”’,.;:?!)]}%…=≥≤≠")


def wrap(text: str, limit: float, *, lines: int, mono: bool = False) -> list[str]:
    """The text in at most `lines` lines of at most `limit` em; what does not fit ends in an ellipsis. Never empty."""
    out: list[str] = []
    line = ""
    for piece in _pieces(" ".join(clean(text).split())):
        if not line and piece.isspace():
            continue
        if line and width(line + piece.rstrip(), mono=mono) > limit and piece not in _NO_START:
            out.append(line.rstrip())
            line = "" if piece.isspace() else piece
        else:
            line += piece
        while width(line, mono=mono) > limit + 1.1:
            cut = _fitting(line, limit, mono=mono)
            out.append(line[:cut])
            line = line[cut:]
    if line.strip() or not out:
        out.append(line.rstrip())
    if len(out) > lines:
        kept = out[lines - 1]
        kept = kept[: _fitting(kept, limit - 1.0, mono=mono)] if width(kept, mono=mono) > limit - 1.0 else kept
        out = [*out[: lines - 1], kept.rstrip() + "…"]
    return out


def _pieces(text: str) -> list[str]:
    return _PIECES.findall(text)


def _fitting(line: str, limit: float, *, mono: bool) -> int:
    """How many characters fit, at least one; a long name is cut after a mark of its own if one stands late enough."""
    used = 0.0
    for at, c in enumerate(line):
        used += _character(c, mono=mono)
        if used > limit:
            mark = max(line.rfind(sign, 0, at) for sign in "_-./ ") + 1
            return max(1, mark if mark > at // 2 else at)
    return len(line)


_QUOTED = re.compile(r"""('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""")
_PLAIN = re.compile(r"""["'][\w\u4e00-\u9fff\-]+["']$""")
_NULL = r"\s+(?:null|none|undefined)\b"
_TERMS = re.compile(
    rf"(?P<set>\s*(?:\bis\s+not|!=){_NULL})|(?P<unset>\s*(?:\bis|==?){_NULL})|(?P<space>\b(?:slots|context)\.(?=\w))"
    r"|(?P<unequal>\bis\s+not\b|!=)|(?P<equal>\bis\b|==)|(?P<least>>=)|(?P<most><=)|(?<![.\w])(?P<word>and|or|not|contains|matches)\b",
    re.IGNORECASE,
)
_SIGNS = {"space": "", "unequal": "≠", "equal": "=", "least": "≥", "most": "≤"}


def readable(condition: str, language: Language) -> str:
    """A condition as people read it: `slots.age is not null and slots.age >= 18` becomes `age is given and age ≥ 18`."""
    if "{{" in condition or "{%" in condition:
        return condition
    words = WORDS[language]

    def term(found: re.Match[str]) -> str:
        kind = str(found.lastgroup)
        if kind == "word":
            return words[found[0].lower()]
        return _SIGNS[kind] if kind in _SIGNS else f" {words[kind]}"

    out = ""
    for part in _QUOTED.split(condition):
        if part[:1] in {"'", '"'} and len(part) > 1:
            out += part[1:-1] if _PLAIN.fullmatch(part) else part
        else:
            out += _TERMS.sub(term, part)
    return " ".join(out.split())
