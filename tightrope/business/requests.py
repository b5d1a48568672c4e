"""Requests for the firm's people: the only things that leave a trace at the firm. None moves money, places an order or changes an account.

Each takes an idempotency key of 16 to 128 characters, the same whenever the same request is sent again. When the first attempt brings no
answer, it is repeated once with that key; `NoAnswer` then means that nobody knows yet whether the request arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from tightrope.business.basics import Answer, Receipt
from tightrope.business.errors import InvalidAnswer
from tightrope.business.operations import FILE_COMPLAINT, REQUEST_CLOSURE, REQUEST_CONTACT_CHANGE, REQUEST_STATEMENT
from tightrope.business.tickets import (
    ClosureReason,
    ComplaintCategory,
    ComplaintWish,
    ContactField,
    StatementKind,
    Ticket,
    TicketKind,
)
from tightrope.business.wire import Wire, receipt_of, segment

MAX_TEXT: Final = 500
"""Characters of a complaint."""


class Requests(Wire):
    """Each answers with a ticket that the customer can quote."""

    async def request_statement(
        self,
        token: str,
        customer_id: str,
        *,
        kind: StatementKind,
        first_day: date,
        last_day: date,
        language: str,
        key: str,
        account_id: str | None = None,
    ) -> Answer[Ticket]:
        """Have a statement put into the customer's app; it never travels any other way. Scope `statements:request`.

        Args:
            first_day, last_day: the period, at most 366 days, not beyond today.
            account_id: one account; all when None.

        Raises:
            BadRequest: the period is not possible.
            Refused: not this customer's account.
            BusinessError: one of errors.py's tree; look at `done`.
        """
        body: dict[str, Any] = {
            "kind": kind.value,
            "from": first_day.isoformat(),
            "to": last_day.isoformat(),
            "language": language,
            "delivery": "app",
        }
        if account_id is not None:
            body["account_id"] = account_id
        return await self._file(REQUEST_STATEMENT, "statement-requests", TicketKind.STATEMENT, token, customer_id, key, body)

    async def request_closure(
        self, token: str, customer_id: str, *, account_ids: Sequence[str], reason: ClosureReason, language: str, key: str
    ) -> Answer[Ticket]:
        """Ask the firm's people to close accounts. Nothing is closed by this. Scope `closure:request`.

        Raises:
            Conflict: `already-open`, or `closure-blocked` since the facts were read.
            BusinessError: one of errors.py's tree; look at `done`.
        """
        body = {"account_ids": sorted(account_ids), "reason": reason.value, "language": language}
        return await self._file(REQUEST_CLOSURE, "closure-requests", TicketKind.CLOSURE, token, customer_id, key, body)

    async def request_contact_change(
        self, token: str, customer_id: str, *, field: ContactField, language: str, key: str
    ) -> Answer[Ticket]:
        """Open the change of a contact detail in the app, where the customer types the new value. Scope `contact:request`.

        Raises:
            Conflict: `already-open`.
            BusinessError: one of errors.py's tree; look at `done`.
        """
        body = {"field": field.value, "language": language}
        return await self._file(
            REQUEST_CONTACT_CHANGE, "contact-change-requests", TicketKind.CONTACT_CHANGE, token, customer_id, key, body
        )

    async def file_complaint(
        self,
        token: str,
        customer_id: str,
        *,
        category: ComplaintCategory,
        text: str,
        wish: ComplaintWish,
        language: str,
        key: str,
    ) -> Answer[Ticket]:
        """File a complaint in the customer's words, 1 to 500 characters. Scope `complaints:write`.

        Raises:
            BadRequest: the text is empty or too long.
            BusinessError: one of errors.py's tree; look at `done`.
        """
        body = {"category": category.value, "text": text, "wish": wish.value, "language": language}
        return await self._file(FILE_COMPLAINT, "complaints", TicketKind.COMPLAINT, token, customer_id, key, body)

    async def _file(
        self, operation: str, last: str, kind: TicketKind, token: str, customer_id: str, key: str, body: Mapping[str, Any]
    ) -> Answer[Ticket]:
        answer = await self._post(operation, f"/v1/customers/{segment(operation, customer_id)}/{last}", token, key, body)
        ticket = self._parse(operation, Ticket, answer)
        self._same(operation, answer, ticket.customer_id, customer_id)
        if ticket.kind is not kind:
            raise InvalidAnswer("a ticket of another kind", receipt_of(operation, InvalidAnswer, 201, answer))
        digest = receipt_of(operation, InvalidAnswer, 201, answer).sha256
        return Answer(ticket, Receipt(operation, "ok", 201, ticket.created_at, digest))
