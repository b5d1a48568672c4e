"""Records of the firm about one customer, and a business system that has them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from actions_fakes import NOW, FakeBusiness, FakeContext, cny, receipt

from tightrope.business.models import (
    Answer,
    ContactDetails,
    IpoAllotment,
    IpoAllotments,
    IpoStatus,
    Order,
    Orders,
    OrderStatus,
    Position,
    Positions,
    RejectionCode,
    RiskProfile,
    Security,
    Ticket,
    TicketKind,
    TicketStatus,
    Transfer,
    TransferFailure,
    TransferKind,
    Transfers,
)

LIQUOR = Security(code="609233", market="sse", name_zh="半亭酒业", name_en="Banting Liquor")
FUND = Security(code="599001", market="sse", name_zh="衡远双五十ETF", name_en="Hengyuan Double 50 ETF")
NEW_SHARE = Security(code="309188", market="szse", name_zh="鹿鸣芯源", name_en="Luming Chips")
SCOPES = (
    "accounts:read",
    "orders:read",
    "transfers:read",
    "statements:request",
    "ipo:read",
    "risk:read",
    "contact:request",
)


def position(security: Security = LIQUOR, **changes: Any) -> Position:
    values: dict[str, Any] = {
        "quantity": 1200,
        "available_quantity": 1000,
        "cost_price": cny("45.10"),
        "last_price": cny("43.25"),
        "market_value": cny("51900.00"),
        "profit": cny("-2220.00"),
    }
    return Position(security=security, **(values | changes))


def positions(count: int) -> list[Position]:
    """Different securities, A-share codes from 609001 on."""
    return [
        position(Security(code=f"{609000 + n}", market="sse", name_zh=f"示例{n}", name_en=f"Sample {n}"), quantity=1000 + n)
        for n in range(1, count + 1)
    ]


def order(order_id: str = "O1", status: OrderStatus = OrderStatus.ACCEPTED, **changes: Any) -> Order:
    filled = {OrderStatus.FILLED: 300, OrderStatus.PARTLY_FILLED: 100, OrderStatus.PARTLY_CANCELLED: 100}.get(status, 0)
    values: dict[str, Any] = {
        "account_id": "A1",
        "security": LIQUOR,
        "side": "buy",
        "order_type": "limit",
        "quantity": 300,
        "filled_quantity": filled,
        "price": cny("43.20"),
        "average_fill_price": cny("43.15") if filled else None,
        "rejection": RejectionCode.INSUFFICIENT_FUNDS if status is OrderStatus.REJECTED else None,
        "placed_at": NOW - timedelta(minutes=20),
        "updated_at": NOW - timedelta(minutes=1),
    }
    return Order(order_id=order_id, status=status, **(values | changes))


def orders(count: int) -> list[Order]:
    """Newest first, the n-th placed n minutes ago at a limit of n yuan."""
    return [order(f"O{n}", placed_at=NOW - timedelta(minutes=n), price=cny(f"{n}.00")) for n in range(1, count + 1)]


def transfer(transfer_id: str = "T1", status: str = "completed", **changes: Any) -> Transfer:
    values: dict[str, Any] = {
        "account_id": "A1",
        "kind": TransferKind.BANK_TO_SECURITIES,
        "amount": cny("50000.00"),
        "security": None,
        "quantity": None,
        "counterparty_masked": "示例银行 ****6688",
        "failure": TransferFailure.BANK_LIMIT if status == "failed" else None,
        "requested_at": NOW - timedelta(hours=1),
        "completed_at": NOW if status == "completed" else None,
        "expected_on": date(2026, 11, 20) if status == "processing" else None,
    }
    return Transfer(transfer_id=transfer_id, status=status, **(values | changes))


def allotment(subscription_id: str = "S1", status: IpoStatus = IpoStatus.PAYMENT_DUE, **changes: Any) -> IpoAllotment:
    values: dict[str, Any] = {
        "account_id": "A1",
        "security": NEW_SHARE,
        "subscribed_on": date(2026, 11, 18),
        "result_on": date(2026, 11, 20),
        "quantity": 5000,
        "allotted_quantity": 500 if status.allotted else 0,
        "issue_price": cny("18.60"),
        "amount_due": cny("9300.00") if status.allotted else None,
        "pay_by": datetime.fromisoformat("2026-11-20T16:00:00+08:00") if status.allotted else None,
        "listing_on": None,
    }
    return IpoAllotment(subscription_id=subscription_id, status=status, **(values | changes))


def profile(**changes: Any) -> RiskProfile:
    values: dict[str, Any] = {
        "customer_id": "C1001",
        "customer_tier": "retail",
        "risk_level": "C4",
        "risk_assessed_on": date(2025, 6, 1),
        "valid_until": date(2027, 6, 1),
        "lowest_tolerance": False,
        "as_of": NOW,
    }
    return RiskProfile(**(values | changes))


def ticket(kind: TicketKind, number: str = "ST-20261120-0001") -> Ticket:
    return Ticket(
        customer_id="C1001",
        ticket_number=number,
        kind=kind,
        status=TicketStatus.RECEIVED,
        created_at=NOW,
        due_on=date(2026, 11, 23),
    )


def contact(**changes: Any) -> ContactDetails:
    values: dict[str, Any] = {
        "customer_id": "C1001",
        "mobile_masked": "138****0001",
        "email_masked": "l***@example.invalid",
        "address_masked": "上海市浦东新区****",
        "open_request": None,
        "as_of": NOW,
    }
    return ContactDetails(**(values | changes))


class AccountBusiness(FakeBusiness):
    """Answers for what the customer holds and has under way; keeps what was filed."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, list[Position]] = {"A1": [position()]}
        self.order_list: list[Order] = [order()]
        self.transfer_list: list[Transfer] = [transfer()]
        self.allotments: list[IpoAllotment] = [allotment()]
        self.risk = profile()
        self.contact = contact()
        self.filed: list[tuple[str, dict[str, Any]]] = []

    def _asked(self, operation: str, token: str, owner: str) -> None:
        self.asked.append((operation, token, owner))
        self._fail(operation)

    async def positions(self, token: str, account_id: str) -> Answer[Positions]:
        self._asked("list_positions", token, account_id)
        items = tuple(self.held[account_id])
        return Answer(Positions(account_id=account_id, items=items, as_of=NOW), receipt("list_positions"))

    async def orders(self, token: str, customer_id: str) -> Answer[Orders]:
        self._asked("list_orders", token, customer_id)
        items = tuple(self.order_list)
        return Answer(Orders(customer_id=customer_id, items=items, as_of=NOW), receipt("list_orders"))

    async def transfers(self, token: str, customer_id: str) -> Answer[Transfers]:
        self._asked("list_transfers", token, customer_id)
        items = tuple(self.transfer_list)
        return Answer(Transfers(customer_id=customer_id, items=items, as_of=NOW), receipt("list_transfers"))

    async def ipo_allotments(self, token: str, customer_id: str) -> Answer[IpoAllotments]:
        self._asked("list_ipo_allotments", token, customer_id)
        items = tuple(self.allotments)
        return Answer(IpoAllotments(customer_id=customer_id, items=items, as_of=NOW), receipt("list_ipo_allotments"))

    async def risk_profile(self, token: str, customer_id: str) -> Answer[RiskProfile]:
        self._asked("get_risk_profile", token, customer_id)
        return Answer(self.risk, receipt("get_risk_profile"))

    async def contact_details(self, token: str, customer_id: str) -> Answer[ContactDetails]:
        self._asked("get_contact_details", token, customer_id)
        return Answer(self.contact, receipt("get_contact_details"))

    async def request_statement(self, token: str, customer_id: str, **wanted: Any) -> Answer[Ticket]:
        return self._file("request_statement", TicketKind.STATEMENT, token, customer_id, wanted)

    async def request_contact_change(self, token: str, customer_id: str, **wanted: Any) -> Answer[Ticket]:
        return self._file("request_contact_change", TicketKind.CONTACT_CHANGE, token, customer_id, wanted)

    def _file(self, operation: str, kind: TicketKind, token: str, customer_id: str, wanted: dict[str, Any]) -> Answer[Ticket]:
        self.filed.append((operation, wanted))
        self._asked(operation, token, customer_id)
        return Answer(ticket(kind), receipt(operation, status=201))


def give_records(fake: FakeContext) -> AccountBusiness:
    """Put a business system with records in place, and log the customer in for all of them."""
    business = AccountBusiness()
    fake.business = business
    fake.log_in(*SCOPES)
    return business
