"""Transfers between bank and securities account and between firms: every state and every code of failure."""

from __future__ import annotations

from typing import Any, Final

from tightrope.sandbox.customers.make import account, customer
from tightrope.sandbox.customers.model import DemoCustomer, DemoTransfer

_IN, _OUT = "bank_to_securities", "securities_to_bank"


def _transfer(zh: str, en: str, *transfers: DemoTransfer, **changes: Any) -> DemoCustomer:
    return customer(f"转账：{zh}", f"transfers: {en}", transfers=transfers, **changes)


def _failed(code: str, zh: str, kind: str = _IN, amount: str = "20000.00", **changes: Any) -> DemoCustomer:
    return _transfer(
        f"失败，{zh}", f"failed, {code.replace('_', ' ')}", DemoTransfer(kind, "failed", amount, failure=code), **changes
    )


CASES: Final[tuple[DemoCustomer, ...]] = (
    _transfer("银行转证券，已到账", "from the bank, arrived", DemoTransfer(_IN, "completed", "88000.00")),
    _transfer("证券转银行，已到账", "to the bank, arrived", DemoTransfer(_OUT, "completed", "15000.50", days=1, at="14:20:00")),
    _transfer("银行转证券，处理中", "from the bank, under way", DemoTransfer(_IN, "processing", "60000.00", expected_in_days=0)),
    _transfer("证券转银行，处理中", "to the bank, under way", DemoTransfer(_OUT, "processing", "9900.00", expected_in_days=1)),
    _transfer(
        "转托管转入，处理中",
        "securities from another firm, under way",
        DemoTransfer("custody_in", "processing", code="609018", quantity=6000, counterparty="青麓证券", expected_in_days=2),
    ),
    _transfer(
        "转托管转出，已完成",
        "securities to another firm, done",
        DemoTransfer("custody_out", "completed", code="309058", quantity=1200, counterparty="青麓证券", days=4, at="13:30:00"),
    ),
    _transfer("本人撤销", "cancelled by the customer", DemoTransfer(_OUT, "cancelled", "5000.00", days=2, at="10:45:00")),
    _transfer(
        "先失败后成功",
        "failed, then done",
        DemoTransfer(_IN, "failed", "30000.00", failure="bank_password", at="09:30:10"),
        DemoTransfer(_IN, "completed", "30000.00", at="09:33:55"),
    ),
    _transfer(
        "多笔，七十笔需要翻页",
        "seventy: more than a page",
        *(
            DemoTransfer(_IN, "completed", f"{1000 + number}.00", days=1 + number // 10, at=f"10:{number % 60:02}:00")
            for number in range(70)
        ),
    ),
    _transfer(
        "港币账户转出，处理中",
        "to the bank from a Hong Kong dollar account, under way",
        DemoTransfer(_OUT, "processing", "40000.00", expected_in_days=2, account=1),
        accounts=(account(), account("65000.00", market="31000.00", currency="HKD")),
    ),
    _failed(
        "insufficient_withdrawable", "可取资金不足", _OUT, "90000.00", accounts=(account("95000.00", withdrawable="12000.00"),)
    ),
    _failed("bank_insufficient_funds", "银行卡余额不足"),
    _failed("bank_password", "银行密码错误"),
    _failed("funds_password", "资金密码错误", _OUT),
    _failed("bank_limit", "超出银行单笔或当日限额", _IN, "600000.00"),
    _failed("firm_limit", "超出公司当日转出限额", _OUT, "82000.00"),
    _transfer(
        "失败，非服务时间",
        "failed, outside hours",
        DemoTransfer(_OUT, "failed", "8000.00", failure="outside_hours", days=1, at="22:14:00"),
    ),
    _failed("bank_account_invalid", "银行卡已注销或更换", _OUT),
    _failed("name_mismatch", "银行户名或证件不一致"),
    _failed("document_expired", "身份证件过期", _OUT),
    _failed("bank_unavailable", "银行系统维护"),
    _failed("account_restricted", "账户受限", _OUT, standing="restricted", accounts=(account(status="restricted"),)),
    _transfer(
        "转托管失败，证券被冻结",
        "failed, securities frozen",
        DemoTransfer(
            "custody_out",
            "failed",
            code="609105",
            quantity=900,
            counterparty="青麓证券",
            failure="securities_frozen",
            days=1,
            at="10:10:00",
        ),
    ),
    _transfer(
        "转托管失败，对方席位填错",
        "failed, details of the other firm",
        DemoTransfer(
            "custody_out",
            "failed",
            code="309027",
            quantity=300,
            counterparty="青麓证券",
            failure="counterparty_details",
            days=1,
            at="11:02:00",
        ),
    ),
    _failed("other", "其他原因"),
)
