"""What of a passage is quoted together: a list is quoted whole, and a sentence with the one that limits it. Pure.

A model that picks sentences by number can pick one condition of three, or a rule without its exception: true, and misleading. So what it
picks is widened to units before anybody sees it.
"""

from __future__ import annotations

import re
from typing import Final

from tightrope.knowledge.passages import split_sentences

_ITEM: Final = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)、]|[（(][一二三四五六七八九十\d]{1,2}[）)])\s*\S")
_OPENS: Final = re.compile(r"[:：;；]\s*$")
_LEANS: Final = re.compile(
    r"(?:但|但是|不过|然而|除|其中|同时|此外|另外|否则|上述|前述|前款|该|此|这|其他|如果不|以上|并且|而且|例外|对此|因此|所以|届时|反之|不符合|未满足"
    r"|(?:however|but|except|unless|otherwise|this|that|these|those|such|it|they|he|she|in that case|in this case|the above|the same|also"
    r"|in addition|instead|still|even then|therefore|exceptions?|both|neither|then|only then)\b)",
    re.IGNORECASE,
)
"""How a sentence begins that says nothing certain, or something else, without the one before it."""


def units(text: str) -> tuple[frozenset[int], ...]:
    """For each sentence of a passage, in the order of `split_sentences`, the places (from 0) of all that are quoted with it."""
    sentences: list[str] = []
    joined: list[bool] = []  # whether a sentence is quoted with the one before it
    in_list = False
    for line in text.split("\n"):
        found = split_sentences(line)
        if not found:
            continue
        item = bool(_ITEM.match(line))
        for at, sentence in enumerate(found):
            before = sentences[-1] if sentences else ""
            with_list = item and (in_list or at > 0 or bool(_OPENS.search(before)))
            joined.append(bool(sentences) and (with_list or bool(_OPENS.search(before)) or bool(_LEANS.match(sentence))))
            sentences.append(sentence)
            in_list = item
    first, groups = 0, []
    for at in range(1, len(sentences) + 1):
        if at == len(sentences) or not joined[at]:
            groups += [frozenset(range(first, at))] * (at - first)
            first = at
    return tuple(groups)
