"""Wording of margin eligibility: complete for all findings in both languages, figures exact."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from test_rules_margin import FACTS, FOLDER, GOOD, RULES, TODAY

from tightrope.rules.margin import Condition, MarginFacts
from tightrope.rules.margin_text import MarginWording, amount
from tightrope.rules.models import RuleDataError

DATA: dict[str, Any] = yaml.safe_load((FOLDER / "margin_wording.yml").read_text(encoding="utf-8"))
WORDING = MarginWording(DATA)


@given(facts=FACTS)
def test_there_are_words_for_every_finding_in_both_languages(facts: MarginFacts) -> None:
    assessment = RULES.assess(facts, TODAY)
    for language in ("zh", "en"):
        text = WORDING.conditions(assessment, language)  # type: ignore[arg-type]
        assert text.count(DATA["labels"][language]["source"]) == len(Condition)
        assert "{" not in text
        assert "None" not in text


def test_a_condition_that_is_not_met_says_what_is_missing_and_what_to_do() -> None:
    assessment = RULES.assess(replace(GOOD, average_assets=Decimal("380000.50")), TODAY)
    text = WORDING.conditions(assessment, "zh")
    assert "✗ 最近20个交易日日均资产：380,000.50 元，要求不低于 500,000.00 元，相差 119,999.50 元" in text
    assert "办法：日均资产达到要求后即可满足" in text
    assert "依据：《融资融券业务管理办法》第十二条" in text


def test_the_day_from_which_experience_counts_is_named() -> None:
    assessment = RULES.assess(replace(GOOD, first_trade_on=date(2026, 9, 1)), TODAY)
    assert "Met from 1 Mar 2027 on" in WORDING.conditions(assessment, "en")


def test_rules_are_listed_by_source_with_their_conditions() -> None:
    text = WORDING.rules(RULES.assess(replace(GOOD, risk_level="C2"), TODAY), "en")
    assert "CSRC Order No. 117), Article 12: Trading experience (met), Average assets over the last 20 trading days (met)" in text
    assert "Risk level (not met)" in text
    assert len(text.splitlines()) == 4


@pytest.mark.parametrize(
    ("value", "shown"),
    [("500000", "500,000.00"), ("0.5", "0.50"), ("1234.5678", "1,234.5678"), ("1234.5600", "1,234.56"), ("-12.3", "-12.30")],
)
def test_amounts_are_grouped_and_never_rounded(value: str, shown: str) -> None:
    assert amount(Decimal(value)) == shown


def test_a_missing_language_is_refused_at_the_start() -> None:
    data = deepcopy(DATA)
    del data["conditions"]["risk_level"]["met"]["en"]
    with pytest.raises(RuleDataError):
        MarginWording(data)


def test_a_missing_line_for_a_finding_is_refused() -> None:
    data = deepcopy(DATA)
    del data["conditions"]["trading_experience"]["never_traded"]
    with pytest.raises(RuleDataError, match="trading_experience"):
        MarginWording(data).conditions(RULES.assess(replace(GOOD, first_trade_on=None), TODAY), "zh")
