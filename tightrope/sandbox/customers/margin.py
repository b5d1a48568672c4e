"""Margin trading: each condition failed alone, exactly at its threshold and one below, and the credit account between its lines."""

from __future__ import annotations

from typing import Final

from tightrope.sandbox.customers.make import account, customer
from tightrope.sandbox.customers.model import DemoAccount, DemoCustomer, DemoMargin, DemoOptions, Months

_ENABLED: Final = {"margin_account": "open", "options": DemoOptions(90, knowledge=2, simulated=2)}

ELIGIBILITY: Final[tuple[DemoCustomer, ...]] = (
    customer(
        "测评满 24 个月，今天是最后有效日", "assessment valid through today and no longer", risk_assessed=Months(24, 0, True)
    ),
    customer("测评昨天刚过 24 个月", "assessment expired yesterday", risk_assessed=Months(24, -1, True)),
    customer("只差风险等级：C1（保守型）", "fails on risk level alone: C1", risk_level="C1"),
    customer("只差风险等级：C2（谨慎型）", "fails on risk level alone: C2", risk_level="C2"),
    customer("风险等级 C5（进取型），条件全部满足", "C5, meets every condition", risk_level="C5"),
    customer("从未做过风险测评", "never assessed: level and age are unknown", risk_level=None),
    customer("揭示书今天刚签", "risk disclosure signed today", disclosure_signed_days_ago=0),
    customer("只差账户状态：休眠", "fails on standing alone: dormant", standing="dormant", accounts=(account(status="dormant"),)),
    customer("只差账户状态：冻结", "fails on standing alone: frozen", standing="frozen", accounts=(account(status="frozen"),)),
    customer("开户后从未交易", "has an account, never traded", first_trade=None),
    customer("今天是首笔交易日", "first trade today", first_trade=Months(0)),
    customer("日均资产 50 万零一分", "one cent above the threshold of assets", average_assets="500000.01"),
    customer("日均资产为零", "average assets of zero", average_assets="0.00", accounts=(account("0.00", market="0.00"),)),
    customer("专业投资者，条件全部满足", "professional, meets every condition", tier="professional"),
    customer(
        "专业投资者，资产不足：是否豁免由人工核对",
        "professional below the assets: a person checks the exemption",
        tier="professional",
        average_assets="120000.00",
        accounts=(account("20000.00", market="100000.00"),),
    ),
    customer(
        "专业投资者，交易不满 6 个月：是否豁免由人工核对",
        "professional short of experience: a person checks the exemption",
        tier="professional",
        first_trade=Months(3),
    ),
    customer(
        "专业投资者，风险等级 C3：不豁免",
        "professional at C3: no exemption from the risk level",
        tier="professional",
        risk_level="C3",
    ),
    customer("高净值客户，条件全部满足", "premium, meets every condition", tier="premium", average_assets="6200000.00"),
    customer(
        "七项全部不满足",
        "fails every condition",
        tier="retail_restricted",
        risk_level="C1",
        risk_assessed_days_ago=900,
        lowest_tolerance=True,
        disclosure_signed_days_ago=None,
        standing="frozen",
        first_trade=Months(1),
        average_assets="1200.00",
        accounts=(account("200.00", market="1000.00", status="frozen", opened_months_ago=1),),
    ),
    customer(
        "风险等级与揭示书两项不满足",
        "fails on two: risk level and disclosure",
        risk_level="C2",
        disclosure_signed_days_ago=None,
    ),
)


def _credit(cash: str, market: str) -> tuple[DemoAccount, ...]:
    return (account("30000.00", market="210000.00"), account(cash, market=market, kind="margin", opened_months_ago=20))


def _in_debt(zh: str, en: str, cash: str, market: str, debts: DemoMargin) -> DemoCustomer:
    return customer(zh, en, accounts=_credit(cash, market), margin=debts, **_ENABLED)


ACCOUNT: Final[tuple[DemoCustomer, ...]] = (
    _in_debt("已开通，没有负债", "enabled, no debt", "50000.00", "300000.00", DemoMargin("0.00")),
    _in_debt(
        "维持担保比例 420%，可提取担保物", "420 %, above the withdrawal line", "20000.00", "400000.00", DemoMargin("100000.00")
    ),
    _in_debt("维持担保比例恰好 300%", "exactly at the withdrawal line of 300 %", "0.00", "300000.00", DemoMargin("100000.00")),
    _in_debt(
        "维持担保比例 300% 差一分",
        "one cent below the withdrawal line",
        "0.00",
        "300000.00",
        DemoMargin("100000.00", interest="0.01"),
    ),
    _in_debt("维持担保比例 200%，正常", "200 %, normal", "10000.00", "190000.00", DemoMargin("100000.00")),
    _in_debt(
        "维持担保比例恰好 150%（警戒线）", "exactly at the warning line of 150 %", "0.00", "150000.00", DemoMargin("100000.00")
    ),
    _in_debt(
        "刚低于警戒线：149.99%", "just below the warning line", "0.00", "150000.00", DemoMargin("100000.00", interest="0.01")
    ),
    _in_debt(
        "140%，已通知追保，两天内补足",
        "140 %, called, two days left to restore",
        "0.00",
        "140000.00",
        DemoMargin("100000.00", called_days_ago=0, restore_in_days=2),
    ),
    _in_debt(
        "维持担保比例恰好 130%（平仓线）",
        "exactly at the liquidation line of 130 %",
        "0.00",
        "130000.00",
        DemoMargin("100000.00", called_days_ago=1, restore_in_days=1),
    ),
    _in_debt(
        "刚低于平仓线，今天到期",
        "just below the liquidation line, due today",
        "0.00",
        "130000.00",
        DemoMargin("100000.00", interest="0.01", called_days_ago=2, restore_in_days=0),
    ),
    _in_debt(
        "110%，追保期限已过",
        "110 %, the time to restore has passed",
        "0.00",
        "110000.00",
        DemoMargin("95000.00", interest="5000.00", called_days_ago=4, restore_in_days=-1),
    ),
    _in_debt(
        "资不抵债：80%",
        "under water: 80 %",
        "0.00",
        "80000.00",
        DemoMargin("98000.00", interest="2000.00", called_days_ago=6, restore_in_days=-3),
    ),
    _in_debt(
        "只有融券负债", "sold short only", "160000.00", "0.00", DemoMargin("0.00", sold_short="80000.00", interest="312.40")
    ),
    _in_debt(
        "融资、融券都有",
        "borrowed money and sold short",
        "60000.00",
        "240000.00",
        DemoMargin("90000.00", sold_short="30000.00", interest="845.17"),
    ),
    _in_debt("只剩应付利息未结清", "only accrued interest left to pay", "5000.00", "0.00", DemoMargin("0.00", interest="88.06")),
    _in_debt("授信额度已用满", "credit line used up", "15000.00", "585000.00", DemoMargin("300000.00", limit="300000.00")),
    _in_debt(
        "担保物为零但有负债",
        "debt without any collateral",
        "0.00",
        "0.00",
        DemoMargin("0.00", interest="1250.00", called_days_ago=3, restore_in_days=-1),
    ),
)
