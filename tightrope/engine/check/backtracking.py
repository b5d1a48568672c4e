"""Whether a regular expression can backtrack without end: on a text that does not fit, the time doubles with every further letter.

That is so if some text can be read in two ways on a way round a loop, and something behind the loop can fail. The expression becomes an automaton whose
positions are its letters; two ways between two letters, or two letters that fit the same text while both come round again, are the sign
(A. Weideman et al., "Analyzing Matching Time Behavior of Backtracking Regular Expression Matchers", 2016: exponential degree of ambiguity).
Counted repetitions are written out up to LONGEST_COUNT; one that holds an unbounded one counts as unbounded from MANY on, since `(.*a){15}` is no better
than `(.*a)*`. Possessive and atomic groups, which are never entered again, are looked at by themselves. Patterns that are only slow (`.*.*x`) are
not told, and neither are such as are too large to judge.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from re import _parser  # type: ignore[attr-defined]
from typing import Any

LONGEST_COUNT, MANY, MOST_POSITIONS, MOST_WORK = 12, 4, 400, 300_000
_USUAL = "aZ_09 \n\t-.@é中٣\u3000\U0010ffff"
"""Letters that the usual classes tell apart."""
_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "DIGIT": str.isdecimal,
    "SPACE": str.isspace,
    "WORD": lambda letter: letter.isalnum() or letter == "_",
}


class _TooLarge(Exception):
    """More than can be judged in reasonable time."""


@dataclass(slots=True)
class _Automaton:
    """States joined by empty edges (`sure`: nothing is asked on the way) and by letters."""

    letters: str
    empty: list[list[tuple[int, bool]]] = field(default_factory=list)
    reads: dict[int, tuple[frozenset[str], int]] = field(default_factory=dict)
    apart: list[Sequence[Any]] = field(default_factory=list)
    rounds: set[int] = field(default_factory=set)
    """States in which a round of a loop ends."""
    flags: int = 0

    def state(self) -> int:
        self.empty.append([])
        return len(self.empty) - 1

    def join(self, start: int, end: int, *, sure: bool = True) -> None:
        self.empty[start].append((end, sure))

    def read(self, start: int, letters: frozenset[str]) -> int:
        if len(self.reads) >= MOST_POSITIONS:
            raise _TooLarge
        end = self.state()
        # A state of its own in front: no state both reads and goes on empty.
        at = self.state()
        self.join(start, at)
        self.reads[at] = (letters, end)
        return end

    def sequence(self, items: Iterable[tuple[Any, Any]], start: int) -> int:
        for operator, argument in items:
            start = self.item(str(operator), operator, argument, start)
        return start

    def item(self, name: str, operator: Any, argument: Any, start: int) -> int:
        """The end state of one item that begins at `start`."""
        if name == "SUBPATTERN":
            before, self.flags = self.flags, (self.flags | argument[1]) & ~argument[2]
            end = self.sequence(argument[3], start)
            self.flags = before
            return end
        if name == "BRANCH":
            return self.branches(argument[1], start)
        if name == "GROUPREF_EXISTS":
            return self.branches([argument[1], argument[2] or []], start)
        if name in {"MAX_REPEAT", "MIN_REPEAT"}:
            return self.repeat(argument, start)
        if name in {"POSSESSIVE_REPEAT", "ATOMIC_GROUP"}:
            return self.closed(name, argument, start)
        end = self.state()
        if name in {"ASSERT", "ASSERT_NOT"}:
            self.apart.append(argument[1])
            self.join(start, end, sure=False)
            return end
        if name in {"AT", "FAILURE"}:
            self.join(start, end, sure=False)
            return end
        return self.read(start, self.fitting(operator, argument))

    def branches(self, branches: Iterable[Iterable[tuple[Any, Any]]], start: int) -> int:
        end = self.state()
        for branch in branches:
            first = self.state()
            self.join(start, first)
            self.join(self.sequence(branch, first), end)
        return end

    def repeat(self, argument: tuple[int, Any, Sequence[Any]], start: int) -> int:
        low, high, body = argument
        endless = high == _parser.MAXREPEAT or (high >= MANY and "MAXREPEAT" in repr(body))
        for _ in range(min(low, LONGEST_COUNT)):
            start = self.sequence(body, start)
        end = self.state()
        if high == low and not endless:
            self.join(start, end)
        elif endless or high > LONGEST_COUNT:
            # Where a round ends is another state than where the loop begins: a round that read nothing is not followed by another.
            again = self.state()
            self.rounds.add(again)
            inner = self.state()
            self.join(start, inner)
            self.join(again, inner)
            self.join(self.sequence(body, inner), again)
            self.join(start, end)
            self.join(again, end)
        else:
            for _ in range(high - low):
                self.join(start, end)
                start = self.sequence(body, start)
            self.join(start, end)
        return end

    def closed(self, name: str, argument: Any, start: int) -> int:
        """What is never entered again is like one letter for what stands around it."""
        body = argument if name == "ATOMIC_GROUP" else [(_parser.MAX_REPEAT, argument)]
        self.apart.append(body)
        end = self.state()
        inside = _Automaton(self.letters, flags=self.flags)
        inside.sequence(body, inside.state())
        self.join(self.read(start, frozenset().union(*(found for found, _ in inside.reads.values()))), end)
        if argument[0] == 0 and name != "ATOMIC_GROUP":
            self.join(start, end)
        return end

    def fitting(self, operator: Any, argument: Any) -> frozenset[str]:
        fits = _letter(str(operator), argument)
        if self.flags & re.IGNORECASE:
            return frozenset(one for one in self.letters if any(fits(case) for case in (one, one.lower(), one.upper())))
        return frozenset(filter(fits, self.letters))


def _letter(name: str, argument: Any) -> Callable[[str], bool]:
    """Whether an item that reads one letter takes it; a reference to a group may take any."""
    if name == "LITERAL":
        return lambda one: one == chr(argument)
    if name == "NOT_LITERAL":
        return lambda one: one != chr(argument)
    if name == "RANGE":
        return lambda one: argument[0] <= ord(one) <= argument[1]
    if name == "CATEGORY":
        kind = str(argument).removeprefix("CATEGORY_").removeprefix("UNI_")
        found = _CATEGORIES[kind.removeprefix("NOT_")]
        return (lambda one: not found(one)) if kind.startswith("NOT_") else found
    if name == "IN":
        inner = [_letter(str(operator), value) for operator, value in argument if str(operator) != "NEGATE"]
        wanted = str(argument[0][0]) != "NEGATE"
        return lambda one: any(fits(one) for fits in inner) is wanted
    return lambda _one: True


@lru_cache(maxsize=1024)
def endless(pattern: str) -> bool:
    """Whether the pattern can backtrack without end; false for one that cannot be read, or is too large to judge."""
    try:
        with warnings.catch_warnings():
            # What Python may read in another way one day is told where the condition is compiled.
            warnings.simplefilter("ignore")
            parsed = _parser.parse(pattern)
        letters = "".join(
            sorted({*_USUAL, *(chr(max(0, ord(one) + by)) for one in pattern for by in (-1, 0, 1) if ord(one) < 0x10FFFF)})
        )
        return _ambiguous(parsed, letters, parsed.state.flags)
    except (re.error, OverflowError, RecursionError, KeyError, _TooLarge):
        return False


def _ambiguous(items: Any, letters: str, flags: int) -> bool:
    made = _Automaton(letters, flags=flags)
    end = made.sequence(items, made.state())
    ways, free = _ways(made, end)
    for loop in _loops(ways):
        # Where the loop is left without anything being asked, the match ends there: nothing fails, so nothing is tried again.
        if not loop <= free and (_two_ways(ways, loop) or _two_readings(made, ways, loop)):
            return True
    return any(_ambiguous(inner, letters, flags) for inner in made.apart)


Ways = dict[int, dict[int, int]]


def _ways(made: _Automaton, end: int) -> tuple[Ways, set[int]]:
    """From each letter to the next ones, on how many ways (2 stands for more); and the letters behind which all may surely end."""
    ways: Ways = {}
    free: set[int] = set()
    work = 0
    for letter, (_, target) in made.reads.items():
        found: dict[int, int] = {}
        # Each entry is a way: where it is, whether nothing was asked so far, and the rounds that it has ended; none ends twice without a letter.
        waiting: list[tuple[int, bool, frozenset[int]]] = [(target, True, frozenset())]
        while waiting:
            work += 1
            if work > MOST_WORK:
                raise _TooLarge
            at, sure, passed = waiting.pop()
            if at in made.reads:
                found[at] = min(2, found.get(at, 0) + 1)
            elif at == end and sure:
                free.add(letter)
            ended = passed | {at} if at in made.rounds else passed
            waiting += [(to, sure and certain, ended) for to, certain in made.empty[at] if to not in passed]
        ways[letter] = found
    return ways, free


def _reached(start: Iterable[Any], following: Callable[[Any], Iterable[Any]]) -> set[Any]:
    seen: set[Any] = set()
    waiting = list(start)
    while waiting:
        for to in following(waiting.pop()):
            if to not in seen:
                if len(seen) > MOST_WORK:
                    raise _TooLarge
                seen.add(to)
                waiting.append(to)
    return seen


def _loops(ways: Ways) -> list[set[int]]:
    """Letters that come round to each other."""
    reached = {letter: _reached([letter], lambda at: ways[at]) for letter in ways}
    loops: list[set[int]] = []
    for letter, found in reached.items():
        if letter in found and not any(letter in loop for loop in loops):
            loops.append({other for other in found if letter in reached[other]})
    return loops


def _two_ways(ways: Ways, loop: set[int]) -> bool:
    return any(count > 1 for letter in loop for to, count in ways[letter].items() if to in loop)


def _two_readings(made: _Automaton, ways: Ways, loop: set[int]) -> bool:
    """Whether two different letters of the loop can be reached by one text from one letter, and come together again."""
    work = 0
    back: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def following(pair: tuple[int, int]) -> Iterable[tuple[int, int]]:
        nonlocal work
        for one in ways[pair[0]].keys() & loop:
            for other in ways[pair[1]].keys() & loop:
                work += 1
                if work > MOST_WORK:
                    raise _TooLarge
                if made.reads[one][0] & made.reads[other][0]:
                    back.setdefault((one, other), []).append(pair)
                    yield one, other

    same = [(letter, letter) for letter in loop]
    parted = {pair for pair in _reached(same, following) if pair[0] != pair[1]}
    return bool(parted & _reached(same, lambda pair: back.get(pair, ())))
