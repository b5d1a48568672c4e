"""How a long section is cut (reference, B1): between paragraphs, never inside a list of conditions, a step list or a table row. Pure.

A table that is too long is cut between rows, and every piece repeats the line before the table (its unit) and its header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_TOKENS = 480
"""Reference B1 asks for 300 to 512 tokens a passage; the encoder reads 512, and the line of context needs its share."""

_WORD = re.compile(r"[A-Za-z]+|\d+|\S")
_ITEM = re.compile(r"^(?:[-*•]|\d{1,2}[.)、])\s+")
_RULE = re.compile(r"^\|[\s:|-]+\|$")


def count_tokens(text: str) -> int:
    """Tokens that an encoder of many languages makes of a text, estimated from above.

    A Chinese character or a sign counts one, a word one for each four letters begun, a number one for each two digits begun.
    """
    total = 0
    for word in _WORD.findall(text):
        if word[0].isdigit():
            total += (len(word) + 1) // 2
        elif word.isascii() and word[0].isalpha():
            total += (len(word) + 3) // 4
        else:
            total += 1
    return total


def pieces(body: str, limit: int = MAX_TOKENS) -> list[str]:
    """The passages of one section: the whole body if it is short enough, else groups of its blocks.

    A block that is too long by itself stays whole (`tightrope kb check` names it), unless it is a table.
    """
    if count_tokens(body) <= limit:
        return [body]
    made: list[str] = []
    for block in blocks(body.split("\n")):
        for part in _rows(block, limit) if _is_table(block) else ["\n".join(block)]:
            joined = f"{made[-1]}\n{part}" if made else part
            if made and not _is_table(block) and count_tokens(joined) <= limit:
                made[-1] = joined
            else:
                made.append(part)
    return made


def blocks(lines: Iterable[str]) -> list[list[str]]:
    """Lines that belong together: a list with the line that leads into it, a table with its unit line, or a single paragraph."""
    found: list[list[str]] = []
    for line in (line.rstrip() for line in lines):
        if not line.strip():
            continue
        item, row = bool(_ITEM.match(line)), line.startswith("|")
        leads = found and (found[-1][-1].endswith((":", "：")) or (row and _unit(found[-1][-1])))
        goes_on = found and ((item and _ITEM.match(found[-1][-1])) or (row and found[-1][-1].startswith("|")))
        if (item or row) and (leads or goes_on):
            found[-1].append(line)
        else:
            found.append([line])
    return found


def _unit(line: str) -> bool:
    return bool(re.match(r"(?:单位|Unit|Units|In )", line.strip()))


def _is_table(block: list[str]) -> bool:
    return any(_RULE.match(line) for line in block)


def _rows(block: list[str], limit: int) -> list[str]:
    rule = next(at for at, line in enumerate(block) if _RULE.match(line))
    head, rows = block[: rule + 1], block[rule + 1 :]
    made: list[list[str]] = []
    for row in rows:
        if made and count_tokens("\n".join([*made[-1], row])) <= limit:
            made[-1].append(row)
        else:
            made.append([*head, row])
    return ["\n".join(lines) for lines in made] or ["\n".join(head)]
