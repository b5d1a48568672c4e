"""Search terms and n-grams of questions and passages, Chinese and English. Pure; the same code on both sides of the index.

Normalised for search only (full width to half width, 50万 to 500000); quotes always keep the original wording.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Any

from tightrope.knowledge.server.lexicon import PHRASES, STOP_WORDS, SYNONYMS, TOPICS

_WORD = re.compile(r"[a-z]+\+\d+|\d+(?:\.\d+)?%?|[a-z]+(?:'[a-z]+)?|[\u3400-\u9fff]+")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3})")
_MYRIAD = re.compile(r"(\d+(?:\.\d+)?)\s*(万|亿|million)")
_PHRASE = re.compile(r"\b(?:" + "|".join(PHRASES) + r")\b")
_SCALE = {"万": 10_000, "亿": 100_000_000, "million": 1_000_000}

_STOP_CJK = re.compile("|".join(sorted((word for word in STOP_WORDS if "\u3400" <= word[0] <= "\u9fff"), key=len, reverse=True)))


def normalise(text: str) -> str:
    """Half width, lower case, digits without grouping, 万 and 亿 written out."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    plain = _GROUPED.sub("", plain)
    plain = _PHRASE.sub(lambda m: PHRASES[m[0]], plain)
    return _MYRIAD.sub(lambda m: f"{float(m[1]) * _SCALE[m[2]]:.0f}", plain)


_ENDINGS = (("ies", "y", 5), ("sses", "ss", 6), ("ing", "", 6), ("ed", "", 5), ("es", "", 5), ("s", "", 4))
"""Ending, what replaces it, and the shortest word it is taken from."""


def stem(word: str) -> str:
    """A light English stem: enough that `fees` finds `fee` and `opening` finds `open`."""
    if not word.isascii() or not word[0].isalpha() or "+" in word:
        return word
    word = word.removesuffix("'s")
    for ending, replacement, least in _ENDINGS:
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            word = word[: -len(ending)] + replacement
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


@lru_cache(maxsize=1)
def _segmenter() -> Any:
    """jieba with the domain's words; loading its dictionary takes most of a second, so only the server does it."""
    import logging

    import jieba

    jieba.setLogLevel(logging.WARNING)
    segmenter = jieba.Tokenizer()
    for word in sorted({*TOPICS, *SYNONYMS}):
        if "\u3400" <= word[0] <= "\u9fff":
            segmenter.add_word(word)
    return segmenter


def warm_up() -> None:
    """Load the dictionary now instead of at the first question."""
    _segmenter().initialize()


@lru_cache(maxsize=2048)
def terms(text: str) -> tuple[str, ...]:
    """Distinct search terms in order, without stop words; Chinese segmented by jieba in search mode."""
    found: dict[str, None] = {}
    for run in _WORD.findall(normalise(text)):
        if "\u3400" <= run[0] <= "\u9fff":
            found.update((SYNONYMS.get(word, word), None) for word in _segmenter().cut_for_search(run) if word not in STOP_WORDS)
        elif run not in STOP_WORDS:
            found[stem(SYNONYMS.get(run, run))] = None
    return tuple(found)


def light_terms(text: str) -> tuple[str, ...]:
    """Like `terms` without a dictionary: pairs of Chinese characters, English stems. For choosing sentences."""
    found: dict[str, None] = {}
    for run in _WORD.findall(normalise(text)):
        if "\u3400" <= run[0] <= "\u9fff":
            for part in filter(None, _STOP_CJK.split(run)):
                found.update((part[at : at + 2], None) for at in range(max(1, len(part) - 1)))
        elif run not in STOP_WORDS:
            found[stem(run)] = None
    return tuple(found)


def idf(total: int, holding: int) -> float:
    """Weight of a term that `holding` of `total` passages contain (BM25's form, never negative)."""
    return math.log(1 + (total - holding + 0.5) / (holding + 0.5))


Vector = dict[str, float]


@lru_cache(maxsize=8192)
def grams(text: str) -> Vector:
    """Unit vector of character n-grams: pairs in Chinese runs, triples in padded English words; stop words left out.

    It stands where an encoder's vector will stand: it knows spelling, not meaning.
    """
    counts: Counter[str] = Counter()
    for run in _WORD.findall(normalise(text)):
        if "\u3400" <= run[0] <= "\u9fff":
            for part in filter(None, _STOP_CJK.split(run)):
                counts.update(part[at : at + 2] for at in range(max(1, len(part) - 1)))
        elif run not in STOP_WORDS:
            padded = f"^{run}$"
            counts.update(padded[at : at + 3] for at in range(max(1, len(padded) - 2)))
    norm = math.sqrt(sum((1 + math.log(count)) ** 2 for count in counts.values()))
    return {gram: (1 + math.log(count)) / norm for gram, count in counts.items()}


def cosine(one: Vector, other: Vector) -> float:
    """Cosine of two unit vectors."""
    if len(one) > len(other):
        one, other = other, one
    return sum(one[gram] * other[gram] for gram in one.keys() & other.keys())
