"""Options eligibility and the maintenance ratio played through the engine: the gate, the verdict, why, and who may see it."""

from __future__ import annotations

import pytest
from actions_fakes import NOW, margin_account, options_facts, receipt
from rasa_played import Play

from tightrope.business.errors import NoAnswer, NotFound, Stale

OPTIONS = "start flow check_options_eligibility"
RATIO = "start flow check_margin_ratio"
WHY = "start flow explain_verdict"
OPERATIONS = ("get_options_eligibility_facts", "get_margin_account")


def test_the_level_is_asked_after_the_login_and_only_if_not_said(play: Play) -> None:
    play.say("options", OPTIONS)
    assert play.envelopes("login")[0]["scopes"] == ["eligibility:read"]
    play.fake.log_in()
    play.say("/SetSlots(login_state=done)")
    assert len(play.buttons) == 3
    conditions, guide = play.say("/SetSlots(options_level=level_1)")
    assert conditions.count("✓") == 10
    assert guide
    assert len(play.say("level 2", OPTIONS, "set slot options_level level_2")) == 2


def test_a_condition_that_is_not_met_brings_no_guide(play: Play) -> None:
    play.fake.log_in()
    play.fake.business.options = options_facts(simulated_level=0)
    (said,) = play.say("options", OPTIONS, "set slot options_level level_1")
    assert said.count("✗") == 1


def test_the_ratio_is_told_with_time_and_both_lines(play: Play) -> None:
    play.fake.log_in("margin:read")
    (said,) = play.say("ratio", RATIO)
    assert all(figure in said for figure in ("200%", "150%", "130%", "10:31", "50,000.00"))


@pytest.mark.parametrize(("flow", "verdict"), [(OPTIONS, "options_eligibility"), (RATIO, "margin_ratio")])
def test_why_follows_the_verdict_that_was_given(play: Play, flow: str, verdict: str) -> None:
    play.fake.log_in("margin:read", "eligibility:read")
    play.say("go", flow, "set slot options_level level_2")
    assert play.talk.slot("last_verdict") == verdict
    (said,) = play.say("why", WHY)
    assert "10:31" in said
    assert play.buttons == ["转人工" if play.language == "zh" else "Talk to a person"]


def test_why_after_the_login_has_ended_asks_for_it_with_the_scope_of_the_verdict(play: Play) -> None:
    play.fake.log_in("margin:read")
    play.say("ratio", RATIO)
    play.fake.identity.grants.clear()
    asked = len(play.fake.business.asked)
    play.say("why", WHY)
    assert play.envelopes("login")[0]["scopes"] == ["margin:read"]
    assert len(play.fake.business.asked) == asked


@pytest.mark.parametrize("flow", [OPTIONS, RATIO])
@pytest.mark.parametrize("error", [NoAnswer, NotFound])
def test_what_cannot_be_read_brings_a_person_and_no_figure(play: Play, flow: str, error: type[NoAnswer]) -> None:
    play.fake.log_in("margin:read", "eligibility:read")
    for operation in OPERATIONS:
        play.fake.business.errors[operation] = error("x", receipt(operation, error.outcome, 503, None))
    (said,) = play.say("go", flow, "set slot options_level level_1")
    assert not any(character.isdigit() for character in said)
    assert play.buttons[-1] == ("转人工" if play.language == "zh" else "Talk to a person")
    assert play.talk.slot("last_verdict") is None


@pytest.mark.parametrize("flow", [OPTIONS, RATIO])
def test_old_data_is_told_with_its_time_alone(play: Play, flow: str) -> None:
    play.fake.log_in("margin:read", "eligibility:read")
    for operation in OPERATIONS:
        play.fake.business.errors[operation] = Stale("old", receipt(operation, "stale", 200, NOW.replace(hour=1)))
    (said,) = play.say("go", flow, "set slot options_level level_1")
    assert "09:31" in said
    assert "%" not in said


def test_a_ratio_below_the_line_offers_a_person_and_no_menu_of_trades(play: Play) -> None:
    play.fake.log_in("margin:read")
    play.fake.business.credit = margin_account(securities="120000.00")
    play.say("ratio", RATIO)
    assert len(play.buttons) == 2


@pytest.mark.parametrize("flow", [OPTIONS, RATIO])
def test_a_customer_without_a_login_is_told_nothing(play: Play, flow: str) -> None:
    play.say("go", flow, "set slot options_level level_1")
    play.say("/SetSlots(login_state=done)")
    play.say("/SetSlots(login_state=done)")
    assert play.fake.business.asked == []
    assert play.envelopes("handoff")[0]["reason"] == "identity"
