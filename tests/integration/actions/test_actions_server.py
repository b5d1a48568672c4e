"""The action server over HTTP: what a live turn's grant opens, and what nothing else does."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import uuid4

import pytest

import tightrope
from actions.registry import ACTIONS
from tightrope.release.manifest import release_id

pytestmark = pytest.mark.integration


async def test_health_release_and_actions_are_told(server: Any) -> None:
    release = release_id(server.settings)
    assert (await server.http.get("/health")).json() == {
        "status": "ok",
        "part": "actions",
        "version": tightrope.__version__,
        "release": release,
    }
    assert (await server.http.get("/release")).json() == {"release": release}
    listed = {item["name"] for item in (await server.http.get("/actions")).json()}
    assert listed == {action.action_name for action in ACTIONS}


async def test_a_verified_customer_hears_the_exact_figures(server: Any) -> None:
    turn = await server.log_in("C1001")
    assert (await server.run("action_begin_journey", turn_id=turn)).slots["journey_access"] == "allowed"
    told = await server.run("action_tell_balance", turn_id=turn)
    message = told.said("utter_balance")
    assert message["cash_available"] == "128,650.42 元"
    assert message["cash_withdrawable"] == "96,650.42 元"
    assert message["total_assets"] == "859,850.42 元"
    assert [(c["operation"], c["outcome"]) for c in told.envelope("evidence")["calls"]] == [
        ("list_accounts", "done"),
        ("get_balance", "done"),
    ]


async def test_three_accounts_in_two_currencies_are_told_in_english(server: Any) -> None:
    told = await server.run("action_tell_balance", turn_id=await server.log_in("C1012"), language="en")
    assert told.names == ["utter_balance_several", "utter_balance", "utter_balance", "utter_balance"]
    assert [item["cash_available"] for item in told.body["responses"] if item["response"] == "utter_balance"] == [
        "CNY 305,118.27",
        "CNY 88,000.00",
        "USD 15,240.35",
    ]


async def test_a_customer_without_an_account_has_nothing_to_tell(server: Any) -> None:
    turn = await server.log_in("C1011")
    assert (await server.run("action_tell_balance", turn_id=turn)).slots["balance_outcome"] == "no_account"
    checked = await server.run("action_check_margin_eligibility", "check_margin_eligibility", turn_id=turn)
    assert checked.slots["margin_outcome"] == "no_account"


@pytest.mark.parametrize(
    ("customer", "outcome", "failing"),
    [
        ("C1001", "eligible", []),
        ("C1002", "not_eligible", ["证券交易经验"]),
        ("C1003", "not_eligible", ["最近20个交易日日均资产"]),
        ("C1004", "not_eligible", ["风险承受能力等级"]),
        ("C1005", "not_eligible", ["风险测评有效期"]),
        ("C1006", "not_eligible", ["风险揭示书"]),
        ("C1007", "not_eligible", ["资金账户状态"]),
        ("C1008", "not_eligible", ["客户类别"]),
        ("C1009", "not_eligible", ["风险承受能力等级", "风险揭示书", "资金账户状态", "证券交易经验", "最近20个交易日日均资产"]),
        ("C1010", "eligible", []),
        ("C1012", "already_enabled", []),
    ],
)
async def test_each_demo_customer_gets_the_verdict_of_the_documented_facts(
    server: Any, customer: str, outcome: str, failing: list[str]
) -> None:
    turn = await server.log_in(customer)
    checked = await server.run("action_check_margin_eligibility", "check_margin_eligibility", turn_id=turn)
    assert checked.slots["margin_outcome"] == outcome
    shown = checked.said(f"utter_margin_{outcome}").get("conditions", "")
    assert [line[2:].partition("：")[0] for line in shown.splitlines() if line.startswith("✗")] == failing


async def test_why_is_explained_from_fresh_facts(server: Any) -> None:
    turn = await server.log_in("C1003")
    why = await server.run("action_explain_verdict", "explain_verdict", turn_id=turn, last_verdict="margin_eligibility")
    assert "最近20个交易日日均资产（未满足）" in why.said("utter_margin_why")["rules"]


@pytest.mark.parametrize(
    "claims",
    [
        {"sender": "cw-1-441-e0"},
        {"metadata": {"customer_id": "C1001", "verified": True, "acr": "high", "scopes": ["accounts:read"]}},
        {"journey_access": "allowed", "login_state": "done", "customer_id": "C1001"},
        {"turn_id": "C1001"},
        {"turn_id": "A" * 43},
    ],
    ids=["foreign sender id", "metadata", "slots", "customer id as turn id", "made-up turn id"],
)
async def test_claims_posted_straight_to_the_action_server_open_nothing(server: Any, claims: dict[str, Any]) -> None:
    await server.log_in("C1001")
    begun = await server.run("action_begin_journey", **claims)
    assert begun.slots["journey_access"] == "login_required"
    told = await server.run("action_tell_balance", **claims)
    assert told.slots["balance_outcome"] == "not_permitted"
    assert told.names == []
    checked = await server.run("action_check_margin_eligibility", "check_margin_eligibility", **claims)
    assert checked.slots["margin_outcome"] == "not_permitted"


async def test_a_grant_that_was_closed_is_worth_nothing(server: Any) -> None:
    turn = await server.log_in("C1001")
    await server.close(turn)
    assert (await server.run("action_begin_journey", turn_id=turn)).slots["journey_access"] == "login_required"
    assert (await server.run("action_tell_balance", turn_id=turn)).slots["balance_outcome"] == "not_permitted"


async def test_a_logout_between_the_gate_and_the_call_is_noticed(server: Any) -> None:
    turn = await server.log_in("C1004")
    assert (await server.run("action_begin_journey", turn_id=turn)).slots["journey_access"] == "allowed"
    await server.people[-1].http.post(
        f"{server.settings.portal_public_url}/portal/logout", json={}, headers={"Origin": server.settings.portal_public_url}
    )
    told = await server.run("action_tell_balance", turn_id=turn)
    assert told.slots["balance_outcome"] == "not_permitted"
    assert told.names == []


async def test_two_customers_at_once_each_hear_their_own(server: Any) -> None:
    first, second = await server.log_in("C1001"), await server.log_in("C1003")
    assert (await server.run("action_tell_balance", turn_id=second)).said("utter_balance")["cash_available"] == "19,999.99 元"
    assert (await server.run("action_tell_balance", turn_id=first)).said("utter_balance")["cash_available"] == "128,650.42 元"


@pytest.mark.parametrize(("fault", "outcome"), [("error_500", "unavailable"), ("stale", "stale"), ("garbage", "unavailable")])
async def test_a_core_system_that_limps_has_a_clear_outcome(server: Any, fault: str, outcome: str) -> None:
    turn = await server.log_in("C1006")
    await server.fault("C1006", "get_balance", fault)
    told = await server.run("action_tell_balance", turn_id=turn)
    assert told.slots["balance_outcome"] == outcome
    assert "40,320" not in str(told.body)


async def test_the_switch_is_seen_at_once(server: Any, superuser: Any) -> None:
    turn = await server.log_in("C1001")
    with superuser("tightrope") as connection:
        connection.execute(
            "INSERT INTO gateway.switch (scope, off, reason, who, record_id) VALUES ('journey:check_balance', true, 'test', 'test', %s)",
            (uuid4(),),
        )
        connection.commit()
    try:
        begun = await server.run("action_begin_journey", turn_id=turn)
        assert begun.slots["journey_access"] == "switched_off"
        assert begun.envelope("handoff")["reason"] == "switch"
        other = await server.run("action_begin_journey", "check_margin_eligibility", turn_id=turn)
        assert other.slots["journey_access"] == "allowed"
    finally:
        with superuser("tightrope") as connection:
            connection.execute(
                "INSERT INTO gateway.switch (scope, off, reason, who, record_id) VALUES ('journey:check_balance', false, 'test', 'test', %s)",
                (uuid4(),),
            )
            connection.commit()


@pytest.mark.parametrize(
    ("question", "language", "document"),
    [
        ("查看资料：融资融券开通条件：开通条件", "zh", "margin-conditions"),
        ("Look up: Conditions for margin trading: Conditions for margin trading", "en", "margin-conditions"),
    ],
)
async def test_a_question_is_answered_from_an_approved_passage_with_its_source(
    server: Any, question: str, language: str, document: str
) -> None:
    answered = await server.run("action_answer_question", None, text=question, language=language)
    assert answered.slots["knowledge_outcome"] == "answered"
    assert "[1]" in answered.body["responses"][0]["text"]
    (first, *_) = answered.envelope("citations")["items"]
    assert (first["document_id"], first["language"]) == (document, language)
    assert any(passage["used"] for passage in answered.envelope("evidence")["passages"])


async def test_a_question_without_an_answer_says_nothing(server: Any) -> None:
    answered = await server.run("action_answer_question", None, text="鲸鱼怎么睡觉")
    assert answered.slots == {"knowledge_outcome": "nothing_found"}
    assert len(answered.body["responses"]) == 1


async def test_an_unknown_action_and_an_empty_body_are_refused(server: Any) -> None:
    assert (await server.run("action_transfer_money")).status == 404
    assert (await server.http.post("/webhook", content=b"null", headers={"Content-Type": "application/json"})).status_code == 400


async def test_a_failure_names_the_action_and_the_kind_of_error_only(server: Any) -> None:
    failed = await server.run("action_begin_journey", None, turn_id=secrets.token_urlsafe(32))
    assert failed.status == 500
    assert failed.body["error"] == "action_begin_journey failed: UnknownJourney"
