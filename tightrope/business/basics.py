"""What all answers of the business API are made of: money in Decimal, identifiers, securities, receipts of calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
TicketNumber = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{3,31}$")]
NumberMasked = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{0,6}\*{2,20}[A-Za-z0-9]{0,4}$")]
"""A number of which only a part is told. What shows more, or carries words, breaks the contract and is shown to nobody."""
Market = Literal["sse", "szse", "bse", "hk"]
RiskLevel = Literal["C1", "C2", "C3", "C4", "C5"]


def _text_only(value: object) -> object:
    """Money travels as text: a JSON number may already have lost a cent in somebody's float."""
    if not isinstance(value, str):
        raise ValueError("an amount is a decimal string, not a JSON number")  # noqa: TRY004 - pydantic turns only ValueError into a report
    return value


Amount = Annotated[Decimal, BeforeValidator(_text_only), Field(max_digits=20, decimal_places=4, allow_inf_nan=False)]


class ApiModel(BaseModel):
    """Frozen; fields that we do not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Money(ApiModel):
    """An amount in units of `currency` (ISO 4217), never a float."""

    amount: Amount
    currency: Currency


class Security(ApiModel):
    """A share, fund or other thing that is traded."""

    code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{4,12}$")]
    market: Market
    name_zh: str
    name_en: str

    def name(self, language: str) -> str:
        """The name in `zh` or `en`."""
        return self.name_en if language == "en" else self.name_zh


@dataclass(frozen=True, slots=True)
class Receipt:
    """Evidence of one call, safe to record: no figure, no token."""

    operation: str
    """operationId of contracts/business.openapi.yaml, or `token_exchange`."""
    outcome: str
    """`ok` or the `outcome` of the error (errors.py)."""
    status: int | None
    """HTTP status; None when no answer came."""
    as_of: datetime | None
    """The time of the data, as the firm stated it."""
    sha256: str | None
    """Hex digest of the body as received (of all pages' bodies in order); None when no answer came."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A checked answer with its receipt."""

    value: T
    receipt: Receipt

    @property
    def as_of(self) -> datetime:
        """The time of the data (of a request: when the firm took it), with its zone."""
        assert self.receipt.as_of is not None  # noqa: S101 - every answer has one, or the client raised InvalidAnswer
        return self.receipt.as_of
