"""Long lists in a chat: five at a time, and what was chosen is what was shown.

Between a list and the answer to it the firm's data may change, and slots hold no ids. So a list leaves a mark behind: a short digest of the ids that were
listed, in two slots of a closed list each, so that one changed list in 4,096 keeps its mark. When the mark no longer fits, the list has changed and is
shown anew rather than another entry explained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from actions.turn import Turn

T = TypeVar("T")

PAGE_SIZE: Final = 5
PAGES: Final = tuple(str(number) for number in range(1, 10))
"""Values of the slot `list_page`: what is beyond the last page stands in the app."""
MARKS: Final = tuple(f"m{number:02x}" for number in range(64))
"""Values of each of MARK_SLOTS."""
MARK_SLOTS: Final = ("list_mark", "list_mark_end")
PLACES: Final = ("first", "second", "third", "fourth", "fifth")
"""Answers that choose an entry of a page."""
MORE: Final = "more"
NOTHING: Final = "nothing"
PAGE_SLOTS: Final = {"list_page": frozenset(PAGES), **dict.fromkeys(MARK_SLOTS, frozenset(MARKS))}
PAGE_READS: Final = frozenset(PAGE_SLOTS)

Mark = tuple[str, str]


def mark_of(ids: Iterable[str]) -> Mark:
    """The mark of a list with these ids in this order."""
    digest = hashlib.sha256("\n".join(ids).encode()).digest()
    return MARKS[digest[0] % len(MARKS)], MARKS[digest[1] % len(MARKS)]


def mark_left(turn: Turn) -> tuple[str | None, str | None]:
    """What `leave_mark` left last."""
    start, end = MARK_SLOTS
    return turn.read(start), turn.read(end)


def leave_mark(turn: Turn, mark: Mark | None) -> None:
    """Keep the mark of the list that is shown now; None: none is."""
    for slot, value in zip(MARK_SLOTS, mark or (None, None), strict=True):
        turn.set(slot, value)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, as it is shown."""

    items: tuple[T, ...]
    number: int
    """From 1."""
    total: int
    """Entries of the whole list."""
    mark: Mark

    @property
    def first(self) -> int:
        """Place of its first entry in the whole list, from 1."""
        return (self.number - 1) * PAGE_SIZE + 1

    @property
    def last(self) -> int:
        """Place of its last entry."""
        return self.first + len(self.items) - 1

    def places(self, language: str) -> str:
        """`1–5`, `1 to 5`, or `6` when the page has one entry."""
        if len(self.items) == 1:
            return str(self.first)
        return f"{self.first} to {self.last}" if language == "en" else f"{self.first}–{self.last}"

    @property
    def more(self) -> bool:
        """Whether another page can be shown after it."""
        return self.last < self.total and self.number < len(PAGES)

    def at(self, place: str) -> T | None:
        """The entry at one of PLACES; None if the page is shorter."""
        index = PLACES.index(place)
        return self.items[index] if index < len(self.items) else None


def page_of(items: Sequence[T], slot: str | None, key: Callable[[T], str]) -> Page[T]:
    """The page that the slot `list_page` names; the first when it names none, the last when the list has become shorter.

    Args:
        key: the id by which an entry is known again.
    """
    pages = max(1, -(-len(items) // PAGE_SIZE))
    number = min(int(slot or "1"), pages)
    start = (number - 1) * PAGE_SIZE
    return Page(tuple(items[start : start + PAGE_SIZE]), number, len(items), mark_of(key(item) for item in items))


def distinct(items: Iterable[T], key: Callable[[T], str]) -> bool:
    """Whether no entry stands twice: a list in which one does is not to be relied on."""
    keys = [key(item) for item in items]
    return len(set(keys)) == len(keys)
