"""Comparing and judging: what counts as the same, what a difference names, and which exit code follows."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.replay.models import Check, Mark, Part, Replay, TurnReplay, canonical, compared, differences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def replayed(*marks: Mark, problems: tuple[str, ...] = ()) -> Replay:
    checks = tuple(Check(Part.FLOWS, mark) for mark in marks)
    return Replay("1-1", (TurnReplay(1, "r", "r-1", "", checks),) if marks else (), (), problems)


@given(JSON)
def test_a_value_is_the_same_as_its_copy(value: Any):
    assert differences(value, copy.deepcopy(value)) == []


@given(JSON, JSON)
def test_values_differ_exactly_when_their_bytes_do(one: Any, other: Any):
    assert bool(differences(one, other)) == (canonical(one) != canonical(other))


def test_true_is_not_one_and_one_is_not_one_point_nought():
    assert differences(True, 1)
    assert differences(1, 1.0)


def test_a_difference_names_its_place_and_both_sides():
    [found] = differences({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "y"}]}, "events")
    assert (found.at, found.recorded, found.replayed) == ("events.a[1].b", '"x"', '"y"')
    [gone] = differences([1, 2], [1])
    assert (gone.at, gone.recorded, gone.replayed) == ("[1]", "2", None)
    assert len(differences(list(range(100)), list(range(1, 101)))) == 8, "a reader needs no hundred of them"


def test_half_a_character_of_a_customer_can_be_compared_and_shown():
    [found] = differences("\ud83d", "x")
    assert found.recorded == '"\\ud83d"'


@pytest.mark.parametrize(
    ("found", "code", "outcome"),
    [
        (replayed(Mark.SAME, Mark.FROM_RECORD), 0, "same"),
        (replayed(Mark.SAME, Mark.DIFFERS), 1, "differs"),
        (replayed(Mark.SAME, Mark.MISSING), 2, "incomplete"),
        (replayed(Mark.DIFFERS, Mark.MISSING), 1, "differs"),
        (replayed(Mark.SAME, problems=("a record cannot be read",)), 2, "incomplete"),
        (replayed(), 2, "incomplete"),
    ],
)
def test_the_exit_code_follows_from_the_marks(found: Replay, code: int, outcome: str):
    assert (found.exit_code, found.outcome) == (code, outcome)


def test_a_check_comes_back_from_another_process_as_it_was():
    made = compared(Part.RULES, {"a": 1}, {"a": 2}, "")
    assert Check.from_json(made.to_json()) == made
    same = compared(Part.RULES, 1, 1, "one")
    assert Check.from_json(same.to_json()) == same
