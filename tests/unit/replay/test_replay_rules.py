"""Rules run again from an envelope: what is said of those that differ, fail, or cannot be run. (Each action's own rules: tests/unit/actions.)"""

from __future__ import annotations

from typing import Any

import pytest

from tightrope.replay.rules import RUNS, RuleBook, rerun

BOOK = RuleBook()
GROWTH = {
    "rule": "growth", "version": "1", "verdict": "lump_sum", "inputs": {"amount": "100000", "yearly_rate": "0.05", "months": "36"},
    "given": {"kind": "lump_sum", "amount": "100000", "yearly_rate": "0.05", "months": 36},
}  # fmt: skip


def evidence(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "evidence", "action": "action_x", "outcome": "shown", "rules": list(rules)}


def good() -> dict[str, Any]:
    """As the rule decides today."""
    [made] = rerun(evidence(GROWTH), BOOK).again
    return {**made, "given": GROWTH["given"]}


def test_the_same_rule_gives_the_same():
    done = rerun(evidence(good()), BOOK)
    assert done.recorded == done.again
    assert done.unknown == ()


@pytest.mark.parametrize("change", [{"verdict": "yearly_saving"}, {"version": "0"}, {"inputs": {"amount": "1"}}])
def test_an_altered_result_is_not_what_comes_out(change: dict[str, Any]):
    done = rerun(evidence({**good(), **change}), BOOK)
    assert done.recorded != done.again


def test_a_finding_without_its_rule_is_named():
    finding = {"rule": "margin_eligibility.risk_level", "version": "1", "verdict": "met", "inputs": {}}
    done = rerun(evidence(finding), BOOK)
    assert (done.recorded, done.again) == ((), ())
    assert done.unknown == ("margin_eligibility.risk_level: what it was given is not in the record",)


def test_a_rule_that_this_program_does_not_know_is_named():
    done = rerun(evidence({**good(), "rule": "horoscope"}), BOOK)
    assert done.unknown == ("horoscope: this program does not know the rule",)


@pytest.mark.parametrize("given", [{}, {"kind": "lump_sum", "amount": "x", "yearly_rate": "0.05", "months": 36}])
def test_a_rule_that_fails_on_what_it_was_given_differs(given: dict[str, Any]):
    done = rerun(evidence({**good(), "given": given}), BOOK)
    assert done.recorded != done.again
    assert "error" in done.again[0]


@pytest.mark.parametrize("name", sorted(RUNS))
def test_no_rule_decides_from_nothing(name: str):
    done = rerun(evidence({**good(), "rule": name, "given": {}}), BOOK)
    assert done.recorded != done.again
