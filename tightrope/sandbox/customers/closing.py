"""Closing an account: each thing that blocks it alone, pairs that hide each other, all together, and nothing at all."""

from __future__ import annotations

from typing import Any, Final

from tightrope.sandbox.customers.make import account, customer
from tightrope.sandbox.customers.model import (
    DemoCustomer,
    DemoMargin,
    DemoOptions,
    DemoOrder,
    DemoProduct,
    DemoRequest,
    DemoTransfer,
    Holding,
)

_EMPTY: Final = account("0.00", market="0.00")
_NOTE: Final = DemoProduct("衡远安鑫90天收益凭证", "Hengyuan Anxin 90-day note", 35, "50000.00")
_REPO: Final = DemoProduct("国债逆回购7天", "7-day reverse repo", 1, "20000.00")
_OPEN_ORDER: Final = DemoOrder("609018", "accepted", 200, "5.00")
_PENDING: Final = DemoTransfer(
    "custody_in", "processing", code="609018", quantity=500, counterparty="青麓证券", expected_in_days=1
)
_CREDIT: Final[dict[str, Any]] = {"margin_account": "open", "options": DemoOptions(90, knowledge=1, simulated=1)}


def _closing(zh: str, en: str, **changes: Any) -> DemoCustomer:
    return customer(f"销户：{zh}", f"closing: {en}", **({"accounts": (_EMPTY,), "average_assets": "0.00"} | changes))


def _credit(cash: str = "0.00", market: str = "0.00") -> Any:
    return account(cash, market=market, kind="margin", opened_months_ago=20)


CASES: Final[tuple[DemoCustomer, ...]] = (
    _closing("没有任何障碍", "nothing stands in the way"),
    _closing("只剩资金", "money left", accounts=(account("1280.50", market="0.00"),)),
    _closing("只剩一分钱利息", "one cent of interest left", accounts=(account("0.01", market="0.00"),)),
    _closing("资金为零，有冻结资金", "no money but what is frozen", accounts=(account("0.00", "300.00", market="0.00"),)),
    _closing(
        "只剩持仓", "holdings left", accounts=(account("0.00", market="5800.00", holdings=(Holding("609018", 1000, "6.100"),)),)
    ),
    _closing(
        "只剩未成交委托（卖出）", "an open order left", orders=(DemoOrder("599005", "accepted", 100, "1.010", side="sell"),)
    ),
    _closing(
        "只剩未结融资负债",
        "margin debt left",
        accounts=(_EMPTY, _credit()),
        margin=DemoMargin("0.00", interest="36.20"),
        **_CREDIT,
    ),
    _closing("只剩在途转托管", "a transfer under way", transfers=(_PENDING,)),
    _closing(
        "只剩在途银证转账",
        "a transfer to the bank under way",
        transfers=(DemoTransfer("securities_to_bank", "processing", "1280.50", expected_in_days=1),),
    ),
    _closing("只剩未到期产品", "a product that has not matured", accounts=(account("0.00", market="0.00", products=(_NOTE,)),)),
    _closing("产品明天到期", "a product that matures tomorrow", accounts=(account("0.00", market="0.00", products=(_REPO,)),)),
    _closing("资金与持仓都在", "money and holdings", accounts=(account("5000.00", market="12300.00"),)),
    _closing(
        "委托冻结资金：两项互相牵连",
        "an open order and the money it holds",
        accounts=(account("0.00", "1000.00", market="0.00"),),
        orders=(_OPEN_ORDER,),
    ),
    _closing(
        "六项障碍同时存在",
        "all six at once",
        accounts=(account("8000.00", "1000.00", market="64000.00", products=(_NOTE, _REPO)), _credit("2000.00", "90000.00")),
        orders=(_OPEN_ORDER,),
        transfers=(_PENDING,),
        margin=DemoMargin("40000.00", interest="210.75"),
        average_assets="150000.00",
        **_CREDIT,
    ),
    _closing(
        "两个账户，一个有障碍",
        "two accounts, one of them blocked",
        accounts=(_EMPTY, account("0.00", market="3200.00", currency="HKD")),
    ),
    _closing("两个账户，都可销", "two accounts, both free", accounts=(_EMPTY, account("0.00", market="0.00", currency="HKD"))),
    _closing("港币余额", "money in Hong Kong dollars", accounts=(_EMPTY, account("77.30", market="0.00", currency="HKD"))),
    _closing("信用账户已清零", "credit account without debt", accounts=(_EMPTY, _credit()), margin=DemoMargin("0.00"), **_CREDIT),
    _closing(
        "休眠账户，可销", "dormant and free", standing="dormant", accounts=(account("0.00", market="0.00", status="dormant"),)
    ),
    _closing("账户被冻结", "account frozen", standing="frozen", accounts=(account("0.00", market="0.00", status="frozen"),)),
    _closing("申请已提交，处理中", "a request is already with people", requests=(DemoRequest("closure"),)),
)
