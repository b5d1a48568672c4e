"""Long lists and the choice from them: holdings, orders and transfers, played through the engine with the real actions over fakes."""

from __future__ import annotations

import pytest
from account_fakes import FUND, AccountBusiness, order, orders, position, positions, transfer
from actions_fakes import account, receipt
from rasa_played import Play, is_chinese, person

from tightrope.business.errors import NoAnswer
from tightrope.business.models import OrderStatus, RejectionCode, TransferFailure

HOLDINGS = "start flow view_holdings"
ORDERS = "start flow check_order_status"
TRANSFERS = "start flow check_transfer_status"


# Holdings


def test_holdings_are_told_account_by_account_with_every_figure(play: Play, firm: AccountBusiness) -> None:
    firm.accounts_held = (account(), account("A2", kind="margin", number_masked="****2002"))
    firm.held["A2"] = [position(FUND, quantity=500, available_quantity=500)]
    told, note = play.say("go", HOLDINGS)
    assert "10:31" in told
    wanted = (
        (
            "普通账户 ••••1001",
            "信用账户 ••••2002",
            "1,200 股",
            "1,000 股",
            "45.10 元",
            "43.25 元",
            "51,900.00 元",
            "-2,220.00 元",
            "500 份",
        )
        if play.language == "zh"
        else (
            "Cash account ••••1001",
            "Margin account ••••2002",
            "1,200 shares",
            "1,000 shares",
            "CNY 45.10",
            "CNY 43.25",
            "CNY 51,900.00",
            "CNY -2,220.00",
            "500 units",
        )
    )
    for figure in wanted:
        assert figure in told, figure
    assert is_chinese(note) == (play.language == "zh")


def test_without_holdings_the_list_is_not_silent(play: Play, firm: AccountBusiness) -> None:
    firm.held["A1"] = []
    (said,) = play.say("go", HOLDINGS)
    assert is_chinese(said) == (play.language == "zh")
    assert play.buttons == [person(play)]


def test_a_long_list_comes_five_at_a_time(play: Play, firm: AccountBusiness) -> None:
    firm.held["A1"] = positions(11)
    more = "显示更多" if play.language == "zh" else "Show more"
    first = play.say("go", HOLDINGS)
    assert [f"6090{n:02d}" in first[0] for n in range(1, 12)] == [True] * 5 + [False] * 6
    second = play.press(more)
    assert [f"6090{n:02d}" in second[0] for n in range(1, 12)] == [False] * 5 + [True] * 5 + [False]
    third = play.press(more)
    assert "609011" in third[0]
    assert play.talk.flow() is None
    assert more not in play.buttons


def test_enough_of_a_long_list_ends_it_and_the_next_time_begins_at_its_top(play: Play, firm: AccountBusiness) -> None:
    firm.held["A1"] = positions(8)
    play.say("go", HOLDINGS)
    play.say("/SetSlots(holdings_more=enough)")
    assert play.talk.flow() is None
    assert "609001" in play.say("go", HOLDINGS)[0]


def test_holdings_that_changed_in_between_are_shown_from_the_top(play: Play, firm: AccountBusiness) -> None:
    firm.held["A1"] = positions(8)
    play.say("go", HOLDINGS)
    firm.held["A1"] = positions(9)[1:]
    changed, listed, _ = play.say("/SetSlots(holdings_more=more)")
    assert is_chinese(changed) == (play.language == "zh")
    assert "609002" in listed


def test_a_list_with_one_holding_twice_is_not_relied_on(play: Play, firm: AccountBusiness) -> None:
    firm.held["A1"] = [position(), position()]
    (said,) = play.say("go", HOLDINGS)
    assert not any(character.isdigit() for character in said)


# Orders and transfers


@pytest.mark.parametrize(("flow", "empty"), [(ORDERS, "order_list"), (TRANSFERS, "transfer_list")])
def test_nothing_to_tell_is_said(play: Play, firm: AccountBusiness, flow: str, empty: str) -> None:
    setattr(firm, empty, [])
    (said,) = play.say("go", flow)
    assert is_chinese(said) == (play.language == "zh")
    assert play.buttons == [person(play)]


def test_the_only_order_is_explained_at_once(play: Play, firm: AccountBusiness) -> None:
    firm.order_list = [order(status=OrderStatus.PARTLY_FILLED)]
    (said,) = play.say("go", ORDERS)
    assert ("100 股" if play.language == "zh" else "100 shares") in said
    assert "43.15" in said
    assert "10:11" in said


@pytest.mark.parametrize("status", OrderStatus)
def test_each_state_of_an_order_has_its_words(play: Play, firm: AccountBusiness, status: OrderStatus) -> None:
    firm.order_list = [order(status=status)]
    (said,) = play.say("go", ORDERS)
    assert is_chinese(said.replace("半亭酒业", "")) == (play.language == "zh")
    assert "None" not in said
    assert person(play) in play.buttons


@pytest.mark.parametrize("code", [code for code in RejectionCode if code is not RejectionCode.OTHER])
def test_each_rejection_is_explained_with_what_to_do(play: Play, firm: AccountBusiness, code: RejectionCode) -> None:
    firm.order_list = [order(status=OrderStatus.REJECTED, rejection=code)]
    (said,) = play.say("go", ORDERS)
    assert ("怎么办：" if play.language == "zh" else "What you can do: ") in said
    assert code.value not in said
    assert play.envelopes("evidence")[-1]["rules"][0]["verdict"] == "explained"


@pytest.mark.parametrize("code", [code for code in TransferFailure if code is not TransferFailure.OTHER])
def test_each_failure_of_a_transfer_is_explained_with_what_to_do(
    play: Play, firm: AccountBusiness, code: TransferFailure
) -> None:
    firm.transfer_list = [transfer(status="failed", failure=code)]
    (said,) = play.say("go", TRANSFERS)
    assert ("怎么办：" if play.language == "zh" else "What you can do: ") in said
    assert code.value not in said
    assert "••••6688" in said


def test_a_code_that_our_table_does_not_know_is_said_honestly_and_a_person_is_offered_first(
    play: Play, firm: AccountBusiness
) -> None:
    firm.order_list = [order(status=OrderStatus.REJECTED, rejection=RejectionCode("E-7781"))]
    firm.transfer_list = [transfer(status="failed", failure=TransferFailure("B-1"))]
    for flow in (ORDERS, TRANSFERS):
        (said,) = play.say("go", flow)
        assert ("不在我的资料里" if play.language == "zh" else "not in my table") in said
        assert "怎么办" not in said
        assert play.buttons[0] == person(play)
        assert play.envelopes("evidence")[-1]["rules"][0]["verdict"] == "unknown_code"


def test_several_orders_are_on_buttons_and_the_chosen_one_is_explained(play: Play, firm: AccountBusiness) -> None:
    firm.order_list = [order("O1"), order("O2", OrderStatus.REJECTED, security=FUND), order("O3", OrderStatus.FILLED)]
    play.say("go", ORDERS)
    assert len(play.buttons) == 4
    assert play.buttons[1].startswith("2. ")
    (said,) = play.press(play.buttons[1])
    assert ("衡远双五十ETF" if play.language == "zh" else "Hengyuan Double 50 ETF") in said
    assert play.talk.flow() is None


def test_earlier_orders_come_by_a_button_and_are_the_ones_explained(play: Play, firm: AccountBusiness) -> None:
    firm.order_list = orders(8)
    play.say("go", ORDERS)
    assert len(play.buttons) == 7
    play.press("更早的委托" if play.language == "zh" else "Earlier orders")
    assert len(play.buttons) == 4
    (said,) = play.say("/SetSlots(order_choice=first)")
    assert ("限价 6.00 元" if play.language == "zh" else "limit CNY 6.00") in said


def test_an_order_that_came_in_between_never_makes_another_one_explained(play: Play, firm: AccountBusiness) -> None:
    firm.order_list = orders(3)
    play.say("go", ORDERS)
    firm.order_list = [order("O-new", price=firm.order_list[0].price), *orders(3)]
    changed, _ = play.say("/SetSlots(order_choice=first)")
    assert is_chinese(changed) == (play.language == "zh")
    assert play.talk.flow() == "check_order_status"
    assert len(play.buttons) == 5


@pytest.mark.parametrize("choice", ["fifth", "more"])
def test_a_place_that_the_list_does_not_have_is_asked_again(play: Play, firm: AccountBusiness, choice: str) -> None:
    firm.order_list = orders(3)
    play.say("go", ORDERS)
    assert len(play.say("that one", f"set slot order_choice {choice}")) == 2
    assert play.talk.flow() == "check_order_status"


@pytest.mark.parametrize(("flow", "slot"), [(ORDERS, "order_choice"), (TRANSFERS, "transfer_choice")])
def test_none_of_them_ends_it(play: Play, firm: AccountBusiness, flow: str, slot: str) -> None:
    firm.order_list, firm.transfer_list = orders(2), [transfer("T1"), transfer("T2")]
    play.say("go", flow)
    play.say(f"/SetSlots({slot}=nothing)")
    assert play.talk.flow() is None


def test_a_list_that_cannot_be_read_any_more_when_the_question_comes_again_says_so(play: Play, firm: AccountBusiness) -> None:
    firm.order_list = orders(2)
    play.say("go", ORDERS)
    firm.errors["list_orders"] = NoAnswer("x", receipt("list_orders", "no_answer", None, None))
    play.say("how much is the fee?", "search and reply")
    assert is_chinese(play.texts[-1]) == (play.language == "zh")
    assert play.buttons[-1] == person(play)


def test_after_a_question_in_between_the_list_is_asked_again(play: Play, firm: AccountBusiness) -> None:
    firm.transfer_list = [transfer("T1"), transfer("T2", "failed")]
    play.say("go", TRANSFERS)
    play.say("how much is the fee?", "search and reply")
    assert play.texts[-1].count("2") >= 1
    (said,) = play.say("/SetSlots(transfer_choice=second)")
    assert ("超过银行限额" if play.language == "zh" else "above the bank's limit") in said


def test_two_lists_at_once_do_not_mix(play: Play, firm: AccountBusiness) -> None:
    firm.order_list, firm.transfer_list = orders(8), [transfer(f"T{n}") for n in range(7)]
    play.say("go", ORDERS)
    play.say("/SetSlots(order_choice=more)")
    play.say("go", TRANSFERS)
    play.say("/SetSlots(transfer_choice=first)")
    play.press("继续" if play.language == "zh" else "Continue")
    (said,) = play.say("/SetSlots(order_choice=first)")
    assert ("限价 1.00 元" if play.language == "zh" else "limit CNY 1.00") in said, (
        "shown again from its top, and that one explained"
    )


def test_a_transfer_under_way_says_by_when(play: Play, firm: AccountBusiness) -> None:
    firm.transfer_list = [transfer(status="processing")]
    (said,) = play.say("go", TRANSFERS)
    assert ("预计完成：11月20日" if play.language == "zh" else "Expected by: 20 Nov") in said
