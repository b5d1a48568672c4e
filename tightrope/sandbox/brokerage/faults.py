"""Faults to order, so that tests and demos can see what the assistant does when the firm's core limps.

`POST /brokerage/_sandbox/faults` with `Authorization: Bearer <secret sandbox_admin_token>` and
`{"customer": "C1001", "operation": "get_balance" | null, "fault": "slow", "times": 1}`; faults are `slow`, `error_500`, `stale`,
`garbage` and `timeout`.
The next `times` calls of that customer (of any operation when null) are faulty. `GET` lists what is pending, `DELETE` forgets it.
Held in memory: the sandbox is one process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

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
