"""Masking: what says who somebody is or what he has goes, what a question needs stays."""

from __future__ import annotations

import pytest

from tightrope.generation.masking import mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("身份证11010519491231002X能开户吗", "身份证[ID]能开户吗"),
        ("My ID is 110105194912310038", "My ID is [ID]"),
        ("旧身份证 110105491231002", "旧身份证 [ID]"),
        ("香港身份证A123456(3)", "香港身份证[ID]"),
        ("统一社会信用代码91310000MA1FL0TC8E", "统一社会信用代码[ID]"),
        ("护照E12345678", "护照[ACCOUNT]"),
        ("我的卡是6222 0212 3456 7890 128", "我的卡是[CARD]"),
        ("card 4111-1111-1111-1111 please", "card [CARD] please"),
        ("手机13800138000收不到验证码", "手机[PHONE]收不到验证码"),
        ("call me at +86 138 0013 8000", "call me at +[PHONE]"),
        ("座机 021-61234567", "座机 [PHONE]"),
        ("资金账号 88001234", "资金账号 [ACCOUNT]"),
        ("尾号1234的卡", "尾号[ACCOUNT]的卡"),
        ("my account number is 60012", "my account number is [ACCOUNT]"),
        ("C1001 和 A1001-1", "[ACCOUNT] 和 [ACCOUNT]"),
        ("股东卡A123456789", "股东卡[ACCOUNT]"),
        ("写信到 wang.xm@example.com", "写信到 [EMAIL]"),
        ("wang (at) example dot com", "[EMAIL]"),
        ("微信号 wang_xm88", "微信号 [CONTACT]"),
        ("密码是abc123!", "密码是[SECRET]!"),
        ("验证码 123456", "验证码 [SECRET]"),
        ("my password is hunter2", "my password is [SECRET]"),
        ("余额23,456.78不对", "余额[AMOUNT]不对"),
        ("I hold 23456 shares", "I hold [AMOUNT] shares"),
        ("我叫王小明", "我叫[NAME]"),
        ("我是欧阳明，想销户", "我是[NAME],想销户"),
        ("张伟的账户余额", "[NAME]的账户余额"),
        ("请找李经理", "请找[NAME]经理"),
        ("把我客户周伯安的对账单发到我邮箱", "把我客户[NAME]的对账单发到我邮箱"),
        ("邻居吴志远也在你们这开户", "邻居[NAME]也在你们这开户"),
        ("林晓雯是不是你们这里的客户", "[NAME]是不是你们这里的客户"),
        ("How much does Zhou Bo'an have?", "How much does [NAME] have?"),
        ("James Carter here, my balance please", "[NAME] here, my balance please"),
        ("My name is John Smith.", "My name is [NAME]."),
        ("my name is wei zhang", "my name is [NAME]"),
        ("This is Mr. Li Wei", "This is [NAME]"),
        ("寄到上海市浦东新区世纪大道100号东方大厦12楼1203室", "寄到[ADDRESS]"),
        ("I live at 12 High Street, London", "I live at [ADDRESS]"),
        ("号码 9876543", "号码 [NUMBER]"),
    ],
)
def test_what_identifies_a_customer_is_replaced_by_its_kind(text: str, masked: str) -> None:
    assert mask(text).text == masked


@pytest.mark.parametrize(
    "text",
    [
        "科创板要求前20个交易日日均资产50万元、24个月经验吗?",
        "资产500,000元可以开通科创板吗",
        "资产10000000元",
        "开户费用是多少",
        "600519今天为什么停牌",
        "600519, 000001、300750",
        "SH600519 和 510300.SH",
        "2026-11-20到2026-12-01",
        "交易时间是9:30-11:30, 13:00-15:00吗",
        "T+1交收和T+0有什么区别",
        "保证金比例100%、维持担保比例130%",
        "北京证券交易所的开户条件",
        "上海市有网点吗",
        "我是新手, 可以开户吗",
        "我老婆管钱, 周五说一声",
        "Is the Hong Kong Stock Connect closed on Christmas Eve?",
        "Every CNY 10,000 is one unit",
        "我是客户经理推荐来的",
        "总资产怎么算",
        "What time does the Shanghai Stock Exchange open?",
        "I am a Chinese citizen living abroad",
        "I'm new here, how do I open an account?",
        "Can I trade with 100 shares or 1 lot?",
        "佣金万分之三, 最低5元",
        "客服电话95888",
    ],
)
def test_what_a_question_needs_stays(text: str) -> None:
    assert mask(text).text == text


def test_kinds_are_counted_for_the_record() -> None:
    masked = mask("我叫王小明，手机13800138000")
    assert [kind.value for kind in masked.kinds] == ["NAME", "PHONE"]
    assert not masked.cut
