"""What the lexical classifier looks at: pieces of words and of Chinese text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tightrope.understanding.normalise import folded

MAX_CHARACTERS = 400
"""Only the beginning of a long message is classified; rules look at all of it."""

_TOKEN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+|[a-z]+(?:'[a-z]+)?|\d+|[?]")
_DIGITS = re.compile(r"\d+")
_FROM, _TO = 3, 5


def features(text: str) -> list[str]:
    """Features with repetition: Chinese n-grams of 1 to 4 characters, English words, word pairs and n-grams inside words.

    Figures become one mark, so that no amount, code or account number is ever learnt.
    """
    tokens = _TOKEN.findall(folded(text[: 2 * MAX_CHARACTERS])[:MAX_CHARACTERS])
    return list(_pieces(tokens))


def _pieces(tokens: list[str]) -> Iterator[str]:
    words: list[str] = []
    for piece in tokens:
        if _DIGITS.fullmatch(piece):
            words.append("#")
        elif piece == "?":
            yield "?"
        elif piece[0] > "\u33ff":
            yield from _han(piece)
            words.append("~")
        else:
            words.append(piece)
            yield from _latin(piece)
    for word in words:
        yield f"w:{word}"
    for first, second in zip(["^", *words], [*words, "$"], strict=True):
        yield f"p:{first} {second}"


def _han(run: str) -> Iterator[str]:
    framed = f"<{run}>"
    for size in (1, 2, 3, 4):
        for i in range(len(framed) - size + 1):
            yield framed[i : i + size]


def _latin(word: str) -> Iterator[str]:
    framed = f"<{word}>"
    for size in range(_FROM, _TO + 1):
        for i in range(len(framed) - size + 1):
            yield framed[i : i + size]
