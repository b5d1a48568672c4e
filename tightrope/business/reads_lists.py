"""Reads that come in pages: accounts, positions, orders, transfers, subscriptions for new shares."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TypeVar

from tightrope.business.activity import (
    IpoAllotments,
    IpoPage,
    OrderPage,
    Orders,
    PositionPage,
    Positions,
    TransferPage,
    Transfers,
)
from tightrope.business.basics import Answer, Receipt
from tightrope.business.errors import InvalidAnswer
from tightrope.business.facts import AccountPage, Accounts
from tightrope.business.operations import LIST_ACCOUNTS, LIST_IPO_ALLOTMENTS, LIST_ORDERS, LIST_POSITIONS, LIST_TRANSFERS
from tightrope.business.wire import MAX_PAGES, PAGE_LIMIT, Wire, segment

Page = TypeVar("Page", AccountPage, PositionPage, OrderPage, TransferPage, IpoPage)
Whole = TypeVar("Whole", Accounts, Positions, Orders, Transfers, IpoAllotments)


class ListReads(Wire):
    """The lists; each call follows the cursor to the last page."""

    async def accounts(self, token: str, customer_id: str) -> Answer[Accounts]:
        """All accounts of the customer; an empty tuple when there is none. Scope `accounts:read`.

        Raises:
            BusinessError: one of errors.py's tree.
        """
        return await self._all(LIST_ACCOUNTS, AccountPage, "accounts", token, customer_id, Accounts)

    async def positions(self, token: str, account_id: str) -> Answer[Positions]:
        """The holdings of one account, in order of market and code; empty when there is none. Scope `accounts:read`.

        Raises:
            BusinessError: one of errors.py's tree; `Refused` both for another's account and for one that does not exist.
        """
        return await self._all(LIST_POSITIONS, PositionPage, "positions", token, account_id, Positions)

    async def orders(self, token: str, customer_id: str) -> Answer[Orders]:
        """The orders of the last seven trading days, newest first. Scope `orders:read`.

        Raises:
            BusinessError: one of errors.py's tree.
        """
        return await self._all(LIST_ORDERS, OrderPage, "orders", token, customer_id, Orders)

    async def transfers(self, token: str, customer_id: str) -> Answer[Transfers]:
        """The transfers of the last thirty days, newest first. Scope `transfers:read`.

        Raises:
            BusinessError: one of errors.py's tree.
        """
        return await self._all(LIST_TRANSFERS, TransferPage, "transfers", token, customer_id, Transfers)

    async def ipo_allotments(self, token: str, customer_id: str) -> Answer[IpoAllotments]:
        """The subscriptions for new shares of the last ninety days, newest first. Scope `ipo:read`.

        Raises:
            BusinessError: one of errors.py's tree.
        """
        return await self._all(LIST_IPO_ALLOTMENTS, IpoPage, "ipo-allotments", token, customer_id, IpoAllotments)

    async def _all(
        self, operation: str, page: type[Page], last: str, token: str, owner: str, whole: type[Whole]
    ) -> Answer[Whole]:
        """The items of every page as one list."""
        pages, receipt = await self._pages(operation, page, last, token, owner)
        items = tuple(item for one in pages for item in one.items)
        owned = {"account_id" if whole is Positions else "customer_id": owner}
        return Answer(whole.model_validate({**owned, "items": items, "as_of": receipt.as_of}), receipt)

    async def _pages(self, operation: str, model: type[Page], last: str, token: str, owner: str) -> tuple[list[Page], Receipt]:
        """Every page, each about `owner` and fresh; the receipt covers all bodies and has the oldest time."""
        kind = "accounts" if model is PositionPage else "customers"
        path = f"/v1/{kind}/{segment(operation, owner)}/{last}"
        pages: list[Page] = []
        digest = hashlib.sha256()
        cursor: str | None = None
        oldest: datetime | None = None
        for _ in range(MAX_PAGES):
            params = {"limit": str(PAGE_LIMIT)} | ({"cursor": cursor} if cursor else {})
            body = await self._get(operation, path, token, params)
            digest.update(body)
            page = self._parse(operation, model, body)
            self._same(operation, body, _owner(page), owner)
            self._fresh(operation, page, body)
            pages.append(page)
            oldest = min(oldest or page.as_of, page.as_of)
            cursor = page.next_cursor
            if cursor is None:
                return pages, Receipt(operation, "ok", 200, oldest, digest.hexdigest())
        raise InvalidAnswer(f"more than {MAX_PAGES} pages", Receipt(operation, "invalid_answer", 200, oldest, digest.hexdigest()))


def _owner(page: AccountPage | PositionPage | OrderPage | TransferPage | IpoPage) -> str:
    return page.account_id if isinstance(page, PositionPage) else page.customer_id
