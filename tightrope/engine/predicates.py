"""Conditions of flows, rejections and responses, compiled once to closures.

The language is that of the public pypred library as Rasa documents it (reference/primitives/conditions): `not and or`,
`< <= > >= = == != is, is not, contains, matches`, parentheses, strings, numbers, `true false null undefined empty`, sets `{'a' 'b'}`,
names below `slots.` and `context.`. Keywords in any case. An order comparison with null, or between things that have no order,
is false; equality compares plainly (so `slots.x != 'a'` holds while x is null). Nothing raises at run time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tightrope.engine.errors import PredicateError

Names = Mapping[str, Any]
Term = Callable[[Names, Names], Any]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")
    | (?P<number>[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    | (?P<operator><=|>=|==|!=|<|>|=)
    | (?P<mark>[(){},])
    | (?P<name>[^\s'"(){},<>=!]+)
    )""",
    re.VERBOSE,
)
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None, "undefined": None, "none": None}
_WORDS = {"and", "or", "not", "is", "contains", "matches", "empty"} | set(_CONSTANTS)


@dataclass(frozen=True, slots=True)
class Predicate:
    """A compiled condition: `holds(slots, context)`."""

    text: str
    term: Term
    names: frozenset[str]

    def holds(self, slots: Names, context: Names) -> bool:
        """Whether it is true for these slots and this frame."""
        return bool(self.term(slots, context))


class _Empty:
    """The literal `empty`: equal to null and to what has no content."""

    def __eq__(self, other: object) -> bool:
        return other is None or (isinstance(other, str | list | dict | frozenset) and not other)

    def __hash__(self) -> int:
        return 0


EMPTY = _Empty()


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) is not isinstance(right, bool) and not isinstance(left, _Empty) and not isinstance(right, _Empty):
        return False
    return bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def check(left: Any, right: Any) -> bool:
        if left is None or right is None or isinstance(left, bool) or isinstance(right, bool):
            return False
        try:
            return bool(compare(left, right))
        except TypeError:
            return False

    return check


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str):
        return isinstance(right, str) and right in left
    if isinstance(left, list | tuple | frozenset | set | dict):
        try:
            return right in left
        except TypeError:
            return False
    return False


def _matches(left: Any, right: Any) -> bool:
    if not isinstance(left, str) or not isinstance(right, str):
        return False
    try:
        return re.search(right, left) is not None
    except re.error:
        return False


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": _equal,
    "==": _equal,
    "is": _equal,
    "!=": lambda a, b: not _equal(a, b),
    "is not": lambda a, b: not _equal(a, b),
    "<": _ordered(lambda a, b: a < b),
    "<=": _ordered(lambda a, b: a <= b),
    ">": _ordered(lambda a, b: a > b),
    ">=": _ordered(lambda a, b: a >= b),
    "contains": _contains,
    "matches": _matches,
}


def _name(path: str) -> Term:
    head, _, rest = path.partition(".")
    if head == "slots" and rest and "." not in rest:
        return lambda slots, _context: slots.get(rest)
    keys = rest.split(".") if head in {"slots", "context"} and rest else path.split(".")
    of_context = head == "context"

    def look(slots: Names, context: Names) -> Any:
        value: Any = context if of_context else slots
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    return look


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        end = len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None or found.end() == at:
                raise PredicateError(f"cannot read {text[at:]!r} at column {at + 1} of the condition {text!r}")
            kind = str(found.lastgroup)
            self.tokens.append((kind, found.group(kind), at))
            at = found.end()
        self.at = 0

    def peek(self) -> tuple[str, str]:
        if self.at < len(self.tokens):
            kind, word, _ = self.tokens[self.at]
            if kind == "name" and word.lower() in _WORDS:
                return "word", word.lower()
            return kind, word
        return "end", ""

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def wrong(self, wanted: str) -> PredicateError:
        kind, word = self.peek()
        found = "its end" if kind == "end" else repr(word)
        return PredicateError(f"expected {wanted} but found {found} in the condition {self.text!r}")

    def any_of(self) -> Term:
        left = self.all_of()
        while self.peek() == ("word", "or"):
            self.take()
            left = _either(left, self.all_of())
        return left

    def all_of(self) -> Term:
        left = self.negation()
        while self.peek() == ("word", "and"):
            self.take()
            left = _both(left, self.negation())
        return left

    def negation(self) -> Term:
        if self.peek() == ("word", "not"):
            self.take()
            inner = self.negation()
            return lambda slots, context: not inner(slots, context)
        return self.comparison()

    def comparison(self) -> Term:
        left = self.value()
        kind, word = self.peek()
        if kind == "operator" or (kind == "word" and word in {"is", "contains", "matches"}):
            self.take()
            if word == "is" and self.peek() == ("word", "not"):
                self.take()
                word = "is not"
            right = self.value()
            check = _COMPARE[word]
            if word == "matches":
                self.check_pattern(right)
            return lambda slots, context: check(left(slots, context), right(slots, context))
        return left

    def check_pattern(self, right: Term) -> None:
        try:
            pattern = right({}, {})
            if isinstance(pattern, str):
                re.compile(pattern)
        except re.error as error:
            raise PredicateError(f"the pattern of `matches` in {self.text!r} is no regular expression: {error}") from None

    def value(self) -> Term:
        kind, word = self.peek()
        if kind == "mark" and word == "(":
            self.take()
            inner = self.any_of()
            if self.take() != ("mark", ")"):
                self.at -= 1
                raise self.wrong("')'")
            return inner
        if kind == "mark" and word == "{":
            self.take()
            return _constant(self.members())
        if kind == "name":
            self.take()
            self.names.add(word)
            return _name(word)
        return _constant(self.literal())

    def literal(self) -> Any:
        kind, word = self.peek()
        if kind == "string":
            self.take()
            return re.sub(r"\\([\\'\"])", r"\1", word[1:-1])
        if kind == "number":
            self.take()
            return float(word) if any(c in word for c in ".eE") else int(word)
        if kind == "word" and word in _CONSTANTS:
            self.take()
            return _CONSTANTS[word]
        if kind == "word" and word == "empty":
            self.take()
            return EMPTY
        raise self.wrong("a value")

    def members(self) -> frozenset[Any]:
        found: list[Any] = []
        while self.peek() != ("mark", "}"):
            if self.peek() == ("mark", ","):
                self.take()
            elif self.peek()[0] == "name":
                found.append(self.take()[1])
            else:
                found.append(self.literal())
        self.take()
        return frozenset(found)


def _constant(value: Any) -> Term:
    return lambda _slots, _context: value


def _either(left: Term, right: Term) -> Term:
    return lambda slots, context: bool(left(slots, context)) or bool(right(slots, context))


def _both(left: Term, right: Term) -> Term:
    return lambda slots, context: bool(left(slots, context)) and bool(right(slots, context))


@lru_cache(maxsize=8192)
def compile_predicate(text: str) -> Predicate:
    """The compiled form of a condition.

    Raises:
        PredicateError: it cannot be read.
    """
    parser = _Parser(text)
    term = parser.any_of()
    if parser.peek()[0] != "end":
        raise parser.wrong("an operator or the end")
    return Predicate(text, term, frozenset(parser.names))
