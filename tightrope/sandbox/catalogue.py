"""The synthetic customers of the demo: invented people, fixed ids, facts that do not age (docs/demo-customers.md).

Every date is kept as a distance from the day of seeding: "six months ago to the day" stays that, however old the checkout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from tightrope.sandbox.customers import closing, margin, names, options, orders, others, transfers
from tightrope.sandbox.customers.first import TWELVE
from tightrope.sandbox.customers.model import DemoAccount, DemoCustomer, Months

__all__ = ["BY_ID", "CUSTOMERS", "GROUPS", "TWELVE", "DemoAccount", "DemoCustomer", "Group", "Months", "groups_from"]


@dataclass(frozen=True, slots=True)
class Group:
    """Customers that show branches of the same thing."""

    name: str
    title_zh: str
    title_en: str
    cases: tuple[DemoCustomer, ...]

    def title(self, language: str) -> str:
        return self.title_en if language == "en" else self.title_zh

    def holds(self, customer_id: str) -> bool:
        """Whether the customer is one of these."""
        return any(item.customer_id == customer_id for item in self.cases)


_LATER: Final = (
    Group("margin", "融资融券条件", "Conditions of margin trading", margin.ELIGIBILITY),
    Group("margin_account", "信用账户与维持担保比例", "Credit account and maintenance ratio", margin.ACCOUNT),
    Group("options", "期权条件", "Conditions of options", options.CASES),
    Group("closing", "销户", "Closing an account", closing.CASES),
    Group("orders", "委托状态", "States of orders", orders.STATUSES),
    Group("rejections", "废单原因", "Why orders are rejected", orders.REJECTIONS),
    Group("transfers", "银证转账与转托管", "Transfers", transfers.CASES),
    Group("ipos", "新股申购", "New shares", others.IPOS),
    Group("risks", "风险测评", "Risk profiles", others.RISKS),
    Group("contacts", "联系方式", "Contact details", others.CONTACTS),
    Group("accounts", "账户与币种", "Accounts and currencies", others.ACCOUNTS),
)


def _numbered(item: DemoCustomer, number: int, group: str) -> DemoCustomer:
    """The customer with id, name and account numbers."""
    zh, en = names.name(number)
    accounts = tuple(
        replace(account, account_id=f"A{number}-{index}", number=f"6080{number}{index:04}")
        for index, account in enumerate(item.accounts, start=1)
    )
    return replace(item, customer_id=f"C{number}", name_zh=zh, name_en=en, accounts=accounts, group=group)


def _groups() -> tuple[Group, ...]:
    made = [Group("first", "先看这十二位", "Start with these twelve", TWELVE)]
    number = 1001 + len(TWELVE)
    for group in _LATER:
        cases = tuple(_numbered(item, number + index, group.name) for index, item in enumerate(group.cases))
        made.append(replace(group, cases=cases))
        number += len(cases)
    return tuple(made)


GROUPS: Final = _groups()
CUSTOMERS: Final[tuple[DemoCustomer, ...]] = tuple(item for group in GROUPS for item in group.cases)
BY_ID: Final = {customer.customer_id: customer for customer in CUSTOMERS}


def groups_from(picked: str) -> tuple[Group, ...]:
    """The groups with the picked customer's first, and himself first in it; the twelve stand in front when nobody is picked."""
    of_picked = BY_ID[picked].group if picked in BY_ID else GROUPS[0].name
    ordered = sorted(GROUPS, key=lambda group: group.name != of_picked)
    first = replace(ordered[0], cases=tuple(sorted(ordered[0].cases, key=lambda item: item.customer_id != picked)))
    return (first, *ordered[1:])
