"""The two hundred customers cover the rules: each condition in each state, failed alone, at its threshold, on any day of the calendar."""

from __future__ import annotations

from collections import Counter
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tightrope.rules import margin, options
from tightrope.rules.eligibility import Assessment, Verdict
from tightrope.rules.margin_account import Account, MarginAccountRules, Standing
from tightrope.rules.models import State
from tightrope.sandbox.brokerage.days import ACTIVITY_FROM, is_trading_day, trading_days
from tightrope.sandbox.brokerage.seeding import Rows, rows
from tightrope.sandbox.catalogue import CUSTOMERS, GROUPS, TWELVE, groups_from
from tightrope.sandbox.customers.market import PRICES, currency_of, holdings, securities
from tightrope.sandbox.customers.page import markdown

DAYS = (date(2026, 11, 22), date(2026, 8, 31), date(2028, 2, 29), date(2027, 3, 1), date(2026, 12, 31), date(2027, 1, 1))
"""A Sunday, ends of months of different length, a leap day, the turn of the year."""
DATA = Path(margin.__file__).parent / "data"


@cache
def seeded(day: date) -> Rows:
    return rows(CUSTOMERS, day, trading_days(day, -1))


def _rule(name: str) -> Any:
    return yaml.safe_load((DATA / f"{name}.yml").read_text(encoding="utf-8"))


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def margin_assessments(day: date) -> dict[str, Assessment]:
    rules = margin.MarginRules(_rule("margin"))
    with_account = {row["customer_id"] for row in seeded(day).account}
    return {
        row["customer_id"]: rules.assess(
            margin.MarginFacts(
                customer_tier=row["tier"],
                risk_level=row["risk_level"],
                risk_assessed_on=_day(row["risk_assessed_on"]),
                risk_disclosure_signed_on=_day(row["risk_disclosure_signed_on"]),
                funds_account_standing=row["standing"],
                first_trade_on=_day(row["first_trade_on"]),
                average_assets=Decimal(row["average_assets_20d"]),
                currency="CNY",
                margin_enabled=row["margin_account_status"] == "open",
            ),
            day,
        )
        for row in seeded(day).customer
        if row["customer_id"] in with_account
    }


def options_assessments(day: date, level: int) -> dict[str, Assessment]:
    rules = options.OptionsRules(_rule("options"))
    found: dict[str, Assessment] = {}
    for row in seeded(day).fact:
        if row["kind"] != "options":
            continue
        facts = row["document"]
        average = facts["average_assets_20d"]
        found[row["customer_id"]] = rules.assess(
            options.OptionsFacts(
                customer_tier=facts["customer_tier"],
                risk_level=facts["risk_level"],
                risk_assessed_on=_day(facts["risk_assessed_on"]),
                risk_disclosure_signed_on=_day(facts["risk_disclosure_signed_on"]),
                funds_account_standing=facts["funds_account_standing"],
                account_opened_on=_day(facts["account_opened_on"]),
                average_assets=Decimal(average["amount"]) if average else None,
                currency="CNY",
                margin_enabled=facts["margin_account_status"] == "open",
                traded_financial_futures=facts["traded_financial_futures"],
                knowledge_level=facts["knowledge_level"],
                simulated_level=facts["simulated_level"],
                bad_record=facts["bad_record"],
                enabled_level=facts["enabled_level"],
            ),
            level,
            day,
        )
    return found


def failed_alone(assessments: dict[str, Assessment]) -> set[str]:
    """The conditions that some customer fails while all others are met."""
    alone: set[str] = set()
    for assessment in assessments.values():
        missed = [finding.condition.value for finding in assessment.findings if finding.state is not State.MET]
        states = {finding.state for finding in assessment.findings}
        if len(missed) == 1 and State.NOT_MET in states:
            alone |= set(missed)
    return alone


def states(assessments: dict[str, Assessment]) -> set[tuple[str, str]]:
    return {(finding.condition.value, finding.detail) for item in assessments.values() for finding in item.findings}


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_each_condition_of_margin_trading_fails_alone(day: date):
    assessments = margin_assessments(day)
    assert failed_alone(assessments) == {condition.value for condition in margin.Condition}
    assert {item.verdict for item in assessments.values()} == set(Verdict)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_each_condition_of_options_fails_alone_and_can_be_unknown(day: date):
    assessments = options_assessments(day, 1)
    assert failed_alone(assessments) == {condition.value for condition in options.Condition}
    assert {item.verdict for item in assessments.values()} == set(Verdict)
    unknown = {name for name, detail in states(assessments) if detail == "unknown"}
    assert unknown == {
        "risk_level",
        "risk_assessment_age",
        "average_assets",
        "trading_experience",
        "margin_or_futures",
        "knowledge_test",
        "simulated_trading",
        "no_bad_record",
    }
    assert {name for name, detail in states(assessments) if detail == "exempt"} == {
        "average_assets",
        "trading_experience",
        "margin_or_futures",
        "knowledge_test",
        "simulated_trading",
    }


@pytest.mark.parametrize("level", [1, 2, 3])
def test_each_level_of_options_is_met_by_some_and_missed_by_some(level: int):
    found = {item.verdict for item in options_assessments(DAYS[0], level).values()}
    assert found == set(Verdict)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_on_every_day_the_thresholds_of_time_are_met_exactly_and_missed_by_one(day: date):
    ages: set[int] = set()
    for item in options_assessments(day, 1).values():
        for finding in item.findings:
            if finding.condition.value == "risk_assessment_age" and isinstance(until := finding.values.get("valid_until"), date):
                ages.add((until - day).days)
    assert 0 in ages or (1 in ages and (day.month, day.day) == (2, 29))
    assert ages & {-1, -2, -3}
    assert -1 in ages or day.day > 28
    met = {finding.values.get("met_on") for item in options_assessments(day, 1).values() for finding in item.findings}
    later = sorted((value - day).days for value in met if isinstance(value, date))
    assert any(-3 <= count <= 0 for count in later)
    assert any(0 < count <= 3 for count in later)


def test_the_credit_accounts_stand_in_every_place_between_the_lines():
    rules = MarginAccountRules(_rule("margin_account"))
    standings: Counter[Standing] = Counter()
    ratios = set()
    for row in seeded(DAYS[0]).fact:
        if row["kind"] == "margin_account":
            names = ("cash", "securities", "financed", "sold_short", "interest_and_fees")
            found = rules.ratio(Account(*(Decimal(row["document"][name]["amount"]) for name in names)), DAYS[0])
            standings[found.standing] += 1
            ratios.add(str(found.ratio))
    assert set(standings) == set(Standing)
    for line in ("3.0000", "1.5000", "1.3000", "2.9999", "1.4999", "1.2999", "0.0000"):
        assert any(line in ratio for ratio in ratios), (line, sorted(ratios))


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_what_customers_did_lies_on_trading_days_and_before_the_hour(day: date):
    activity = trading_days(day, -1)
    for item in CUSTOMERS:
        for order in (*item.orders, *item.transfers):
            assert order.days > 0 or time.fromisoformat(order.at) < ACTIVITY_FROM
    for row in seeded(day).entry:
        if row["kind"] == "order":
            placed = date.fromisoformat(row["document"]["placed_at"][:10])
            assert is_trading_day(placed)
            assert placed <= activity


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_new_shares_and_calls_for_collateral_keep_to_trading_days(day: date):
    for row in seeded(day).entry:
        if row["kind"] == "ipo":
            found = row["document"]
            subscribed, result = date.fromisoformat(found["subscribed_on"]), date.fromisoformat(found["result_on"])
            assert subscribed < result
            assert subscribed <= day
            assert (day - subscribed).days <= 90
            assert found["status"] == "subscribed" or result <= day
            assert all(is_trading_day(date.fromisoformat(found[name][:10])) for name in ("subscribed_on", "result_on"))
            if found["status"] == "payment_due":
                assert date.fromisoformat(found["pay_by"][:10]) >= day
            if found["listing_on"]:
                assert (date.fromisoformat(found["listing_on"]) > day) is (found["status"] in {"paid"})
    calls = [row["document"]["margin_call"] for row in seeded(day).fact if row["kind"] == "margin_account"]
    ends = [date.fromisoformat(call["restore_by"][:10]) for call in calls if call]
    assert all(
        date.fromisoformat(call["called_on"]) < end <= day + timedelta(12)
        for call, end in zip(filter(None, calls), ends, strict=True)
    )
    assert any(end > day for end in ends)
    assert any(end < day for end in ends)


def test_each_thing_that_blocks_a_closing_stands_alone_somewhere_and_all_together_once():
    alone, most = set(), 0
    for item in next(group for group in GROUPS if group.name == "closing").cases:
        found = {
            "money": any(Decimal(a.cash_available) + Decimal(a.cash_frozen) for a in item.accounts),
            "holdings": any(Decimal(a.market_value) for a in item.accounts),
            "orders": any(order.status in {"pending", "accepted", "partly_filled"} for order in item.orders),
            "transfers": any(transfer.status == "processing" for transfer in item.transfers),
            "debt": bool(
                item.margin and any(Decimal(x) for x in (item.margin.financed, item.margin.sold_short, item.margin.interest))
            ),
            "products": any(a.products for a in item.accounts),
            "frozen": any(a.status == "frozen" for a in item.accounts),
        }
        blockers = {name for name, there in found.items() if there}
        most = max(most, len(blockers))
        if len(blockers) == 1:
            alone |= blockers
    assert alone == {"money", "holdings", "orders", "transfers", "debt", "products", "frozen"}
    assert most == 6


def test_names_ids_and_cases_are_all_different():
    assert len(CUSTOMERS) == 200
    assert len({item.name_zh for item in CUSTOMERS}) == len({item.name_en for item in CUSTOMERS}) == 200
    assert len({item.case_zh for item in CUSTOMERS}) == len({item.case_en for item in CUSTOMERS}) == 200


def test_every_market_value_is_made_of_the_price_list_in_the_accounts_currency():
    for item in CUSTOMERS:
        for account in item.accounts:
            held = holdings(account)
            assert sum(h.quantity * Decimal(PRICES[h.code]) for h in held) == Decimal(account.market_value)
            assert {currency_of(h.code) for h in held} <= {account.currency}
            assert len({h.code for h in held}) == len(held)


def test_every_security_that_somebody_has_is_in_the_shared_file():
    named = {order.code for item in CUSTOMERS for order in item.orders} | {ipo.code for item in CUSTOMERS for ipo in item.ipos}
    assert named | set(PRICES) <= set(securities())
    assert {code for code, security in securities().items() if security.kind != "ipo"} == set(PRICES)


def test_the_login_page_shows_the_picked_customer_first_and_everybody_once():
    for picked in ("", "C1003", "C1150", "C9999"):
        groups = groups_from(picked)
        shown = [item.customer_id for group in groups for item in group.cases]
        assert sorted(shown) == sorted(item.customer_id for item in CUSTOMERS)
        assert shown[0] == (picked if picked in shown else TWELVE[0].customer_id)


def test_the_page_of_customers_is_up_to_date():
    page = (Path(__file__).parents[3] / "docs" / "demo-customers.md").read_text(encoding="utf-8")
    assert page == markdown()
