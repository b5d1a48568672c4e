"""Orders: every status, every code of rejection, none at all, and more than fit on a page."""

from __future__ import annotations

from typing import Any, Final

from tightrope.sandbox.customers.make import account, customer
from tightrope.sandbox.customers.model import DemoCustomer, DemoMargin, DemoOrder, Holding


def _order(zh: str, en: str, *orders: DemoOrder, **changes: Any) -> DemoCustomer:
    return customer(f"委托：{zh}", f"orders: {en}", orders=orders, **changes)


def _rejected(code: str, zh: str, order: DemoOrder, **changes: Any) -> DemoCustomer:
    return _order(f"废单，{zh}", f"rejected, {code.replace('_', ' ')}", order, **changes)


def _no(code: str, rejection: str, quantity: int = 1000, price: str | None = "10.00", **changes: Any) -> DemoOrder:
    return DemoOrder(code, "rejected", quantity, price, rejection=rejection, **changes)


STATUSES: Final[tuple[DemoCustomer, ...]] = (
    _order(
        "隔夜委托，尚未报到交易所",
        "placed overnight, not yet at the exchange",
        DemoOrder("609036", "pending", 500, "9.30", at="07:15:00"),
    ),
    _order("已报待成交", "at the exchange, nothing filled", DemoOrder("609077", "accepted", 800, "7.00")),
    _order("部分成交", "partly filled", DemoOrder("309015", "partly_filled", 2000, "27.90", 700, "27.88")),
    _order("全部成交", "filled", DemoOrder("609121", "filled", 300, "33.05", 300, "33.02")),
    _order(
        "市价卖出，全部成交",
        "market order to sell, filled",
        DemoOrder("309027", "filled", 400, None, 400, "51.18", side="sell", days=1, at="10:30:00"),
    ),
    _order("已撤单", "cancelled", DemoOrder("609199", "cancelled", 100, "60.00", days=1, at="13:05:20")),
    _order(
        "部成后撤单",
        "partly filled, rest cancelled",
        DemoOrder("599001", "partly_cancelled", 50000, "2.490", 21300, "2.490", days=1, at="14:40:00"),
    ),
    _order("当日未成交，收盘失效", "expired at the close", DemoOrder("609233", "expired", 100, "120.00", days=1, at="14:56:58")),
    _order(
        "买卖多笔、几种状态",
        "several, bought and sold, in several states",
        DemoOrder("609001", "filled", 1000, "12.30", 1000, "12.30"),
        DemoOrder("609001", "accepted", 500, "12.80", side="sell", at="09:47:00"),
        DemoOrder("309066", "rejected", 1000, "7.90", rejection="price_out_of_range", at="09:38:30"),
        DemoOrder("309066", "partly_filled", 1000, "6.60", 200, "6.60", at="09:39:12"),
        DemoOrder("609168", "cancelled", 200, "44.00", days=2, at="10:01:00"),
    ),
    _order(
        "两个账户各有委托",
        "orders in two accounts",
        DemoOrder("609018", "filled", 3000, "5.80", 3000, "5.79"),
        DemoOrder("39001", "accepted", 500, "48.00", account=1),
        accounts=(account(), account("52000.00", market="48000.00", currency="HKD", opened_months_ago=14)),
    ),
    _order(
        "七天内一百二十笔，需要翻页",
        "a hundred and twenty: more than two pages",
        *(
            DemoOrder(
                "599003",
                "filled",
                100 + number,
                "1.300",
                100 + number,
                "1.300",
                days=1 + number // 30,
                at=f"10:{number % 30:02}:{number % 60:02}",
            )
            for number in range(120)
        ),
    ),
    _order(
        "只有五天前的一笔",
        "one, five trading days ago",
        DemoOrder("609052", "filled", 200, "21.50", 200, "21.48", days=5, at="11:11:11"),
    ),
    _order(
        "同一秒两笔",
        "two in the same second",
        DemoOrder("609036", "accepted", 100, "9.20"),
        DemoOrder("609036", "accepted", 200, "9.10"),
    ),
)

REJECTIONS: Final[tuple[DemoCustomer, ...]] = (
    _rejected(
        "insufficient_funds",
        "可用资金不足",
        _no("609199", "insufficient_funds", 2000, "62.00"),
        accounts=(account("3200.00", market="12000.00"),),
    ),
    _rejected("insufficient_position", "可卖数量不足", _no("609105", "insufficient_position", 5000, "15.50", side="sell")),
    _order(
        "废单，当日买入当日不能卖出",
        "rejected, bought today",
        DemoOrder("609077", "filled", 1000, "7.20", 1000, "7.20", at="09:33:00"),
        _no("609077", "bought_today", 1000, "7.25", side="sell", at="09:55:00"),
        accounts=(account(market="7200.00", holdings=(Holding("609077", 1000, "7.200"),)),),
    ),
    _rejected("price_out_of_range", "价格超出涨跌幅限制", _no("609001", "price_out_of_range", 1000, "13.60")),
    _rejected("invalid_quantity", "买入数量不是一手的整数倍", _no("609018", "invalid_quantity", 150, "5.80")),
    _rejected("invalid_price_step", "价格最小变动单位不符", _no("599005", "invalid_price_step", 1000, "1.0005")),
    _rejected("security_suspended", "证券停牌", _no("309041", "security_suspended", 300, "39.60")),
    _rejected("market_closed", "非交易时间", _no("609168", "market_closed", 100, "45.00", days=1, at="15:03:10")),
    _rejected("permission_missing", "未开通北交所权限", _no("899010", "permission_missing", 1000, "11.10")),
    _rejected(
        "suitability_mismatch", "产品风险高于承受能力", _no("309083", "suitability_mismatch", 200, "73.50"), risk_level="C2"
    ),
    _rejected(
        "risk_assessment_expired",
        "风险测评已过期",
        _no("309006", "risk_assessment_expired", 100, "88.00"),
        risk_assessed_days_ago=780,
    ),
    _rejected(
        "account_restricted",
        "账户受限",
        _no("609036", "account_restricted"),
        standing="restricted",
        accounts=(account(status="restricted"),),
    ),
    _rejected(
        "no_designated_trading",
        "未办理指定交易",
        _no("609052", "no_designated_trading", 200, "21.60"),
        accounts=(account(opened_months_ago=0),),
    ),
    _rejected(
        "margin_limit",
        "融资额度不足",
        _no("609233", "margin_limit", 9000, "128.00", account=1),
        accounts=(account(), account("40000.00", market="300000.00", kind="margin", opened_months_ago=9)),
        margin_account="open",
        margin=DemoMargin("120000.00", interest="431.90", limit="150000.00"),
    ),
    _rejected("exchange_rejected", "交易所拒单", _no("309095", "exchange_rejected", 100, "24.00")),
    _rejected("other", "其他原因", _no("899026", "other", 400, "8.90")),
)
