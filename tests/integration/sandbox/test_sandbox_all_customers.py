"""All two hundred customers through the real client: every answer keeps the contract, and each trait shows where it should."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator

from tightrope.business.activity import IpoStatus, OrderStatus, RejectionCode, TransferFailure, TransferKind
from tightrope.business.errors import NotFound
from tightrope.business.operations import SCOPES
from tightrope.sandbox.brokerage.days import SHANGHAI
from tightrope.sandbox.catalogue import BY_ID, CUSTOMERS

pytestmark = pytest.mark.integration

CONTRACT = yaml.safe_load((Path(__file__).parents[3] / "contracts" / "business.openapi.yaml").read_text(encoding="utf-8"))
ALL_SCOPES = " ".join(dict.fromkeys(SCOPES.values()))
BASE = "http://127.0.0.1:8100/brokerage"
PATHS = {
    item["get"]["operationId"]: (path, item["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"])
    for path, item in CONTRACT["paths"].items()
    if "get" in item
}


def token(world, customer_id: str) -> str:
    return world.forged(sub=customer_id, scope=ALL_SCOPES)


async def all_answers(world, customer_id: str) -> dict[str, list[Any]]:
    """Every read of a customer, by operation."""
    bearer, api = token(world, customer_id), world.business
    answers: dict[str, list[Any]] = {}

    async def of(name: str, *identifiers: str) -> None:
        for identifier in identifiers:
            try:
                answers.setdefault(name, []).append((await getattr(api, name)(bearer, identifier)).value)
            except NotFound:
                answers.setdefault(name, [])

    await of("accounts", customer_id)
    ids = [account.account_id for account in answers["accounts"][0].items]
    facts = ("margin_facts", "options_facts", "closure_facts", "margin_account", "risk_profile", "contact_details")
    lists = ("orders", "transfers", "ipo_allotments")
    await asyncio.gather(of("balance", *ids), of("positions", *ids), *(of(name, customer_id) for name in (*facts, *lists)))
    return answers


@pytest.fixture(scope="module")
async def everything(world) -> dict[str, dict[str, list[Any]]]:
    return {customer.customer_id: await all_answers(world, customer.customer_id) for customer in CUSTOMERS}


async def test_start_with_all_customers_takes_no_second(world):
    async with world.app.state.pool.connection() as connection:
        await connection.execute("UPDATE brokerage.seeding SET stamp = ''")
    world.app.state.brokerage._seeded = None
    started = time.monotonic()
    await world.app.state.brokerage.seed()
    assert time.monotonic() - started < 1.5


async def test_every_answer_of_every_kind_keeps_the_contract(world):
    """As bytes, not through the client's models: one customer of each group, every operation."""
    checkers = {
        name: Draft202012Validator(
            {"$ref": ref, "components": CONTRACT["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        for name, (_, ref) in PATHS.items()
    }
    seen: set[str] = set()
    for customer in {customer.group: customer for customer in reversed(CUSTOMERS)}.values():
        headers = {"Authorization": f"Bearer {token(world, customer.customer_id)}"}
        for name, (path, _) in PATHS.items():
            for account in customer.accounts[:1]:
                url = path.format(customer_id=customer.customer_id, account_id=account.account_id, market="sse")
                answer = await world.http.get(BASE + url, headers=headers, params={"from": "2026-01-01", "to": "2026-03-01"})
                if answer.status_code == 200:
                    checkers[name].validate(answer.json())
                    seen.add(name)
                else:
                    assert answer.status_code == 404
    assert seen == set(PATHS)


def test_positions_make_the_market_value_and_balances_add_up(everything):
    for answers in everything.values():
        for balance, positions in zip(answers.get("balance", []), answers.get("positions", []), strict=True):
            worth = sum((item.market_value.amount for item in positions.items), Decimal())
            assert worth == balance.market_value.amount, balance.account_id
            assert all(item.market_value.currency == balance.currency for item in positions.items)
            assert all(item.quantity * item.last_price.amount == item.market_value.amount for item in positions.items)
            total = balance.cash_available.amount + balance.cash_frozen.amount + balance.market_value.amount
            assert balance.total_assets.amount == total
            assert balance.cash_withdrawable.amount <= balance.cash_available.amount


def test_every_status_and_code_has_a_customer(everything):
    orders = [order for answers in everything.values() for order in answers["orders"][0].items]
    transfers = [item for answers in everything.values() for item in answers["transfers"][0].items]
    ipos = [item for answers in everything.values() for item in answers["ipo_allotments"][0].items]
    assert {order.status for order in orders} == set(OrderStatus)
    assert {order.rejection for order in orders} == {None, *RejectionCode}
    assert {order.side for order in orders} == {"buy", "sell"}
    assert {order.order_type for order in orders} == {"limit", "market"}
    assert {item.kind for item in transfers} == set(TransferKind)
    assert {item.status for item in transfers} == {"processing", "completed", "failed", "cancelled"}
    assert {item.failure for item in transfers} == {None, *TransferFailure}
    assert {item.status for item in ipos} == set(IpoStatus)


def test_lists_are_newest_first_without_gaps_or_doubles(everything):
    for answers in everything.values():
        orders, transfers = answers["orders"][0].items, answers["transfers"][0].items
        assert [order.placed_at for order in orders] == sorted((order.placed_at for order in orders), reverse=True)
        assert len({order.order_id for order in orders}) == len(orders)
        assert [item.requested_at for item in transfers] == sorted((item.requested_at for item in transfers), reverse=True)
        assert len({item.transfer_id for item in transfers}) == len(transfers)
    longest = max(len(answers["orders"][0].items) for answers in everything.values())
    assert longest > 100


def test_nothing_has_happened_in_the_future(world, everything):
    now = world.clock.now()
    today = now.astimezone(SHANGHAI).date()
    for answers in everything.values():
        assert all(order.updated_at <= now for order in answers["orders"][0].items)
        assert all(item.requested_at <= now for item in answers["transfers"][0].items)
        assert all(item.completed_at is None or item.completed_at <= now for item in answers["transfers"][0].items)
        assert all(item.expected_on is None or item.expected_on >= today for item in answers["transfers"][0].items)
        assert all(item.subscribed_on <= today for item in answers["ipo_allotments"][0].items)


def test_a_credit_account_is_there_for_whoever_has_margin_trading(everything):
    for customer_id, answers in everything.items():
        enabled = any(facts.margin_account_status == "open" for facts in answers["margin_facts"])
        assert bool(answers["margin_account"]) is enabled, customer_id
        for account in answers["margin_account"]:
            (balance,) = (item for item in answers["balance"] if item.account_id == account.account_id)
            assert account.cash.amount == balance.cash_available.amount + balance.cash_frozen.amount
            assert account.securities.amount == balance.market_value.amount


def test_what_blocks_a_closing_stands_in_the_other_answers_too(everything):
    for answers in everything.values():
        for facts in answers["closure_facts"]:
            assert sum(account.open_orders for account in facts.accounts) == sum(
                o.status.open for o in answers["orders"][0].items
            )
            pending = sum(item.status == "processing" for item in answers["transfers"][0].items)
            assert sum(account.pending_transfers for account in facts.accounts) == pending
            held = {positions.account_id: len(positions.items) for positions in answers["positions"]}
            assert {account.account_id: account.positions for account in facts.accounts} == held
            owed = sum(
                (a.financed.amount + a.sold_short.amount + a.interest_and_fees.amount for a in answers["margin_account"]), 0
            )
            assert sum(account.margin_debt.amount for account in facts.accounts) == owed


def test_every_customer_without_account_has_empty_lists_and_no_facts(everything):
    without = [customer_id for customer_id, answers in everything.items() if not answers["accounts"][0].items]
    assert without
    for customer_id in without:
        answers = everything[customer_id]
        assert not BY_ID[customer_id].accounts
        assert not any(answers[name] for name in ("margin_facts", "options_facts", "closure_facts", "margin_account"))
        assert not any(answers[name][0].items for name in ("orders", "transfers", "ipo_allotments"))


def test_an_assessment_ends_twenty_four_months_on(everything, world):
    profiles = {customer_id: answers["risk_profile"][0] for customer_id, answers in everything.items()}
    today = world.clock.now().astimezone(SHANGHAI).date()
    ends = {profile.valid_until - today for profile in profiles.values() if profile.valid_until}
    assert timedelta(0) in ends
    assert timedelta(days=-1) in ends
    assert any(profile.risk_level is None for profile in profiles.values())


async def test_the_day_turns_and_everything_moves_with_it(world):
    """A week later every order is a week younger in absolute time: nothing ages."""
    bearer = token(world, "C1001")
    before = (await world.business.orders(bearer, "C1001")).value.items
    world.clock.advance(7 * 86_400)
    after = (await world.business.orders(token(world, "C1001"), "C1001")).value.items
    assert [b.order_id for b in before] == [a.order_id for a in after]
    assert all(a.placed_at - b.placed_at >= timedelta(days=5) for a, b in zip(after, before, strict=True))
    assert all(a.placed_at <= world.clock.now() for a in after)


async def test_the_calendar_is_public_and_ends_where_the_exchange_has_not_published(world):
    from datetime import date

    calendar = (await world.business.trading_calendar("sse", date(2026, 1, 1), date(2026, 1, 5))).value
    assert [day.kind for day in calendar.days] == ["holiday", "holiday", "weekend", "weekend", "full"]
    with pytest.raises(NotFound):
        await world.business.trading_calendar("hk", date(2099, 1, 1), date(2099, 1, 2))
    for query, status in (
        ("", 400),
        ("from=2026-01-02&to=2026-01-01", 400),
        ("from=x&to=y", 400),
        ("from=2020-01-01&to=2026-01-01", 400),
    ):
        answer: httpx.Response = await world.http.get(f"{BASE}/v1/trading-calendar/sse?{query}")
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await world.http.get(f"{BASE}/v1/trading-calendar/nyse?from=2026-01-01&to=2026-01-01")).status_code == 404
