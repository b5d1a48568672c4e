"""Our conditions mean what pypred makes of them, the library that Rasa names as its evaluator.

Two properties over generated conditions and values: what pypred can read we can, what it cannot we refuse, and both come to the same
verdict. The differences are those of decision 0010, all of them here: where pypred raises while it evaluates, our comparison is
false; and parentheses deeper than fifty are refused.
"""

from __future__ import annotations

import string
import warnings
from functools import lru_cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pypred import Predicate

from tightrope.engine.errors import PredicateError
from tightrope.engine.predicates import compile_predicate

NAMES = ["slots.a", "slots.b", "slots.gone", "slots.d.k", "context.c", "context.c.k", "bare", "slots", "slots.a.k.k"]
LITERALS = ["'x'", '"xy"', "''", "'5'", "5", "-5", "0", "1", "2.5", "true", "False", "null", "undefined", "empty", "EMPTY"]
SETS = ["{}", "{'x' 'xy'}", "{1 2.5 slots.a}", "{true null}", "{slots.gone 'x'}"]
PATTERNS = ["'x'", "'^x'", "'(?i)X$'", '"[0-9]+"', "''", "'.'", "x"]
COMPARES = ["=", "==", "!=", "is", "is not", "IS NOT", "<", "<=", ">", ">="]

scalars = st.sampled_from([None, True, False, 0, 1, 5, 2.5, -5.0, "", "x", "xy", "X", "5"])
values = st.one_of(
    scalars, scalars, st.lists(st.sampled_from(["x", 1, None]), max_size=2), st.dictionaries(st.just("k"), scalars, max_size=1)
)
documents = st.fixed_dictionaries({"a": values, "b": values, "d": values}), st.fixed_dictionaries({}, optional={"c": values})

names = st.sampled_from(NAMES)
operands = st.one_of(names, names, st.sampled_from(LITERALS), st.sampled_from(SETS))
comparisons = st.one_of(
    st.tuples(operands, st.sampled_from(COMPARES), operands).map(" ".join),
    st.tuples(operands, st.just("contains"), st.one_of(names, st.sampled_from(LITERALS[:10]))).map(" ".join),
    st.tuples(operands, st.just("matches"), st.sampled_from(PATTERNS)).map(" ".join),
    operands,
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or", "AND", "Or"]), inner).map(" ".join),
        inner.map(lambda text: f"not {text}"),
        inner.map(lambda text: f"({text})"),
        st.tuples(inner.map(lambda text: f"({text})"), st.sampled_from(COMPARES), operands).map(" ".join),
    ),
    max_leaves=6,
)
words = st.sampled_from(
    [
        *NAMES,
        *LITERALS,
        *SETS,
        *PATTERNS,
        *COMPARES,
        "and",
        "or",
        "not",
        "contains",
        "matches",
        "(",
        ")",
        "{",
        "}",
        "=",
        "#",
        "\n",
    ]
)
soups = st.one_of(
    st.lists(words, max_size=9).map(" ".join),
    st.lists(words, max_size=6).map("".join),
    st.text(alphabet=string.ascii_letters[:3] + "0.5 '\"()<>=!{},#-_:\n", max_size=14),
)


@lru_cache(maxsize=4096)
def theirs(text: str) -> Predicate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Predicate(text)


def readable(text: str) -> bool:
    """Whether pypred can read it; some texts make even that raise.

    Not asked of `is_valid`, which takes a condition that is nothing but `undefined`, `empty` or `{}` for no condition: its tree is false.
    """
    found = theirs(text)
    if found.lexer_errors or found.parser_errors or found.ast is None:
        return False
    try:
        return bool(found.ast.validate()[0])
    except Exception:
        return False


def verdict(text: str, document: dict[str, object]) -> bool:
    found = theirs(text)
    return bool(found.ast.evaluate(found, document))


def ours(text: str) -> bool:
    try:
        compile_predicate(text)
    except PredicateError:
        return False
    return True


@given(conditions, *documents)
@example("slots.a = 'x' and slots.b = 'x' or slots.a = 'x'", {"a": "y", "b": "y", "d": None}, {})
@example("slots.a and slots.gone or slots.b", {"a": False, "b": True, "d": None}, {})
@example("slots.a is undefined", {"a": None, "b": None, "d": None}, {})
@example("slots.a is empty", {"a": None, "b": None, "d": None}, {})
@example("slots.a = true", {"a": 1, "b": None, "d": None}, {})
def test_a_condition_holds_exactly_where_pypred_says_so(text, slots, context):
    assert readable(text), text
    try:
        wanted = verdict(text, {"slots": slots, "context": context})
    except Exception:  # what pypred raises is a difference of decision 0010: no verdict to compare with
        assert compile_predicate(text).holds(slots, context) in {True, False}
        return
    assert compile_predicate(text).holds(slots, context) is wanted


@given(soups)
@example("slots.a = 'x'y")
@example("{'a', 'b'} contains slots.a")
@example("slots.a matches slots.b")
@example("slots.a matches 5")
@example("5a = 5")
@example("slots.a # a comment\n= 'x'")
@example("slots.a contains {1}")
def test_what_pypred_cannot_read_is_refused_and_nothing_else(text):
    assert ours(text) is readable(text)


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("slots.a < 3", {"a": None}),
        ("slots.a >= 3", {"a": None}),
        ("slots.a > 3", {"a": "x"}),
        ("slots.a < 3", {"a": [1]}),
        ("slots.a contains 3", {"a": "x"}),
        ("slots.a contains null", {"a": "x"}),
        ("slots.a.k = 3", {"a": None}),
        ("slots.a.k = 3", {"a": 3}),
        ("{1 slots.a} contains 3", {"a": [3]}),
    ],
)
def test_where_pypred_raises_our_comparison_is_false(text, slots):
    with pytest.raises((TypeError, AttributeError)):
        verdict(text, {"slots": slots, "context": {}})
    assert compile_predicate(text).holds(slots, {}) is False
