"""Options eligibility: each condition exactly at its threshold and one below, at the level asked for; verdicts, failures, and why."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from actions_fakes import NOW, FakeContext, cny, options_facts, receipt, run, tracker

from actions.options import CheckOptionsEligibility
from actions.verdicts import ExplainVerdict
from tightrope.business.errors import BusinessError, NoAnswer, NotFound, Refused, Stale
from tightrope.business.operations import GET_OPTIONS_FACTS

TODAY = date(2026, 11, 20)
RULE = "options_eligibility"


def on(language: str = "zh", level: str | None = "level_2", **slots: Any) -> Any:
    return tracker("check_options_eligibility", language=language, slots={"options_level": level, **slots})


async def checked(fake: FakeContext, level: str = "level_2", **facts: Any) -> Any:
    fake.log_in()
    fake.business.options = options_facts(**facts)
    return await run(CheckOptionsEligibility(), on(level=level))


async def test_all_conditions_met_are_shown_with_state_and_basis(fake: FakeContext) -> None:
    done = await checked(fake)
    message = done.message("utter_options_eligible")
    assert (message["total"], message["level"], message["as_of"]) == ("10", "二级", "10:31")
    assert message["conditions"].count("依据：") == 10
    assert message["conditions"].count("✓") == 10
    assert done.slots == {"options_outcome": "eligible", "last_verdict": RULE, "verdict_subject": "level_2"}
    assert done.envelope("journey")["event"] == "completed"


THRESHOLDS: list[tuple[str, Any, Any, str]] = [
    ("risk_level", "C4", "C3", "风险承受能力等级"),
    ("risk_assessed_on", date(2024, 11, 20), date(2024, 11, 19), "风险测评有效期"),
    ("risk_disclosure_signed_on", TODAY, None, "股票期权交易风险揭示书"),
    ("average_assets_20d", cny("500000.00"), cny("499999.99"), "相差 0.01 元"),
    ("account_opened_on", date(2026, 5, 20), date(2026, 5, 21), "自 2026年11月21日 起满足此项"),
    ("knowledge_level", 2, 1, "期权知识测试"),
    ("simulated_level", 2, 1, "期权模拟交易经历"),
    ("bad_record", False, True, "诚信状况"),
    ("funds_account_standing", "normal", "dormant", "资金账户状态"),
    ("margin_account_status", "open", "none", "融资融券"),
]


@pytest.mark.parametrize(("fact", "at", "below", "words"), THRESHOLDS, ids=[fact for fact, *_ in THRESHOLDS])
async def test_exactly_at_the_threshold_is_met_and_one_below_is_not(
    fake: FakeContext, fact: str, at: Any, below: Any, words: str
) -> None:
    met = await checked(fake, **{fact: at})
    assert met.slots["options_outcome"] == "eligible"
    short = await checked(fake, **{fact: below})
    assert short.slots["options_outcome"] == "not_eligible"
    message = short.message("utter_options_not_eligible")
    assert (message["met"], message["total"]) == ("9", "10")
    failed = message["conditions"][message["conditions"].index("✗") :]
    assert words in failed
    assert "办法：" in failed


@pytest.mark.parametrize(("level", "outcome"), [("level_1", "eligible"), ("level_2", "eligible"), ("level_3", "not_eligible")])
async def test_each_level_asks_for_its_own_examination(fake: FakeContext, level: str, outcome: str) -> None:
    done = await checked(fake, level, knowledge_level=2)
    assert done.slots["options_outcome"] == outcome


@pytest.mark.parametrize(("enabled", "outcome"), [(1, "eligible"), (2, "already_enabled"), (3, "already_enabled")])
async def test_what_is_enabled_already_is_told(fake: FakeContext, enabled: int, outcome: str) -> None:
    done = await checked(fake, enabled_level=enabled, risk_level="C4")
    assert done.slots["options_outcome"] == outcome
    if outcome == "already_enabled":
        assert done.message("utter_options_already_enabled")["enabled"] == {2: "二级", 3: "三级"}[enabled]


@pytest.mark.parametrize(
    "fact", ["risk_level", "average_assets_20d", "account_opened_on", "knowledge_level", "simulated_level", "bad_record"]
)
async def test_what_the_firm_does_not_know_is_for_a_person_to_check(fake: FakeContext, fact: str) -> None:
    done = await checked(fake, **{fact: None})
    assert done.slots["options_outcome"] == "undetermined"
    assert "？" in done.message("utter_options_undetermined")["conditions"]


async def test_futures_stand_for_a_margin_account(fake: FakeContext) -> None:
    done = await checked(fake, margin_account_status="none", traded_financial_futures=True)
    assert done.slots["options_outcome"] == "eligible"


async def test_assets_in_another_currency_are_not_compared(fake: FakeContext) -> None:
    done = await checked(fake, average_assets_20d=cny("900000.00", "USD"))
    assert done.slots["options_outcome"] == "undetermined"


async def test_each_rule_is_recorded_and_no_figure_is_a_slot(fake: FakeContext) -> None:
    done = await checked(fake)
    rules = {rule["rule"]: rule for rule in done.evidence["rules"]}
    assert len(rules) == 11
    assert rules[RULE]["inputs"] == {"level": "2", "enabled_level": "0"}
    assert "612345.67" not in str(done.events)


@pytest.mark.parametrize(("kind", "outcome"), [(Refused, "not_permitted"), (NotFound, "no_account"), (NoAnswer, "unavailable")])
async def test_each_failure_has_its_outcome(fake: FakeContext, kind: type[BusinessError], outcome: str) -> None:
    fake.log_in()
    fake.business.errors[GET_OPTIONS_FACTS] = kind("x", receipt(GET_OPTIONS_FACTS, "x", 500, None))
    done = await run(CheckOptionsEligibility(), on(last_verdict=RULE))
    assert done.slots == {"options_outcome": outcome, "last_verdict": None}
    assert done.said == []


async def test_stale_facts_give_no_verdict_but_their_time(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.errors[GET_OPTIONS_FACTS] = Stale("old", receipt(GET_OPTIONS_FACTS, "stale", 200, NOW - timedelta(days=3)))
    done = await run(CheckOptionsEligibility(), on("en"))
    assert done.message("utter_options_stale")["as_of"] == "17 Nov 10:31"


async def test_without_the_scope_nothing_is_read(fake: FakeContext) -> None:
    fake.log_in("accounts:read")
    assert (await run(CheckOptionsEligibility(), on())).slots["options_outcome"] == "not_permitted"
    assert fake.business.asked == []


@pytest.mark.parametrize("level", [None, "level_4", "3"])
async def test_a_level_that_no_button_offers_gives_no_verdict(fake: FakeContext, level: str | None) -> None:
    fake.log_in()
    done = await run(CheckOptionsEligibility(), on(level=level))
    assert done.slots == {"options_outcome": "unavailable", "last_verdict": None}


async def test_why_is_about_the_level_that_was_checked(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.options = options_facts(knowledge_level=2)
    slots = {"last_verdict": RULE, "verdict_subject": "level_3"}
    done = await run(ExplainVerdict(), tracker("explain_verdict", slots=slots))
    message = done.message("utter_options_why")
    assert message["level"] == "三级"
    assert "期权知识测试（未满足）" in message["rules"]
    assert (message["as_of"], message["version"]) == ("10:31", "2023.1")
