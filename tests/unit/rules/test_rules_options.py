"""Options eligibility: each condition at its boundary and one below, the verdict, broken rule data, words for every finding."""

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
from tightrope.rules.eligibility import RISK_LEVELS, Verdict
from tightrope.rules.models import RuleDataError, RuleRefusal, State
from tightrope.rules.options import LEVELS, Condition, OptionsFacts, OptionsRules
from tightrope.rules.options_text import OptionsWording

FOLDER = Path(tightrope.rules.__file__).parent / "data"
DATA: dict[str, Any] = yaml.safe_load((FOLDER / "options.yml").read_text(encoding="utf-8"))
WORDS: dict[str, Any] = yaml.safe_load((FOLDER / "options_wording.yml").read_text(encoding="utf-8"))
RULES = OptionsRules(DATA)
WORDING = OptionsWording(WORDS)
TODAY = date(2026, 11, 20)
GOOD = OptionsFacts(
    customer_tier="retail",
    risk_level="C4",
    risk_assessed_on=date(2025, 6, 1),
    risk_disclosure_signed_on=date(2026, 11, 1),
    funds_account_standing="normal",
    account_opened_on=date(2024, 1, 5),
    average_assets=Decimal("612345.67"),
    currency="CNY",
    margin_enabled=True,
    traded_financial_futures=False,
    knowledge_level=3,
    simulated_level=3,
    bad_record=False,
    enabled_level=0,
)


def check(facts: OptionsFacts, condition: Condition, level: int = 2) -> tuple[State, str]:
    return next((f.state, f.detail) for f in RULES.assess(facts, level, TODAY).findings if f.condition is condition)


@pytest.mark.parametrize("level", LEVELS)
def test_all_conditions_met_is_eligible_at_every_level(level: int) -> None:
    assessment = RULES.assess(GOOD, level, TODAY)
    assert assessment.verdict is Verdict.ELIGIBLE
    assert assessment.met == len(Condition) == len(assessment.findings)
    assert assessment.version == "2023.1"


@pytest.mark.parametrize(
    ("condition", "change", "state", "detail"),
    [
        (Condition.RISK_LEVEL, {"risk_level": "C4"}, State.MET, "met"),
        (Condition.RISK_LEVEL, {"risk_level": "C3"}, State.NOT_MET, "not_met"),
        (Condition.RISK_LEVEL, {"risk_level": None}, State.UNKNOWN, "unknown"),
        (Condition.RISK_ASSESSMENT_AGE, {"risk_assessed_on": date(2024, 11, 20)}, State.MET, "met"),
        (Condition.RISK_ASSESSMENT_AGE, {"risk_assessed_on": date(2024, 11, 19)}, State.NOT_MET, "not_met"),
        (Condition.RISK_ASSESSMENT_AGE, {"risk_assessed_on": None}, State.UNKNOWN, "unknown"),
        (Condition.RISK_DISCLOSURE, {"risk_disclosure_signed_on": TODAY}, State.MET, "met"),
        (Condition.RISK_DISCLOSURE, {"risk_disclosure_signed_on": None}, State.NOT_MET, "not_met"),
        (Condition.RISK_DISCLOSURE, {"risk_disclosure_signed_on": TODAY + timedelta(1)}, State.UNKNOWN, "unknown"),
        (Condition.FUNDS_ACCOUNT, {"funds_account_standing": "frozen"}, State.NOT_MET, "not_met"),
        (Condition.FUNDS_ACCOUNT, {"funds_account_standing": None}, State.UNKNOWN, "unknown"),
        (Condition.AVERAGE_ASSETS, {"average_assets": Decimal("500000")}, State.MET, "met"),
        (Condition.AVERAGE_ASSETS, {"average_assets": Decimal("499999.99")}, State.NOT_MET, "not_met"),
        (Condition.AVERAGE_ASSETS, {"average_assets": Decimal("NaN")}, State.UNKNOWN, "unknown"),
        (Condition.AVERAGE_ASSETS, {"currency": "HKD"}, State.UNKNOWN, "unknown"),
        (Condition.TRADING_EXPERIENCE, {"account_opened_on": date(2026, 5, 20)}, State.MET, "met"),
        (Condition.TRADING_EXPERIENCE, {"account_opened_on": date(2026, 5, 21)}, State.NOT_MET, "not_met"),
        (Condition.TRADING_EXPERIENCE, {"account_opened_on": None}, State.UNKNOWN, "unknown"),
        (Condition.MARGIN_OR_FUTURES, {"margin_enabled": False}, State.NOT_MET, "not_met"),
        (Condition.MARGIN_OR_FUTURES, {"margin_enabled": None}, State.UNKNOWN, "unknown"),
        (Condition.MARGIN_OR_FUTURES, {"margin_enabled": None, "traded_financial_futures": True}, State.MET, "futures"),
        (Condition.KNOWLEDGE_TEST, {"knowledge_level": 2}, State.MET, "met"),
        (Condition.KNOWLEDGE_TEST, {"knowledge_level": 1}, State.NOT_MET, "not_met"),
        (Condition.KNOWLEDGE_TEST, {"knowledge_level": 0}, State.NOT_MET, "none"),
        (Condition.KNOWLEDGE_TEST, {"knowledge_level": 4}, State.UNKNOWN, "unknown"),
        (Condition.SIMULATED_TRADING, {"simulated_level": 2}, State.MET, "met"),
        (Condition.SIMULATED_TRADING, {"simulated_level": 1}, State.NOT_MET, "not_met"),
        (Condition.SIMULATED_TRADING, {"simulated_level": None}, State.UNKNOWN, "unknown"),
        (Condition.NO_BAD_RECORD, {"bad_record": True}, State.NOT_MET, "not_met"),
        (Condition.NO_BAD_RECORD, {"bad_record": None}, State.UNKNOWN, "unknown"),
    ],
)
def test_each_condition_at_its_threshold_and_one_below(
    condition: Condition, change: dict[str, Any], state: State, detail: str
) -> None:
    facts = replace(GOOD, **change)
    assert check(facts, condition) == (state, detail)
    expected = {State.MET: Verdict.ELIGIBLE, State.NOT_MET: Verdict.NOT_ELIGIBLE, State.UNKNOWN: Verdict.UNDETERMINED}
    assert RULES.assess(facts, 2, TODAY).verdict is expected[state]


def test_a_level_that_is_enabled_says_so_and_a_higher_one_is_judged() -> None:
    facts = replace(GOOD, enabled_level=2, knowledge_level=2)
    assert RULES.assess(facts, 1, TODAY).verdict is Verdict.ALREADY_ENABLED
    assert RULES.assess(facts, 2, TODAY).verdict is Verdict.ALREADY_ENABLED
    assert RULES.assess(facts, 3, TODAY).verdict is Verdict.NOT_ELIGIBLE


@pytest.mark.parametrize("level", [0, 4, -1])
def test_a_level_that_does_not_exist_is_refused(level: int) -> None:
    with pytest.raises(RuleRefusal) as refusal:
        RULES.assess(GOOD, level, TODAY)
    assert refusal.value.reason == "unknown_level"


def test_a_day_before_all_thresholds_is_refused() -> None:
    with pytest.raises(RuleRefusal) as refusal:
        RULES.assess(GOOD, 1, date(2023, 2, 16))
    assert refusal.value.reason == "before_first_entry"


def test_a_professional_below_a_limit_is_for_a_person_to_check_but_a_bad_record_is_not_excused() -> None:
    facts = replace(GOOD, customer_tier="professional", average_assets=Decimal(1), knowledge_level=0)
    assert check(facts, Condition.AVERAGE_ASSETS) == (State.UNKNOWN, "exempt")
    assert RULES.assess(facts, 3, TODAY).verdict is Verdict.UNDETERMINED
    assert RULES.assess(replace(facts, bad_record=True), 3, TODAY).verdict is Verdict.NOT_ELIGIBLE


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("min_average_assets", 500000.0),
        ("min_average_assets", "NaN"),
        ("min_risk_level", "C9"),
        ("effective_from", "2023-02-17"),
        ("min_experience_months", "half a year"),
    ],
)
def test_broken_thresholds_are_refused(key: str, value: object) -> None:
    data = deepcopy(DATA)
    data["thresholds"][0][key] = value
    with pytest.raises(RuleDataError):
        OptionsRules(data)


def test_missing_or_doubled_thresholds_are_refused() -> None:
    for thresholds in ([], DATA["thresholds"] * 2):
        with pytest.raises(RuleDataError):
            OptionsRules({**DATA, "thresholds": thresholds})


def test_a_missing_language_is_refused_at_the_start() -> None:
    words = deepcopy(WORDS)
    del words["conditions"]["knowledge_test"]["remedy"]["none"]["en"]
    with pytest.raises(RuleDataError):
        OptionsWording(words)


DAYS = st.none() | st.dates(date(2010, 1, 1), date(2035, 12, 31))
FACTS = st.builds(
    OptionsFacts,
    customer_tier=st.sampled_from(["retail", "premium", "professional", None]),
    risk_level=st.sampled_from([*RISK_LEVELS, None]),
    risk_assessed_on=DAYS,
    risk_disclosure_signed_on=DAYS,
    funds_account_standing=st.sampled_from(["normal", "dormant", "restricted", "frozen", None]),
    account_opened_on=DAYS,
    average_assets=st.none() | st.decimals(-1_000_000, 10_000_000, places=2),
    currency=st.sampled_from(["CNY", "USD"]),
    margin_enabled=st.none() | st.booleans(),
    traded_financial_futures=st.none() | st.booleans(),
    knowledge_level=st.none() | st.integers(0, 3),
    simulated_level=st.none() | st.integers(0, 3),
    bad_record=st.none() | st.booleans(),
    enabled_level=st.integers(0, 3),
)


@given(facts=FACTS, level=st.sampled_from(LEVELS))
def test_every_finding_has_words_source_and_a_remedy_in_both_languages(facts: OptionsFacts, level: int) -> None:
    assessment = RULES.assess(facts, level, TODAY)
    assert [finding.condition for finding in assessment.findings] == list(Condition)
    open_ones = len(Condition) - assessment.met
    for language in ("zh", "en"):
        text = WORDING.conditions(assessment, language)  # type: ignore[arg-type]
        assert text.count(WORDS["labels"][language]["source"]) == len(Condition)
        assert text.count(WORDS["labels"][language]["remedy"]) == open_ones
        assert "{" not in text
        assert "None" not in text


@given(facts=FACTS, level=st.sampled_from([2, 3]))
def test_whoever_may_trade_at_a_level_may_trade_at_the_one_below(facts: OptionsFacts, level: int) -> None:
    if RULES.assess(facts, level, TODAY).verdict in {Verdict.ELIGIBLE, Verdict.ALREADY_ENABLED}:
        assert RULES.assess(facts, level - 1, TODAY).verdict in {Verdict.ELIGIBLE, Verdict.ALREADY_ENABLED}


@given(facts=FACTS, level=st.sampled_from(LEVELS))
def test_the_verdict_is_eligible_only_when_every_condition_is_met(facts: OptionsFacts, level: int) -> None:
    assessment = RULES.assess(facts, level, TODAY)
    if assessment.verdict is Verdict.ELIGIBLE:
        assert assessment.met == len(Condition)
    elif assessment.verdict is not Verdict.ALREADY_ENABLED:
        assert assessment.met < len(Condition)
