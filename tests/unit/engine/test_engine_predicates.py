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
        ("{'a', 'b'} contains slots.text", False),
        ("{1, 5} contains slots.n", True),
        ("slots.items contains 'a'", True),
        ("slots.no or slots.yes and slots.no", False),
        ("(slots.no or slots.yes) AND NOT slots.no", True),
        ("context.reason = 'r'", True),
        ("context.info.max > 9", True),
        ("context.info.missing is null", True),
        ("slots.x.y = 1", True),
        ("'it\\'s' = 'it\\'s'", True),
        ("true", True),
    ],
)
def test_the_language_is_the_documented_one(text, holds):
    assert compile_predicate(text).holds(SLOTS, CONTEXT) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("slots.nothing is null", True),
        ("slots.unknown is null", True),
        ("slots.nothing is undefined", True),
        ("slots.nothing is empty", True),
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
        "slots.yes > 0",
        "slots.items < 3",
        "slots.n contains 5",
        "slots.n matches '5'",
        "slots.yes = 1",
        "slots.zero = false",
    ],
)
def test_things_without_an_order_or_of_another_kind_are_not_equal_and_not_ordered(text):
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
    ],
)
def test_what_cannot_be_read_is_refused_when_it_is_loaded(text):
    with pytest.raises(PredicateError):
        compile_predicate(text)


def test_a_condition_is_rendered_before_it_is_read():
    assert condition("slots.{{context.collect}} is not null").holds(SLOTS, CONTEXT) is True
    assert condition("slots.{{context.collect}} is not null").holds({}, CONTEXT) is False


def test_a_rendered_condition_that_cannot_be_read_is_false():
    assert condition("slots.n {{context.reason}}").holds(SLOTS, CONTEXT) is False


def test_a_condition_with_broken_jinja_is_refused():
    with pytest.raises(PredicateError):
        condition("slots.{{ is null")


def test_a_plain_truth_value_is_a_condition():
    assert condition(True).holds({}, {}) is True
    assert condition(False).holds({}, {}) is False


def test_a_regular_expression_from_a_slot_that_is_broken_does_not_match():
    assert compile_predicate("slots.text matches slots.pattern").holds({"text": "a", "pattern": "("}, {}) is False
