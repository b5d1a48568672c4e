"""RAGFlow's `naive` method on plain text: lines merged up to a number of tokens. Pure.

Publishing does not use it: our passages are cut by `knowledge/passages.py` and added one by one, the same on RAGFlow and here.
"""

from __future__ import annotations

import re

TOKENS = 512
"""RAGFlow's default `chunk_token_num`."""
_TOKEN = re.compile(r"[A-Za-z0-9]+|[^\sA-Za-z0-9]")


def tokens(text: str) -> int:
    """About what a tokenizer counts: a word, a Chinese character, a sign."""
    return len(_TOKEN.findall(text))


def naive(text: str, most: int = TOKENS) -> list[str]:
    """Chunks of whole lines, each of at most `most` tokens unless one line alone is longer; the same chunk twice is one."""
    chunks: dict[str, None] = {}
    kept: list[str] = []
    size = 0
    for line in filter(None, (line.strip() for line in text.splitlines())):
        length = tokens(line)
        if kept and size + length > most:
            chunks["\n".join(kept)] = None
            kept, size = [], 0
        kept.append(line)
        size += length
    if kept:
        chunks["\n".join(kept)] = None
    return list(chunks)
