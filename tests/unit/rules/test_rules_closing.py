"""Closing accounts: each condition at nothing and one above, the verdict over accounts, broken rule data, words for every finding."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import tightrope.rules
from tightrope.rules.closing import AccountFacts, ClosingRules, Condition, HeldProduct, Verdict
from tightrope.rules.closing_text import ClosingWording
from tightrope.rules.models import RuleDataError, RuleRefusal, State
from tightrope.rules.text import Language

FOLDER = Path(tightrope.rules.__file__).parent / "data"
DATA: dict[str, Any] = yaml.safe_load((FOLDER / "closing.yml").read_text(encoding="utf-8"))
WORDS: dict[str, Any] = yaml.safe_load((FOLDER / "closing_wording.yml").read_text(encoding="utf-8"))
RULES = ClosingRules(DATA)
WORDING = ClosingWording(WORDS)
TODAY = date(2026, 11, 20)
EMPTY = AccountFacts(
    standing="normal",
    balance=Decimal("0.00"),
    currency="CNY",
    positions=0,
    open_orders=0,
    pending_transfers=0,
    margin_debt=Decimal(0),
    debt_currency="CNY",
    products=(),
)
PRODUCT = HeldProduct("稳享90天", "Steady 90 days", date(2026, 12, 1))
BLOCKED: dict[Condition, tuple[dict[str, Any], str, str]] = {
    Condition.OPEN_ORDERS: ({"open_orders": 1}, "1 笔", "1"),
    Condition.PENDING_TRANSFERS: ({"pending_transfers": 1}, "1 笔", "1"),
    Condition.POSITIONS: ({"positions": 1}, "1 只", "1"),
    Condition.PRODUCTS: ({"products": (PRODUCT,)}, "稳享90天", "Steady 90 days"),
    Condition.MARGIN_DEBT: ({"margin_debt": Decimal("0.01")}, "0.01 元", "CNY 0.01"),
    Condition.BALANCE: ({"balance": Decimal("0.01")}, "0.01 元", "CNY 0.01"),
    Condition.STANDING: ({"standing": "frozen"}, "冻结", "frozen"),
}
UNKNOWN: list[tuple[Condition, dict[str, Any]]] = [
    (Condition.OPEN_ORDERS, {"open_orders": None}),
    (Condition.OPEN_ORDERS, {"open_orders": -1}),
    (Condition.PENDING_TRANSFERS, {"pending_transfers": None}),
    (Condition.POSITIONS, {"positions": None}),
    (Condition.PRODUCTS, {"products": None}),
    (Condition.MARGIN_DEBT, {"margin_debt": None}),
    (Condition.MARGIN_DEBT, {"margin_debt": Decimal("NaN")}),
    (Condition.BALANCE, {"balance": None}),
    (Condition.BALANCE, {"balance": Decimal("-0.01")}),
    (Condition.BALANCE, {"balance": Decimal("Infinity")}),
    (Condition.STANDING, {"standing": None}),
]


def test_an_account_with_nothing_in_it_can_be_closed() -> None:
    assessment = RULES.assess([EMPTY], TODAY)
    assert assessment.verdict is Verdict.CLOSABLE
    assert assessment.accounts[0].blockers == ()
    assert [finding.condition for finding in assessment.accounts[0].findings] == list(Condition)
    assert assessment.version == "2026.1"
    assert WORDING.account(assessment.accounts[0], "zh") == "✓ 没有未结清的事项"


@pytest.mark.parametrize("condition", Condition)
def test_the_least_of_anything_blocks_and_says_what_to_do(condition: Condition) -> None:
    change, zh, en = BLOCKED[condition]
    assessment = RULES.assess([replace(EMPTY, **change)], TODAY)
    assert assessment.verdict is Verdict.BLOCKED
    (blocker,) = assessment.accounts[0].blockers
    assert (blocker.condition, blocker.state) == (condition, State.NOT_MET)
    said_zh, said_en = WORDING.account(assessment.accounts[0], "zh"), WORDING.account(assessment.accounts[0], "en")
    assert said_zh.startswith("✗ ")
    assert zh in said_zh
    assert "办法：" in said_zh
    assert en in said_en
    assert "What to do: " in said_en
    assert "{" not in said_zh + said_en


@pytest.mark.parametrize(("condition", "change"), UNKNOWN)
def test_what_nobody_knows_or_cannot_be_is_for_a_person(condition: Condition, change: dict[str, Any]) -> None:
    assessment = RULES.assess([replace(EMPTY, **change)], TODAY)
    assert assessment.verdict is Verdict.UNDETERMINED
    (blocker,) = assessment.accounts[0].blockers
    assert (blocker.condition, blocker.state) == (condition, State.UNKNOWN)
    assert "？" in WORDING.account(assessment.accounts[0], "zh")
    assert "person" in WORDING.account(assessment.accounts[0], "en")


@pytest.mark.parametrize("standing", ["normal", "dormant"])
def test_a_dormant_account_can_be_closed_too(standing: str) -> None:
    assert RULES.assess([replace(EMPTY, standing=standing)], TODAY).verdict is Verdict.CLOSABLE


def test_one_account_that_blocks_keeps_all_open_and_what_surely_blocks_beats_what_is_not_known() -> None:
    assert RULES.assess([EMPTY, replace(EMPTY, positions=2)], TODAY).verdict is Verdict.BLOCKED
    mixed = [replace(EMPTY, balance=None), replace(EMPTY, open_orders=1)]
    assert RULES.assess(mixed, TODAY).verdict is Verdict.BLOCKED


def test_without_an_account_there_is_nothing_to_close() -> None:
    assert RULES.assess([], TODAY).verdict is Verdict.NOTHING


def test_a_product_that_has_matured_but_is_still_held_blocks() -> None:
    old = replace(PRODUCT, matures_on=date(2026, 1, 1))
    assert RULES.assess([replace(EMPTY, products=(old,))], TODAY).verdict is Verdict.BLOCKED


def test_the_last_of_several_products_says_how_long_it_takes() -> None:
    later = HeldProduct("稳享180天", "Steady 180 days", date(2027, 3, 1))
    assessment = RULES.assess([replace(EMPTY, products=(PRODUCT, later))], TODAY)
    said = WORDING.account(assessment.accounts[0], "zh")
    assert "2 项：稳享90天、稳享180天" in said
    assert "2027年3月1日" in said


def test_money_in_another_currency_keeps_its_name() -> None:
    assessment = RULES.assess([replace(EMPTY, balance=Decimal("12345.6"), currency="HKD")], TODAY)
    assert "12,345.60 港元" in WORDING.account(assessment.accounts[0], "zh")
    assessment = RULES.assess([replace(EMPTY, balance=Decimal(5), currency="GBP")], TODAY)
    assert "5.00 GBP" in WORDING.account(assessment.accounts[0], "en")


def test_a_day_before_the_rules_begin_is_refused() -> None:
    with pytest.raises(RuleRefusal):
        RULES.assess([EMPTY], date(2026, 8, 31))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_why_names_every_source_and_condition_once_with_its_worst_state(language: Language) -> None:
    assessment = RULES.assess([EMPTY, replace(EMPTY, positions=1, balance=None)], TODAY)
    why = WORDING.rules(assessment, language)
    for condition in Condition:
        assert why.count(WORDS["conditions"][condition.value]["title"][language]) == 1
        assert RULES.source(condition).text(language) in why
    states = WORDS["labels"][language]["states"]
    assert why.count(states["unknown"]) == 1
    assert why.count(states["met"]) >= 5


accounts = st.builds(
    AccountFacts,
    standing=st.sampled_from(["normal", "dormant", "restricted", "frozen", None]),
    balance=st.none() | st.decimals(-1, 1_000_000, places=2),
    currency=st.just("CNY"),
    positions=st.none() | st.integers(-1, 3),
    open_orders=st.none() | st.integers(-1, 3),
    pending_transfers=st.none() | st.integers(-1, 3),
    margin_debt=st.none() | st.decimals(-1, 1_000_000, places=2),
    debt_currency=st.just("CNY"),
    products=st.none() | st.just(()) | st.just((PRODUCT,)),
)


@given(st.lists(accounts, max_size=4))
def test_closable_means_that_every_account_is_empty_and_every_blocker_is_worded(held: list[AccountFacts]) -> None:
    assessment = RULES.assess(held, TODAY)
    empty = all(
        facts.standing in {"normal", "dormant"}
        and (facts.balance, facts.margin_debt) == (0, 0)
        and (facts.positions, facts.open_orders, facts.pending_transfers, facts.products) == (0, 0, 0, ())
        for facts in held
    )
    assert (assessment.verdict is Verdict.CLOSABLE) == (bool(held) and empty)
    for account in assessment.accounts:
        for language in ("zh", "en"):
            said = WORDING.account(account, language)  # type: ignore[arg-type]
            assert said.count("\n") == (2 * len(account.blockers) - 1 if account.blockers else 0)


def spoiled(path: tuple[Any, ...], value: Any, data: dict[str, Any]) -> dict[str, Any]:
    copy = deepcopy(data)
    at: Any = copy
    for key in path[:-1]:
        at = at[key]
    if value is KeyError:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("sources",), KeyError),
        (("sources", "firm", "short_en"), KeyError),
        (("conditions", "balance"), "nobody"),
        (("conditions", "standing"), KeyError),
        (("rules",), []),
        (("rules", 0, "effective_from"), "2026-09-01"),
        (("rules", 0, "closable_standing"), "normal"),
        (("rules", 0, "closable_standing"), []),
    ],
)
def test_broken_rule_data_is_refused_when_it_is_read(path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(RuleDataError, match="rule data"):
        ClosingRules(spoiled(path, value, DATA))


@pytest.mark.parametrize(
    "path",
    [
        ("labels", "en", "clear"),
        ("labels", "zh", "states", "unknown"),
        ("marks", "not_met"),
        ("conditions", "positions"),
        ("conditions", "products", "not_met", "en"),
        ("conditions", "balance", "remedy", "unknown"),
    ],
)
def test_broken_wording_is_refused_when_it_is_read(path: tuple[str, ...]) -> None:
    with pytest.raises(RuleDataError, match="closing wording"):
        ClosingWording(spoiled(path, KeyError, WORDS))
