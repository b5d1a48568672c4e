"""Text of tests, customers and bots as reports show it: harmless to a terminal and to XML, wrapped by the width of its signs, and compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from difflib import SequenceMatcher

from rich.cells import cell_len

_WIDE_END = "，。、；：！？）】》」』”’…％"
_WIDE_START = "（【《「『“‘"
_WIDE = r"\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60"
_UNIT = re.compile(
    rf"[ ]+|[{_WIDE_START}]*(?![{_WIDE_START}])[{_WIDE}][{_WIDE_END}]*|[{_WIDE_START}]*[^\s{_WIDE}]+[{_WIDE_END}]*|."
)
"""What a line is not broken within: spaces, or one wide sign or a run of narrow signs, with their punctuation."""
_TOKEN = re.compile(r"[A-Za-z0-9_]+|.", re.DOTALL)
_JOINER = "\u200d"
_COMPARABLE = 2000
"""Characters up to which two texts are compared sign by sign; the comparison is quadratic."""
_ALIKE = 0.5
"""Texts less alike than this are simply different; marking every sign of them would help nobody."""


def visible(text: str) -> str:
    """`text` with everything that a reader could not see written out (`\\x1b`, `\\u202e`), line ends kept, tabs as spaces.

    What comes out can be printed to a terminal without steering it, and holds only characters that XML 1.0 allows.
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(_shown(sign) for sign in text.replace("\r\n", "\n"))


def _shown(sign: str) -> str:
    if sign == "\n" or " " <= sign <= "~":
        return sign
    if sign == "\t":
        return "    "
    code = ord(sign)
    hidden = unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and sign != _JOINER
    if not hidden and code & 0xFFFE != 0xFFFE:
        return sign
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def wrap(text: str, width: int) -> list[tuple[int, int]]:
    """Lines of `text` that are at most `width` cells wide, each as (start, end) within it; a Chinese character takes two cells.

    Lines break at line ends, at spaces, between Chinese characters (not before closing punctuation), and within a word only if it
    is longer than a line.
    """
    lines: list[tuple[int, int]] = []
    at = 0
    for paragraph in text.split("\n"):
        lines.extend((at + start, at + end) for start, end in _paragraph(paragraph, max(width, 2)))
        at += len(paragraph) + 1
    return lines


def _paragraph(text: str, width: int) -> Iterator[tuple[int, int]]:
    start = end = used = 0
    for unit in _UNIT.finditer(text):
        for first, last in _pieces(text, unit.start(), unit.end(), width, width - used):
            cells = cell_len(text[first:last])
            if used + cells > width and end > start:
                yield start, _trimmed(text, start, end)
                start, used = first, 0
                if text[first] == " ":
                    start = end = last
                    continue
            end = last
            used += cells
    yield start, end


def _pieces(text: str, start: int, end: int, width: int, room: int) -> Iterator[tuple[int, int]]:
    """The unit itself, or if it is wider than a line, parts of it that are not; the first takes the room left on the line."""
    if cell_len(text[start:end]) <= width:
        yield start, end
        return
    at, used = start, width - room if room > 1 else 0
    for index in range(start, end):
        cells = cell_len(text[index])
        if used + cells > width and index > at:
            yield at, index
            at, used = index, 0
        used += cells
    yield at, end


def _trimmed(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1] == " ":
        end -= 1
    return end


def padded(text: str, width: int) -> str:
    """`text` with spaces up to `width` cells."""
    return text + " " * max(0, width - cell_len(text))


Mask = list[bool]
"""One truth value per character: whether it differs from the other text."""


def differences(left: str, right: str) -> tuple[Mask, Mask]:
    """Which characters of each text the other lacks; nothing is marked when the texts are too different or too long to compare."""
    none = [False] * len(left), [False] * len(right)
    if not left or not right or len(left) + len(right) > _COMPARABLE:
        return none
    left_tokens, right_tokens = _TOKEN.findall(left), _TOKEN.findall(right)
    matcher = SequenceMatcher(None, left_tokens, right_tokens, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return none
    left_mask: Mask = []
    right_mask: Mask = []
    for tag, a, b, c, d in matcher.get_opcodes():
        left_mask += [tag != "equal"] * sum(map(len, left_tokens[a:b]))
        right_mask += [tag != "equal"] * sum(map(len, right_tokens[c:d]))
    return left_mask, right_mask


def segments(text: str, mask: Mask, start: int = 0, end: int | None = None) -> list[tuple[str, bool]]:
    """`text[start:end]` cut where the mask changes."""
    stop = len(text) if end is None else end
    out: list[tuple[str, bool]] = []
    at = start
    for index in range(start + 1, stop + 1):
        if index == stop or mask[index] != mask[at]:
            out.append((text[at:index], mask[at]))
            at = index
    return [part for part in out if part[0]]
