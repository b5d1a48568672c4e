"""Statements and contact details: requests with a fresh consent, played through the engine with the real actions over fakes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from account_fakes import AccountBusiness, contact, ticket
from actions_fakes import NOW, receipt
from rasa_played import Play, is_chinese, person

from tightrope.business.errors import (
    BadRequest,
    BusinessError,
    Conflict,
    InvalidAnswer,
    NoAnswer,
    NotFound,
    NotReached,
    Refused,
    Stale,
)
from tightrope.business.models import ContactField, StatementKind, TicketKind
from tightrope.rules.statement_periods import StatementRules

STATEMENT = "start flow request_statement"
CONTACT = "start flow update_contact_details"
YES = "/SetSlots(statement_consent=true)"
FILE = "/SetSlots(contact_consent=true)"


def to_consent(play: Play, kind: str = "account_statement") -> list[str]:
    play.say("a statement please", STATEMENT)
    play.say(f"/SetSlots(statement_kind={kind})")
    return play.press("2026年10月" if play.language == "zh" else "Oct 2026")


# Statements


def test_a_statement_is_asked_for_by_three_taps_and_goes_to_the_app(play: Play, firm: AccountBusiness) -> None:
    (asked,) = to_consent(play)
    assert ("2026年10月1日 至 2026年10月31日" if play.language == "zh" else "1 Oct 2026 to 31 Oct 2026") in asked
    (filed,) = play.say(YES)
    assert "ST-20261120-0001" in filed
    assert "App" in filed or "app" in filed
    ((operation, wanted),) = firm.filed
    assert operation == "request_statement"
    assert wanted.pop("key") != ""
    assert wanted == {
        "kind": StatementKind.ACCOUNT_STATEMENT,
        "first_day": date(2026, 10, 1),
        "last_day": date(2026, 10, 31),
        "language": play.language,
    }
    assert [e["event"] for e in play.envelopes("journey")] == ["completed"]
    assert not any("attachment" in reply for reply in play.replies)


@pytest.mark.parametrize(
    ("kind", "payload", "first", "last"),
    [
        ("trade_confirmations", "/SetSlots(statement_month=2026-09)", date(2026, 9, 1), date(2026, 9, 30)),
        ("asset_certificate", "/SetSlots(statement_month=2026-08)", date(2026, 8, 1), date(2026, 8, 31)),
        ("tax_summary", "/SetSlots(statement_year=last_year)", date(2025, 1, 1), date(2025, 12, 31)),
        ("tax_summary", "/SetSlots(statement_year=year_before)", date(2024, 1, 1), date(2024, 12, 31)),
    ],
)
def test_each_kind_has_its_period(play: Play, firm: AccountBusiness, kind: str, payload: str, first: date, last: date) -> None:
    play.say("go", STATEMENT)
    play.say(f"/SetSlots(statement_kind={kind})")
    play.say(payload)
    play.say(YES)
    _, wanted = firm.filed[0]
    assert (wanted["kind"].value, wanted["first_day"], wanted["last_day"]) == (kind, first, last)


def test_kind_and_month_that_were_said_at_once_are_not_asked_again(play: Play, firm: AccountBusiness) -> None:
    (asked,) = play.say("go", STATEMENT, "set slot statement_kind trade_confirmations", "set slot statement_month 2026-07")
    assert ("2026年7月交割单" if play.language == "zh" else "trade confirmations for Jul 2026") in asked
    assert firm.filed == []


def test_the_running_month_ends_today(play: Play, firm: AccountBusiness) -> None:
    play.say("go", STATEMENT, "set slot statement_kind account_statement", "set slot statement_month 2026-11")
    play.say(YES)
    assert firm.filed[0][1]["last_day"] == date(2026, 11, 20)


def test_without_consent_nothing_is_filed(play: Play, firm: AccountBusiness) -> None:
    to_consent(play)
    (said,) = play.say("/SetSlots(statement_consent=false)")
    assert is_chinese(said) == (play.language == "zh")
    assert firm.filed == []
    assert play.talk.flow() is None


def test_consent_that_was_given_before_does_not_count_for_the_next_document(play: Play, firm: AccountBusiness) -> None:
    to_consent(play)
    play.say(YES)
    to_consent(play, "trade_confirmations")
    assert len(firm.filed) == 1
    assert play.talk.slot("statement_consent") is None


def test_consent_that_is_slipped_in_with_the_wish_is_asked_all_the_same(play: Play, firm: AccountBusiness) -> None:
    slots = ("statement_kind account_statement", "statement_month 2026-10", "statement_consent true")
    play.say("go", STATEMENT, *(f"set slot {slot}" for slot in slots))
    assert firm.filed == []
    assert play.talk.flow() == "request_statement"


def test_a_year_that_cannot_be_had_is_asked_again_as_a_year(play: Play, firm: AccountBusiness) -> None:
    editions = [{"version": "x", "effective_from": date(2026, 1, 1), "oldest_months": 23}]
    play.fake.rules = replace(play.fake.rules, statements=StatementRules({"editions": editions}))
    play.say("go", STATEMENT, "set slot statement_kind tax_summary")
    play.say("/SetSlots(statement_year=year_before)")
    (consent,) = play.press("2025年" if play.language == "zh" else "2025")
    assert "2025" in consent


def test_a_failure_of_ours_is_not_called_an_unreadable_month(play: Play, firm: AccountBusiness) -> None:
    editions = [{"version": "x", "effective_from": date(2027, 1, 1), "oldest_months": 60}]
    play.fake.rules = replace(play.fake.rules, statements=StatementRules({"editions": editions}))
    play.say("go", STATEMENT, "set slot statement_kind account_statement")
    play.may_fail = True
    (said,) = play.say("2026-10", "set slot statement_month 2026-10")
    assert ("没有提交成功" if play.language == "zh" else "was not filed") in said
    assert play.talk.flow() is None


@pytest.mark.parametrize(
    ("typed", "zh", "en"),
    [
        ("2027-01", "还没有开始", "has not begun"),
        ("2019-05", "最近 5 年", "last 5 years"),
        ("gibberish", "没有看懂", "could not read"),
    ],
)
def test_a_month_that_cannot_be_had_is_explained_and_asked_again(
    play: Play, firm: AccountBusiness, typed: str, zh: str, en: str
) -> None:
    play.say("go", STATEMENT, "set slot statement_kind account_statement")
    refused, _ = play.say(typed, f"set slot statement_month {typed}")
    assert (zh if play.language == "zh" else en) in refused
    (asked,) = play.say("October", "set slot statement_month 2026-10")
    assert "2026" in asked
    play.say(YES)
    assert firm.filed[0][1]["first_day"] == date(2026, 10, 1)


def test_a_correction_at_the_consent_is_asked_anew(play: Play, firm: AccountBusiness) -> None:
    to_consent(play)
    said = play.say("September instead", "set slot statement_month 2026-09")
    assert ("2026年9月" if play.language == "zh" else "Sep 2026") in said[-1]
    assert firm.filed == []
    play.say(YES)
    assert firm.filed[0][1]["first_day"] == date(2026, 9, 1)


FAILURES = [
    (Refused, "没有提交", "Nothing was"),
    (NotFound, "申请没有提交", "nothing was"),
    (BadRequest, "没有提交成功", "was not filed"),
    (NotReached, "没有提交成功", "was not filed"),
    (NoAnswer, "不能确定", "do not know yet"),
    (InvalidAnswer, "不能确定", "do not know yet"),
]


@pytest.mark.parametrize(("kind", "zh", "en"), FAILURES)
def test_a_request_that_fails_says_whether_it_was_filed(
    play: Play, firm: AccountBusiness, kind: type[BusinessError], zh: str, en: str
) -> None:
    to_consent(play)
    firm.errors["request_statement"] = kind("x", receipt("request_statement", kind.outcome, 503, None))
    (said,) = play.say(YES)
    assert (zh if play.language == "zh" else en) in said
    assert play.buttons[-1] == person(play)
    assert len(firm.filed) == 1, "the client repeats by itself; the journey never does"
    if kind in {NoAnswer, InvalidAnswer}:
        assert play.buttons == [person(play)], "no button that would file it twice"


def test_a_login_that_ended_at_the_consent_files_nothing(play: Play, firm: AccountBusiness) -> None:
    to_consent(play)
    play.fake.identity.grants.clear()
    (said,) = play.say(YES)
    assert firm.filed == []
    assert ("重新登录" if play.language == "zh" else "log in again") in said


# Contact details


def test_details_are_shown_masked_and_a_request_is_filed_without_any_new_value(play: Play, firm: AccountBusiness) -> None:
    shown, which = play.say("change my phone", CONTACT)
    assert "138••••0001" in shown
    assert is_chinese(which) == (play.language == "zh")
    (consent,) = play.say("/SetSlots(contact_field=mobile)")
    assert ("手机号" if play.language == "zh" else "mobile number") in consent
    assert firm.filed == []
    (filed,) = play.say(FILE)
    assert "ST-20261120-0001" in filed
    ((operation, wanted),) = firm.filed
    assert operation == "request_contact_change"
    assert set(wanted) == {"field", "language", "key"}
    assert wanted["field"] is ContactField.MOBILE


@pytest.mark.parametrize("field", ["email", "address"])
def test_each_detail_can_be_chosen(play: Play, firm: AccountBusiness, field: str) -> None:
    play.say("go", CONTACT)
    play.say(f"/SetSlots(contact_field={field})")
    play.say(FILE)
    assert firm.filed[0][1]["field"].value == field


TYPED = [
    "手机号换成13912345678",
    "13912345678",
    "１３９ １２３４ ５６７８",
    "new email is someone@example.invalid",
    "地址改成上海市示例区示例路 88 号 6 栋",
    "my new address is 12 Sample Street",
]


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("when", ["start", "field", "consent"])
def test_a_new_value_that_is_typed_is_refused_aloud_and_goes_nowhere(
    play: Play, firm: AccountBusiness, typed: str, when: str
) -> None:
    warning = "不在聊天里接收" if play.language == "zh" else "take no new number"
    texts = play.say(typed if when == "start" else "go", CONTACT)
    if when != "start":
        assert warning not in "".join(texts)
        if when == "consent":
            play.say("/SetSlots(contact_field=mobile)")
        texts = play.say(typed, "")
    assert warning in "".join(texts)
    play.say("/SetSlots(contact_field=mobile)")
    play.say(FILE)
    seen = str(play.talk.state.slots) + str(firm.filed) + "".join(play.texts)
    for part in ("1391234", "someone@", "示例路", "Sample Street"):
        assert part not in seen


def test_a_change_that_is_under_way_is_named_and_no_other_is_filed(play: Play, firm: AccountBusiness) -> None:
    firm.contact = contact(open_request=ticket(TicketKind.CONTACT_CHANGE, "CC-1"))
    texts = play.say("go", CONTACT)
    assert "CC-1" in texts[1]
    assert play.talk.flow() is None
    assert firm.filed == []


def test_a_change_that_came_under_way_meanwhile_is_not_filed_twice(play: Play, firm: AccountBusiness) -> None:
    play.say("go", CONTACT)
    play.say("/SetSlots(contact_field=mobile)")
    firm.errors["request_contact_change"] = Conflict(
        "x", receipt("request_contact_change", "conflict", 409, None), "already-open"
    )
    (said,) = play.say(FILE)
    assert ("没有重复提交" if play.language == "zh" else "not filed another") in said


@pytest.mark.parametrize("payload", ["/SetSlots(contact_field=nothing)", "/SetSlots(contact_field=mobile)"])
def test_who_changes_nothing_files_nothing(play: Play, firm: AccountBusiness, payload: str) -> None:
    play.say("go", CONTACT)
    play.say(payload)
    if play.talk.flow():
        play.say("/SetSlots(contact_consent=false)")
    assert firm.filed == []
    assert play.talk.flow() is None


def test_what_is_not_on_record_is_said(play: Play, firm: AccountBusiness) -> None:
    firm.contact = contact(email_masked=None)
    assert ("未登记" if play.language == "zh" else "not on record") in play.say("go", CONTACT)[0]


@pytest.mark.parametrize(("kind", "zh", "en"), FAILURES)
def test_a_change_that_fails_says_whether_it_was_filed(
    play: Play, firm: AccountBusiness, kind: type[BusinessError], zh: str, en: str
) -> None:
    play.say("go", CONTACT)
    play.say("/SetSlots(contact_field=email)")
    firm.errors["request_contact_change"] = kind("x", receipt("request_contact_change", kind.outcome, 503, None))
    (said,) = play.say(FILE)
    assert (zh if play.language == "zh" else en) in said
    assert play.buttons[-1] == person(play)


@pytest.mark.parametrize("kind", [NoAnswer, InvalidAnswer, Refused, NotFound])
def test_details_that_cannot_be_read_are_not_shown(play: Play, firm: AccountBusiness, kind: type[BusinessError]) -> None:
    firm.errors["get_contact_details"] = kind("x", receipt("get_contact_details", kind.outcome, 503, None))
    (said,) = play.say("go", CONTACT)
    assert play.buttons[-1] == person(play)
    assert "••••" not in said


def test_stale_details_are_named_by_their_time(play: Play, firm: AccountBusiness) -> None:
    firm.errors["get_contact_details"] = Stale("old", receipt("get_contact_details", "stale", 200, NOW.replace(hour=1)))
    (said,) = play.say("go", CONTACT)
    assert "09:31" in said


@pytest.mark.parametrize("flow", [STATEMENT, CONTACT])
def test_an_anonymous_customer_logs_in_first(play: Play, firm: AccountBusiness, flow: str) -> None:
    play.fake.identity.grants.clear()
    play.say("go", flow)
    assert play.envelopes("login")[0]["scopes"] == ["statements:request" if flow == STATEMENT else "contact:request"]
    assert firm.asked == []
