"""Holdings, orders, transfers, new shares and the risk assessment: evidence without figures, tokens of one scope, and answers that contradict themselves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

import pytest
from account_fakes import (
    AccountBusiness,
    allotment,
    give_records,
    order,
    orders,
    position,
    positions,
    profile,
    transfer,
)
from actions_fakes import NOW, FakeContext, account, cny, receipt, run, tracker

from actions.base import DeclaredAction
from actions.holdings import ListHoldings
from actions.ipo import TellAllotments
from actions.listing import MARK_SLOTS, mark_of
from actions.orders import AskOrder, FindOrders, ShowOrder
from actions.risk import TellRiskAssessment
from actions.transfers import AskTransfer, FindTransfers, ShowTransfer
from actions.verdicts import ExplainVerdict
from tightrope.business.errors import NoAnswer
from tightrope.business.models import IpoStatus, OrderStatus, Security, TransferKind

ONES: dict[str, tuple[type[DeclaredAction], str, str, str]] = {
    "view_holdings": (ListHoldings, "holdings_outcome", "accounts:read", "list_positions"),
    "check_order_status": (FindOrders, "order_outcome", "orders:read", "list_orders"),
    "check_transfer_status": (FindTransfers, "transfer_outcome", "transfers:read", "list_transfers"),
    "check_ipo_allotment": (TellAllotments, "ipo_outcome", "ipo:read", "list_ipo_allotments"),
    "check_risk_assessment": (TellRiskAssessment, "risk_outcome", "risk:read", "get_risk_profile"),
}


def marks(ids: Iterable[str]) -> dict[str, str]:
    """What a list of these ids leaves in the slots."""
    return dict(zip(MARK_SLOTS, mark_of(ids), strict=True))


OTHER = marks(["another list"])


@pytest.fixture
def firm(fake: FakeContext) -> AccountBusiness:
    return give_records(fake)


@pytest.mark.parametrize("flow", ONES)
async def test_each_call_has_a_token_of_its_own_scope_and_stands_in_the_evidence_without_figures(
    fake: FakeContext, firm: AccountBusiness, flow: str
) -> None:
    action, outcome, scope, operation = ONES[flow]
    done = await run(action(), tracker(flow))
    assert outcome in done.slots
    assert [held for _, held in fake.tokens.exchanged] == [scope]
    assert firm.asked[-1][:2] == (operation, f"token-{scope}")
    assert operation in [call["operation"] for call in done.evidence["calls"]]
    assert not any(figure in str(done.evidence) + str(done.events) for figure in ("51900", "50000", "9300", "43.2", "6688"))


@pytest.mark.parametrize("flow", ONES)
async def test_without_a_grant_nothing_is_asked_of_the_firm(fake: FakeContext, firm: AccountBusiness, flow: str) -> None:
    fake.identity.grants.clear()
    action, outcome, *_ = ONES[flow]
    done = await run(action(), tracker(flow, slots={"journey_access": "allowed"}))
    assert done.slots[outcome] == "not_permitted"
    assert firm.asked == []


@pytest.mark.parametrize("flow", ONES)
async def test_a_session_that_ended_in_between_is_not_permitted(fake: FakeContext, firm: AccountBusiness, flow: str) -> None:
    fake.identity.ended = True
    action, outcome, *_ = ONES[flow]
    assert (await run(action(), tracker(flow))).slots[outcome] == "not_permitted"


@pytest.mark.parametrize("flow", ONES)
async def test_an_error_of_ours_says_nothing_but_unavailable(
    fake: FakeContext, firm: AccountBusiness, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> datetime:
        raise ZeroDivisionError("12345.67")

    monkeypatch.setattr(fake.clock, "now", broken)
    action, outcome, *_ = ONES[flow]
    done = await run(action(), tracker(flow))
    assert done.slots == {outcome: "unavailable", "last_verdict": None}
    assert done.said == []
    assert done.evidence["outcome"] == "error"


async def test_one_account_that_fails_leaves_no_holdings_told(fake: FakeContext, firm: AccountBusiness) -> None:
    firm.accounts_held = (account(), account("A2"))
    done = await run(ListHoldings(), tracker("view_holdings"))
    assert done.slots == {"holdings_outcome": "unavailable", "last_verdict": None}
    assert done.said == []


async def test_the_same_security_in_two_accounts_is_no_contradiction(fake: FakeContext, firm: AccountBusiness) -> None:
    firm.accounts_held = (account(), account("A2", number_masked="****2002"))
    firm.held["A2"] = [position()]
    done = await run(ListHoldings(), tracker("view_holdings"))
    assert done.slots["holdings_outcome"] == "told"
    assert done.messages[0]["positions"].count("半亭酒业") == 2
    assert done.messages[0]["positions"].count("【") == 2


async def test_a_page_beyond_a_list_that_has_become_shorter_starts_from_the_top(fake: FakeContext, firm: AccountBusiness) -> None:
    firm.held["A1"] = positions(2)
    done = await run(ListHoldings(), tracker("view_holdings", slots={"list_page": "3", **OTHER}))
    assert done.message("utter_holdings")["places"] == "1–2"


async def test_holdings_in_another_currency_keep_it(fake: FakeContext, firm: AccountBusiness) -> None:
    hkd = {name: cny("7.50", "HKD") for name in ("cost_price", "last_price", "market_value", "profit")}
    firm.held["A1"] = [position(Security(code="39001", market="hk", name_zh="曜岛控股", name_en="Yaodao Holdings"), **hkd)]
    done = await run(ListHoldings(), tracker("view_holdings"))
    assert "7.50 港元" in done.messages[0]["positions"]


@pytest.mark.parametrize(
    ("action", "flow", "slot", "prefix"),
    [
        (ShowOrder, "check_order_status", "order_choice", "order"),
        (ShowTransfer, "check_transfer_status", "transfer_choice", "transfer"),
    ],
)
async def test_without_the_mark_of_a_list_that_was_shown_nothing_is_explained(
    fake: FakeContext, firm: AccountBusiness, action: type[DeclaredAction], flow: str, slot: str, prefix: str
) -> None:
    firm.order_list, firm.transfer_list = orders(3), [transfer("T1"), transfer("T2")]
    done = await run(action(), tracker(flow, slots={slot: "first"}))
    assert done.slots[f"{prefix}_outcome"] == "again"
    assert done.said == []
    other = await run(action(), tracker(flow, slots={slot: "first", **OTHER}))
    assert other.slots[f"{prefix}_outcome"] == "again"
    assert other.said == [f"utter_{prefix}_changed"]


async def test_a_page_that_could_not_be_shown_leaves_no_mark_of_the_one_before(fake: FakeContext, firm: AccountBusiness) -> None:
    firm.order_list = orders(7)
    mark = marks(one.order_id for one in firm.order_list)
    firm.errors["list_orders"] = NoAnswer("x", receipt("list_orders", "unavailable", None, None))
    asked = await run(AskOrder(), tracker("check_order_status", slots={"list_page": "2", **mark}))
    assert asked.slots == dict.fromkeys(MARK_SLOTS)
    del firm.errors["list_orders"]
    done = await run(ShowOrder(), tracker("check_order_status", slots={"order_choice": "second", "list_page": "2"}))
    assert (done.said, done.slots["order_outcome"]) == ([], "again")


async def test_with_its_mark_the_place_is_the_order_that_was_shown(fake: FakeContext, firm: AccountBusiness) -> None:
    firm.order_list = orders(7)
    mark = marks(one.order_id for one in firm.order_list)
    slots = {"order_choice": "second", "list_page": "2", **mark}
    done = await run(ShowOrder(), tracker("check_order_status", slots=slots))
    assert done.message("utter_order_state")["price"] == "限价 7.00 元"
    assert done.envelope("journey")["event"] == "completed"


@pytest.mark.parametrize("action", [FindOrders, AskOrder, ShowOrder])
async def test_a_list_in_which_an_order_stands_twice_is_not_relied_on(
    fake: FakeContext, firm: AccountBusiness, action: type[DeclaredAction]
) -> None:
    firm.order_list = [order("O1"), order("O1", OrderStatus.FILLED)]
    done = await run(action(), tracker("check_order_status", slots={"order_choice": "first"}))
    assert set(done.said) <= {"utter_order_list_unavailable"}
    assert done.slots.get("order_outcome", "unavailable") == "unavailable"


async def test_orders_that_are_gone_meanwhile_are_said_to_be_gone(fake: FakeContext, firm: AccountBusiness) -> None:
    firm.order_list = []
    done = await run(ShowOrder(), tracker("check_order_status", slots={"order_choice": "first", **OTHER}))
    assert done.slots == {"order_outcome": "empty", "last_verdict": None}
    asked = await run(AskOrder(), tracker("check_order_status"))
    assert asked.said == ["utter_order_list_unavailable"]


async def test_buttons_hold_places_and_no_ids(fake: FakeContext, firm: AccountBusiness) -> None:
    firm.order_list, firm.transfer_list = orders(7), [transfer(f"T{n}") for n in range(7)]
    for action, flow in ((AskOrder, "check_order_status"), (AskTransfer, "check_transfer_status")):
        buttons = (await run(action(), tracker(flow))).messages[0]["buttons"]
        assert [button["payload"].rpartition("=")[2] for button in buttons] == [
            "first)", "second)", "third)", "fourth)", "fifth)", "more)", "nothing)",
        ]  # fmt: skip
        assert all(len(button["title"]) <= 80 for button in buttons)


async def test_a_market_order_has_no_limit_to_name(fake: FakeContext, firm: AccountBusiness) -> None:
    firm.order_list = [order(order_type="market", price=None)]
    done = await run(FindOrders(), tracker("check_order_status", language="en"))
    assert done.message("utter_order_state")["price"] == "at market price"


async def test_securities_that_move_between_firms_have_name_and_quantity(fake: FakeContext, firm: AccountBusiness) -> None:
    moved = {"kind": TransferKind.CUSTODY_OUT, "amount": None, "security": position().security, "quantity": 300}
    firm.transfer_list = [transfer(**moved)]
    done = await run(FindTransfers(), tracker("check_transfer_status"))
    assert done.message("utter_transfer_state")["transfer"] == "转托管转出 半亭酒业（609233） 300 股"


async def test_a_payment_of_today_says_today(fake: FakeContext, firm: AccountBusiness) -> None:
    done = await run(TellAllotments(), tracker("check_ipo_allotment"))
    assert "缴款截止：今天 16:00" in done.messages[0]["allotments"]
    fake.clock.at = datetime(2026, 11, 19, 2, 0, tzinfo=UTC)
    done = await run(TellAllotments(), tracker("check_ipo_allotment", language="en"))
    assert "Pay by: 20 Nov 16:00" in done.messages[0]["allotments"]


async def test_a_forfeited_allotment_comes_with_the_rule_and_its_version(fake: FakeContext, firm: AccountBusiness) -> None:
    firm.allotments = [allotment(status=IpoStatus.FORFEITED)]
    done = await run(TellAllotments(), tracker("check_ipo_allotment"))
    assert "utter_ipo_rule" in done.said
    assert done.evidence["rules"][0] == {
        "rule": "ipo_rules.forfeiture",
        "version": "2023.1",
        "verdict": "told",
        "inputs": {},
        "given": {"day": "2026-11-20"},
    }


async def test_subscriptions_that_stand_twice_are_not_relied_on(fake: FakeContext, firm: AccountBusiness) -> None:
    firm.allotments = [allotment(), allotment(status=IpoStatus.PAID)]
    assert (await run(TellAllotments(), tracker("check_ipo_allotment"))).slots == {
        "ipo_outcome": "unavailable",
        "last_verdict": None,
    }


@pytest.mark.parametrize(
    ("valid_until", "state", "days"),
    [
        (date(2026, 12, 21), "valid", None),
        (date(2026, 12, 20), "expiring", "30"),
        (date(2026, 11, 20), "expiring", "0"),
        (date(2026, 11, 19), "expired", None),
    ],
)
async def test_the_assessment_at_each_of_its_limits(
    fake: FakeContext, firm: AccountBusiness, valid_until: date, state: str, days: str | None
) -> None:
    firm.risk = profile(valid_until=valid_until)
    done = await run(TellRiskAssessment(), tracker("check_risk_assessment"))
    assert done.slots["risk_outcome"] == state
    assert done.message(f"utter_risk_{state}").get("days") == days
    assert done.evidence["rules"][0]["verdict"] == state


async def test_the_day_turns_in_shanghai(fake: FakeContext, firm: AccountBusiness) -> None:
    firm.risk = profile(valid_until=date(2026, 11, 20), as_of=NOW)
    fake.clock.at = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
    assert (await run(TellRiskAssessment(), tracker("check_risk_assessment"))).slots["risk_outcome"] == "expired"


@pytest.mark.parametrize(("level", "allows"), [("C1", "R1"), ("C2", "R2"), ("C3", "R3"), ("C4", "R4"), ("C5", "所有")])
async def test_each_level_says_what_it_allows_in_general(
    fake: FakeContext, firm: AccountBusiness, level: str, allows: str
) -> None:
    firm.risk = profile(risk_level=level)
    message = (await run(TellRiskAssessment(), tracker("check_risk_assessment"))).message("utter_risk_valid")
    assert message["level"].startswith(level)
    assert allows in message["allows"]


async def test_the_lowest_category_may_buy_nothing_above(fake: FakeContext, firm: AccountBusiness) -> None:
    firm.risk = profile(risk_level="C1", lowest_tolerance=True)
    message = (await run(TellRiskAssessment(), tracker("check_risk_assessment"))).message("utter_risk_valid")
    assert "最低类别" in message["level"]
    assert "不得购买" in message["beyond"]


@pytest.mark.parametrize("change", [{"risk_level": "C3", "lowest_tolerance": True}, {"risk_assessed_on": date(2026, 11, 21)}])
async def test_a_profile_that_contradicts_itself_is_not_told(
    fake: FakeContext, firm: AccountBusiness, change: dict[str, object]
) -> None:
    firm.risk = profile(**change)
    done = await run(TellRiskAssessment(), tracker("check_risk_assessment"))
    assert done.slots == {"risk_outcome": "unavailable", "last_verdict": None}
    assert done.said == []


@pytest.mark.parametrize(
    ("flow", "verdict", "response", "version"),
    [
        ("check_order_status", "order_status", "utter_order_why", "2026.1"),
        ("check_transfer_status", "transfer_status", "utter_transfer_why", "2026.1"),
        ("check_ipo_allotment", "ipo_allotment", "utter_ipo_why", "2023.1"),
        ("check_risk_assessment", "risk_assessment", "utter_risk_why", "2022.1"),
    ],
)
async def test_why_names_source_and_version_of_what_was_said_last(
    fake: FakeContext, firm: AccountBusiness, flow: str, verdict: str, response: str, version: str
) -> None:
    action, *_ = ONES[flow]
    assert (await run(action(), tracker(flow))).slots["last_verdict"] == verdict
    done = await run(ExplainVerdict(), tracker("explain_verdict", slots={"last_verdict": verdict}))
    assert done.message(response)["version"] == version
    assert (
        "《" in done.message(response)["source"]
        or "衡远证券" in done.message(response)["source"]
        or "细则" in done.message(response)["source"]
    )
    assert done.slots == {"explanation_outcome": "explained"}


async def test_after_holdings_why_is_no_longer_about_an_older_verdict(fake: FakeContext, firm: AccountBusiness) -> None:
    done = await run(ListHoldings(), tracker("view_holdings", slots={"last_verdict": "margin_eligibility"}))
    assert done.slots["last_verdict"] is None


async def test_why_about_the_assessment_reads_it_again_under_its_own_scope(fake: FakeContext, firm: AccountBusiness) -> None:
    fake.log_in("eligibility:read")
    done = await run(ExplainVerdict(), tracker("explain_verdict", slots={"last_verdict": "risk_assessment"}))
    assert done.slots == {"explanation_outcome": "not_permitted"}
    assert firm.asked == []
