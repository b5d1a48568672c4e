"""Every journey and pattern of this project, played through the engine with the real actions over fakes."""

from __future__ import annotations

import pytest
from actions_fakes import NOW, account, balance, margin_facts, receipt
from rasa_played import Play, is_chinese

from tightrope.business.errors import NoAnswer, Refused, Stale

BALANCE = "start flow check_balance"
MARGIN = "start flow check_margin_eligibility"
WHY = "start flow explain_verdict"
PERSON = "start flow talk_to_agent"


def test_a_verified_customer_hears_the_balance_at_once(play: Play) -> None:
    play.fake.log_in()
    told, then = play.say("balance", BALANCE)
    assert "12,345.67" in told
    assert "10:31" in told
    assert is_chinese(told) == is_chinese(then) == (play.language == "zh")
    assert [e["event"] for e in play.envelopes("journey")] == ["started", "completed"]
    assert play.talk.flow() is None


def test_an_anonymous_customer_logs_in_and_the_question_is_answered_at_once(play: Play) -> None:
    assert len(play.say("balance", BALANCE)) == 1
    assert play.envelopes("login") == [{"v": 1, "kind": "login", "journey": "check_balance", "scopes": ["accounts:read"]}]
    play.fake.log_in()
    assert "12,345.67" in play.say("/SetSlots(login_state=done)")[0]


@pytest.mark.parametrize("flow", ["check_balance", "check_margin_eligibility"])
def test_claiming_a_login_that_the_grant_does_not_hold_shows_nothing_and_ends_with_a_person(play: Play, flow: str) -> None:
    play.say("go", f"start flow {flow}")
    assert len(play.say("/SetSlots(login_state=done)")) == 2
    assert play.envelopes("login")
    last = play.say("/SetSlots(login_state=done)")
    assert len(last) == 1
    assert play.envelopes("handoff") == [{"v": 1, "kind": "handoff", "reason": "identity", "priority": "normal"}]
    assert play.fake.business.asked == []
    assert play.talk.flow() is None


def test_a_customer_may_ask_for_a_person_instead_of_logging_in(play: Play) -> None:
    play.say("balance", BALANCE)
    play.press("不登录，转人工" if play.language == "zh" else "Talk to a person instead")
    assert play.envelopes("handoff")[0]["reason"] == "request"
    assert play.talk.state.stack == []


def test_the_login_slot_is_asked_anew_in_the_next_journey(zh: Play) -> None:
    zh.say("balance", BALANCE)
    zh.fake.log_in()
    zh.say("/SetSlots(login_state=done)")
    assert zh.talk.slot("login_state") is None


def test_several_accounts_are_all_told(play: Play) -> None:
    play.fake.log_in()
    play.fake.business.accounts_held = (account(), account("A2", kind="margin", number_masked="****2002"))
    play.fake.business.balances["A2"] = balance("A2")
    said = play.say("balance", BALANCE)
    assert len(said) == 4
    assert "2" in said[0]
    assert "••••1001" in said[1]
    assert "••••2002" in said[2]


def test_without_an_account_a_person_is_offered(play: Play) -> None:
    play.fake.log_in()
    play.fake.business.accounts_held = ()
    play.say("balance", BALANCE)
    assert play.buttons == ["转人工" if play.language == "zh" else "Talk to a person"]


@pytest.mark.parametrize("flow", [BALANCE, MARGIN])
@pytest.mark.parametrize("error", [NoAnswer, Refused])
def test_a_business_system_that_fails_brings_an_apology_and_a_person(play: Play, flow: str, error: type[NoAnswer]) -> None:
    play.fake.log_in()
    for operation in ("list_accounts", "get_margin_eligibility_facts"):
        play.fake.business.errors[operation] = error("x", receipt(operation, error.outcome, 503, None))
    said = play.say("go", flow)
    assert len(said) == 1
    assert play.buttons[-1] == ("转人工" if play.language == "zh" else "Talk to a person")
    assert not any(character.isdigit() for character in said[0])


@pytest.mark.parametrize("flow", [BALANCE, MARGIN])
def test_stale_data_is_told_with_its_time(play: Play, flow: str) -> None:
    play.fake.log_in()
    for operation in ("get_balance", "get_margin_eligibility_facts"):
        play.fake.business.errors[operation] = Stale("old", receipt(operation, "stale", 200, NOW.replace(hour=1)))
    assert "09:31" in play.say("go", flow)[0]


def test_all_conditions_met_brings_the_guide(play: Play) -> None:
    play.fake.log_in()
    verdict, guide = play.say("margin", MARGIN)
    assert verdict.count("✓") == 7
    assert "3." in guide


def test_a_missing_condition_brings_its_remedy_and_no_guide(play: Play) -> None:
    play.fake.log_in()
    play.fake.business.facts = margin_facts(risk_level="C2")
    (verdict,) = play.say("margin", MARGIN)
    assert verdict.count("✗") == 1
    assert ("办法：" if play.language == "zh" else "What you can do: ") in verdict


def test_an_enabled_account_says_so(play: Play) -> None:
    play.fake.log_in()
    play.fake.business.facts = margin_facts(margin_account_status="open")
    assert len(play.say("margin", MARGIN)) == 1
    assert play.talk.slot("margin_outcome") == "already_enabled"


def test_why_after_the_verdict_gives_rules_time_and_a_person(play: Play) -> None:
    play.fake.log_in()
    play.say("margin", MARGIN)
    assert play.buttons == ["为什么是这个结果？" if play.language == "zh" else "Why this result?"]
    (why,) = play.say("why", WHY)
    assert "10:31" in why
    assert "2023.1" in why
    assert play.buttons == ["转人工" if play.language == "zh" else "Talk to a person"]


def test_why_without_a_verdict_asks_which(play: Play) -> None:
    assert len(play.say("why", WHY)) == 1
    assert play.envelopes("login") == []


def test_why_after_the_session_ended_asks_for_a_login_first(zh: Play) -> None:
    zh.fake.log_in()
    zh.say("margin", MARGIN)
    zh.fake.identity.grants.clear()
    zh.say("why", WHY)
    assert zh.envelopes("login")[0]["scopes"] == ["eligibility:read"]


def test_advice_is_declined_without_naming_what_was_asked(play: Play) -> None:
    (said,) = play.say("茅台 600519 能买吗 Kweichow Moutai", "start flow decline_investment_advice")
    assert "茅台" not in said
    assert "Moutai" not in said
    assert "600519" not in said


def test_trade_instructions_are_declined(play: Play) -> None:
    (said,) = play.say("帮我买100股", "start flow decline_trade_instruction")
    assert "100" not in said
    assert play.envelopes("handoff") == []


@pytest.mark.parametrize(
    ("reason", "priority"),
    [
        ("request", "normal"),
        ("complaint", "high"),
        ("distress", "urgent"),
        ("coercion", "urgent"),
        ("vulnerable", "urgent"),
        ("fraud", "urgent"),
    ],
)
def test_a_person_takes_over_with_the_words_and_priority_of_the_reason(play: Play, reason: str, priority: str) -> None:
    (said,) = play.say("person", PERSON, f"set slot handoff_reason {reason}")
    assert play.envelopes("handoff") == [{"v": 1, "kind": "handoff", "reason": reason, "priority": priority}]
    assert ("12356" in said) == (reason in {"distress", "vulnerable"})
    assert ("96110" in said) == (reason in {"coercion", "vulnerable", "fraud"})
    assert "{" not in said
    assert is_chinese(said) == (play.language == "zh")
    assert play.buttons == []
    assert play.talk.slot("handoff_reason") is None


def test_asking_for_a_person_without_a_reason_is_a_request(play: Play) -> None:
    play.say("person", PERSON)
    assert play.envelopes("handoff")[0]["reason"] == "request"


def test_a_reason_of_before_does_not_stick(zh: Play) -> None:
    zh.say("distress", PERSON, "set slot handoff_reason distress")
    zh.say("person", PERSON)
    assert zh.envelopes("handoff")[0]["reason"] == "request"


def test_after_a_handoff_no_old_question_comes_back(zh: Play) -> None:
    zh.say("balance", BALANCE)
    zh.say("person", PERSON)
    assert zh.talk.state.stack == []
    assert zh.say("你好", "start flow greet")[0].startswith("很高兴")


@pytest.mark.parametrize("reason", ["distress", "coercion", "vulnerable", "fraud"])
def test_need_interrupts_a_journey_which_is_not_offered_again(play: Play, reason: str) -> None:
    play.say("balance", BALANCE)
    assert len(play.say("help", PERSON, f"set slot handoff_reason {reason}")) == 1
    assert play.envelopes("handoff")[0]["priority"] == "urgent"
    assert play.talk.state.stack == []
    assert play.buttons == []


@pytest.mark.parametrize(("reason", "priority"), [("distress", "urgent"), ("request", "normal")])
def test_with_the_way_to_people_switched_off_who_is_in_need_still_comes_first(play: Play, reason: str, priority: str) -> None:
    play.fake.switches.scopes = frozenset({"journey:talk_to_agent"})
    play.say("help", PERSON, f"set slot handoff_reason {reason}")
    assert play.envelopes("handoff") == [{"v": 1, "kind": "handoff", "reason": "switch", "priority": priority}]


@pytest.mark.parametrize("flow", ["check_balance", "check_margin_eligibility"])
def test_a_journey_switched_off_between_question_and_login_goes_to_a_person_and_reads_nothing(play: Play, flow: str) -> None:
    play.say("go", f"start flow {flow}")
    play.fake.log_in()
    play.fake.switches.scopes = frozenset({f"journey:{flow}"})
    assert len(play.say("/SetSlots(login_state=done)")) == 1
    assert [e["reason"] for e in play.envelopes("handoff")] == ["switch"]
    assert play.fake.business.asked == []
    assert play.talk.flow() is None


def test_the_gate_is_never_started_by_itself(play: Play) -> None:
    play.say("verify", "start flow verify_customer")
    assert play.talk.flow() is None
    assert play.envelopes("login") == []


def test_two_failures_in_a_row_bring_a_person(play: Play) -> None:
    play.say("xyz", "")
    assert play.envelopes("handoff") == []
    play.say("xyz", "")
    assert play.envelopes("handoff") == [{"v": 1, "kind": "handoff", "reason": "failures", "priority": "normal"}]
    play.say("xyz", "")
    assert play.envelopes("handoff") == []


def test_a_question_without_an_answer_counts_as_a_failure(play: Play) -> None:
    play.say("?", "search and reply")
    play.say("xyz", "")
    assert play.envelopes("handoff")[0]["reason"] == "failures"


@pytest.mark.parametrize("between", ["start flow greet", "start flow decline_investment_advice", "cancel flow"])
def test_failures_that_are_not_in_a_row_do_not_add_up(zh: Play, between: str) -> None:
    zh.say("xyz", "")
    zh.say("ok", between)
    zh.say("xyz", "")
    assert zh.envelopes("handoff") == []


def test_knowledge_that_cannot_be_searched_is_said_and_no_failure_of_the_customer(play: Play) -> None:
    play.fake.knowledge.result = ConnectionError("down")
    play.say("?", "search and reply")
    assert play.talk.slot("failures") is None
    assert play.envelopes("evidence")[0]["outcome"] == "error"
    assert len(play.texts) == 1


def test_a_question_in_between_is_answered_and_the_login_asked_again(zh: Play) -> None:
    zh.say("balance", BALANCE)
    zh.say("how much is the fee?", "search and reply")
    assert zh.texts[-1].startswith("查询或办理您本人的业务前")
    assert zh.talk.state.stack[0]["flow_id"] == "check_balance"


def test_asking_for_the_journey_again_at_the_gate_asks_for_the_login_again(play: Play) -> None:
    play.say("balance", BALANCE)
    play.say("balance!", BALANCE)
    assert [frame["flow_id"] for frame in play.talk.state.stack[:2]] == ["check_balance", "verify_customer"]
    assert play.envelopes("login")[0]["journey"] == "check_balance"
    play.fake.log_in()
    assert "12,345.67" in play.say("/SetSlots(login_state=done)")[0]
    assert play.talk.state.stack == []


def test_another_journey_in_between_is_done_first_and_then_going_on_is_asked(play: Play) -> None:
    play.say("balance", BALANCE)
    play.say("advice", "start flow decline_investment_advice")
    assert len(play.texts) == 2
    (said,) = play.press("不用了" if play.language == "zh" else "No, thank you")
    assert is_chinese(said) == (play.language == "zh")
    assert play.talk.flow() is None
    assert play.talk.state.stack == []


def test_going_on_with_what_was_interrupted_asks_its_question_again(play: Play) -> None:
    play.say("balance", BALANCE)
    play.say("advice", "start flow decline_investment_advice")
    play.press("继续" if play.language == "zh" else "Continue")
    assert play.envelopes("login")
    assert [frame["flow_id"] for frame in play.talk.state.stack[:2]] == ["check_balance", "verify_customer"]


def test_cancelling_says_that_nothing_changed(play: Play) -> None:
    play.say("balance", BALANCE)
    (said,) = play.say("cancel", "cancel flow")
    assert is_chinese(said) == (play.language == "zh")
    assert play.talk.flow() is None


def test_an_unclear_wish_gets_a_button_for_each_journey(play: Play) -> None:
    play.say("account", "disambiguate flows check_balance check_margin_eligibility")
    assert play.buttons == (
        ["查账户余额", "查融资融券开通条件"]
        if play.language == "zh"
        else ["Check my account balance", "Check my margin trading eligibility"]
    )


def test_a_switched_off_journey_goes_to_a_person_and_reads_nothing(play: Play) -> None:
    play.fake.log_in()
    play.fake.switches.scopes = frozenset({"journey:check_balance"})
    play.say("balance", BALANCE)
    assert play.envelopes("handoff")[0]["reason"] == "switch"
    assert play.fake.business.asked == []
    assert play.talk.flow() is None


def test_a_gate_that_fails_apologises_and_brings_a_person(play: Play) -> None:
    async def broken() -> frozenset[str]:
        raise ConnectionError

    play.fake.log_in()
    play.fake.switches.off = broken  # type: ignore[method-assign]
    play.may_fail = True
    play.say("balance", BALANCE)
    assert play.envelopes("handoff") == [{"v": 1, "kind": "handoff", "reason": "error", "priority": "normal"}]
    assert play.fake.business.asked == []


@pytest.mark.parametrize("text", ["", "x" * 4001])
def test_an_empty_or_too_long_message_is_named_and_no_person_is_called(play: Play, text: str) -> None:
    play.replies = play.talk.say(text, None, {"turn_id": "t" * 43, "language": play.language})
    assert len(play.texts) == 1
    assert play.envelopes("handoff") == []


def test_no_figure_of_an_account_ever_stands_in_a_slot(zh: Play) -> None:
    zh.fake.log_in()
    zh.say("balance", BALANCE)
    zh.say("margin", MARGIN)
    zh.say("why", WHY)
    slots = str(zh.talk.state.slots)
    for figure in ("12,345", "12345", "98,765", "612,345", "612345", "••••1001"):
        assert figure not in slots


def test_a_turn_stays_within_rasas_number_of_predictions(zh: Play) -> None:
    zh.talk.cap = 10
    zh.say("balance", BALANCE)
    zh.say("/SetSlots(login_state=done)")
    zh.fake.log_in()
    zh.say("/SetSlots(login_state=done)")
    zh.say("margin", MARGIN)
