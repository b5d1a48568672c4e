"""Failures, logins and slots of the journeys that read records, new shares, the risk assessment: played with the real actions over fakes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from account_fakes import (
    AccountBusiness,
    allotment,
    give_records,
    orders,
    positions,
    profile,
    transfer,
)
from actions_fakes import NOW, receipt
from rasa_played import Play, is_chinese, person

from tightrope.business.errors import InvalidAnswer, NoAnswer, NotFound, Refused, Stale
from tightrope.business.models import IpoStatus

HOLDINGS = "start flow view_holdings"
ORDERS = "start flow check_order_status"
TRANSFERS = "start flow check_transfer_status"
IPO = "start flow check_ipo_allotment"
RISK = "start flow check_risk_assessment"
CALLS = {
    HOLDINGS: "list_positions",
    ORDERS: "list_orders",
    TRANSFERS: "list_transfers",
    IPO: "list_ipo_allotments",
    RISK: "get_risk_profile",
}


# Every journey alike


@pytest.mark.parametrize("flow", CALLS)
@pytest.mark.parametrize("kind", [NoAnswer, InvalidAnswer, Refused, NotFound])
def test_a_call_that_fails_is_said_with_a_person_and_no_figure(
    play: Play, firm: AccountBusiness, flow: str, kind: type[NoAnswer]
) -> None:
    firm.errors[CALLS[flow]] = kind("x", receipt(CALLS[flow], kind.outcome, 503, None))
    (said,) = play.say("go", flow)
    assert is_chinese(said) == (play.language == "zh")
    assert play.buttons[-1] == person(play)
    assert not any(character.isdigit() for character in said)
    assert play.talk.flow() is None


@pytest.mark.parametrize("flow", CALLS)
def test_stale_data_is_named_by_its_time_and_not_shown(play: Play, firm: AccountBusiness, flow: str) -> None:
    firm.errors[CALLS[flow]] = Stale("old", receipt(CALLS[flow], "stale", 200, NOW.replace(hour=1)))
    (said,) = play.say("go", flow)
    assert "09:31" in said
    assert "半亭" not in said
    assert play.buttons[-1] == person(play)


@pytest.mark.parametrize("flow", CALLS)
def test_an_anonymous_customer_logs_in_and_goes_on_from_there(play: Play, firm: AccountBusiness, flow: str) -> None:
    play.fake.identity.grants.clear()
    play.say("go", flow)
    assert play.envelopes("login")[0]["journey"] == flow.removeprefix("start flow ")
    assert firm.asked == []
    give_records(play.fake)
    assert play.say("/SetSlots(login_state=done)")
    assert [envelope["event"] for envelope in play.envelopes("journey")] == ["started", "completed"]


@pytest.mark.parametrize("flow", CALLS)
def test_a_login_of_another_scope_opens_nothing(play: Play, firm: AccountBusiness, flow: str) -> None:
    play.fake.log_in("complaints:write")
    play.say("go", flow)
    play.say("/SetSlots(login_state=done)")
    play.say("/SetSlots(login_state=done)")
    assert play.envelopes("handoff")[0]["reason"] == "identity"
    assert firm.asked == []


@pytest.mark.parametrize("flow", CALLS)
def test_a_customer_may_have_a_person_instead_of_logging_in(play: Play, firm: AccountBusiness, flow: str) -> None:
    play.fake.identity.grants.clear()
    play.say("go", flow)
    play.say("/SetSlots(login_state=person)")
    assert play.envelopes("handoff")[0]["reason"] == "request"


@pytest.mark.parametrize("flow", CALLS)
def test_no_figure_name_or_number_stands_in_a_slot(play: Play, firm: AccountBusiness, flow: str) -> None:
    firm.order_list, firm.transfer_list, firm.held["A1"] = orders(7), [transfer("T1"), transfer("T2")], positions(7)
    play.say("go", flow)
    slots = str(play.talk.state.slots)
    for value in ("609", "O1", "T1", "S1", "A1", "C1001", "50,000", "43.2", "9300", "6688", "C4"):
        assert value not in slots, value


# New shares


def test_an_allotment_says_amount_deadline_and_what_becomes_of_who_does_not_pay(play: Play, firm: AccountBusiness) -> None:
    told, rule, _ = play.say("go", IPO)
    for part in ("500", "18.60", "9,300.00", "16:00"):
        assert part in told
    assert ("12 个月" if play.language == "zh" else "12 months") in rule
    assert "180" in rule
    assert person(play) in play.buttons


@pytest.mark.parametrize("status", [IpoStatus.SUBSCRIBED, IpoStatus.NOT_ALLOTTED, IpoStatus.PAID, IpoStatus.LISTED])
def test_who_has_nothing_to_pay_does_not_hear_the_rule(play: Play, firm: AccountBusiness, status: IpoStatus) -> None:
    firm.allotments = [allotment(status=status)]
    assert len(play.say("go", IPO)) == 2


def test_what_has_to_be_paid_stands_on_the_first_page(play: Play, firm: AccountBusiness) -> None:
    firm.allotments = [allotment(f"S{n}", IpoStatus.NOT_ALLOTTED) for n in range(6)] + [allotment("S9")]
    told = play.say("go", IPO)[0]
    assert told.index("9,300.00") < told.index("\n\n", 100)
    play.press("显示更多" if play.language == "zh" else "Show more")
    assert play.talk.flow() is None


def test_no_subscriptions_are_said(play: Play, firm: AccountBusiness) -> None:
    firm.allotments = []
    assert len(play.say("go", IPO)) == 1
    assert play.buttons == [person(play)]


# Risk assessment


def _expired(firm: AccountBusiness) -> None:
    firm.risk = profile(valid_until=NOW.date().replace(day=19))


def _last_day(firm: AccountBusiness) -> None:
    firm.risk = profile(valid_until=NOW.date())


def _never(firm: AccountBusiness) -> None:
    firm.risk = profile(risk_level=None, risk_assessed_on=None, valid_until=None)


@pytest.mark.parametrize(("change", "outcome"), [(_expired, "expired"), (_last_day, "expiring"), (_never, "never_assessed")])
def test_an_assessment_that_is_not_simply_valid_says_how_to_renew_it_oneself(
    play: Play, firm: AccountBusiness, change: Callable[[AccountBusiness], None], outcome: str
) -> None:
    change(firm)
    (said,) = play.say("go", RISK)
    assert play.talk.slot("risk_outcome") == outcome
    assert ("如实作答" if play.language == "zh" else "answer truthfully") in said
    assert person(play) in play.buttons


def test_a_valid_assessment_says_level_days_and_what_it_allows(play: Play, firm: AccountBusiness) -> None:
    said, note = play.say("go", RISK)
    for part in ("C4", "R4", *(("2025年6月1日", "2027年6月1日") if play.language == "zh" else ("1 Jun 2025", "1 Jun 2027"))):
        assert part in said
    assert is_chinese(note) == (play.language == "zh")
