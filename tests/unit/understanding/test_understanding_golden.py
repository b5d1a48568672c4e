"""Golden routing: what customers say, and the commands that must follow. None of these lines is a training line."""

from __future__ import annotations

import pytest
from understanding_data import DATA

from tightrope.understanding import evaluate, training
from tightrope.understanding.evaluation_text import render, serves
from tightrope.understanding.normalise import folded

BALANCE = "start flow check_balance"
MARGIN = "start flow check_margin_eligibility"
ADVICE = "start flow decline_investment_advice"
EXPLAIN = "start flow explain_verdict"
GREET = "start flow greet"
PERSON = "start flow talk_to_agent\nset slot handoff_reason request"
COMPLAINT = "start flow talk_to_agent\nset slot handoff_reason complaint"
FILED = "start flow file_complaint"
COERCION = "start flow talk_to_agent\nset slot handoff_reason coercion"
VULNERABLE = "start flow talk_to_agent\nset slot handoff_reason vulnerable"
FRAUD = "start flow report_fraud"
PASSWORD = "start flow reset_password"
SMALL_TALK = "offtopic reply"
DISTRESS = "start flow talk_to_agent\nset slot handoff_reason distress"
SEARCH = "search and reply"

GOLDEN = {
    BALANCE: """
        我想查余额
        我的余额是多少？
        帮我查查账户还剩多少钱
        账户里现在有多少钱
        可用余额是多少呀
        请问我的可取资金还有多少
        我想看看我的帐户余额
        我要查賬戶餘額
        查询一下我的资金余额，谢谢
        what's my balance?
        What is my account balance
        please show me my balance
        how much money is in my account?
        how much cash can I withdraw
        I would like to check my balance, please
        check balance
    """,
    MARGIN: """
        我想开通融资融券业务
        请问我能开通两融吗
        我符合开通融资融券的条件吗
        帮我看看能不能开信用账户
        我可以开融资融券吗？
        想开通融资融券
        我要申请两融
        Can I enable margin trading?
        am I eligible for margin trading?
        I want to open a margin account please
        do I meet the conditions for a margin account
        could you check whether I qualify for margin trading
    """,
    ADVICE: """
        你能推荐几只股票吗
        现在能抄底吗
        明天会涨吗
        我该买茅台还是五粮液
        应该卖出吗
        要不要割肉
        请给我推荐一只基金
        宁德时代什么时候买比较好
        你觉得大盘会跌吗
        哪只股票值得买
        茅台现在是不是买入的好时机
        帮我预测一下比亚迪的走势
        被套牢了怎么办
        Should I buy Moutai now?
        which stocks should I buy?
        Is it a good time to sell?
        can you recommend a stock
        will BYD go up next week?
        what is the best ETF to buy
        When should I sell my shares
        is Tencent worth buying
        give me a stock tip
    """,
    PERSON: """
        我要转人工
        人工客服
        请帮我转人工服务
        我要找真人
        能和真人聊聊吗
        帮我联系一下客户经理
        有没有真人客服
        我不想和机器人聊
        轉人工
        转 人 工
        I want to talk to a human
        can I speak with a real person?
        connect me with an agent, please
        Human agent please
        let me talk to customer service
        transfer me to a representative please
        我想转人工，顺便问下明天会涨吗
    """,
    COMPLAINT: """
        我要投诉，转人工
    """,
    FILED: """
        我要投诉你们
        我要投诉客户经理
        你们服务态度太差了
        垃圾平台
        我要举报你们的员工
        太过分了，赔我钱
        我对你们的服务非常不满
        I want to file a complaint
        I would like to make a formal complaint
        this is outrageous
        your service is awful
        I'm very dissatisfied with your service
        I will sue you
        You guys are scammers
    """,
    DISTRESS: """
        我真的不想活了
        想自杀
        亏光了，我要跳楼
        我不想活了，明天会涨吗
        I want to kill myself
        I don't want to live anymore
    """,
    COERCION: """
        有人逼我转账
        有人在威胁我
        他们强迫我卖股票
        警察让我把钱转到安全账户
        someone is forcing me to transfer money
        they are threatening me
    """,
    FRAUD: """
        我被骗了怎么办
        我的账户被盗了
        转人工，我被骗了
        I was scammed
        my account was hacked
        There are unauthorized trades in my account
    """,
    VULNERABLE: """
        my father passed away last week and he had an account here
    """,
    PASSWORD: """
        忘记交易密码了怎么办
        how do I reset my trading password
    """,
    SMALL_TALK: """
        给我讲个笑话吧
        Tell me a joke!
    """,
    SEARCH: """
        我想知道怎么开户？
        开户需要哪些材料
        佣金怎么收
        交易手续费是多少？
        T+1是什么意思？
        科创板的开通条件是什么
        港股通交易时间是什么时候
        ETF怎么买？
        新股申购需要什么条件
        怎么把银行卡的钱转到证券账户
        风险等级分为几级
        如何投诉
        投诉多久能处理
        分红什么时候发
        请问融资融券是什么？
        你们的融资利率是多少？
        人工客服几点上班？
        新股首日有涨跌幅限制吗
        怎么防止被骗
        什么是防诈骗
        手续费会涨吗
        Hello, how do I open an account?
        what are your fees
        What does T+1 mean?
        which requirements does the STAR market have?
        how does Stock Connect work?
        how do I buy a fund in the app?
        What is an ETF?
        How do I subscribe to IPOs
        how can I file a complaint?
        what is the margin fee?
        margin fee是多少
        so what is margin trading?
        when are dividends paid out
        how do I avoid scams?
        What are customer service hours
    """,
    EXPLAIN: """
        为什么？
        为什么呢？
        依据是什么？
        Why?
        why not?
        What is this based on?
        how did you get to this result
    """,
    GREET: """
        你好
        您好！
        早上好
        谢谢
        好的，谢谢
        再见
        hello
        Hi there!
        thank you so much
        thanks, bye
        你能做什么？
        What can you do?
        help
        算了
        never mind
    """,
    "repeat message": """
        再说一遍
        请重复一下
        没听清
        could you repeat that?
        say that again please
        what did you say?
        请说中文
        用英文回答
        Please speak English
    """,
    "": """
        今天天气如何
        天气预报
        what's the weather
        write a poem for me
        12345
        😀😀😀
        ……
        ？？？
    """,
}
CASES = [(text.strip(), commands) for commands, block in GOLDEN.items() for text in block.strip().splitlines()]


@pytest.mark.parametrize(("text", "commands"), CASES, ids=[text for text, _ in CASES])
def test_a_message_leads_to_its_route(ask, text, commands):
    assert ask(text).text == commands


def test_there_are_enough_golden_lines_and_none_is_trained_on():
    trained = {folded(example.text) for example in training.lines(DATA)}
    assert len(CASES) >= 120
    # Short fixed phrases are decided by rules; what the classifier decides must not be among its training lines.
    learnt = [
        text
        for text, commands in CASES
        if commands in {BALANCE, MARGIN, SEARCH} and "margin fee" not in text and folded(text) in trained
    ]
    assert learnt == []


SETS = {name: training.lines(DATA / name) for name in ("development", "heldout")}
"""Lines written apart; an empty folder is an error here, as it should be."""


@pytest.fixture(scope="module")
def measured(understanding):
    """A part of each: all of them takes minutes, `python -m tightrope.understanding.evaluate` has the figures."""
    return {name: evaluate.evaluate(understanding, evaluate.part(lines)) for name, lines in SETS.items()}


@pytest.mark.parametrize("name", SETS)
def test_no_line_apart_is_a_training_line(name):
    trained = {folded(example.text) for example in training.lines(DATA)}
    assert not [example.text for example in SETS[name] if folded(example.text) in trained]


def test_routing_of_lines_apart_stays_above_its_floor(measured):
    floors = {"development": (0.92, 0.07), "heldout": (0.85, 0.12)}
    for name, report in measured.items():
        assert report.accuracy >= floors[name][0], render(report, errors=True)
        assert report.misrouted <= floors[name][1]
        assert report.calibration_error < 0.12


def test_danger_in_lines_apart_nearly_always_reaches_a_person(measured):
    kin = [
        line
        for report in measured.values()
        for line in report.lines
        if line.example.label.partition(".")[2] in {"distress", "coercion", "vulnerable"} or line.example.label == "report_fraud"
    ]
    assert sum(map(serves, kin)) / len(kin) >= 0.9
