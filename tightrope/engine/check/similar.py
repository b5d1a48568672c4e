"""Flows that a router cannot tell apart: the same, or nearly the same, description or name.

The measure needs no model. A description becomes its set of words (English ones without endings and without words that say nothing, Chinese
ones as pairs of characters); a word weighs more the fewer flows of the project use it. Likeness is the weight of the words that two
descriptions share over the weight of all their words. Order, case, punctuation, endings and filling words do not
count; one word of substance that differs does. The line was drawn on 125 flows of twelve public projects and our own: the most alike pair
that is meant to differ ("show your contact list", "add a contact to your contact list") reaches 0.41, and the line is at 0.75.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from tightrope.engine.check.view import View
from tightrope.engine.models import Flow
from tightrope.engine.templates import Condition

ALIKE = 0.75
"""From here on two descriptions are told of."""

_WORD = re.compile(r"[a-z0-9]+|[^\W\d_a-z]+")
_SHORTENED = re.compile(r"['’](?:s|re|ve|ll|d|m)\b")
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
_FILLING = frozenset(
    re.findall(
        r"\w+",
        "a an the and or of to in at for with by this that these those is are be been was were it its their his her your my our"
        " you we i he she they them user users customer customers client clients if then want wants"
        " wanted would like need needs can could may should will do does did flow start starts started use used using help helps"
        " please some any about as also only just so there here have has had",
    )
)


def words(text: str) -> frozenset[str]:
    """The words of a text that tell what it is about."""
    plain = _SHORTENED.sub("", unicodedata.normalize("NFKC", text).casefold())
    found: set[str] = set()
    for part in _CJK.findall(plain):
        found.update(part[i : i + 2] for i in range(len(part) - 1)) if len(part) > 1 else found.add(part)
    for word in _WORD.findall(_CJK.sub(" ", plain)):
        if word not in _FILLING:
            found.add(_stem(word))
    return frozenset(found)


def _stem(word: str) -> str:
    for ending, least in (("ing", 5), ("ied", 4), ("ies", 4), ("ed", 4), ("es", 4), ("s", 3), ("e", 3)):
        if word.endswith(ending) and len(word) > least and not word.endswith("ss"):
            return word[: -len(ending)] + ("y" if ending in {"ied", "ies"} else "")
    return word


def _same(text: str) -> str:
    """A text without what does not count: case, width, punctuation, blanks."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def likeness(one: frozenset[str], other: frozenset[str], weight: Mapping[str, float]) -> float:
    """From 0 to 1: the weight of the shared words over the weight of all words."""
    both = sum(weight.get(w, 1.0) for w in one | other)
    return sum(weight.get(w, 1.0) for w in one & other) / both if both else 0.0


def weights(texts: list[frozenset[str]]) -> dict[str, float]:
    """How much each word tells: little when many flows use it."""
    count = Counter(word for text in texts for word in text)
    return {word: math.log(1 + len(texts) / times) for word, times in count.items()}


def check_similar(view: View) -> None:
    """Pairs of flows that are on offer together and read alike."""
    offered = [f for f in view.project.flows.values() if not f.is_pattern and f.guard is not False]
    same: dict[str, list[Flow]] = defaultdict(list)
    for flow in offered:
        text = _same(flow.description)
        for other in same[text]:
            if _together(view, flow, other):
                message = f"the flows {other.id} and {flow.id} have the same description: understanding cannot tell them apart"
                view.told.error(view.at(flow, "description"), message, "say in each what the other is not for", "same-flows")
                break
        same[text].append(flow)
    for first, second, alike in pairs({flow.id: words(flow.description) for flow in offered}):
        one, other = view.project.flows[first], view.project.flows[second]
        if _same(one.description) != _same(other.description) and _together(view, one, other):
            message = (
                f"the descriptions of {first} and {second} read alike ({alike:.0%}): understanding will take one for the other"
            )
            view.told.warn(view.at(other, "description"), message, "say in each what the other is not for", "same-flows")
    _names(view, offered)


def pairs(read: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, str, float]]:
    """Pairs of flows that are at least ALIKE, in the order of the files.

    Only pairs that share one of their rare words are compared: a text whose words beyond the first few weigh less than ALIKE of it cannot
    be that alike to one with which it shares none of those (the prefix filter of similarity joins).
    """
    weight = weights(list(read.values()))
    by_word: dict[str, list[str]] = defaultdict(list)
    for flow, text in read.items():
        rare = _rare(text, weight)
        near = dict.fromkeys(other for word in rare for other in by_word[word])
        for other in near:
            alike = likeness(text, read[other], weight)
            if alike >= ALIKE:
                yield other, flow, alike
        for word in rare:
            by_word[word].append(flow)


def _rare(text: frozenset[str], weight: Mapping[str, float]) -> list[str]:
    """The heaviest words of a text, as many as weigh a little more than what may differ."""
    order = sorted(text, key=lambda word: (-weight[word], word))
    left = (1 - ALIKE) * sum(weight[word] for word in order)
    for number, word in enumerate(order):
        left -= weight[word]
        if left < 0:
            return order[: number + 1]
    return order


def _names(view: View, offered: list[Flow]) -> None:
    """Flows with the same name: a customer who is asked which one is meant reads the same words twice."""
    seen: dict[tuple[str, str], Flow] = {}
    for flow in offered:
        names = {view.project.language: flow.name, **flow.translated_names}
        for code, name in names.items():
            other = seen.setdefault((code, _same(name)), flow)
            if other is not flow and _together(view, flow, other):
                message = f"the flows {other.id} and {flow.id} are both called {name!r}: nobody can choose between them"
                view.told.warn(view.at(flow, "name"), message, "give one another name", "same-flows")
                break


def _together(view: View, one: Flow, other: Flow) -> bool:
    """Whether both may be on offer at once; guards that exclude each other part them."""
    guards = [(flow.guard, True) for flow in (one, other) if isinstance(flow.guard, Condition)]
    return view.worlds.possible(guards)
