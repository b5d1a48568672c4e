"""The twelve synthetic customers of the demo: invented people, fixed ids, facts that do not age (docs/demo-customers.md).

Every date is kept as a distance from the day of seeding: "six months ago to the day" stays that, however old the checkout.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class Months:
    """A day `count` calendar months back, `plus_days` later."""

    count: int
    plus_days: int = 0

    def before(self, today: date) -> date:
        index = today.year * 12 + today.month - 1 - self.count
        year, month = divmod(index, 12)
        day = min(today.day, calendar.monthrange(year, month + 1)[1])
        return date(year, month + 1, day) + timedelta(days=self.plus_days)


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """One account: amounts in units of `currency`."""

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

    @property
    def total_assets(self) -> Decimal:
        return Decimal(self.cash_available) + Decimal(self.cash_frozen) + Decimal(self.market_value)


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """A customer with everything the brokerage knows that bears on margin trading."""

    customer_id: str
    name_zh: str
    name_en: str
    case_zh: str
    case_en: str
    accounts: tuple[DemoAccount, ...]
    first_trade: Months | None
    average_assets: str = "826400.00"
    tier: str = "retail"
    risk_level: str = "C4"
    risk_assessed_days_ago: int = 200
    disclosure_signed_days_ago: int | None = 190
    standing: str = "normal"
    margin_account: str = "none"
    language: str = "zh"

    def name(self, language: str) -> str:
        return self.name_en if language == "en" else self.name_zh

    def case(self, language: str) -> str:
        return self.case_en if language == "en" else self.case_zh


def _cash(number: int, available: str, frozen: str, withdrawable: str, market: str, status: str = "normal") -> DemoAccount:
    return DemoAccount(f"A{number}-1", f"6080{number}0001", available, frozen, withdrawable, market, status=status)


CUSTOMERS: Final[tuple[DemoCustomer, ...]] = (
    DemoCustomer(
        "C1001",
        "林晓雯",
        "Lin Xiaowen",
        "融资融券条件全部满足",
        "meets every margin trading condition",
        (_cash(1001, "128650.42", "0.00", "96650.42", "731200.00"),),
        Months(26),
    ),
    DemoCustomer(
        "C1002",
        "周伯安",
        "Zhou Bo'an",
        "只差交易经验：距满 6 个月还差一天",
        "fails on experience alone: one day short of six months",
        (_cash(1002, "52310.00", "8000.00", "44310.00", "560200.00"),),
        Months(6, plus_days=1),
        average_assets="612500.00",
    ),
    DemoCustomer(
        "C1003",
        "何静怡",
        "He Jingyi",
        "只差资产：近 20 个交易日日均资产差一分钱",
        "fails on assets alone: one cent below the threshold",
        (_cash(1003, "19999.99", "0.00", "19999.99", "480000.00"),),
        Months(31),
        average_assets="499999.99",
    ),
    DemoCustomer(
        "C1004",
        "吴志远",
        "Wu Zhiyuan",
        "只差风险等级：C3（平衡型）",
        "fails on risk level alone: C3",
        (_cash(1004, "210400.80", "15000.00", "195400.80", "903100.00"),),
        Months(48),
        average_assets="1104200.00",
        risk_level="C3",
    ),
    DemoCustomer(
        "C1005",
        "郑美玲",
        "Zheng Meiling",
        "只差测评时效：风险测评已过期",
        "fails on the age of the risk assessment alone",
        (_cash(1005, "86000.00", "0.00", "86000.00", "655300.00"),),
        Months(57),
        average_assets="741300.00",
        risk_assessed_days_ago=760,
        disclosure_signed_days_ago=750,
    ),
    DemoCustomer(
        "C1006",
        "孙启航",
        "Sun Qihang",
        "只差风险揭示书：尚未签署",
        "fails on the risk disclosure alone: not signed",
        (_cash(1006, "40320.15", "0.00", "40320.15", "590000.00"),),
        Months(15),
        average_assets="630320.15",
        disclosure_signed_days_ago=None,
    ),
    DemoCustomer(
        "C1007",
        "马骏",
        "Ma Jun",
        "只差账户状态：资金账户被限制",
        "fails on account standing alone: restricted",
        (_cash(1007, "0.00", "73500.00", "0.00", "668000.00", status="restricted"),),
        Months(40),
        average_assets="741500.00",
        standing="restricted",
    ),
    DemoCustomer(
        "C1008",
        "罗佩珊",
        "Luo Peishan",
        "只差客户类别：受限普通投资者",
        "fails on customer tier alone: restricted retail",
        (_cash(1008, "33870.60", "0.00", "33870.60", "702000.00"),),
        Months(22),
        average_assets="735870.60",
        tier="retail_restricted",
    ),
    DemoCustomer(
        "C1009",
        "冯子豪",
        "Feng Zihao",
        "多项不满足：经验、资产、风险等级、揭示书、账户休眠",
        "fails on several: experience, assets, risk level, disclosure, dormant account",
        (_cash(1009, "6800.00", "0.00", "6800.00", "42150.00", status="dormant"),),
        Months(2),
        average_assets="48950.00",
        risk_level="C2",
        disclosure_signed_days_ago=None,
        standing="dormant",
    ),
    DemoCustomer(
        "C1010",
        "梁语桐",
        "Liang Yutong",
        "刚好达标：满 6 个月、50 万元整、测评满 730 天",
        "exactly at every threshold: six months, 500,000.00, assessed 730 days ago",
        (_cash(1010, "20000.00", "0.00", "20000.00", "480000.00"),),
        Months(6),
        average_assets="500000.00",
        risk_assessed_days_ago=730,
        disclosure_signed_days_ago=0,
    ),
    DemoCustomer(
        "C1011",
        "谢安然",
        "Xie Anran",
        "已注册，尚未开立账户",
        "registered, has no account yet",
        (),
        None,
        average_assets="0.00",
        disclosure_signed_days_ago=None,
    ),
    DemoCustomer(
        "C1012",
        "詹姆斯·卡特",
        "James Carter",
        "英文客户，已开通融资融券，三个账户、两种货币",
        "prefers English, margin trading already enabled, three accounts in two currencies",
        (
            _cash(1012, "305118.27", "20000.00", "285118.27", "1240500.00"),
            DemoAccount(
                "A1012-2", "608010120002", "88000.00", "12000.00", "60000.00", "514300.00", kind="margin", opened_months_ago=18
            ),
            DemoAccount(
                "A1012-3", "608010120003", "15240.35", "0.00", "15240.35", "62110.00", currency="USD", opened_months_ago=30
            ),
        ),
        Months(72),
        average_assets="2158420.50",
        tier="premium",
        risk_level="C5",
        margin_account="open",
        language="en",
    ),
)

BY_ID: Final = {customer.customer_id: customer for customer in CUSTOMERS}


def markdown() -> str:
    """docs/demo-customers.md, which a test compares with this."""
    lines = [
        "# The twelve demo customers",
        "",
        "Invented people with fixed ids; `tightrope/sandbox/catalogue.py` is the source of this page. All dates are relative to",
        "the day the sandbox is seeded (Asia/Shanghai; it seeds itself again when the day changes), so the demo does not age.",
        "Log in at the portal or at the login page by picking one and typing the one-time code that the page shows. These are",
        "facts; the verdicts are the rules' (`tightrope/rules/`).",
        "",
        "| id | name | case | tier | risk level, assessed | disclosure signed | standing | first trade | 20-day average, CNY "
        "| margin account |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for item in CUSTOMERS:
        first = "never"
        if item.first_trade is not None:
            first = f"{item.first_trade.count} months ago" + (" less a day" if item.first_trade.plus_days else "")
        signed = "no" if item.disclosure_signed_days_ago is None else f"{item.disclosure_signed_days_ago} days ago"
        cells = [
            item.customer_id,
            f"{item.name_zh} / {item.name_en}",
            f"{item.case_zh} / {item.case_en}",
            item.tier,
            f"{item.risk_level}, {item.risk_assessed_days_ago} days ago",
            signed,
            item.standing if item.accounts else "no account",
            first,
            f"{Decimal(item.average_assets):,}",
            item.margin_account,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "Accounts and balances:",
        "",
        "| account | customer | kind | status | available | frozen | withdrawable | market value | total | currency |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for item in CUSTOMERS:
        for a in item.accounts:
            amounts = [
                f"{Decimal(x):,}" for x in (a.cash_available, a.cash_frozen, a.cash_withdrawable, a.market_value, a.total_assets)
            ]
            lines.append("| " + " | ".join([a.account_id, item.customer_id, a.kind, a.status, *amounts, a.currency]) + " |")
    lines += [
        "",
        "C1011 has no account: its account list is empty and its margin facts are answered with 404 `no-account`.",
        "Faults for the next calls of a customer can be ordered: `POST /brokerage/_sandbox/faults`, described in",
        "`tightrope/sandbox/brokerage/faults.py` (contracts/business.openapi.yaml has only what the real API has).",
    ]
    return "\n".join(lines) + "\n"
