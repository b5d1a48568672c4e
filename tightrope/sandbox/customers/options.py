"""Options: each condition failed alone, not known, exactly at its threshold and one below; each level; the exemption of professionals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from tightrope.sandbox.customers.make import account, customer
from tightrope.sandbox.customers.model import DemoCustomer, DemoMargin, DemoOptions, Months

READY: Final = DemoOptions(90, futures=True, knowledge=3, simulated=3)
"""Meets what is asked of options at every level."""


def _options(zh: str, en: str, changes: dict[str, Any] | None = None, **other: Any) -> DemoCustomer:
    return customer(f"期权：{zh}", f"options: {en}", options=replace(READY, **(changes or {})), **other)


CASES: Final[tuple[DemoCustomer, ...]] = (
    _options("三级条件全部满足", "meets every condition up to level 3"),
    _options("只差风险等级 C3", "fails on risk level alone: C3", risk_level="C3"),
    _options("从未做过风险测评", "never assessed", risk_level=None),
    _options("测评今天最后一天有效", "assessment valid through today", risk_assessed=Months(24, 0, True)),
    _options("测评昨天过期", "assessment expired yesterday", risk_assessed=Months(24, -1, True)),
    _options("期权风险揭示书未签", "disclosure for options not signed", {"disclosure_days_ago": None}),
    _options("揭示书今天签署", "disclosure signed today", {"disclosure_days_ago": 0}),
    _options("资金账户休眠", "funds account dormant", standing="dormant", accounts=(account(status="dormant"),)),
    _options("资金账户受限", "funds account restricted", standing="restricted", accounts=(account(status="restricted"),)),
    _options("日均资产恰好 50 万元", "average assets exactly at the threshold", {"average": "500000.00"}),
    _options("日均资产差一分", "average assets one cent below", {"average": "499999.99"}),
    _options(
        "扣除融资后资产不足",
        "too little once what is borrowed is taken off",
        {"average": "310000.00"},
        average_assets="702000.00",
    ),
    _options("日均资产尚未算出", "average assets not known", {"average": None}),
    _options("开户恰满 6 个月", "account exactly six months old", {"opened": Months(6)}, first_trade=Months(6)),
    _options("开户满 6 个月还差一天", "account one day short of six months", {"opened": Months(6, 1)}, first_trade=Months(6, 1)),
    _options("开户时间不详", "date of opening not known", {"opened": None}),
    _options("未开两融、无金融期货经历", "neither margin trading nor financial futures", {"futures": False}),
    _options("期货经历待核", "futures experience not known, no margin account", {"futures": None}),
    _options(
        "已开两融、无期货经历，条件满足",
        "margin trading enabled and no futures, meets every condition",
        {"futures": False},
        margin_account="open",
        margin=DemoMargin("0.00"),
        accounts=(account(), account("0.00", market="0.00", kind="margin")),
    ),
    _options("无测试成绩", "no examination passed", {"knowledge": 0}),
    _options("测试通过一级", "examination of level 1", {"knowledge": 1}),
    _options("测试通过二级", "examination of level 2", {"knowledge": 2}),
    _options("测试成绩未同步", "examination not known", {"knowledge": None}),
    _options("无仿真交易经历", "no simulated trading", {"simulated": 0}),
    _options("仿真交易达一级", "simulated trading of level 1", {"simulated": 1}),
    _options("仿真交易达二级", "simulated trading of level 2", {"simulated": 2}),
    _options("仿真记录待交易所确认", "simulated trading not known", {"simulated": None}),
    _options("有严重不良诚信记录", "a serious record of bad faith", {"bad_record": True}),
    _options("诚信记录待查", "record not known", {"bad_record": None}),
    _options("已开通一级", "level 1 is enabled", {"enabled": 1}),
    _options("已开通二级", "level 2 is enabled", {"enabled": 2}),
    _options("已开通三级", "level 3 is enabled", {"enabled": 3}),
    _options(
        "专业投资者，资产与经历由人工核对豁免",
        "professional short of assets and experience: a person checks",
        {"average": "90000.00", "opened": Months(2), "futures": False},
        tier="professional",
        first_trade=Months(2),
    ),
    _options(
        "专业投资者，测试与仿真由人工核对豁免",
        "professional without examination and simulation: a person checks",
        {"knowledge": 0, "simulated": 0},
        tier="professional",
    ),
    _options(
        "专业投资者，有不良记录：不豁免",
        "professional with a bad record: no exemption",
        {"bad_record": True},
        tier="professional",
    ),
    _options(
        "十项全部不满足",
        "fails every condition",
        {
            "disclosure_days_ago": None,
            "opened": Months(1),
            "average": "800.00",
            "futures": False,
            "knowledge": 0,
            "simulated": 0,
            "bad_record": True,
        },
        risk_level="C1",
        risk_assessed_days_ago=900,
        standing="frozen",
        first_trade=Months(1),
        average_assets="800.00",
        accounts=(account("800.00", market="0.00", status="frozen", opened_months_ago=1),),
    ),
    _options(
        "多项信息缺失，无法判断",
        "much is not known, so no verdict",
        {"opened": None, "average": None, "futures": None, "knowledge": None, "simulated": None, "bad_record": None},
        risk_level=None,
    ),
)
