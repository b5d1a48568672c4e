"""Text as the recognisers read it and as the model gets it: one form for all disguises, so that what was inspected is what is sent."""

from __future__ import annotations

import unicodedata
from typing import Final

MAX_TEXT: Final = 8000
"""Characters of a text that are read; what lies beyond is not sent."""
_BLANK: Final = frozenset({"Cc", "Zs", "Zl", "Zp"})
_DROPPED: Final = frozenset({"Cf", "Mn", "Me", "Co", "Cn", "Cs"})
_HYPHENS: Final = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc"), "-")


def fold(text: str) -> str:
    """Full width, circled and other styled characters as plain ones; no zero-width, combining or control characters; one space for any blank.

    Takes at most MAX_TEXT characters. Accents that are part of a letter stay.
    """
    out: list[str] = []
    for character in unicodedata.normalize("NFC", text[:MAX_TEXT]):
        for one in unicodedata.normalize("NFKC", character).translate(_HYPHENS):
            category = unicodedata.category(one)
            if category in _DROPPED:
                continue
            out.append("\n" if one == "\n" else " " if category in _BLANK else one)
    return "".join(out)[:MAX_TEXT]
