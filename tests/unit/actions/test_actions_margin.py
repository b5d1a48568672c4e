"""Margin eligibility and its explanation: verdicts as slots, conditions as variables, rules as evidence."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from actions_fakes import NOW, FakeContext, cny, margin_facts, receipt, run, tracker

from actions.margin import CheckMarginEligibility
from tightrope.business.errors import BusinessError, NoAnswer, NotFound, Refused, Stale
from tightrope.business.models import MarginFacts


def on(language: str = "zh", **slots: str) -> object:
    return tracker("check_margin_eligibility", language=language, slots=dict(slots))


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (margin_facts(), "eligible"),
        (margin_facts(risk_level="C3"), "not_eligible"),
        (margin_facts(risk_disclosure_signed_on=None), "not_eligible"),
        (margin_facts(customer_tier="professional", first_trade_on=None), "undetermined"),
    ],
)
async def test_the_verdict_is_a_slot_and_every_condition_is_shown(fake: FakeContext, facts: MarginFacts, verdict: str) -> None:
    fake.log_in()
    fake.business.facts = facts
    done = await run(CheckMarginEligibility(), on())  # type: ignore[arg-type]
    assert done.slots == {"margin_outcome": verdict, "last_verdict": "margin_eligibility"}
    message = done.message(f"utter_margin_{verdict}")
    assert message["total"] == "7"
    assert message["conditions"].count("依据：") == 7
    assert done.envelope("journey")["event"] == "completed"


async def test_a_customer_who_has_a_margin_account_is_told_so(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.facts = margin_facts(margin_account_status="open", risk_level="C1")
    done = await run(CheckMarginEligibility(), on("en"))  # type: ignore[arg-type]
    assert done.said == ["utter_margin_already_enabled"]
    assert done.message("utter_margin_already_enabled")["as_of"] == "10:31"


async def test_assets_one_cent_short_are_not_met_and_the_cent_is_named(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.facts = margin_facts(average_assets_20d=cny("499999.99"))
    done = await run(CheckMarginEligibility(), on())  # type: ignore[arg-type]
    assert "相差 0.01 元" in done.message("utter_margin_not_eligible")["conditions"]
    assert "499999.99" not in str(done.events)


async def test_each_rule_is_recorded_with_its_inputs_and_version(fake: FakeContext) -> None:
    fake.log_in()
    done = await run(CheckMarginEligibility(), on())  # type: ignore[arg-type]
    rules = {rule["rule"]: rule for rule in done.evidence["rules"]}
    assert len(rules) == 8
    assert rules["margin_eligibility"]["verdict"] == "eligible"
    assert rules["margin_eligibility.average_assets"] == {
        "rule": "margin_eligibility.average_assets",
        "version": "2023.1",
        "verdict": "met",
        "inputs": {"required": "500000.00", "average": "612345.67"},
    }


async def test_the_day_of_the_check_is_the_day_in_shanghai(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.facts = margin_facts(first_trade_on=date(2026, 5, 21))
    fake.clock.at = NOW.replace(hour=15, minute=59)
    assert (await run(CheckMarginEligibility(), on())).slots["margin_outcome"] == "not_eligible"  # type: ignore[arg-type]
    fake.clock.at = NOW.replace(hour=16, minute=0)
    assert (await run(CheckMarginEligibility(), on())).slots["margin_outcome"] == "eligible"  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "outcome"), [(Refused, "not_permitted"), (NotFound, "no_account"), (NoAnswer, "unavailable")])
async def test_each_failure_has_its_outcome(fake: FakeContext, kind: type[BusinessError], outcome: str) -> None:
    fake.log_in()
    fake.business.errors["get_margin_eligibility_facts"] = kind("x", receipt("get_margin_eligibility_facts", "x", 500, None))
    done = await run(CheckMarginEligibility(), on(last_verdict="margin_eligibility"))  # type: ignore[arg-type]
    assert done.slots["margin_outcome"] == outcome
    assert done.said == []


async def test_stale_facts_give_no_verdict_but_their_time(fake: FakeContext) -> None:
    fake.log_in()
    old = Stale("old", receipt("get_margin_eligibility_facts", "stale", 200, NOW - timedelta(days=3)))
    fake.business.errors["get_margin_eligibility_facts"] = old
    done = await run(CheckMarginEligibility(), on("en", last_verdict="margin_eligibility"))  # type: ignore[arg-type]
    assert done.said == ["utter_margin_stale"]
    assert done.message("utter_margin_stale")["as_of"] == "17 Nov 10:31"


async def test_stale_facts_without_a_time_count_as_unavailable(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.errors["get_margin_eligibility_facts"] = Stale("old", receipt("x", "stale", 200, None))
    assert (await run(CheckMarginEligibility(), on())).slots["margin_outcome"] == "unavailable"  # type: ignore[arg-type]


async def test_a_failed_check_leaves_no_verdict_to_explain(fake: FakeContext) -> None:
    done = await run(CheckMarginEligibility(), on(last_verdict="margin_eligibility"))  # type: ignore[arg-type]
    assert done.slots == {"margin_outcome": "not_permitted", "last_verdict": None}
    assert fake.business.asked == []
