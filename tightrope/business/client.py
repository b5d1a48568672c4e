"""The client of the firm's business API: reads only, each with a receipt (contracts/business.openapi.yaml)."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from tightrope.business.errors import BadRequest, BusinessError, InvalidAnswer, NoAnswer, NotFound, NotReached, Refused, Stale
from tightrope.business.models import Account, AccountPage, Accounts, Answer, Balance, MarginFacts, Receipt
from tightrope.infra.clock import Clock
from tightrope.infra.http import OutboundRefused
from tightrope.infra.logging import get_logger

log = get_logger()

TIMEOUT_SECONDS: Final = 2.0
"""For a whole attempt, connecting and reading included."""
PAGE_LIMIT: Final = 50
MAX_PAGES: Final = 20
MAX_BODY_BYTES: Final = 1_048_576

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

LIST_ACCOUNTS: Final = "list_accounts"
GET_BALANCE: Final = "get_balance"
GET_MARGIN_FACTS: Final = "get_margin_eligibility_facts"

SCOPES: Final[Mapping[str, str]] = {
    LIST_ACCOUNTS: "accounts:read",
    GET_BALANCE: "accounts:read",
    GET_MARGIN_FACTS: "eligibility:read",
}
"""The one scope that each operation needs."""

MAX_AGE: Final[Mapping[str, timedelta]] = {
    LIST_ACCOUNTS: timedelta(days=1),
    GET_BALANCE: timedelta(minutes=10),
    GET_MARGIN_FACTS: timedelta(hours=48),
}
"""How old the firm's data may be. Margin facts come from a nightly run, so one missed night is tolerated and two are not."""


class _Dated(Protocol):
    @property
    def as_of(self) -> datetime: ...


M = TypeVar("M", bound=BaseModel)


class BusinessClient:
    """Typed reads of the firm's systems for one customer's token at a time.

    Args:
        http: a client made by `tightrope.infra.http.outbound_client` with `base_url=settings.brokerage_url`.
        clock: judges the age of answers.
        timeout: seconds for one attempt.
    """

    def __init__(self, http: httpx.AsyncClient, clock: Clock, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._http = http
        self._clock = clock
        self._timeout = timeout

    async def accounts(self, token: str, customer_id: str) -> Answer[Accounts]:
        """All accounts of the customer; an empty tuple when there is none. Scope `accounts:read`.

        Raises:
            BusinessError: one of errors.py's tree.
        """
        items: list[Account] = []
        digest = hashlib.sha256()
        cursor: str | None = None
        oldest: datetime | None = None
        for _ in range(MAX_PAGES):
            params = {"limit": str(PAGE_LIMIT)} | ({"cursor": cursor} if cursor else {})
            body = await self._get(LIST_ACCOUNTS, f"/v1/customers/{_segment(LIST_ACCOUNTS, customer_id)}/accounts", token, params)
            digest.update(body)
            page = self._parse(LIST_ACCOUNTS, AccountPage, body)
            self._same(LIST_ACCOUNTS, body, page.customer_id, customer_id)
            self._fresh(LIST_ACCOUNTS, page, body)
            items.extend(page.items)
            oldest = min(oldest or page.as_of, page.as_of)
            if page.next_cursor is None:
                receipt = Receipt(LIST_ACCOUNTS, "ok", 200, oldest, digest.hexdigest())
                return Answer(Accounts(customer_id=customer_id, items=tuple(items), as_of=oldest), receipt)
            cursor = page.next_cursor
        raise InvalidAnswer(
            f"more than {MAX_PAGES} pages", Receipt(LIST_ACCOUNTS, "invalid_answer", 200, oldest, digest.hexdigest())
        )

    async def balance(self, token: str, account_id: str) -> Answer[Balance]:
        """The figures of one account. Scope `accounts:read`.

        Raises:
            BusinessError: one of errors.py's tree; `Refused` both for another's account and for one that does not exist.
        """
        body = await self._get(GET_BALANCE, f"/v1/accounts/{_segment(GET_BALANCE, account_id)}/balance", token)
        balance = self._parse(GET_BALANCE, Balance, body)
        self._same(GET_BALANCE, body, balance.account_id, account_id)
        moneys = (
            balance.cash_available,
            balance.cash_frozen,
            balance.cash_withdrawable,
            balance.market_value,
            balance.total_assets,
        )
        if any(money.currency != balance.currency for money in moneys):
            raise InvalidAnswer("the amounts are in several currencies", _receipt(GET_BALANCE, InvalidAnswer, 200, body))
        return Answer(balance, self._fresh(GET_BALANCE, balance, body))

    async def margin_facts(self, token: str, customer_id: str) -> Answer[MarginFacts]:
        """The facts that bear on margin trading. Scope `eligibility:read`.

        Raises:
            NotFound: the customer has never opened an account.
            BusinessError: one of errors.py's tree.
        """
        customer = _segment(GET_MARGIN_FACTS, customer_id)
        body = await self._get(GET_MARGIN_FACTS, f"/v1/customers/{customer}/margin-eligibility-facts", token)
        facts = self._parse(GET_MARGIN_FACTS, MarginFacts, body)
        self._same(GET_MARGIN_FACTS, body, facts.customer_id, customer_id)
        return Answer(facts, self._fresh(GET_MARGIN_FACTS, facts, body))

    async def _get(self, operation: str, path: str, token: str, params: dict[str, str] | None = None) -> bytes:
        try:
            response = await self._attempt(operation, path, token, params)
        except NotReached as error:
            if isinstance(error.__cause__, OutboundRefused):
                raise
            # Nothing left this machine and a read harms nobody: once more, then it is the customer's turn to know.
            log.warning("business API not reached, trying once more", action="business_retry", operation=operation)
            response = await self._attempt(operation, path, token, params)
        body = response.content
        if response.is_success:
            if len(body) > MAX_BODY_BYTES:
                raise InvalidAnswer(
                    f"the body has {len(body)} bytes", _receipt(operation, InvalidAnswer, response.status_code, body)
                )
            return body
        kind = _kind(response.status_code)
        receipt = _receipt(operation, kind, response.status_code, body)
        log.warning(
            "business API did not answer the question",
            action="business_error",
            operation=operation,
            outcome=kind.outcome,
            status=response.status_code,
        )
        raise kind(f"status {response.status_code}", receipt)

    async def _attempt(self, operation: str, path: str, token: str, params: dict[str, str] | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, application/problem+json"}
        try:
            async with asyncio.timeout(self._timeout):
                return await self._http.get(path, params=params, headers=headers, timeout=self._timeout)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotReached("no connection", Receipt(operation, NotReached.outcome, None, None, None)) from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise NoAnswer(
                f"no answer within {self._timeout} s", Receipt(operation, NoAnswer.outcome, None, None, None)
            ) from error

    @staticmethod
    def _parse(operation: str, model: type[M], body: bytes) -> M:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            # Only the places are named: the values of a broken answer may be somebody's figures.
            places = sorted({".".join(str(part) for part in item["loc"]) or "body" for item in error.errors(include_input=False)})
            raise InvalidAnswer(
                f"the answer breaks the contract at {', '.join(places)}", _receipt(operation, InvalidAnswer, 200, body)
            ) from None

    @staticmethod
    def _same(operation: str, body: bytes, got: str, asked: str) -> None:
        if got != asked:
            raise InvalidAnswer("the answer is about another customer or account", _receipt(operation, InvalidAnswer, 200, body))

    def _fresh(self, operation: str, value: _Dated, body: bytes) -> Receipt:
        digest = hashlib.sha256(body).hexdigest()
        if self._clock.now() - value.as_of > MAX_AGE[operation]:
            raise Stale(f"the data is of {value.as_of.isoformat()}", Receipt(operation, Stale.outcome, 200, value.as_of, digest))
        return Receipt(operation, "ok", 200, value.as_of, digest)


def _segment(operation: str, identifier: str) -> str:
    """The id, when it can stand in a path; anything else is not sent at all."""
    if not _ID.fullmatch(identifier):
        raise BadRequest("not an id", Receipt(operation, BadRequest.outcome, None, None, None))
    return identifier


def _kind(status: int) -> type[BusinessError]:
    known: dict[int, type[Any]] = {401: Refused, 403: Refused, 404: NotFound}
    if status in known:
        return known[status]
    return BadRequest if 400 <= status < 500 else NoAnswer


def _receipt(operation: str, kind: type[BusinessError], status: int, body: bytes) -> Receipt:
    return Receipt(operation, kind.outcome, status, None, hashlib.sha256(body).hexdigest())
