"""Requests: one key a turn, nothing without consent, nothing of what the customer typed; and what counts as a typed value."""

from __future__ import annotations

import pytest
from account_fakes import AccountBusiness, give_records
from actions_fakes import FakeContext, receipt, run, tracker
from hypothesis import given
from hypothesis import strategies as st

from actions.base import DeclaredAction
from actions.contact import RequestContactChange, holds_a_new_value
from actions.errors import NotPermitted
from actions.requests import REQUEST_FAILURES, request_failure
from actions.statements import AskStatementMonth, AskStatementYear, CheckStatementPeriod, RequestStatement
from tightrope.business.errors import BadRequest, Conflict, InvalidAnswer, KeyReused, NoAnswer, NotFound, NotReached, Refused

STATEMENT = {"statement_kind": "account_statement", "statement_month": "2026-10", "statement_consent": "true"}
CONTACT = {"contact_field": "mobile", "contact_consent": "true"}
ONES: dict[str, tuple[type[DeclaredAction], str, dict[str, object], str]] = {
    "request_statement": (RequestStatement, "statement_outcome", STATEMENT, "statement_consent"),
    "update_contact_details": (RequestContactChange, "contact_request", CONTACT, "contact_consent"),
}


@pytest.fixture
def firm(fake: FakeContext) -> AccountBusiness:
    return give_records(fake)


@pytest.mark.parametrize("flow", ONES)
async def test_the_same_turn_repeated_has_the_same_key_and_another_turn_another(
    fake: FakeContext, firm: AccountBusiness, flow: str
) -> None:
    action, outcome, slots, _ = ONES[flow]
    for turn in ("t" * 43, "t" * 43, "u" * 43):
        fake.identity.grants[turn] = fake.identity.grants["t" * 43]
        assert (await run(action(), tracker(flow, slots=slots, turn=turn))).slots[outcome] == "filed"
    first, again, other = (wanted["key"] for _, wanted in firm.filed)
    assert first == again != other


@pytest.mark.parametrize("flow", ONES)
@pytest.mark.parametrize("given_consent", ["false", False, None, True, 1, "yes", "true "])
async def test_nothing_but_a_plain_yes_is_consent(
    fake: FakeContext, firm: AccountBusiness, flow: str, given_consent: object
) -> None:
    action, outcome, slots, consent = ONES[flow]
    done = await run(action(), tracker(flow, slots=slots | {consent: given_consent}))
    assert done.slots[outcome] == "declined"
    assert firm.filed == []


@pytest.mark.parametrize("flow", ONES)
async def test_an_error_of_ours_around_the_request_is_said_as_unknown(
    fake: FakeContext, firm: AccountBusiness, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(firm, "request_statement", broken)
    monkeypatch.setattr(firm, "request_contact_change", broken)
    action, outcome, slots, _ = ONES[flow]
    assert (await run(action(), tracker(flow, slots=slots))).slots == {outcome: "unknown"}


async def test_what_the_customer_typed_is_no_part_of_the_request(fake: FakeContext, firm: AccountBusiness) -> None:
    await run(RequestContactChange(), tracker("update_contact_details", text="换成13912345678", slots=CONTACT))
    assert "139" not in str(firm.filed[0][1] | {"key": ""})


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NotPermitted(), "not_permitted"),
        (Refused("x", receipt("request_statement")), "not_permitted"),
        (NotFound("x", receipt("request_statement")), "no_account"),
        (Conflict("x", receipt("request_statement"), "already-open"), "already_open"),
        (Conflict("x", receipt("request_statement"), "closure-blocked"), "unavailable"),
        (BadRequest("x", receipt("request_statement")), "unavailable"),
        (NotReached("x", receipt("request_statement")), "unavailable"),
        (NoAnswer("x", receipt("request_statement")), "unknown"),
        (KeyReused("x", receipt("request_statement")), "unknown"),
        (InvalidAnswer("x", receipt("request_statement")), "unknown"),
        (NoAnswer("x", receipt("token_exchange")), "unavailable"),
        (InvalidAnswer("x", receipt("token_exchange")), "unavailable"),
    ],
)
def test_each_error_says_whether_something_was_filed(error: NotPermitted, outcome: str) -> None:
    assert request_failure(error) == outcome
    assert outcome in REQUEST_FAILURES


async def test_the_last_three_months_and_two_years_are_on_buttons(fake: FakeContext) -> None:
    months = await run(AskStatementMonth(), tracker("request_statement", slots=STATEMENT))
    assert [button["title"] for button in months.messages[0]["buttons"]] == ["2026年10月", "2026年9月", "2026年8月"]
    years = await run(AskStatementYear(), tracker("request_statement", language="en"))
    assert [button["title"] for button in years.messages[0]["buttons"]] == ["2025", "2024"]


@pytest.mark.parametrize(("year", "found"), [("last_year", "possible"), ("year_before", "possible"), (None, "not_begun")])
async def test_a_tax_summary_needs_a_year_that_has_ended(fake: FakeContext, year: str | None, found: str) -> None:
    slots = {"statement_kind": "tax_summary", "statement_year": year, "statement_month": "2026-10"}
    assert (await run(CheckStatementPeriod(), tracker("request_statement", slots=slots))).slots == {"statement_period": found}


@pytest.mark.parametrize(
    "text",
    [
        "13912345678",
        "139-1234-5678",
        "139 1234 5678",
        "+86 139 1234 5678",
        "１３９１２３４５６７８",
        "换成 021-5555 6666",
        "(212) 555 0100",
        "someone@example.invalid",
        "some.one ＠ example.invalid",
        "someone(at)example.invalid",
        "上海市示例区示例路88号",
        "示例街道示例小区 3 栋 201 室",
        "示例大道一百二十号",
        "12 Sample Street",
        "Flat 3, 45 Long Example Road, London",
    ],
)
def test_a_number_an_address_or_a_mailbox_is_recognised(text: str) -> None:
    assert holds_a_new_value(text)


@pytest.mark.parametrize(
    "text",
    [
        "我想换手机号",
        "改邮箱",
        "地址变了怎么改",
        "change my phone number",
        "update my address please",
        "我2026年搬家了",
        "第1个",
        "/SetSlots(contact_field=mobile)",
        "要多久？3天吗",
        "",
    ],
)
def test_a_wish_alone_is_no_value(text: str) -> None:
    assert not holds_a_new_value(text)


@given(
    st.text("0123456789", min_size=7, max_size=15), st.sampled_from(["", " ", "-", " - "]), st.text("我改成 请用。,", max_size=8)
)
def test_however_a_number_is_grouped_it_is_recognised(digits: str, between: str, around: str) -> None:
    assert holds_a_new_value(around + between.join((digits[:3], digits[3:])) + around)
