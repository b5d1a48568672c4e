"""New shares, risk profiles, contact details, and accounts of many kinds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from tightrope.sandbox.customers.make import account, customer
from tightrope.sandbox.customers.market import PRICES
from tightrope.sandbox.customers.model import DemoContact, DemoCustomer, DemoIpo, DemoRequest, Holding, Months

_MANY: Final = tuple(Holding(code, 100, price) for code, price in PRICES.items() if not code.startswith(("39", "909")))
_WORTH: Final = sum((item.quantity * Decimal(item.cost) for item in _MANY), Decimal()).quantize(Decimal("0.01"))


def _ipo(zh: str, en: str, *ipos: DemoIpo, **changes: Any) -> DemoCustomer:
    return customer(f"新股：{zh}", f"new shares: {en}", ipos=ipos, **changes)


IPOS: Final[tuple[DemoCustomer, ...]] = (
    _ipo("已申购，待抽签", "subscribed, not yet drawn", DemoIpo("309196", "subscribed", 6000, "15.80", 0, 2)),
    _ipo(
        "同日申购两只，均待抽签",
        "two subscribed on one day",
        DemoIpo("309196", "subscribed", 6000, "15.80", 0, 2),
        DemoIpo("309188", "subscribed", 4000, "41.20", 0, 2),
    ),
    _ipo("未中签", "not allotted", DemoIpo("309188", "not_allotted", 8000, "41.20", -2, 0)),
    _ipo(
        "中签，今天 16:00 前缴款",
        "allotted, to be paid today by 16:00",
        DemoIpo("309188", "payment_due", 8000, "41.20", -2, 0, 500, pay_by=0),
    ),
    _ipo(
        "中签待缴款，账户资金不足",
        "allotted, and the money is not there",
        DemoIpo("309188", "payment_due", 8000, "41.20", -2, 0, 1000, pay_by=1),
        accounts=(account("1500.00", market="36000.00"),),
        average_assets="41000.00",
    ),
    _ipo("已缴款，待上市", "paid, not yet listed", DemoIpo("609295", "paid", 10000, "8.88", -6, -4, 1000, pay_by=-4, listing=5)),
    _ipo(
        "已缴款，上市日未公布",
        "paid, listing day not published",
        DemoIpo("609288", "paid", 5000, "23.50", -5, -3, 500, pay_by=-3),
    ),
    _ipo(
        "未按时缴款，视为放弃", "forfeited", DemoIpo("609295", "forfeited", 10000, "8.88", -25, -23, 500, pay_by=-23, listing=-15)
    ),
    _ipo("已上市", "listed", DemoIpo("609288", "listed", 5000, "23.50", -45, -43, 500, pay_by=-43, listing=-33)),
    _ipo(
        "两只中签一只未中",
        "two allotted, one not",
        DemoIpo("309188", "payment_due", 8000, "41.20", -2, 0, 500, pay_by=1),
        DemoIpo("609295", "paid", 10000, "8.88", -6, -4, 500, pay_by=-4),
        DemoIpo("309196", "not_allotted", 6000, "15.80", -30, -28),
    ),
    _ipo(
        "连续六次未中",
        "six times not allotted",
        *(
            DemoIpo(code, "not_allotted", 5000, price, -9 * n - 2, -9 * n)
            for n, (code, price) in enumerate(
                [
                    ("309188", "41.20"),
                    ("309196", "15.80"),
                    ("609288", "23.50"),
                    ("609295", "8.88"),
                    ("309188", "41.20"),
                    ("609295", "8.88"),
                ]
            )
        ),
    ),
)


def _risk(zh: str, en: str, **changes: Any) -> DemoCustomer:
    return customer(f"风险测评：{zh}", f"risk profile: {en}", **changes)


RISKS: Final[tuple[DemoCustomer, ...]] = (
    _risk("C1，最低承受能力", "C1 with the lowest tolerance", risk_level="C1", lowest_tolerance=True),
    _risk("C3，三十天内到期", "C3, expires within thirty days", risk_level="C3", risk_assessed=Months(24, 20, True)),
    _risk("C5，今天到期", "C5, expires today", risk_level="C5", risk_assessed=Months(24, 0, True)),
    _risk("C2，过期一年", "C2, expired a year ago", risk_level="C2", risk_assessed=Months(36)),
    _risk("C1，非最低承受能力", "C1, not the lowest tolerance", risk_level="C1"),
    _risk("专业投资者 C5", "professional at C5", risk_level="C5", tier="professional"),
    _risk("今天刚测评", "assessed today", risk_assessed_days_ago=0),
    _risk(
        "没有账户，也未测评",
        "neither account nor assessment",
        risk_level=None,
        accounts=(),
        first_trade=None,
        average_assets="0.00",
        disclosure_signed_days_ago=None,
    ),
)


def _contact(zh: str, en: str, **changes: Any) -> DemoCustomer:
    return customer(f"联系方式：{zh}", f"contact details: {en}", **changes)


CONTACTS: Final[tuple[DemoCustomer, ...]] = (
    _contact("没有邮箱", "no e-mail", contact=DemoContact(email=None)),
    _contact("没有手机号", "no mobile number", contact=DemoContact(mobile=None)),
    _contact("什么都没留", "none at all", contact=DemoContact(None, None, None)),
    _contact(
        "境外手机与地址",
        "number and address abroad",
        contact=DemoContact("+44 7***** *{number}", "j***@example.org", "London E14 ****"),
        language="en",
    ),
    _contact(
        "手机号变更正在进行", "a change of the mobile number is under way", requests=(DemoRequest("contact_change", "mobile"),)
    ),
    _contact("地址变更正在进行", "a change of the address is under way", requests=(DemoRequest("contact_change", "address"),)),
)


def _accounts(zh: str, en: str, **changes: Any) -> DemoCustomer:
    return customer(f"账户：{zh}", f"accounts: {en}", **changes)


ACCOUNTS: Final[tuple[DemoCustomer, ...]] = (
    _accounts(
        "人民币与港币",
        "yuan and Hong Kong dollars",
        accounts=(account(), account("120000.00", market="485000.00", currency="HKD")),
    ),
    _accounts(
        "人民币、港币、美元",
        "three currencies",
        accounts=(
            account(),
            account("30500.75", market="64000.00", currency="HKD"),
            account("9800.40", market="12000.00", currency="USD"),
        ),
        language="en",
    ),
    _accounts(
        "五个账户",
        "five accounts",
        accounts=tuple(account(f"{n}000.00", market=f"{n}5800.00", opened_months_ago=6 * n) for n in range(1, 6)),
    ),
    _accounts(
        "只有港币账户",
        "Hong Kong dollars only",
        accounts=(account("64000.00", market="97000.00", currency="HKD"),),
        language="en",
    ),
    _accounts(
        "已注册、尚未开户",
        "registered, no account yet",
        accounts=(),
        first_trade=None,
        average_assets="0.00",
        disclosure_signed_days_ago=None,
        language="en",
    ),
    _accounts("账户全部为零", "all at zero", accounts=(account("0.00", market="0.00"),), average_assets="0.00"),
    _accounts("只有资金，没有持仓", "money only", accounts=(account("250000.00", market="0.00"),), average_assets="250000.00"),
    _accounts("只有持仓，没有资金", "holdings only", accounts=(account("0.00", market="250000.00"),), average_assets="250000.00"),
    _accounts(
        "金额很大",
        "very large figures",
        accounts=(account("98765432109.87", market="1234567890.00"),),
        tier="premium",
        average_assets="99999999999.99",
    ),
    _accounts(
        "带分的金额",
        "figures with cents",
        accounts=(account("0.07", "0.01", withdrawable="0.06", market="1.00"),),
        average_assets="1.08",
    ),
    _accounts("可取远少于可用", "far less to withdraw than available", accounts=(account("180000.00", withdrawable="0.00"),)),
    _accounts(
        f"{len(_MANY)} 只持仓", f"{len(_MANY)} holdings", accounts=(account("1000.00", market=str(_WORTH), holdings=_MANY),)
    ),
    _accounts(
        "亏损的持仓",
        "a holding at a loss",
        accounts=(account("600.00", market="61500.00", holdings=(Holding("609001", 5000, "31.880"),)),),
        average_assets="62100.00",
    ),
    _accounts(
        "一个正常、一个休眠",
        "one in order, one dormant",
        accounts=(account(), account("10.00", market="0.00", status="dormant", opened_months_ago=150)),
    ),
)
