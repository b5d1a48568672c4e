"""Balances: figures as variables only, all accounts or none, and each failure with its own outcome."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from actions_fakes import NOW, FakeContext, account, balance, cny, receipt, run, tracker

from actions.account import TellBalance
from actions.wording import account_title, moment, money
from tightrope.business.errors import BadRequest, BusinessError, InvalidAnswer, NoAnswer, NotFound, NotReached, Refused, Stale
from tightrope.business.models import Answer, Balance


async def test_the_balance_is_told_with_the_time_of_the_data(fake: FakeContext) -> None:
    fake.log_in()
    done = await run(TellBalance(), tracker())
    message = done.message("utter_balance")
    assert {
        key: message[key]
        for key in ("account", "as_of", "cash_available", "cash_withdrawable", "cash_frozen", "market_value", "total_assets")
    } == {
        "account": "普通账户 ••••1001",
        "as_of": "10:31",
        "cash_available": "12,345.67 元",
        "cash_withdrawable": "12,000.00 元",
        "cash_frozen": "100.00 元",
        "market_value": "98,765.43 元",
        "total_assets": "111,211.10 元",
    }
    assert done.slots == {"balance_outcome": "told", "last_verdict": None}
    assert done.envelope("journey")["event"] == "completed"


async def test_the_calls_stand_in_the_evidence_without_figures_and_slots_hold_none(fake: FakeContext) -> None:
    fake.log_in()
    done = await run(TellBalance(), tracker())
    assert [call["operation"] for call in done.evidence["calls"]] == ["list_accounts", "get_balance"]
    assert done.evidence["calls"][0] == {
        "operation": "list_accounts",
        "outcome": "done",
        "status": 200,
        "as_of": NOW.isoformat(),
        "sha256": "a" * 64,
    }
    assert "12345" not in str(done.evidence) + str(done.events)


async def test_calls_carry_a_token_of_this_customer_and_scope_exchanged_once(fake: FakeContext) -> None:
    fake.log_in(customer="C1007")
    await run(TellBalance(), tracker())
    assert [scope for _, scope in fake.tokens.exchanged] == ["accounts:read"]
    assert fake.business.asked == [
        ("list_accounts", "token-accounts:read", "C1007"),
        ("get_balance", "token-accounts:read", "A1"),
    ]


async def test_several_accounts_are_listed_one_by_one(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.accounts_held = (account(), account("A2", kind="margin", number_masked="****2002", status="frozen"))
    fake.business.balances["A2"] = balance("A2")
    done = await run(TellBalance(), tracker(language="en"))
    assert done.said == ["utter_balance_several", "utter_balance", "utter_balance"]
    assert done.messages[0]["count"] == "2"
    assert [m["account"] for m in done.messages[1:3]] == ["Cash account ••••1001", "Margin account ••••2002 (frozen)"]


async def test_one_balance_that_fails_leaves_none_told(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.accounts_held = (account(), account("A2"))
    done = await run(TellBalance(), tracker())
    assert done.slots == {"balance_outcome": "unavailable", "last_verdict": None}
    assert done.said == []


async def test_a_call_that_answers_after_another_failed_still_stands_in_the_evidence(
    fake: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def balance_of(token: str, account_id: str) -> Answer[Balance]:
        if account_id == "A1":
            raise NoAnswer("x", receipt("get_balance", "unavailable", None, None))
        await asyncio.sleep(0.01)
        return Answer(balance(account_id), receipt("get_balance"))

    fake.log_in()
    fake.business.accounts_held = (account(), account("A2"))
    monkeypatch.setattr(fake.business, "balance", balance_of)
    done = await run(TellBalance(), tracker())
    assert [(call["operation"], call["outcome"]) for call in done.evidence["calls"]] == [
        ("list_accounts", "done"),
        ("get_balance", "unknown"),
        ("get_balance", "done"),
    ]
    assert done.said == []


async def test_without_an_account_there_is_nothing_to_tell(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.accounts_held = ()
    assert (await run(TellBalance(), tracker())).slots == {"balance_outcome": "no_account", "last_verdict": None}


@pytest.mark.parametrize(
    ("kind", "outcome", "done_as"),
    [
        (Refused, "not_permitted", "not_done"),
        (NotFound, "no_account", "not_done"),
        (BadRequest, "unavailable", "not_done"),
        (NotReached, "unavailable", "not_done"),
        (NoAnswer, "unavailable", "unknown"),
        (InvalidAnswer, "unavailable", "done"),
    ],
)
async def test_each_failure_of_the_business_api_has_its_outcome_and_says_no_figure(
    fake: FakeContext, kind: type[BusinessError], outcome: str, done_as: str
) -> None:
    fake.log_in()
    fake.business.errors["get_balance"] = kind("x", receipt("get_balance", kind.outcome, 500, None))
    done = await run(TellBalance(), tracker())
    assert done.slots == {"balance_outcome": outcome, "last_verdict": None}
    assert done.said == []
    assert done.evidence["calls"][-1]["outcome"] == done_as


async def test_stale_data_is_named_by_its_time_and_not_shown(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.errors["get_balance"] = Stale("old", receipt("get_balance", "stale", 200, NOW - timedelta(days=1)))
    done = await run(TellBalance(), tracker())
    assert done.slots == {"balance_outcome": "stale", "last_verdict": None}
    assert done.message("utter_balance_stale")["as_of"] == "11月19日 10:31"


async def test_stale_data_without_a_time_counts_as_unavailable(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.errors["get_balance"] = Stale("old", receipt("get_balance", "stale", 200, None))
    assert (await run(TellBalance(), tracker())).slots == {"balance_outcome": "unavailable", "last_verdict": None}


async def test_without_a_grant_no_call_is_made(fake: FakeContext) -> None:
    done = await run(TellBalance(), tracker(slots={"journey_access": "allowed"}))
    assert done.slots == {"balance_outcome": "not_permitted", "last_verdict": None}
    assert fake.business.asked == []
    assert fake.tokens.exchanged == []


async def test_a_session_that_ended_in_between_is_not_permitted(fake: FakeContext) -> None:
    fake.log_in()
    fake.identity.ended = True
    assert (await run(TellBalance(), tracker())).slots == {"balance_outcome": "not_permitted", "last_verdict": None}


async def test_a_refused_exchange_is_not_permitted_and_recorded(fake: FakeContext) -> None:
    fake.log_in()
    fake.tokens.refuse = True
    done = await run(TellBalance(), tracker())
    assert done.slots == {"balance_outcome": "not_permitted", "last_verdict": None}
    assert done.evidence["calls"] == [
        {"operation": "token_exchange", "outcome": "not_done", "status": 400, "as_of": None, "sha256": "a" * 64}
    ]


@pytest.mark.parametrize(
    ("amount", "currency", "language", "shown"),
    [
        ("0", "CNY", "zh", "0.00 元"),
        ("-5.5", "HKD", "zh", "-5.50 港元"),
        ("1234567.8901", "USD", "zh", "1,234,567.8901 美元"),
        ("7", "EUR", "zh", "7.00 EUR"),
        ("7", "HKD", "en", "HKD 7.00"),
    ],
)
def test_money_is_shown_exactly_with_its_currency(amount: str, currency: str, language: str, shown: str) -> None:
    assert money(cny(amount, currency), language) == shown


@pytest.mark.parametrize(
    ("ago", "zh", "en"),
    [
        (timedelta(), "10:31", "10:31"),
        (timedelta(hours=11), "11月19日 23:31", "19 Nov 23:31"),
        (timedelta(days=400), "2025年10月16日 10:31", "16 Oct 2025 10:31"),
    ],
)
def test_times_are_told_in_shanghai_with_the_day_when_it_is_not_today(ago: timedelta, zh: str, en: str) -> None:
    assert moment(NOW - ago, NOW, "zh") == zh
    assert moment(NOW - ago, NOW, "en") == en


def test_an_account_that_is_not_normal_says_so() -> None:
    assert account_title(account(status="dormant"), "zh") == "普通账户 ••••1001（休眠）"
