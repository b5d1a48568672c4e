"""Red line 3 as a type: `Masked` is customer text that a model may see, and `mask` is the only thing that makes one.

    >>> mask("我叫王小明，手机１３８-0013-8000").text
    '我叫[NAME],手机[PHONE]'

What the recognisers read is what is sent: the text in its folded form (tightrope/generation/folding.py), with what they found replaced by
its kind in brackets. They err on the side of masking; what they cannot know (a name without any word that says so) is listed in docs/models.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NoReturn, final

from tightrope.generation import figures, names, words
from tightrope.generation.folding import MAX_TEXT, fold
from tightrope.generation.spans import Kind, Span, united

_RECOGNISERS: Final[tuple[Callable[[str], Iterator[Span]], ...]] = (
    words.email,
    words.secrets,
    words.identifiers,
    figures.long_runs,
    figures.exact_amounts,
    names.names,
    words.addresses,
)
_SEAL: Final = object()


@final
class Masked:
    """Customer text without what says who somebody is or what he has. Made by `mask` alone; cannot be changed, copied with changes or unpickled.

    Attributes:
        text: what a model may see.
        kinds: what was masked, in order, repeated as often as it was found.
        cut: the text was longer than MAX_TEXT and its end was left out.
    """

    __slots__ = ("cut", "kinds", "text")
    text: str
    kinds: tuple[Kind, ...]
    cut: bool

    def __init__(self, seal: object, text: str, kinds: tuple[Kind, ...], *, cut: bool) -> None:
        if seal is not _SEAL:
            raise TypeError("Masked is made by tightrope.generation.masking.mask alone")
        for name, value in (("text", text), ("kinds", kinds), ("cut", cut)):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Masked cannot be changed: {name}")

    def __reduce__(self) -> NoReturn:
        raise TypeError("Masked is not pickled: mask the text where it is used")

    def __repr__(self) -> str:
        return f"Masked({self.text!r})"


def mask(text: str) -> Masked:
    """The text with identity, card, phone and account numbers, secrets, contacts, exact amounts, names and addresses replaced by their kind.

    Takes a time that grows with the length alone, and at most MAX_TEXT characters.
    """
    folded = fold(text)
    spans = united(span for recogniser in _RECOGNISERS for span in recogniser(folded))
    out: list[str] = []
    at = 0
    for span in spans:
        out += [folded[at : span.start], f"[{span.kind.value}]"]
        at = span.end
    out.append(folded[at:])
    return Masked(_SEAL, "".join(out).strip(), tuple(span.kind for span in spans), cut=len(text) > MAX_TEXT)
