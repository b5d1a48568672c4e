"""Requests for the firm's people: checked, done once per idempotency key, and answered with the same bytes ever after."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from tightrope.infra.clock import Clock
from tightrope.infra.database import Connection
from tightrope.infra.logging import get_logger
from tightrope.sandbox.brokerage import errors
from tightrope.sandbox.brokerage.access import Subject
from tightrope.sandbox.brokerage.days import SHANGHAI, answered_by
from tightrope.sandbox.brokerage.repository import add_ticket, answered, closing_rows, is_open, lock, next_number
from tightrope.sandbox.brokerage.service import BrokerageService

log = get_logger()

KEY: Final = re.compile(r"[A-Za-z0-9._-]{16,128}")
MAX_STATEMENT_DAYS: Final = 366
Language = Literal["zh", "en"]


def _written(value: object) -> object:
    """A day is written out; a number of seconds is none."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("not a day")
    return value


Day = Annotated[date, BeforeValidator(_written)]
AccountId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Language


class StatementBody(_Body):
    """See `StatementRequest` of the contract."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True)

    kind: Literal["account_statement", "trade_confirmations", "asset_certificate", "tax_summary"]
    first: Day = Field(alias="from")
    last: Day = Field(alias="to")
    delivery: Literal["app"]
    account_id: AccountId = ""
    """Empty: all accounts. It may be left out, but not be null."""

    @model_validator(mode="after")
    def _period(self) -> Self:
        if not 0 <= (self.last - self.first).days < MAX_STATEMENT_DAYS:
            raise ValueError("the period ends before it begins, or is too long")
        return self


class ClosureBody(_Body):
    """See `ClosureRequest` of the contract."""

    account_ids: Annotated[list[AccountId], Field(min_length=1, max_length=20)]
    reason: Literal["moving_away", "other_firm", "not_trading", "costs", "service", "unstated"]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        if len(set(self.account_ids)) != len(self.account_ids):
            raise ValueError("an account is named twice")
        return self


class ContactChangeBody(_Body):
    """See `ContactChangeRequest` of the contract."""

    field: Literal["mobile", "email", "address"]


class ComplaintBody(_Body):
    """See `Complaint` of the contract."""

    category: Literal["trading", "fees", "service", "app", "account", "transfer", "sales", "privacy", "other"]
    text: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
    wish: Literal["explanation", "correction", "compensation", "apology", "call_back", "other"]


@dataclass(frozen=True, slots=True)
class Kind:
    """How this firm handles one kind of request."""

    kind: str
    body: type[_Body]
    prefix: str
    status: str


KINDS: Final[Mapping[str, Kind]] = {
    "request_statement": Kind("statement", StatementBody, "DZ", "received"),
    "request_closure": Kind("closure", ClosureBody, "XH", "received"),
    "request_contact_change": Kind("contact_change", ContactChangeBody, "BG", "waiting_for_customer"),
    "file_complaint": Kind("complaint", ComplaintBody, "TS", "received"),
}


class RequestDesk:
    """Takes requests for one checked token at a time."""

    def __init__(self, service: BrokerageService, clock: Clock) -> None:
        self._service = service
        self._clock = clock

    async def owner(self, subject: Subject, customer_id: str) -> None:
        """The token's own customer, one of ours: checked before a byte of the body counts.

        Raises:
            Problem: 403 `not-permitted`.
        """
        await self._service.known(subject, customer_id)

    async def file(self, customer_id: str, operation: str, key: str | None, content: bytes, *, fail: bool = False) -> bytes:
        """The answer's bytes. Whoever comes with the same key waits for the first and gets what it got.

        Args:
            fail: break down before anything is kept, as a fault that a test has ordered.

        Raises:
            Problem: 400 for key or body, 403 for a foreign account, 409 and 422 as the contract says, 500 when told to fail.
        """
        if key is None or not KEY.fullmatch(key):
            raise errors.bad_request("Idempotency-Key: 16 to 128 letters, digits, dots, dashes or underscores.")
        found = _json(content)
        digest = hashlib.sha256(json.dumps(found, sort_keys=True, separators=(",", ":")).encode()).digest()
        kind = KINDS[operation]
        async with self._service.repository.transaction() as connection:
            if not await lock(connection, customer_id, operation):
                raise errors.request_in_progress()
            before = await answered(connection, customer_id, operation, key)
            if before is not None:
                if before[0] != digest:
                    raise errors.key_reused()
                return before[1].encode()
            body = _validated(kind.body, found)
            await self._allowed(connection, customer_id, kind, body)
            row = await self._ticket(connection, customer_id, operation, kind, body)
            await add_ticket(connection, row | {"idempotency_key": key, "body_hash": digest})
            if fail:
                raise errors.internal()
        log.info("request taken", action="brokerage_request_taken", operation=operation, ticket=row["ticket_number"])
        return str(row["answer"]).encode()

    async def _allowed(self, connection: Connection, customer_id: str, kind: Kind, body: _Body) -> None:
        if isinstance(body, StatementBody):
            if body.last > self._clock.now().astimezone(SHANGHAI).date():
                raise errors.bad_request("`to` lies in the future.")
            if body.account_id:
                await self._theirs(connection, customer_id, [body.account_id])
        if isinstance(body, ContactChangeBody) and await is_open(connection, customer_id, kind.kind, body.field):
            raise errors.already_open()
        if isinstance(body, ClosureBody):
            await self._theirs(connection, customer_id, body.account_ids)
            if await is_open(connection, customer_id, kind.kind, ""):
                raise errors.already_open()
            if any(
                row.blocked for row in await closing_rows(connection, customer_id) if row.account.account_id in body.account_ids
            ):
                raise errors.closure_blocked()

    @staticmethod
    async def _theirs(connection: Connection, customer_id: str, account_ids: list[str]) -> None:
        owned = {row.account.account_id for row in await closing_rows(connection, customer_id)}
        if not set(account_ids) <= owned:
            raise errors.not_permitted()

    async def _ticket(self, connection: Connection, customer_id: str, operation: str, kind: Kind, body: _Body) -> dict[str, Any]:
        now: datetime = self._clock.now().astimezone(SHANGHAI).replace(microsecond=0)
        number = f"{kind.prefix}-{now:%Y%m%d}-{await next_number(connection):04}"
        answer = {
            "customer_id": customer_id,
            "ticket_number": number,
            "kind": kind.kind,
            "status": kind.status,
            "created_at": now.isoformat(),
            "due_on": answered_by(kind.kind, now).isoformat(),
        }
        return {
            "ticket_number": number,
            "customer_id": customer_id,
            "operation": operation,
            "kind": kind.kind,
            "subject": body.field if isinstance(body, ContactChangeBody) else "",
            "created_at": now,
            "request": body.model_dump(mode="json", by_alias=True),
            "answer": json.dumps(answer, ensure_ascii=False),
        }


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise errors.bad_request("The body is not JSON.") from None


def _validated(model: type[_Body], found: Any) -> _Body:
    try:
        return model.model_validate(found)
    except ValidationError as error:
        places = sorted({".".join(str(part) for part in item["loc"]) or "body" for item in error.errors(include_input=False)})
        raise errors.bad_request(f"Not valid: {', '.join(places)[:200]}.") from None
