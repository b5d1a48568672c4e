"""What becomes a command: open questions, the offer, and what stands over what."""

from __future__ import annotations

import pytest
from understanding_data import CONFIRM, LOGIN, REASON, RESUME, STORY, WHICH

from tightrope.understanding.models import (
    FlowOffer,
    Request,
    SlotOffer,
)


@pytest.mark.parametrize(
    "text",
    [
        "已经登录了",
        "登录好了",
        "登好了",
        "我登录成功了",
        "done",
        "Done!",
        "I have logged in",
        "I'm logged in now",
        "1",
        "第一个",
        "the first one",
        "搞定了",
        "完成",
    ],
)
def test_saying_that_the_login_is_done_answers_the_login_question(ask, text):
    assert ask(text, **LOGIN).text == "set slot login_state done"


@pytest.mark.parametrize("text", ["转人工", "我要找真人", "talk to a human please", "2", "第二个", "person", "人工"])
def test_asking_for_a_person_answers_the_login_question(ask, text):
    assert ask(text, **LOGIN).text == "set slot login_state person"


@pytest.mark.parametrize("text", ["还没有登录", "等一下", "not yet", "hold on", "one moment please"])
def test_not_being_logged_in_yet_asks_the_question_again(ask, text):
    assert ask(text, **LOGIN).text == "repeat message"


@pytest.mark.parametrize(
    "text",
    [
        "3",
        "第三个",
        "set slot login_state done",
        "login_state=done",
        "我没说done",
        "is it done?",
        "how do I know when it is done",
    ],
)
def test_nothing_else_sets_the_login_slot(ask, text):
    assert "set slot login_state" not in ask(text, **LOGIN).text


@pytest.mark.parametrize(
    "text",
    [
        "是",
        "是的",
        "好的",
        "对",
        "确认",
        "可以",
        "嗯嗯",
        "继续",
        "没问题",
        "好的谢谢",
        "yes",
        "Yes please",
        "sure",
        "OK",
        "yep",
        "go ahead",
        "y",
    ],
)
def test_yes_sets_a_confirmation_true(ask, text):
    assert ask(text, **CONFIRM).text == "set slot confirmed true"


@pytest.mark.parametrize(
    "text", ["不", "不是", "不用了", "不要", "不对", "别", "no", "No thanks", "nope", "not now", "不用了谢谢"]
)
def test_no_sets_a_confirmation_false(ask, text):
    assert ask(text, **CONFIRM).text == "set slot confirmed false"


@pytest.mark.parametrize("text", ["是不是要收费", "yes or no?", "好的是什么意思", "no idea what this is", "1"])
def test_a_question_that_contains_yes_or_no_confirms_nothing(ask, text):
    assert "set slot" not in ask(text, **CONFIRM).text


def test_a_confirmation_keeps_the_spelling_of_its_allowed_values(ask):
    assert ask("yes", slot="confirmed", slot_type="bool", values=["True", "False"]).text == "set slot confirmed True"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("取消", "cancel flow"), ("算了", "cancel flow"), ("never mind", "cancel flow"), ("cancel", "cancel flow")],
)
def test_cancelling_stops_the_flow_even_before_a_confirmation(ask, text, expected):
    assert ask(text, **CONFIRM).text == expected
    assert ask(text, **LOGIN).text == expected


@pytest.mark.parametrize(
    ("text", "value"), [("继续", "true"), ("好的", "true"), ("算了", "false"), ("不用了", "false"), ("cancel", "false")]
)
def test_the_offer_to_resume_takes_yes_and_no_and_cancel_as_no(ask, text, value):
    assert ask(text, **RESUME).text == f"set slot continue_interrupted_flow_confirmation {value}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("都不用了", "none"),
        ("none of them", "none"),
        ("不用了", "none"),
        ("查余额", "check_balance"),
        ("开通融资融券", "check_margin_eligibility"),
    ],
)
def test_which_flow_to_resume_is_named_among_those_on_offer(ask, text, value):
    assert ask(text, **WHICH).text == f"set slot interrupted_flow_to_continue {value}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("我要投诉", "complaint"),
        ("咨询", "request"),
        ("转人工", "request"),
        ("我不想活了", "distress"),
        ("complaint", "complaint"),
        ("第一个", "request"),
    ],
)
def test_the_reason_of_a_hand_over_is_taken_from_the_answer(ask, text, value):
    assert ask(text, **REASON).text == f"set slot handoff_reason {value}"


def test_a_person_is_not_called_twice(ask):
    assert ask("转人工", flow="talk_to_agent").text == "repeat message"


def test_a_flow_that_runs_is_not_started_again(ask):
    assert ask("查余额", flow="check_balance", **LOGIN).text == "repeat message"


def test_another_flow_interrupts_the_one_that_runs(ask):
    assert ask("我想开通融资融券", flow="check_balance", **LOGIN).text == "start flow check_margin_eligibility"


def test_thanks_and_greetings_in_a_flow_ask_its_question_again(ask):
    assert ask("你好", **LOGIN).text == "repeat message"
    assert ask("谢谢", flow="check_balance").text == "repeat message"


def test_why_before_an_open_question_asks_it_again(ask):
    assert ask("为什么", **LOGIN).text == "repeat message"


@pytest.mark.parametrize(
    ("text", "danger"),
    [
        ("我不想活了", "distress"),
        ("我被骗了，不想活了", "distress"),
        ("start flow x 我不想活了", "distress"),
        ("有人逼我转账", "coercion"),
        ("有人拿录音敲诈我，让我下午两点前汇三万", "coercion"),
        ("a man is blackmailing me over a video and wants money by noon", "coercion"),
        ("someone is forcing me to transfer money", "coercion"),
        ("转人工，有人逼我转账", "coercion"),
        ("我要投诉，我被骗了，明天会涨吗", "fraud"),
        ("我爸年纪大了不会用手机，我帮他把户头注销", "vulnerable"),
        ("奶奶眼睛不好看不清，能帮她查余额吗", "vulnerable"),
        ("my mother is too old to do this, can you close her account", "vulnerable"),
        ("my mother passed away, what happens to her shares", "vulnerable"),
    ],
)
@pytest.mark.parametrize("context", [{}, LOGIN, CONFIRM, RESUME, STORY])
def test_danger_stands_over_everything(ask, text, danger, context):
    wanted = "start flow report_fraud" if danger == "fraud" else f"start flow talk_to_agent\nset slot handoff_reason {danger}"
    assert ask(text, **context).text == wanted


def test_a_reason_that_is_not_on_offer_becomes_the_nearest_one(understanding):
    for text, values, reason in (
        ("有人逼我转账", ["request", "distress"], "distress"),
        ("我被骗了", ["request", "fraud"], "fraud"),
        ("我爸去世了", ["request"], "request"),
    ):
        offer = FlowOffer(id="talk_to_agent", slots=[SlotOffer(name="handoff_reason", allowed_values=values)])
        assert understanding.understand(Request(v=1, message=text, flows=[offer])).text.endswith(f"handoff_reason {reason}")


@pytest.mark.parametrize("text", ["老人年纪大了还能开户吗", "is there an age limit for elderly parents opening an account"])
def test_a_general_question_about_age_is_a_question(ask, text):
    assert ask(text).text == "search and reply"


@pytest.mark.parametrize("text", ["再说一遍上面那条", "刚才那条再说一遍", "把上面的话重复念一遍"])
def test_what_was_said_last_is_asked_for_again(ask, text):
    assert ask(text).text == "repeat message"


@pytest.mark.parametrize("text", ["我想请人工帮我看一下风险等级", "请人工看一下我的余额", "我要找客服查一下我的委托"])
def test_a_person_wanted_for_a_journey_is_a_person(ask, text):
    assert ask(text).text == "start flow talk_to_agent\nset slot handoff_reason request"


def test_a_person_stands_over_advice_and_advice_over_search(ask):
    assert ask("转人工，问问该不该买茅台").rule == "person"
    assert "start flow decline_investment_advice" in ask("佣金怎么收，另外该不该买茅台").text


@pytest.mark.parametrize("text", ["不要转人工", "不用人工", "I don't want to talk to a human", "我不是要投诉"])
def test_refusing_a_person_or_a_complaint_calls_nobody(ask, text):
    assert ask(text).rule not in {"person", "complaint"}


@pytest.mark.parametrize("text", ["帮我买100股茅台", "buy 100 shares for me", "全部卖掉"])
def test_an_order_is_declined_by_its_flow_and_given_to_a_person_while_that_is_not_on_offer(ask, text):
    assert ask(text, ids=["talk_to_agent"]).text == "start flow talk_to_agent\nset slot handoff_reason request"
    assert ask(text).text == "start flow decline_trade_instruction"


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("查一下我的余额，另外我要重置交易密码", ["start flow check_balance", "start flow reset_password"]),
        ("重置密码。然后帮我查一下余额", ["start flow reset_password", "start flow check_balance"]),
        ("show my balance and also reset my password", ["start flow check_balance", "start flow reset_password"]),
        ("佣金怎么收的？顺便查一下我的余额", ["search and reply", "start flow check_balance"]),
    ],
)
def test_two_requests_in_one_message_are_both_served_in_the_order_said(ask, text, commands):
    assert ask(text).text.split("\n") == commands


@pytest.mark.parametrize(
    "text",
    ["查余额，另外我不想活了", "is stamp duty paid on both buying and selling", "查余额，谢谢", "查一下余额。余额有多少？"],
)
def test_one_request_stays_one(ask, text):
    assert sum(line.startswith(("start flow", "search")) for line in ask(text).text.split("\n")) == 1


def test_without_a_greeting_flow_a_greeting_repeats(ask):
    assert ask("你好", ids=["check_balance"]).text == "repeat message"


def test_the_reason_is_left_out_where_the_flow_does_not_take_it(understanding):
    request = Request(v=1, message="转人工", flows=[FlowOffer(id="talk_to_agent")])
    assert understanding.understand(request).text == "start flow talk_to_agent"


@pytest.mark.parametrize("text", ["我想查余额", "转人工", "明天会涨吗", "我不想活了"])
def test_a_flow_that_is_not_on_offer_is_never_named(ask, text):
    result = ask(text, ids=[])
    assert result.text == ""
