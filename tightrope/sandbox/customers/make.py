"""How the groups write a customer down: what differs from an ordinary one, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from tightrope.sandbox.customers.model import DemoAccount, DemoCustomer, Months


def account(available: str = "86500.00", frozen: str = "0.00", market: str = "739900.00", **changes: Any) -> DemoAccount:
    """An account that gets its id with its customer; all available cash is withdrawable unless said otherwise."""
    return DemoAccount("", "", available, frozen, changes.pop("withdrawable", available), market, **changes)


ORDINARY: Final = DemoCustomer("", "", "", "", "", (account(),), Months(40))
"""An account in order, assets and experience enough, C4 assessed 200 days ago, nothing under way."""


def customer(case_zh: str, case_en: str, **changes: Any) -> DemoCustomer:
    """An ordinary customer but for the changes."""
    return replace(ORDINARY, case_zh=case_zh, case_en=case_en, **changes)
