"""Conditions: the documented language, null, and what is refused."""

from __future__ import annotations

import pytest

from tightrope.engine.errors import PredicateError
from tightrope.engine.predicates import compile_predicate
from tightrope.engine.templates import condition

SLOTS = {
    "n": 5.0,
    "zero": 0,
    "text": "Hello",
    "blank": "",
    "yes": True,
    "no": False,
    "nothing": None,
    "items": ["a", "b"],
    "x": {"y": 1},
}
CONTEXT = {"reason": "r", "info": {"max": 10}, "collect": "n"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("slots.n > 4", True),
        ("slots.n >= 5 and slots.n <= 5", True),
        ("slots.n < 5", False),
        ("slots.n = 5", True),
        ("slots.n == 5.0", True),
        ("slots.n != 5", False),
        ("slots.n > -1.5", True),
        ("slots.yes", True),
        ("not slots.no", True),
        ("slots.yes is true", True),
        ("slots.no is false", True),
        ("slots.yes is not false", True),
        ("slots.text is 'Hello'", True),
        ('slots.text = "Hello"', True),
        ("slots.text contains 'ell'", True),
        ("slots.text contains 'ELL'", False),
        ("slots.text matches '^H.*o$'", True),
        ("slots.text matches '(?i)hELLO'", True),
        ("{'a' 'Hello'} contains slots.text", True),
        ("{'a' 'b'} contains slots.text", False),
        ("{1 5} contains slots.n", True),
        ("{1 slots.n} contains 5", True),
        ("slots.items contains 'a'", True),
        ("slots.no or slots.yes and slots.no", False),
        ("(slots.no or slots.yes) AND NOT slots.no", True),
        ("context.reason = 'r'", True),
        ("context.info.max > 9", True),
        ("context.info.missing is undefined", True),
        ("slots.x.y = 1", True),
        ("'a\\' = \"a\\\"", True),
        ("slots.n = 5  # five", True),
        ("slots.yes = 1", True),
        ("slots.zero = false", True),
        ("slots.yes > 0", True),
        ("slots.no and slots.yes or slots.yes", False),
        ("(slots.no and slots.yes) or slots.yes", True),
        ("not not slots.yes", True),
        ("true", True),
    ],
)
def test_the_language_is_the_documented_one(text, holds):
    assert compile_predicate(text).holds(SLOTS, CONTEXT) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("slots.nothing is null", True),
        ("slots.unknown is null", False),
        ("slots.unknown is undefined", True),
        ("slots.unknown is empty", True),
        ("slots.nothing is undefined", False),
        ("slots.nothing is empty", False),
        ("slots.blank is empty", True),
        ("slots.text is not empty", True),
        ("slots.nothing", False),
        ("not slots.blank", True),
        ("slots.nothing < 3", False),
        ("slots.nothing >= 3", False),
        ("3 > slots.nothing", False),
        ("slots.nothing = 'a'", False),
        ("slots.nothing != 'a'", True),
        ("slots.nothing contains 'a'", False),
        ("slots.nothing matches 'a'", False),
    ],
)
def test_null_never_raises_and_has_no_order(text, holds):
    assert compile_predicate(text).holds(SLOTS, CONTEXT) is holds


@pytest.mark.parametrize(
    "text",
    [
        "slots.text > 3",
        "slots.items < 3",
        "slots.n contains 5",
        "slots.text contains 5",
        "slots.n matches '5'",
        "slots.text.length > 3",
    ],
)
def test_what_has_no_order_or_no_parts_is_false(text):
    assert compile_predicate(text).holds(SLOTS, CONTEXT) is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "and",
        "slots.a =",
        "slots.a = = 3",
        "(slots.a",
        "slots.a)",
        "{'a' contains slots.b",
        "slots.a 'b'",
        "slots.t matches '('",
        "not",
        "slots.a = 'x",
        "{(} contains slots.a",
        "{'a', 'b'} contains slots.a",
        "slots.a contains {'x'}",
        "slots.a matches 5",
        "slots.a = +5",
        "slots.a = 1e5",
        "(" * 51 + "slots.a" + ")" * 51,
    ],
)
def test_what_cannot_be_read_is_refused_when_it_is_loaded(text):
    with pytest.raises(PredicateError):
        compile_predicate(text)


def test_a_condition_is_rendered_before_it_is_read():
    assert condition("slots.{{context.collect}} is not null").holds(SLOTS, CONTEXT) is True
    assert condition("slots.{{context.collect}} is not null").holds({"n": None}, CONTEXT) is False


def test_a_rendered_condition_that_cannot_be_read_is_false():
    assert condition("slots.n {{context.reason}}").holds(SLOTS, CONTEXT) is False


def test_a_condition_with_broken_jinja_is_refused():
    with pytest.raises(PredicateError):
        condition("slots.{{ is null")


def test_a_plain_truth_value_is_a_condition():
    assert condition(True).holds({}, {}) is True
    assert condition(False).holds({}, {}) is False


def test_the_pattern_of_matches_is_what_is_written_and_never_a_slot_s_value():
    assert compile_predicate("slots.text matches slots.pattern").holds({"text": "a", "pattern": "a"}, {}) is False
    assert compile_predicate("slots.text matches slots.pattern").holds({"text": "slotsXpattern", "pattern": "a"}, {}) is True


@pytest.mark.parametrize(("text", "mixed"), [("a and b or c", True), ("(a and b) or c", False), ("a or b or c", False)])
def test_and_beside_or_without_parentheses_is_noticed(text, mixed):
    assert compile_predicate(text).mixed is mixed


def test_a_long_chain_of_conditions_is_no_burden():
    text = " or ".join(f"slots.n = {number}" for number in range(2000))
    assert compile_predicate(text).holds({"n": 1999}, {}) is True
    assert compile_predicate("not " * 2001 + "slots.n").holds({"n": 1}, {}) is False
