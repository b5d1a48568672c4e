"""Margin eligibility: each condition at its boundary, the verdict over all, broken rule data, and properties for any facts."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import tightrope.rules
from tightrope.rules.dates import add_months
from tightrope.rules.margin import RISK_LEVELS, Condition, MarginFacts, MarginRules, Verdict
from tightrope.rules.models import RuleDataError, State

FOLDER = Path(tightrope.rules.__file__).parent / "data"
DATA: dict[str, Any] = yaml.safe_load((FOLDER / "margin.yml").read_text(encoding="utf-8"))
RULES = MarginRules(DATA)
TODAY = date(2026, 11, 20)
GOOD = MarginFacts(
    customer_tier="retail",
    risk_level="C4",
    risk_assessed_on=date(2025, 6, 1),
    risk_disclosure_signed_on=date(2026, 11, 1),
    funds_account_standing="normal",
    first_trade_on=date(2024, 1, 5),
    average_assets=Decimal("612345.67"),
    currency="CNY",
    margin_enabled=False,
)


def state_of(facts: MarginFacts, condition: Condition, today: date = TODAY) -> State:
    return next(f.state for f in RULES.assess(facts, today).findings if f.condition is condition)


def detail_of(facts: MarginFacts, condition: Condition) -> str:
    return next(f.detail for f in RULES.assess(facts, TODAY).findings if f.condition is condition)


def test_all_conditions_met_is_eligible() -> None:
    assessment = RULES.assess(GOOD, TODAY)
    assert assessment.verdict is Verdict.ELIGIBLE
    assert assessment.met == len(Condition) == len(assessment.findings)
    assert assessment.version == "2023.1"


def test_a_margin_account_that_is_open_says_so_whatever_the_conditions_are() -> None:
    assert RULES.assess(replace(GOOD, margin_enabled=True, risk_level="C1"), TODAY).verdict is Verdict.ALREADY_ENABLED


@pytest.mark.parametrize(
    ("level", "state"),
    [("C3", State.NOT_MET), ("C4", State.MET), ("C5", State.MET), (None, State.UNKNOWN), ("R4", State.UNKNOWN)],
)
def test_risk_level_must_be_c4_or_above(level: str | None, state: State) -> None:
    assert state_of(replace(GOOD, risk_level=level), Condition.RISK_LEVEL) is state


@pytest.mark.parametrize(
    ("assessed_on", "state"),
    [
        (date(2024, 11, 20), State.MET),
        (date(2024, 11, 19), State.NOT_MET),
        (date(2026, 11, 20), State.MET),
        (date(2026, 11, 21), State.UNKNOWN),
        (None, State.UNKNOWN),
    ],
)
def test_risk_assessment_is_valid_up_to_its_second_anniversary(assessed_on: date | None, state: State) -> None:
    assert state_of(replace(GOOD, risk_assessed_on=assessed_on), Condition.RISK_ASSESSMENT_AGE) is state


@pytest.mark.parametrize(
    ("first_trade_on", "state"),
    [
        (date(2026, 5, 20), State.MET),
        (date(2026, 5, 21), State.NOT_MET),
        (date(2026, 11, 20), State.NOT_MET),
        (date(2026, 11, 21), State.UNKNOWN),
        (None, State.NOT_MET),
    ],
)
def test_experience_is_met_exactly_six_months_after_the_first_trade(first_trade_on: date | None, state: State) -> None:
    assert state_of(replace(GOOD, first_trade_on=first_trade_on), Condition.TRADING_EXPERIENCE) is state


def test_six_months_after_the_thirty_first_is_the_last_day_of_a_shorter_month() -> None:
    facts = replace(GOOD, first_trade_on=date(2026, 8, 31))
    assert state_of(facts, Condition.TRADING_EXPERIENCE, date(2027, 2, 27)) is State.NOT_MET
    assert state_of(facts, Condition.TRADING_EXPERIENCE, date(2027, 2, 28)) is State.MET


@pytest.mark.parametrize(
    ("average", "state"),
    [
        (Decimal("500000.00"), State.MET),
        (Decimal("499999.99"), State.NOT_MET),
        (Decimal("499999.9999"), State.NOT_MET),
        (Decimal("-1"), State.NOT_MET),
        (Decimal("NaN"), State.UNKNOWN),
        (None, State.UNKNOWN),
    ],
)
def test_average_assets_must_reach_half_a_million(average: Decimal | None, state: State) -> None:
    assert state_of(replace(GOOD, average_assets=average), Condition.AVERAGE_ASSETS) is state


def test_assets_in_another_currency_are_not_compared() -> None:
    assert state_of(replace(GOOD, average_assets=Decimal("999999"), currency="USD"), Condition.AVERAGE_ASSETS) is State.UNKNOWN


def test_what_is_missing_is_the_exact_difference() -> None:
    finding = RULES.assess(replace(GOOD, average_assets=Decimal("499999.99")), TODAY).findings[-1]
    assert finding.values["missing"] == Decimal("0.01")


@pytest.mark.parametrize(
    ("signed_on", "state"), [(None, State.NOT_MET), (TODAY, State.MET), (TODAY + timedelta(1), State.UNKNOWN)]
)
def test_risk_disclosure_must_be_signed(signed_on: date | None, state: State) -> None:
    assert state_of(replace(GOOD, risk_disclosure_signed_on=signed_on), Condition.RISK_DISCLOSURE) is state


@pytest.mark.parametrize(
    ("standing", "state"),
    [
        ("normal", State.MET),
        ("dormant", State.NOT_MET),
        ("restricted", State.NOT_MET),
        ("frozen", State.NOT_MET),
        (None, State.UNKNOWN),
    ],
)
def test_funds_account_must_be_normal(standing: str | None, state: State) -> None:
    assert state_of(replace(GOOD, funds_account_standing=standing), Condition.FUNDS_ACCOUNT) is state


@pytest.mark.parametrize(
    ("tier", "state"),
    [
        ("retail_restricted", State.NOT_MET),
        ("retail", State.MET),
        ("premium", State.MET),
        ("professional", State.MET),
        (None, State.UNKNOWN),
    ],
)
def test_the_lowest_tier_is_barred(tier: str | None, state: State) -> None:
    assert state_of(replace(GOOD, customer_tier=tier), Condition.CUSTOMER_TIER) is state


@pytest.mark.parametrize(
    "change", [{"first_trade_on": None}, {"first_trade_on": date(2026, 11, 1)}, {"average_assets": Decimal("1")}]
)
def test_a_professional_below_a_limit_is_for_a_person_to_check(change: dict[str, Any]) -> None:
    facts = replace(GOOD, customer_tier="professional", **change)
    condition = Condition.AVERAGE_ASSETS if "average_assets" in change else Condition.TRADING_EXPERIENCE
    assert detail_of(facts, condition) == "exempt"
    assert RULES.assess(facts, TODAY).verdict is Verdict.UNDETERMINED


def test_a_condition_that_surely_fails_decides_over_one_that_is_unknown() -> None:
    facts = replace(GOOD, risk_level="C1", risk_assessed_on=None)
    assert RULES.assess(facts, TODAY).verdict is Verdict.NOT_ELIGIBLE


def test_the_latest_thresholds_in_force_apply() -> None:
    data = deepcopy(DATA)
    later = dict(data["thresholds"][0], version="next", effective_from=date(2026, 11, 20), min_average_assets="700000.00")
    data["thresholds"].append(later)
    rules = MarginRules(data)
    assert rules.thresholds(date(2026, 11, 19)).version == "2023.1"
    assert rules.assess(GOOD, date(2026, 11, 20)).version == "next"
    assert rules.assess(GOOD, date(2026, 11, 20)).verdict is Verdict.NOT_ELIGIBLE


def test_a_day_before_all_thresholds_is_refused() -> None:
    with pytest.raises(RuleDataError, match="no thresholds"):
        RULES.assess(GOOD, date(2023, 2, 16))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("min_average_assets",), 500000.0),
        (("min_average_assets",), "much"),
        (("min_risk_level",), "C9"),
        (("effective_from",), "2023-02-17"),
        (("min_experience_months",), "half a year"),
    ],
)
def test_broken_thresholds_are_refused(path: tuple[str], value: object) -> None:
    data = deepcopy(DATA)
    data["thresholds"][0][path[0]] = value
    with pytest.raises(RuleDataError):
        MarginRules(data)


@pytest.mark.parametrize("key", ["sources", "thresholds", "conditions"])
def test_missing_parts_of_the_rule_data_are_refused(key: str) -> None:
    with pytest.raises(RuleDataError):
        MarginRules({name: value for name, value in DATA.items() if name != key})


def test_two_sets_from_the_same_day_are_refused() -> None:
    data = deepcopy(DATA)
    data["thresholds"].append(dict(data["thresholds"][0]))
    with pytest.raises(RuleDataError, match="same day"):
        MarginRules(data)


def test_every_condition_has_a_source_in_both_languages() -> None:
    for condition in Condition:
        source = RULES.source(condition)
        assert source.text("zh") != source.text("en")
        assert source.short_text("zh")
        assert source.short_text("en")


DAYS = st.dates(date(2010, 1, 1), date(2035, 12, 31))
FACTS = st.builds(
    MarginFacts,
    customer_tier=st.sampled_from(["retail_restricted", "retail", "premium", "professional", None]),
    risk_level=st.sampled_from([*RISK_LEVELS, None]),
    risk_assessed_on=st.none() | DAYS,
    risk_disclosure_signed_on=st.none() | DAYS,
    funds_account_standing=st.sampled_from(["normal", "dormant", "restricted", "frozen", None]),
    first_trade_on=st.none() | DAYS,
    average_assets=st.none() | st.decimals(-1_000_000, 10_000_000, places=2),
    currency=st.sampled_from(["CNY", "USD"]),
    margin_enabled=st.booleans(),
)


@given(facts=FACTS, today=st.dates(date(2023, 2, 17), date(2035, 12, 31)))
def test_the_verdict_follows_from_the_states_for_any_facts(facts: MarginFacts, today: date) -> None:
    assessment = RULES.assess(facts, today)
    states = [finding.state for finding in assessment.findings]
    assert [finding.condition for finding in assessment.findings] == list(Condition)
    expected = (
        Verdict.ALREADY_ENABLED
        if facts.margin_enabled
        else Verdict.NOT_ELIGIBLE
        if State.NOT_MET in states
        else Verdict.UNDETERMINED
        if State.UNKNOWN in states
        else Verdict.ELIGIBLE
    )
    assert assessment.verdict is expected


@given(facts=FACTS, today=st.dates(date(2023, 2, 17), date(2035, 12, 31)), more=st.decimals(0, 1_000_000, places=2))
def test_more_assets_never_make_it_worse(facts: MarginFacts, today: date, more: Decimal) -> None:
    if facts.average_assets is None:
        return
    before = RULES.assess(facts, today).findings[-1].state
    after = RULES.assess(replace(facts, average_assets=facts.average_assets + more), today).findings[-1].state
    assert before is not State.MET or after is State.MET


@given(facts=FACTS, today=st.dates(date(2023, 2, 17), date(2035, 1, 1)), days=st.integers(0, 300))
def test_waiting_never_takes_experience_away(facts: MarginFacts, today: date, days: int) -> None:
    if state_of(facts, Condition.TRADING_EXPERIENCE, today) is State.MET:
        assert state_of(facts, Condition.TRADING_EXPERIENCE, today + timedelta(days)) is State.MET


@given(day=DAYS, months=st.integers(-120, 120))
def test_adding_months_moves_by_whole_months_and_keeps_or_shortens_the_day(day: date, months: int) -> None:
    moved = add_months(day, months)
    assert (moved.year * 12 + moved.month) - (day.year * 12 + day.month) == months
    assert moved.day <= day.day


def test_adding_months_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(OverflowError):
        add_months(date(9999, 12, 1), 1)
