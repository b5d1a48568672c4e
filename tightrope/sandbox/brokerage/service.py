"""Who may read what at the brokerage, and the answers."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any, Final

import httpx

from tightrope.infra.clock import Clock
from tightrope.infra.logging import get_logger
from tightrope.sandbox.brokerage.errors import (
    Problem,
    bad_request,
    insufficient_scope,
    no_account,
    not_permitted,
    unauthenticated,
)
from tightrope.sandbox.brokerage.repository import Brokerage
from tightrope.sandbox.tokens import ACCESS_TYP, RemoteKeys, TokenInvalid, verify

log = get_logger()

AUDIENCE: Final = "brokerage"
SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has no daylight saving time, so no zone data is needed."""
NIGHTLY_RUN_HOUR: Final = 6
MAX_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose token it is and which client acts for him."""

    customer_id: str
    actor: str


class BrokerageService:
    """The three reads, each for one checked token."""

    def __init__(self, repository: Brokerage, keys: RemoteKeys, issuer: str, clock: Clock) -> None:
        self._repository = repository
        self._keys = keys
        self._issuer = issuer
        self._clock = clock
        self._seeded: date | None = None

    async def subject(self, authorization: str | None, scope: str) -> Subject:
        """The customer of a bearer token that is good here and has exactly the operation's scope among its scopes.

        Raises:
            Problem: 401 for the token, 403 for the scope, 503 when the issuer's keys cannot be had.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated("missing")
        try:
            keys = await self._keys.for_token(token)
            claims = verify(
                token,
                keys,
                issuer=self._issuer,
                audience=AUDIENCE,
                now=self._clock.now(),
                typ=ACCESS_TYP,
                require=("sub", "scope", "client_id", "jti"),
            )
        except TokenInvalid as error:
            log.warning("token refused", action="brokerage_token_refused", reason=error.reason)
            raise unauthenticated(error.reason) from None
        except httpx.HTTPError as error:
            raise Problem(503, "keys-unavailable", "Keys unavailable", "The issuer's keys cannot be fetched.") from error
        if scope not in claims["scope"].split():
            raise insufficient_scope(scope)
        return Subject(claims["sub"], claims["client_id"])

    async def accounts(
        self, subject: Subject, customer_id: str, *, limit: int, cursor: str | None, days_old: int = 0
    ) -> dict[str, Any]:
        """A page of the customer's accounts, in order of id."""
        _own(subject, customer_id)
        await self._seed()
        rows = await self._repository.accounts(customer_id, _decode_cursor(cursor), limit + 1)
        if rows is None:
            raise not_permitted()
        more = len(rows) > limit
        rows = rows[:limit]
        return {
            "customer_id": customer_id,
            "items": [row.summary() for row in rows],
            "next_cursor": _encode_cursor(rows[-1].account_id) if more else None,
            "as_of": self._live(days_old).isoformat(),
        }

    async def balance(self, subject: Subject, account_id: str, *, days_old: int = 0) -> dict[str, Any]:
        """The figures of an account of the token's customer."""
        await self._seed()
        row = await self._repository.account(account_id, subject.customer_id)
        if row is None:
            raise not_permitted()
        return row.balance(self._live(days_old))

    async def margin_facts(self, subject: Subject, customer_id: str, *, days_old: int = 0) -> dict[str, Any]:
        """The facts of the last nightly run."""
        _own(subject, customer_id)
        await self._seed()
        found = await self._repository.customer(customer_id)
        if found is None:
            raise not_permitted()
        row, has_account = found
        if not has_account:
            raise no_account()
        return row.margin_facts(self._nightly() - timedelta(days=days_old))

    def _live(self, days_old: int) -> datetime:
        return (self._clock.now().astimezone(SHANGHAI) - timedelta(days=days_old)).replace(microsecond=0)

    def _nightly(self) -> datetime:
        now = self._clock.now().astimezone(SHANGHAI)
        run = now.replace(hour=NIGHTLY_RUN_HOUR, minute=0, second=0, microsecond=0)
        return run if run <= now else run - timedelta(days=1)

    async def _seed(self) -> None:
        today = self._clock.now().astimezone(SHANGHAI).date()
        if self._seeded != today:
            written = await self._repository.seed(today)
            self._seeded = today
            log.info("demo customers are dated from today", action="brokerage_seeded", day=today.isoformat(), written=written)


def _own(subject: Subject, customer_id: str) -> None:
    if subject.customer_id != customer_id:
        log.warning("owner check refused", action="brokerage_owner_refused", actor=subject.actor)
        raise not_permitted()


def _encode_cursor(account_id: str) -> str:
    return base64.urlsafe_b64encode(account_id.encode()).decode().rstrip("=")


def _decode_cursor(cursor: str | None) -> str:
    if not cursor:
        return ""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise bad_request("The cursor is not one of ours.") from None
