"""Text that wraps where Chinese may break, too: between any two characters but not before a closing sign.

rich wraps at spaces alone, so that a Chinese sentence leaves its bullet alone on a line and begins on the next.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_CLOSING = "，。；：！？、）》”’』」】,.;:!?)%％…"
_OPENING = "（《“‘『「【("
_WIDE = 0x2E80
"""First code point of the East Asian blocks."""


class Wrapped:
    """A text with an indent, the same on every line.

    Args:
        hang: further cells of indent from the second line on.
    """

    def __init__(self, text: Text | str, indent: int = 0, *, hang: int = 0) -> None:
        self._text = Text.from_markup(text) if isinstance(text, str) else text
        self._indent, self._hang = indent, hang

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - self._indent - self._hang, 10)
        lines = self._text.divide(breaks(self._text.plain, width))
        for number, line in enumerate(lines):
            line.rstrip()
            yield Text.assemble(" " * (self._indent + (self._hang if number else 0)), line, no_wrap=True, overflow="ignore")


def breaks(text: str, width: int) -> list[int]:
    """Where lines of at most `width` cells begin, without the first; a word longer than a line is cut."""
    found: list[int] = []
    start, used, last = 0, 0, 0
    for at, character in enumerate(text):
        if at > start and _may_break(text, at):
            last = at
        size = cell_len(character)
        if used + size > width and not character.isspace():
            cut = last if last > start else at
            found.append(cut)
            start, last = cut, cut
            used = cell_len(text[cut:at])
        used += size
    return found


def _may_break(text: str, at: int) -> bool:
    before, after = text[at - 1], text[at]
    if after.isspace() or after in _CLOSING or before in _OPENING:
        return False
    return before.isspace() or ord(before) >= _WIDE or ord(after) >= _WIDE
