"""Faults to order, so that tests and demos can see what the assistant does when the firm's core limps.

`POST /brokerage/_sandbox/faults` with `Authorization: Bearer <secret sandbox_admin_token>` and
`{"customer": "C1001", "operation": "get_balance" | null, "fault": "slow", "times": 1}`. The next `times` calls of that customer (of any operation
when null) are faulty. `GET` lists what is pending, `DELETE` forgets it. `DELETE /brokerage/_sandbox/requests` forgets every request that was filed.
Held in memory: the sandbox is one process.

    slow          the answer comes late, within the client's time-out
    timeout       the answer comes after it; a request is carried out all the same
    error_500     500, and a request is not carried out
    lost_answer   500 after a request was carried out: only its key can tell (of a read: a 500)
    stale         the data is five days old (a ticket has no age)
    inconsistent  the answer contradicts itself or is about somebody else
    garbage       200 with half a body; a request is carried out
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

SLOW_SECONDS: Final = 1.2
"""Slow enough to feel, within the client's time-out of 2 s."""
TIMEOUT_SECONDS: Final = 6.0
STALE_DAYS: Final = 5
GARBAGE: Final = b'{"account_id": "A0000-0", "cash_available": 12.5, "as_of": "yesterday"'


class Fault(StrEnum):
    """What goes wrong."""

    SLOW = "slow"
    ERROR_500 = "error_500"
    STALE = "stale"
    GARBAGE = "garbage"
    TIMEOUT = "timeout"
    INCONSISTENT = "inconsistent"
    LOST_ANSWER = "lost_answer"


class FaultOrder(BaseModel):
    """An order of faults."""

    model_config = ConfigDict(extra="forbid")

    customer: str = Field(pattern=r"^C\d{4}$")
    operation: str | None = None
    fault: Fault
    times: int = Field(1, ge=1, le=1000)


@dataclass(frozen=True, slots=True)
class Pending:
    customer: str
    operation: str | None
    fault: Fault
    times: int


class FaultBook:
    """Pending faults, oldest first."""

    def __init__(self) -> None:
        self._pending: list[Pending] = []

    def order(self, order: FaultOrder) -> None:
        self._pending.append(Pending(order.customer, order.operation, order.fault, order.times))

    def take(self, customer: str, operation: str) -> Fault | None:
        """The fault for this call, used up once."""
        for index, item in enumerate(self._pending):
            if item.customer == customer and item.operation in {None, operation}:
                if item.times == 1:
                    del self._pending[index]
                else:
                    self._pending[index] = replace(item, times=item.times - 1)
                return item.fault
        return None

    def pending(self) -> list[Pending]:
        return list(self._pending)

    def clear(self) -> None:
        self._pending.clear()


def inconsistent(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with a contradiction that a client has to notice: a quantity that cannot be, an amount in another currency, or another owner."""
    made = copy.deepcopy(answer)
    first: dict[str, Any] = next(iter(made.get("items") or ()), {})
    if "filled_quantity" in first:
        first["filled_quantity"] = first["quantity"] + 1
    elif "available_quantity" in first:
        first["available_quantity"] = first["quantity"] + 1
    elif "allotted_quantity" in first:
        first["allotted_quantity"] = first["quantity"] + 1
    elif "total_assets" in made or "financed" in made:
        made["total_assets" if "total_assets" in made else "financed"] = {"amount": "1.00", "currency": "XTS"}
    else:
        owner = "account_id" if "account_id" in made else "customer_id"
        made[owner] = made[owner] + "0"
    return made
