"""docs/demo-customers.md: `python -m tightrope.sandbox.customers.page > docs/demo-customers.md`; a test compares the two."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from decimal import Decimal

from tightrope.sandbox.catalogue import GROUPS, TWELVE, Group
from tightrope.sandbox.customers.model import DemoCustomer


def markdown() -> str:
    """The whole page."""
    lines = [
        "# The two hundred demo customers",
        "",
        "Invented, with fixed ids; `tightrope/sandbox/customers/` is the source of this page, which",
        "`python -m tightrope.sandbox.customers.page` writes. All dates are relative to the day the sandbox is seeded",
        "(Asia/Shanghai; it seeds itself again when the day changes, and orders and transfers lie on the last trading days), so",
        "the demo does not age. Log in at the portal or at the login page by picking one and typing the one-time code that the",
        "page shows. These are facts; the verdicts are the rules' (`tightrope/rules/`). Securities are invented too",
        "(`data/understanding/securities.json`).",
        "",
        "What is not said of a customer is ordinary: one account in order, C4 assessed 200 days ago, disclosures of margin trading",
        "signed, experience and assets enough, no debt, nothing under way.",
        "",
        *_twelve(),
    ]
    for group in GROUPS[1:]:
        lines += ["", f"## {group.title_en} · {group.title_zh}", "", *_cases(group)]
    lines += [
        "",
        "## Faults",
        "",
        "Faults for the next calls of a customer can be ordered, and filed requests forgotten: `tightrope/sandbox/brokerage/faults.py`",
        "describes both (contracts/business.openapi.yaml has only what the real API has).",
    ]
    return "\n".join(lines) + "\n"


def _twelve() -> list[str]:
    lines = [
        "## The first twelve",
        "",
        "| id | name | case | tier | risk level, assessed | disclosure signed | standing | first trade | 20-day average, CNY "
        "| margin account |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for item in TWELVE:
        first = "never"
        if item.first_trade is not None:
            first = f"{item.first_trade.count} months ago" + (" less a day" if item.first_trade.plus_days else "")
        signed = "no" if item.disclosure_signed_days_ago is None else f"{item.disclosure_signed_days_ago} days ago"
        cells = [
            item.customer_id,
            f"{item.name_zh} / {item.name_en}",
            f"{item.case_zh} / {item.case_en}",
            item.tier,
            f"{item.risk_level}, {item.risk_assessed_days_ago} days ago",
            signed,
            item.standing if item.accounts else "no account",
            first,
            f"{Decimal(item.average_assets):,}",
            item.margin_account,
        ]
        lines.append(_row(cells))
    lines += ["", "Their accounts and balances:", "", *_balances(), ""]
    lines.append("C1011 has no account: its account list is empty and its margin facts are answered with 404 `no-account`.")
    under_way = ", ".join(f"{item.customer_id} ({_under_way(item)})" for item in TWELVE if _under_way(item))
    return [*lines, f"Under way: {under_way}."]


def _balances() -> Iterable[str]:
    yield "| account | customer | kind | status | available | frozen | withdrawable | market value | total | currency |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for item in TWELVE:
        for a in item.accounts:
            figures = (a.cash_available, a.cash_frozen, a.cash_withdrawable, a.market_value, a.total_assets)
            yield _row([a.account_id, item.customer_id, a.kind, a.status, *(f"{Decimal(x):,}" for x in figures), a.currency])


def _cases(group: Group) -> Iterable[str]:
    yield "| id | shows | 情形 | accounts |"
    yield "| --- | --- | --- | --- |"
    for item in group.cases:
        accounts = ", ".join(f"{a.account_id} ({a.kind}, {a.currency})" for a in item.accounts) or "none"
        yield _row([item.customer_id, item.case_en, item.case_zh, accounts])


def _under_way(item: DemoCustomer) -> str:
    counts = (("orders", item.orders), ("transfers", item.transfers), ("new shares", item.ipos))
    return ", ".join(f"{name} {len(found)}" for name, found in counts if found)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(markdown())
