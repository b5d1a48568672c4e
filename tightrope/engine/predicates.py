"""Conditions of flows, rejections and responses, compiled once to closures.

The language is that of the public pypred library as Rasa documents it (reference/primitives/conditions), with pypred's own semantics:
`not and or`, `< <= > >= = == != is, is not, contains, matches`, parentheses, quoted strings, numbers, `true false null undefined empty`,
sets `{'a' 'b'}`, names below `slots.` and `context.`, keywords in any case, `#` begins a comment. `and` and `or` bind alike and to the
right: `a and b or c` is `a and (b or c)`. What is not there is `undefined`, which is not `null`. Where pypred raises (an order
comparison with null or between things without an order, a look into a value that holds no names, `contains` that cannot be
asked), the comparison is false. Nothing raises at run time. Compared with pypred by tests/unit/engine/test_engine_pypred.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tightrope.engine.errors import PredicateError

Names = Mapping[str, Any]
Term = Callable[[Names, Names], Any]

_TOKEN = re.compile(
    r"""
      (?P<string>'[^']*'|"[^"]*")
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<operator><=|>=|==|!=|<|>|=)
    | (?P<mark>[(){}])
    | (?P<name>[\w\-.:;]+)
    """,
    re.VERBOSE,
)
_SPACE = re.compile(r"(?:\s++|\#[^\n]*+)*+")
_DEEPEST = 50
"""Parentheses within parentheses; a person does not read even ten."""
_WORDS = {"and", "or", "not", "is", "contains", "matches", "true", "false", "null", "undefined", "empty"}


@dataclass(frozen=True, slots=True)
class Predicate:
    """A compiled condition: `holds(slots, context)`.

    Attributes:
        mixed: it has `and` beside `or` without parentheses, which misleads readers.
        patterns: the regular expressions of its `matches`.
    """

    text: str
    term: Term
    names: frozenset[str]
    mixed: bool = False
    patterns: tuple[str, ...] = ()

    def holds(self, slots: Names, context: Names) -> bool:
        """Whether it is true for these slots and this frame."""
        return bool(self.term(slots, context))


class _Undefined:
    """What a name stands for that is not there: false, equal to itself and to `empty` only."""

    def __bool__(self) -> bool:
        return False

    def __contains__(self, _item: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Undefined | _Empty)

    def __ne__(self, other: object) -> bool:
        return not isinstance(other, _Undefined)

    def __hash__(self) -> int:
        return 0


class _Empty:
    """The literal `empty`: false, equal to what has a length of zero and to `undefined`, not to null."""

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Undefined | _Empty) or (hasattr(other, "__len__") and len(other) == 0)

    def __hash__(self) -> int:
        return 0


UNDEFINED = _Undefined()
EMPTY = _Empty()
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None, "undefined": UNDEFINED, "empty": EMPTY}


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def check(left: Any, right: Any) -> bool:
        try:
            return bool(compare(left, right))
        except TypeError:
            return False

    return check


def _contains(left: Any, right: Any) -> bool:
    try:
        return right in left
    except TypeError:
        return False


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": _ordered(lambda a, b: a < b),
    "<=": _ordered(lambda a, b: a <= b),
    ">": _ordered(lambda a, b: a > b),
    ">=": _ordered(lambda a, b: a >= b),
    "contains": _contains,
}
_SAME = {"==": "=", "is": "="}


def _name(path: str) -> Term:
    head, _, rest = path.partition(".")
    if head == "slots" and rest and "." not in rest:
        return lambda slots, _context: slots.get(rest, UNDEFINED)
    if head == "context" and rest and "." not in rest:
        return lambda _slots, context: context.get(rest, UNDEFINED)
    keys = path.split(".")

    def look(slots: Names, context: Names) -> Any:
        value: Any = {"slots": slots, "context": context}
        for key in keys:
            if not isinstance(value, Mapping) or key not in value:
                return UNDEFINED
            value = value[key]
        return value

    return look


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()
        self.mixed = False
        self.patterns: list[str] = []
        self.tokens: list[tuple[str, str]] = []
        at = self.skip(0)
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                raise PredicateError(f"cannot read {text[at:]!r} at column {at + 1} of the condition {text!r}")
            kind = str(token.lastgroup)
            self.tokens.append((kind, token.group(kind)))
            at = self.skip(token.end())
        self.at = 0
        self.depth = 0

    def skip(self, at: int) -> int:
        """Behind blanks and comments."""
        found = _SPACE.match(self.text, at)
        return found.end() if found else at

    def peek(self) -> tuple[str, str]:
        if self.at < len(self.tokens):
            kind, word = self.tokens[self.at]
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

    def expression(self) -> Term:
        """`and` and `or` alike, to the right, as pypred has them."""
        terms, words = [self.negation()], []
        while self.peek() in {("word", "and"), ("word", "or")}:
            words.append(self.take()[1])
            terms.append(self.negation())
        self.mixed = self.mixed or len(set(words)) > 1
        return _joined(terms, words) if words else terms[0]

    def negation(self) -> Term:
        nots = 0
        while self.peek() == ("word", "not"):
            self.take()
            nots += 1
        inner = self.comparison()
        if not nots:
            return inner
        wanted = nots % 2 == 0
        return lambda slots, context: bool(inner(slots, context)) is wanted

    def comparison(self) -> Term:
        left = self.value()
        kind, word = self.peek()
        if kind != "operator" and not (kind == "word" and word in {"is", "contains", "matches"}):
            return left
        self.take()
        if word == "matches":
            return self.pattern(left)
        operator = _SAME.get(word, word)
        if word == "is" and self.peek() == ("word", "not"):
            self.take()
            operator = "!="
        if word == "contains" and self.peek() in {("mark", "("), ("mark", "{"), ("word", "undefined"), ("word", "empty")}:
            raise self.wrong("a text, a number, a name, true, false or null after `contains`")
        right = self.value()
        check = _COMPARE[operator]
        return lambda slots, context: check(left(slots, context), right(slots, context))

    def pattern(self, left: Term) -> Term:
        """The right side of `matches` is the expression itself, never a slot's value."""
        kind, word = self.peek()
        if kind not in {"string", "name"}:
            raise self.wrong("a quoted regular expression after `matches`")
        self.take()
        try:
            found = re.compile(word.strip("'\""))
            self.patterns.append(found.pattern)
        except (re.error, OverflowError) as error:
            raise PredicateError(f"the pattern of `matches` in {self.text!r} is no regular expression: {error}") from None

        def check(slots: Names, context: Names) -> bool:
            value = left(slots, context)
            return isinstance(value, str) and found.search(value) is not None

        return check

    def value(self) -> Term:
        kind, word = self.peek()
        if kind == "mark" and word == "(":
            self.take()
            self.depth += 1
            if self.depth > _DEEPEST:
                raise PredicateError(f"more than {_DEEPEST} parentheses within each other in a condition")
            inner = self.expression()
            self.depth -= 1
            if self.peek() != ("mark", ")"):
                raise self.wrong("')'")
            self.take()
            return inner
        if kind == "mark" and word == "{":
            self.take()
            return self.members()
        return self.single()

    def single(self) -> Term:
        """A name or a literal."""
        kind, word = self.peek()
        if kind == "name":
            self.take()
            self.names.add(word)
            return _name(word)
        if kind == "string":
            self.take()
            return _constant(word[1:-1])
        if kind == "number":
            self.take()
            return _constant(float(word))
        if kind == "word" and word in _CONSTANTS:
            self.take()
            return _constant(_CONSTANTS[word])
        raise self.wrong("a value")

    def members(self) -> Term:
        found: list[Term] = []
        while self.peek() != ("mark", "}"):
            if self.peek() in {("word", "undefined"), ("word", "empty")}:
                raise self.wrong("texts, numbers, names, true, false or null between { and }")
            found.append(self.single())
        self.take()
        return lambda slots, context: _collected(term(slots, context) for term in found)


def _collected(values: Iterable[Any]) -> frozenset[Any]:
    """The members that a set can hold; a list or a mapping among them is equal to nothing one could ask for."""
    out: list[Any] = []
    for value in values:
        try:
            hash(value)
        except TypeError:
            continue
        out.append(value)
    return frozenset(out)


def _constant(value: Any) -> Term:
    return lambda _slots, _context: value


def _joined(terms: list[Term], words: list[str]) -> Term:
    """`a and (b or (c ...))`: what stands to the left of a word settles it or leaves it to all that stands to the right."""
    steps = [(term, word == "or") for term, word in zip(terms, words, strict=False)]
    last = terms[-1]

    def check(slots: Names, context: Names) -> bool:
        for term, settled in steps:
            if bool(term(slots, context)) is settled:
                return settled
        return bool(last(slots, context))

    return check


@lru_cache(maxsize=8192)
def compile_predicate(text: str) -> Predicate:
    """The compiled form of a condition.

    Raises:
        PredicateError: it cannot be read.
    """
    parser = _Parser(text)
    term = parser.expression()
    if parser.peek()[0] != "end":
        raise parser.wrong("an operator or the end")
    return Predicate(text, term, frozenset(parser.names), parser.mixed, tuple(parser.patterns))
