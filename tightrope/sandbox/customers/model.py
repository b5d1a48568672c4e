"""What a demo customer is made of. Dates are distances: from the day of seeding (facts), or from the last trading day (orders, transfers)."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from tightrope.rules.dates import add_months


@dataclass(frozen=True, slots=True)
class Months:
    """A day `count` calendar months back, `plus_days` later: with a day more than none, never yet `count` months ago, however short a month is.

    `still_valid`: the earliest day from which `count` months reach today; differs only where a month is too short.
    """

    count: int
    plus_days: int = 0
    still_valid: bool = False

    def before(self, today: date) -> date:
        index = today.year * 12 + today.month - 1 - self.count
        year, month = divmod(index, 12)
        day = min(today.day, calendar.monthrange(year, month + 1)[1])
        short = 1 if self.still_valid and day < today.day else 0
        found = date(year, month + 1, day) + timedelta(days=self.plus_days + short)
        while self.plus_days > 0 and not self.still_valid and add_months(found, self.count) <= today:
            found += timedelta(days=1)
        return found


@dataclass(frozen=True, slots=True)
class Holding:
    """A position given by hand; `cost` is a price."""

    code: str
    quantity: int
    cost: str


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """A product that has not matured, in the account's currency."""

    name_zh: str
    name_en: str
    matures_in_days: int
    value: str


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """One account: amounts in units of `currency`. Without `holdings` the market value is spread over the price list."""

    account_id: str
    number: str
    cash_available: str
    cash_frozen: str
    cash_withdrawable: str
    market_value: str
    kind: str = "cash"
    currency: str = "CNY"
    status: str = "normal"
    opened_months_ago: int = 60
    holdings: tuple[Holding, ...] | None = None
    products: tuple[DemoProduct, ...] = ()

    @property
    def total_assets(self) -> Decimal:
        return Decimal(self.cash_available) + Decimal(self.cash_frozen) + Decimal(self.market_value)


@dataclass(frozen=True, slots=True)
class DemoOrder:
    """An order `days` trading days before the last one; on the last trading day `at` is before 10:00, so that it is never in the future."""

    code: str
    status: str
    quantity: int
    price: str | None = None
    filled: int = 0
    fill_price: str | None = None
    side: str = "buy"
    rejection: str | None = None
    days: int = 0
    at: str = "09:41:07"
    account: int = 0


@dataclass(frozen=True, slots=True)
class DemoTransfer:
    """A transfer of money (`amount`) or of securities (`code`, `quantity`)."""

    kind: str
    status: str
    amount: str | None = None
    code: str | None = None
    quantity: int | None = None
    counterparty: str = "工商银行 ****6620"
    failure: str | None = None
    days: int = 0
    at: str = "09:36:20"
    expected_in_days: int | None = None
    account: int = 0


@dataclass(frozen=True, slots=True)
class DemoIpo:
    """A subscription; days are trading days from the day of seeding, below zero for the past."""

    code: str
    status: str
    quantity: int
    price: str
    subscribed: int
    result: int
    allotted: int = 0
    pay_by: int | None = None
    """The day whose 16:00 ends the payment."""
    listing: int | None = None
    account: int = 0


@dataclass(frozen=True, slots=True)
class DemoMargin:
    """Debts of the credit account; its assets are the account's own. Days of a call are trading days."""

    financed: str
    sold_short: str = "0.00"
    interest: str = "0.00"
    limit: str = "1000000.00"
    called_days_ago: int | None = None
    restore_in_days: int | None = None


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What bears on options. None: the firm does not know (of the disclosure: it is not signed)."""

    disclosure_days_ago: int | None = None
    opened: Months | None = field(default_factory=lambda: Months(30))
    average: str | None = "as customer"
    futures: bool | None = False
    knowledge: int | None = 0
    simulated: int | None = 0
    bad_record: bool | None = False
    enabled: int = 0


@dataclass(frozen=True, slots=True)
class DemoContact:
    """Masked, as everything here."""

    mobile: str | None = "138****{number}"
    email: str | None = "h****@example.com"
    address: str | None = "上海市徐汇区****"


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """A request that is already with the firm: `closure`, or `contact_change` with its field."""

    kind: str
    field: str = ""
    days_ago: int = 2


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """A customer with everything that the brokerage knows."""

    customer_id: str
    name_zh: str
    name_en: str
    case_zh: str
    case_en: str
    accounts: tuple[DemoAccount, ...]
    first_trade: Months | None
    average_assets: str = "826400.00"
    tier: str = "retail"
    risk_level: str | None = "C4"
    risk_assessed_days_ago: int = 200
    risk_assessed: Months | None = None
    """Instead of the days, where a threshold of months matters."""
    lowest_tolerance: bool = False
    disclosure_signed_days_ago: int | None = 190
    standing: str = "normal"
    margin_account: str = "none"
    language: str = "zh"
    group: str = "first"
    orders: tuple[DemoOrder, ...] = ()
    transfers: tuple[DemoTransfer, ...] = ()
    ipos: tuple[DemoIpo, ...] = ()
    margin: DemoMargin | None = None
    options: DemoOptions = field(default_factory=DemoOptions)
    contact: DemoContact = field(default_factory=DemoContact)
    requests: tuple[DemoRequest, ...] = ()

    def name(self, language: str) -> str:
        return self.name_en if language == "en" else self.name_zh

    def case(self, language: str) -> str:
        return self.case_en if language == "en" else self.case_zh

    def assessed_on(self, today: date) -> date | None:
        """The day of the risk assessment; None when there never was one."""
        if self.risk_level is None:
            return None
        return self.risk_assessed.before(today) if self.risk_assessed else today - timedelta(days=self.risk_assessed_days_ago)
