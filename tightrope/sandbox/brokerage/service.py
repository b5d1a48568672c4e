"""What the brokerage answers to reads, each for one checked token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from tightrope.infra.clock import Clock
from tightrope.infra.logging import get_logger
from tightrope.rules.models import RuleRefusal
from tightrope.sandbox.brokerage import cursors
from tightrope.sandbox.brokerage.access import IDENTIFIER, Access, Subject, own
from tightrope.sandbox.brokerage.days import NIGHTLY_RUN_HOUR, SHANGHAI, activity_day, calendar, nightly
from tightrope.sandbox.brokerage.errors import bad_request, no_account, no_margin_account, not_permitted, not_published
from tightrope.sandbox.brokerage.models import AccountRow
from tightrope.sandbox.brokerage.repository import Brokerage
from tightrope.sandbox.brokerage.seeding import fingerprint, rows
from tightrope.sandbox.catalogue import BY_ID, CUSTOMERS
from tightrope.sandbox.tokens import RemoteKeys

__all__ = ["MAX_PAGE", "NIGHTLY_RUN_HOUR", "SHANGHAI", "BrokerageService", "PageOf", "Subject"]

log = get_logger()

MAX_PAGE: Final = 100
MAX_CALENDAR_DAYS: Final = 400
MARKETS: Final = ("sse", "szse", "bse", "hk")

LISTS: Final[Mapping[str, str]] = {
    "list_positions": "position",
    "list_orders": "order",
    "list_transfers": "transfer",
    "list_ipo_allotments": "ipo",
}
"""Which entries an operation lists."""


@dataclass(frozen=True, slots=True)
class PageOf:
    """What a caller asks of a list; `days_old` ages the answer when a fault is ordered."""

    limit: int = 50
    cursor: str | None = None
    days_old: int = 0


class BrokerageService:
    """The reads."""

    def __init__(self, repository: Brokerage, keys: RemoteKeys, issuer: str, clock: Clock) -> None:
        self.repository = repository
        self.access = Access(keys, issuer, clock)
        self._clock = clock
        self._seeded: tuple[date, str] | None = None

    async def accounts(self, subject: Subject, customer_id: str, page: PageOf) -> dict[str, Any]:
        """A page of the customer's accounts, in order of id."""
        await self.known(subject, customer_id)
        after = str(cursors.decode("list_accounts", customer_id, page.cursor, ""))
        found = await self.repository.accounts(customer_id, after, page.limit + 1)
        shown, more = found[: page.limit], len(found) > page.limit
        return {
            "customer_id": customer_id,
            "items": [row.summary() for row in shown],
            "next_cursor": cursors.encode("list_accounts", customer_id, shown[-1].account_id) if more else None,
            "as_of": self._live(page.days_old),
        }

    async def listed(self, subject: Subject, operation: str, owner: str, page: PageOf) -> dict[str, Any]:
        """A page of another list; the owner of positions is an account, of the rest a customer."""
        of_account = operation == "list_positions"
        if of_account:
            await self._account(subject, owner)
        else:
            await self.known(subject, owner)
        after = int(cursors.decode(operation, owner, page.cursor, 0))
        found = await self.repository.entries(LISTS[operation], owner, after, page.limit + 1)
        shown, more = found[: page.limit], len(found) > page.limit
        nightly_only = operation == "list_ipo_allotments"
        return {
            "account_id" if of_account else "customer_id": owner,
            "items": [document for _, document in shown],
            "next_cursor": cursors.encode(operation, owner, shown[-1][0]) if more else None,
            "as_of": self._of_last_night(page.days_old) if nightly_only else self._live(page.days_old),
        }

    async def balance(self, subject: Subject, account_id: str, days_old: int = 0) -> dict[str, Any]:
        """The figures of an account of the token's customer."""
        row = await self._account(subject, account_id)
        return row.balance(datetime.fromisoformat(self._live(days_old)))

    async def margin_facts(self, subject: Subject, customer_id: str, days_old: int = 0) -> dict[str, Any]:
        """The facts of the last nightly run."""
        await self.seed()
        own(subject, customer_id)
        found = await self.repository.customer(customer_id)
        if found is None:
            raise not_permitted()
        row, has_account = found
        if not has_account:
            raise no_account()
        return row.margin_facts(datetime.fromisoformat(self._of_last_night(days_old)))

    async def options_facts(self, subject: Subject, customer_id: str, days_old: int = 0) -> dict[str, Any]:
        """The facts of the last nightly run."""
        facts = await self._fact(subject, customer_id, "options")
        if facts is None:
            raise no_account()
        return {"customer_id": customer_id, **facts, "as_of": self._of_last_night(days_old)}

    async def margin_account(self, subject: Subject, customer_id: str, days_old: int = 0) -> dict[str, Any]:
        """The credit account, live."""
        facts = await self._fact(subject, customer_id, "margin_account")
        if facts is None:
            raise no_margin_account()
        return {"customer_id": customer_id, **facts, "as_of": self._live(days_old)}

    async def risk_profile(self, subject: Subject, customer_id: str, days_old: int = 0) -> dict[str, Any]:
        """The risk assessment."""
        facts = await self._fact(subject, customer_id, "risk")
        return {"customer_id": customer_id, **(facts or {}), "as_of": self._of_last_night(days_old)}

    async def contact_details(self, subject: Subject, customer_id: str, days_old: int = 0) -> dict[str, Any]:
        """The masked details."""
        facts = await self._fact(subject, customer_id, "contact")
        ticket = await self._ticket(customer_id, "contact_change")
        return {"customer_id": customer_id, **(facts or {}), "open_request": ticket, "as_of": self._live(days_old)}

    async def closure_facts(self, subject: Subject, customer_id: str, days_old: int = 0) -> dict[str, Any]:
        """What stands in the accounts, live."""
        await self.known(subject, customer_id)
        found = await self.repository.closing(customer_id)
        if not found:
            raise no_account()
        ticket = await self._ticket(customer_id, "closure")
        accounts = [row.body() for row in found]
        return {"customer_id": customer_id, "accounts": accounts, "open_request": ticket, "as_of": self._live(days_old)}

    def trading_days(self, market: str, first: date, last: date) -> dict[str, Any]:
        """The days of a market as the rules' calendar has them; public.

        Raises:
            Problem: 404 for a market or a year that is not there, 400 for days in the wrong order or too many.
        """
        if market not in MARKETS:
            raise not_published()
        if not 0 <= (last - first).days < MAX_CALENDAR_DAYS:
            raise bad_request(f"`to` has to be 0 to {MAX_CALENDAR_DAYS - 1} days after `from`.")
        days = [first + timedelta(days=count) for count in range((last - first).days + 1)]
        try:
            kinds = [calendar().day(market, day).kind.value for day in days]
        except RuleRefusal:
            raise not_published() from None
        items = [{"day": day.isoformat(), "kind": kind} for day, kind in zip(days, kinds, strict=True)]
        return {"market": market, "days": items, "as_of": self._of_last_night(0)}

    async def seed(self) -> None:
        """Date the customers from today, when that is not done."""
        now = self._clock.now()
        today, activity = now.astimezone(SHANGHAI).date(), activity_day(now)
        stamp = f"{activity.isoformat()} {fingerprint(CUSTOMERS)}"
        if self._seeded == (today, stamp):
            return
        written = False
        if await self.repository.seeded() != (today, stamp):
            written = await self.repository.seed(today, stamp, rows(CUSTOMERS, today, activity))
        self._seeded = (today, stamp)
        log.info("demo customers are dated from today", action="brokerage_seeded", day=today.isoformat(), written=written)

    async def known(self, subject: Subject, customer_id: str) -> None:
        """The token's own customer, and one of ours: a customer whom the provider alone knows is refused like any other."""
        own(subject, customer_id)
        await self.seed()
        if customer_id not in BY_ID:
            raise not_permitted()

    async def _account(self, subject: Subject, account_id: str) -> AccountRow:
        await self.seed()
        row = await self.repository.account(account_id, subject.customer_id) if IDENTIFIER.fullmatch(account_id) else None
        if row is None:
            raise not_permitted()
        return row

    async def _fact(self, subject: Subject, customer_id: str, kind: str) -> dict[str, Any] | None:
        await self.known(subject, customer_id)
        return await self.repository.fact(kind, customer_id)

    async def _ticket(self, customer_id: str, kind: str) -> dict[str, Any] | None:
        answer = await self.repository.open_ticket(customer_id, kind)
        return json.loads(answer) if answer else None

    def _live(self, days_old: int) -> str:
        now = self._clock.now().astimezone(SHANGHAI)
        return (now - timedelta(days=days_old)).replace(microsecond=0).isoformat()

    def _of_last_night(self, days_old: int) -> str:
        return (nightly(self._clock.now()) - timedelta(days=days_old)).isoformat()
