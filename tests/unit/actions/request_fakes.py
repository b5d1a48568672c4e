"""The part of the fake business API that takes requests for people: closing and complaints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from tightrope.business.errors import BusinessError
from tightrope.business.models import (
    Answer,
    ClosingAccount,
    ClosureFacts,
    ClosureReason,
    ComplaintCategory,
    ComplaintWish,
    Money,
    Receipt,
    Ticket,
    TicketKind,
    TicketStatus,
)

NOW = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
"""A Friday, 10:31 in Shanghai."""


def closing_account(**changes: Any) -> ClosingAccount:
    values: dict[str, Any] = {
        "account_id": "A1",
        "kind": "cash",
        "number_masked": "****1001",
        "status": "normal",
        "cash": Money(amount="0.00", currency="CNY"),  # type: ignore[arg-type]
        "positions": 0,
        "open_orders": 0,
        "pending_transfers": 0,
        "margin_debt": Money(amount="0.00", currency="CNY"),  # type: ignore[arg-type]
        "products": (),
    }
    return ClosingAccount(**(values | changes))


def ticket(kind: TicketKind, number: str, due_on: date) -> Ticket:
    return Ticket(
        customer_id="C1001", ticket_number=number, kind=kind, status=TicketStatus.RECEIVED, created_at=NOW, due_on=due_on
    )


class FakeRequests:
    """`filed` holds what arrived, by its idempotency key, as the firm would keep it."""

    errors: dict[str, BusinessError]
    asked: list[tuple[str, str, str]]

    def __init__(self) -> None:
        self.closing: tuple[ClosingAccount, ...] = (closing_account(),)
        self.open_closure: Ticket | None = None
        self.closure_due = date(2026, 11, 24)
        self.complaint_due = date(2026, 12, 11)
        self.filed: dict[str, dict[str, Any]] = {}

    async def closure_facts(self, token: str, customer_id: str) -> Answer[ClosureFacts]:
        self.asked.append(("get_closure_facts", token, customer_id))
        self._fail_request("get_closure_facts")
        facts = ClosureFacts(customer_id=customer_id, accounts=self.closing, open_request=self.open_closure, as_of=NOW)
        return Answer(facts, Receipt("get_closure_facts", "ok", 200, NOW, "a" * 64))

    async def request_closure(
        self, token: str, customer_id: str, *, account_ids: Sequence[str], reason: ClosureReason, language: str, key: str
    ) -> Answer[Ticket]:
        self.asked.append(("request_closure", token, customer_id))
        self._fail_request("request_closure")
        self.filed[key] = {"account_ids": list(account_ids), "reason": reason.value, "language": language}
        made = ticket(TicketKind.CLOSURE, "XH-20261120-0042", self.closure_due)
        return Answer(made, Receipt("request_closure", "ok", 201, NOW, "b" * 64))

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
        self.asked.append(("file_complaint", token, customer_id))
        self._fail_request("file_complaint")
        self.filed[key] = {"category": category.value, "text": text, "wish": wish.value, "language": language}
        made = ticket(TicketKind.COMPLAINT, "TS-20261120-0042", self.complaint_due)
        return Answer(made, Receipt("file_complaint", "ok", 201, NOW, "c" * 64))

    def _fail_request(self, operation: str) -> None:
        if operation in self.errors:
            raise self.errors[operation]
