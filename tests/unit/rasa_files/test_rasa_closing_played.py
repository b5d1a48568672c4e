"""Closing an account and filing a complaint, played through the engine with the real actions over fakes."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from actions_fakes import NOW, cny, receipt
from rasa_played import Play
from request_fakes import closing_account, ticket

from tightrope.business.errors import BadRequest, BusinessError, Conflict, KeyReused, NoAnswer, NotReached, Refused, Stale
from tightrope.business.models import TicketKind

CLOSE = "start flow close_account"
COMPLAIN = "start flow file_complaint"
WHY = "start flow explain_verdict"
STORY = "昨天下午卖出后手续费扣了两次，客服说不归他管"


@pytest.fixture
def play(play: Play) -> Play:
    """Of a verified customer."""
    play.fake.log_in()
    return play


def slot(name: str, value: str) -> str:
    return f"/SetSlots({name}={value})"


def up_to_last_confirmation(play: Play) -> None:
    play.say("close", CLOSE)
    play.say(slot("closure_reason", "unstated"))
    play.say(slot("closure_understood", "true"))


def failed(kind: type[BusinessError], operation: str, **more: Any) -> BusinessError:
    return kind("x", receipt(operation, kind.outcome, None, None), **more)


def test_an_empty_account_is_closed_by_people_after_two_confirmations(play: Play) -> None:
    checked, reason = play.say("close", CLOSE)
    assert "10:31" in checked
    assert "••••1001" in checked
    assert len(play.buttons) == 6
    assert play.say(slot("closure_reason", "costs"))[0] != reason
    assert play.fake.business.filed == {}
    play.say(slot("closure_understood", "true"))
    assert play.fake.business.filed == {}
    (said,) = play.say(slot("closure_confirmed", "true"))
    ((key, filed),) = play.fake.business.filed.items()
    assert filed == {"account_ids": ["A1"], "reason": "costs", "language": play.language}
    assert re.fullmatch(r"[0-9a-f]{64}", key)
    assert "XH-20261120-0042" in said
    assert ("2026年11月24日" if play.language == "zh" else "24 Nov 2026") in said
    assert play.talk.state.stack == []
    assert [e["event"] for e in play.envelopes("journey")] == ["started", "completed"]


@pytest.mark.parametrize(
    "answers",
    [
        [("closure_reason", "service"), ("closure_understood", "false")],
        [("closure_reason", "service"), ("closure_understood", "true"), ("closure_confirmed", "false")],
    ],
)
def test_a_change_of_mind_at_a_confirmation_files_nothing(play: Play, answers: list[tuple[str, str]]) -> None:
    play.say("close", CLOSE)
    for name, value in answers:
        play.say(slot(name, value))
    assert ("保持不变" if play.language == "zh" else "stay as they are") in play.texts[-1]
    assert play.fake.business.filed == {}
    assert play.talk.state.stack == []


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_cancelling_at_each_question_files_nothing(play: Play, steps: int) -> None:
    play.say("close", CLOSE)
    for name, value in [("closure_reason", "service"), ("closure_understood", "true")][:steps]:
        play.say(slot(name, value))
    play.say("算了", "cancel flow")
    assert play.fake.business.filed == {}
    assert play.talk.state.stack == []


def test_consent_is_fresh_each_time(play: Play) -> None:
    up_to_last_confirmation(play)
    play.say("算了", "cancel flow")
    play.say("close", CLOSE)
    play.say(slot("closure_reason", "unstated"))
    # Understanding cannot give a confirmation ahead of its question.
    play.say("都确认", "set slot closure_understood true", "set slot closure_confirmed true")
    assert play.fake.business.filed == {}
    assert play.talk.state.stack[0]["flow_id"] == "close_account"
    play.say(slot("closure_confirmed", "true"))
    assert len(play.fake.business.filed) == 1


BLOCKS = {
    "cash": cny("12345.60"),
    "positions": 3,
    "open_orders": 1,
    "pending_transfers": 2,
    "margin_debt": cny("0.01"),
    "status": "frozen",
}


@pytest.mark.parametrize("what", BLOCKS)
def test_each_blocker_is_shown_with_what_to_do_and_nothing_is_asked(play: Play, what: str) -> None:
    play.fake.business.closing = (closing_account(**{what: BLOCKS[what]}),)
    (said,) = play.say("close", CLOSE)
    assert said.count("✗") == 1
    assert ("办法：" if play.language == "zh" else "What to do: ") in said
    assert play.talk.state.stack == []
    assert play.talk.slot("closure_outcome") == "blocked"
    assert play.fake.business.filed == {}
    assert "12345" not in str(play.talk.state.slots)


def test_all_blockers_of_all_accounts_are_shown(play: Play) -> None:
    margin = closing_account(account_id="A2", kind="margin", number_masked="****2002", margin_debt=cny("5000.00"))
    play.fake.business.closing = (closing_account(cash=cny("1.00"), positions=2), margin)
    (said,) = play.say("close", CLOSE)
    assert said.count("✗") == 3
    assert "••••1001" in said
    assert "••••2002" in said
    assert "5,000.00" in said


def test_what_is_bought_between_the_check_and_the_last_confirmation_stops_the_request(play: Play) -> None:
    up_to_last_confirmation(play)
    play.fake.business.closing = (closing_account(positions=1),)
    (said,) = play.say(slot("closure_confirmed", "true"))
    assert "✗" in said
    assert play.fake.business.filed == {}


def test_a_key_that_the_firm_has_for_something_else_is_an_unknown_end(play: Play) -> None:
    up_to_last_confirmation(play)
    play.fake.business.errors["request_closure"] = failed(KeyReused, "request_closure")
    play.say(slot("closure_confirmed", "true"))
    assert play.talk.slot("closure_outcome") == "unknown"
    assert play.envelopes("handoff")[0]["priority"] == "high"


@pytest.mark.parametrize("problem", ["closure-blocked", "already-open"])
def test_what_the_firm_refuses_at_the_last_moment_is_told(play: Play, problem: str) -> None:
    up_to_last_confirmation(play)
    play.fake.business.errors["request_closure"] = failed(Conflict, "request_closure", problem=problem)
    play.say(slot("closure_confirmed", "true"))
    assert play.talk.slot("closure_outcome") == ("changed" if problem == "closure-blocked" else "already_open")
    assert play.envelopes("handoff") == []
    assert len(play.texts) == 1


def test_a_request_whose_end_nobody_knows_is_said_honestly_and_a_person_looks(play: Play) -> None:
    up_to_last_confirmation(play)
    play.fake.business.errors["request_closure"] = failed(NoAnswer, "request_closure")
    (said,) = play.say(slot("closure_confirmed", "true"))
    assert ("还不能确定" if play.language == "zh" else "do not know yet") in said
    assert play.envelopes("handoff") == [{"v": 1, "kind": "handoff", "reason": "error", "priority": "high"}]
    assert play.envelopes("journey")[-1]["event"] == "started"


@pytest.mark.parametrize("operation", ["get_closure_facts", "request_closure"])
@pytest.mark.parametrize("kind", [NotReached, Refused])
def test_a_failure_that_surely_did_nothing_says_that_nothing_was_filed(
    play: Play, operation: str, kind: type[BusinessError]
) -> None:
    up_to_last_confirmation(play)
    play.fake.business.errors[operation] = failed(kind, operation)
    (said,) = play.say(slot("closure_confirmed", "true"))
    assert re.search(
        "没有提交任何申请|也没有提交" if play.language == "zh" else "No request was filed|no request was filed", said
    )


def test_reading_that_brings_no_answer_is_no_unknown_request(play: Play) -> None:
    up_to_last_confirmation(play)
    play.fake.business.errors["get_closure_facts"] = failed(NoAnswer, "get_closure_facts")
    play.say(slot("closure_confirmed", "true"))
    assert play.talk.slot("closure_outcome") == "unavailable"


def test_stale_facts_decide_nothing(play: Play) -> None:
    old = NOW.replace(hour=1)
    play.fake.business.errors["get_closure_facts"] = Stale("x", receipt("get_closure_facts", "stale", 200, old))
    (said,) = play.say("close", CLOSE)
    assert "09:31" in said
    assert play.talk.slot("last_verdict") is None


def test_a_request_that_is_open_already_is_told_with_its_day_and_not_filed_twice(play: Play) -> None:
    play.fake.business.open_closure = ticket(TicketKind.CLOSURE, "XH-1-0001", date(2026, 11, 23))
    (said,) = play.say("close", CLOSE)
    assert "XH-1-0001" in said
    assert ("2026年11月23日" if play.language == "zh" else "23 Nov 2026") in said
    assert play.talk.state.stack == []


def test_a_login_or_switch_that_ended_on_the_way_files_nothing(play: Play) -> None:
    up_to_last_confirmation(play)
    play.fake.identity.grants.clear()
    play.say(slot("closure_confirmed", "true"))
    assert play.fake.business.filed == {}
    play.fake.log_in()
    up_to_last_confirmation(play)
    play.fake.switches.scopes = frozenset({"journey:close_account"})
    play.say(slot("closure_confirmed", "true"))
    assert play.fake.business.filed == {}
    assert play.envelopes("handoff")[0]["reason"] == "switch"


def test_the_firms_later_day_is_not_promised_as_the_rules(play: Play) -> None:
    play.fake.business.closure_due = date(2027, 5, 1)
    up_to_last_confirmation(play)
    (said,) = play.say(slot("closure_confirmed", "true"))
    assert ("2026年11月24日" if play.language == "zh" else "24 Nov 2026") in said
    rules = play.envelopes("evidence")[-1]["rules"]
    assert {r["verdict"] for r in rules if r["rule"] == "service_deadlines.closing"} == {"firm_names_a_later_day"}


def test_why_reads_the_facts_again_and_gives_rules_and_time(play: Play) -> None:
    play.fake.business.closing = (closing_account(positions=3),)
    play.say("close", CLOSE)
    (why,) = play.say("why", WHY)
    assert "10:31" in why
    assert "2026.1" in why
    assert ("持有的证券（未结清）" if play.language == "zh" else "Securities held (not settled)") in why


def test_an_anonymous_customer_is_told_nothing_and_logs_in_first() -> None:
    play = Play("zh")
    play.say("close", CLOSE)
    assert play.envelopes("login")[0]["scopes"] == ["closure:request"]
    assert play.fake.business.asked == []
    play.press("不登录，转人工")
    assert play.envelopes("handoff")[0]["reason"] == "request"


# Complaints


def told(play: Play, category: str = "fees", wish: str = "correction") -> list[str]:
    play.say("complain", COMPLAIN)
    play.say(slot("complaint_category", category))
    play.say(STORY, f'set slot complaint_text "{STORY}"')
    return play.say(slot("complaint_wish", wish))


def test_a_complaint_is_summed_up_confirmed_and_gets_a_number_and_its_days(play: Play) -> None:
    summary, _ = told(play)
    assert STORY in summary
    assert ("费用" if play.language == "zh" else "fees") in summary
    assert play.fake.business.filed == {}
    (said,) = play.say(slot("complaint_decision", "send"))
    (filed,) = play.fake.business.filed.values()
    assert filed == {"category": "fees", "text": STORY, "wish": "correction", "language": play.language}
    for part in (
        "TS-20261120-0042",
        "12386",
        *(("2026年11月23日", "2026年12月11日") if play.language == "zh" else ("23 Nov 2026", "11 Dec 2026")),
    ):
        assert part in said
    assert play.envelopes("handoff") == []
    assert play.talk.state.stack == []


@pytest.mark.parametrize(
    ("part", "slot_name", "value", "seen"),
    [
        ("category", "complaint_category", "service", ("服务", "service")),
        ("wish", "complaint_wish", "apology", ("道歉", "an apology")),
    ],
)
def test_each_part_can_be_changed_before_it_is_filed(
    play: Play, part: str, slot_name: str, value: str, seen: tuple[str, str]
) -> None:
    told(play)
    play.say(slot("complaint_decision", "change"))
    play.say(slot("complaint_change", part))
    summary, _ = play.say(slot(slot_name, value))
    assert seen[play.language == "en"] in summary
    play.say(slot("complaint_decision", "send"))
    assert len(play.fake.business.filed) == 1


def test_the_story_can_be_told_again(play: Play) -> None:
    told(play)
    play.say(slot("complaint_decision", "change"))
    play.say(slot("complaint_change", "text"))
    summary, _ = play.say("x", 'set slot complaint_text "又想起来，是前天下午"')
    assert "前天下午" in summary
    assert STORY not in summary


def test_too_short_a_story_is_asked_for_again(play: Play) -> None:
    play.say("complain", COMPLAIN)
    play.say(slot("complaint_category", "other"))
    said = play.say("差", 'set slot complaint_text "差"')
    assert len(said) == 2
    play.say(STORY, f'set slot complaint_text "{STORY}"')
    assert play.talk.slot("complaint_text") == STORY


@pytest.mark.parametrize("how", ["drop", "cancel"])
def test_a_change_of_mind_files_nothing_and_calls_nobody(play: Play, how: str) -> None:
    told(play)
    play.say("算了", "cancel flow") if how == "cancel" else play.say(slot("complaint_decision", "drop"))
    assert play.fake.business.filed == {}
    assert play.envelopes("handoff") == []
    assert play.talk.state.stack == []


def test_who_does_not_log_in_is_heard_by_a_person_first(play: Play) -> None:
    play.fake.identity.grants.clear()
    told(play)
    play.say(slot("complaint_decision", "send"))
    assert play.envelopes("login")[0]["scopes"] == ["complaints:write"]
    assert play.fake.business.asked == []
    play.press("不登录，转人工" if play.language == "zh" else "Talk to a person instead")
    assert play.envelopes("handoff") == [{"v": 1, "kind": "handoff", "reason": "complaint", "priority": "high"}]
    assert play.fake.business.filed == {}
    assert play.talk.state.stack == []
    assert play.talk.slot("handoff_reason") is None


def test_who_logs_in_at_the_end_has_it_filed_without_telling_again(play: Play) -> None:
    play.fake.identity.grants.clear()
    told(play)
    play.say(slot("complaint_decision", "send"))
    play.fake.log_in()
    (said,) = play.say(slot("login_state", "done"))
    assert "TS-20261120-0042" in said
    assert next(iter(play.fake.business.filed.values()))["text"] == STORY


def test_a_login_that_never_comes_ends_with_a_person_who_takes_the_complaint_first(play: Play) -> None:
    play.fake.identity.grants.clear()
    told(play)
    play.say(slot("complaint_decision", "send"))
    play.say(slot("login_state", "done"))
    play.say(slot("login_state", "done"))
    assert play.envelopes("handoff")[-1] == {"v": 1, "kind": "handoff", "reason": "complaint", "priority": "high"}
    assert play.fake.business.filed == {}


@pytest.mark.parametrize("kind", [NoAnswer, NotReached, Refused, BadRequest])
def test_a_complaint_that_the_system_did_not_take_goes_to_a_person(play: Play, kind: type[BusinessError]) -> None:
    told(play)
    play.fake.business.errors["file_complaint"] = failed(kind, "file_complaint")
    said = play.say(slot("complaint_decision", "send"))
    assert play.envelopes("handoff")[-1]["priority"] == "high"
    unknown = ("还不能确定" if play.language == "zh" else "do not know yet") in said[0]
    assert unknown == (kind is NoAnswer)


def test_despair_in_the_middle_of_a_complaint_comes_first(play: Play) -> None:
    play.say("complain", COMPLAIN)
    play.say(slot("complaint_category", "sales"))
    play.say("不想活了", "start flow talk_to_agent", "set slot handoff_reason distress")
    assert play.envelopes("handoff") == [{"v": 1, "kind": "handoff", "reason": "distress", "priority": "urgent"}]
    assert play.talk.state.stack == []
