"""The summary of a complaint shows the customer's words as words; filing one is declared, recorded and keyed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
import yaml
from actions_fakes import FakeContext, receipt, run, tracker

from actions.complaint import FileComplaint, SummariseComplaint
from actions.rule_data import FOLDER
from tightrope.business.errors import BadRequest, Conflict, KeyReused, NoAnswer, NotReached
from tightrope.business.models import ComplaintCategory, ComplaintWish
from tightrope.infra.clock import FixedClock

GIVEN = {"complaint_category": "fees", "complaint_text": "手续费扣了两次", "complaint_wish": "correction"}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[点这里](http://evil) {{ 7*7 }}", "［点这里］(http：//evil) ｛｛ 7＊7 ｝｝"),
        ("![x](http://e/p.png) *急* `rm` <b>", "!［x］(http：//e/p．png) ＊急＊ ＇rm＇ ＜b＞"),
        ("扣了 5.00 元，单号 A_1，见 www.example.cn", "扣了 5.00 元，单号 A＿1，见 www．example．cn"),
    ],
)
async def test_the_customers_words_are_shown_as_words(fake: FakeContext, written: str, shown: str) -> None:
    done = await run(SummariseComplaint(), tracker("file_complaint", slots=GIVEN | {"complaint_text": written}))
    assert done.message("utter_complaint_summary")["complaint"] == shown


WRITTEN = "昨天扣了两次，问了没人管！\n扣了1,234.50元；说好“5元”：见<合同>①"
FOLDED = "昨天扣了两次,问了没人管! 扣了1,234.50元;说好“5元”:见（合同）1"


def told(*messages: tuple[str, str | None], folded: str = FOLDED) -> list[dict[str, Any]]:
    """Events of a conversation in which the first message was taken as the complaint."""
    events: list[dict[str, Any]] = []
    for number, (text, written) in enumerate(messages):
        events.append({"event": "user", "text": text, "metadata": {"as_written": written} if written else {}})
        if number == 0:
            events.append({"event": "slot", "name": "complaint_text", "value": folded})
    return events


@pytest.mark.parametrize(
    ("messages", "filed"),
    [
        (((FOLDED, WRITTEN), ("确认", None)), WRITTEN),
        (((FOLDED, None), ("确认", "确认")), FOLDED),
        ((("换一件事", None), ("确认", None)), FOLDED),
        ((("/SetSlots(complaint_text=x)", None), ("确认", None)), FOLDED),
        ((), FOLDED),
    ],
)
async def test_a_complaint_is_filed_as_the_customer_wrote_it(
    fake: FakeContext, messages: tuple[tuple[str, str | None], ...], filed: str
) -> None:
    fake.log_in()
    given = tracker("file_complaint", slots=GIVEN | {"complaint_text": FOLDED})
    given.events = told(*messages)
    await run(FileComplaint(), given)
    assert [one["text"] for one in fake.business.filed.values()] == [filed]


async def test_a_long_complaint_is_filed_as_far_as_the_firm_takes_it(fake: FakeContext) -> None:
    fake.log_in()
    written = "，".join("长" * 400)
    given = tracker("file_complaint", slots=GIVEN | {"complaint_text": written.replace("，", ",")[:500]})
    given.events = told((written.replace("，", ","), written), folded=written.replace("，", ",")[:500])
    await run(FileComplaint(), given)
    assert [one["text"] for one in fake.business.filed.values()] == [written[:500]]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("category", ComplaintCategory)
@pytest.mark.parametrize("wish", ComplaintWish)
async def test_every_category_and_wish_has_its_words(
    fake: FakeContext, category: ComplaintCategory, wish: ComplaintWish, language: str
) -> None:
    given = GIVEN | {"complaint_category": category.value, "complaint_wish": wish.value}
    done = await run(SummariseComplaint(), tracker("file_complaint", language=language, slots=given))
    message = done.message("utter_complaint_summary")
    assert message["category"]
    assert message["wish"]


def test_the_words_name_nothing_that_the_firm_does_not_take() -> None:
    words = yaml.safe_load((FOLDER / "complaint_wording.yml").read_text(encoding="utf-8"))
    assert set(words["categories"]) == {category.value for category in ComplaintCategory}
    assert set(words["wishes"]) == {wish.value for wish in ComplaintWish}


async def test_without_a_grant_nothing_is_sent(fake: FakeContext) -> None:
    done = await run(FileComplaint(), tracker("file_complaint", slots=GIVEN))
    assert done.slots == {"complaint_outcome": "not_permitted"}
    assert fake.business.asked == []


async def test_without_the_scope_nothing_is_sent(fake: FakeContext) -> None:
    fake.log_in("accounts:read")
    done = await run(FileComplaint(), tracker("file_complaint", slots=GIVEN))
    assert done.slots == {"complaint_outcome": "not_permitted"}
    assert fake.business.asked == []


async def test_a_repeated_turn_files_under_the_same_key(fake: FakeContext) -> None:
    fake.log_in()
    for _ in range(2):
        await run(FileComplaint(), tracker("file_complaint", slots=GIVEN))
    assert len(fake.business.filed) == 1


async def test_the_record_names_the_rule_and_no_words_of_the_customer(fake: FakeContext) -> None:
    fake.log_in()
    done = await run(FileComplaint(), tracker("file_complaint", slots=GIVEN))
    (rule,) = done.evidence["rules"]
    assert (rule["rule"], rule["version"], rule["verdict"]) == ("service_deadlines.complaint", "2026.1", "kept")
    assert GIVEN["complaint_text"] not in str(done.evidence)


async def test_beyond_the_published_calendar_the_firms_day_alone_is_told(
    fake: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = datetime(2026, 12, 24, 2, 0, tzinfo=UTC)
    monkeypatch.setattr("request_fakes.NOW", late)
    fake.clock = FixedClock(late)
    fake.business.complaint_due = date(2027, 1, 20)
    fake.log_in()
    done = await run(FileComplaint(), tracker("file_complaint", slots=GIVEN))
    assert done.said == ["utter_complaint_filed_due"]
    assert done.message("utter_complaint_filed_due")["answered_by"] == "2027年1月20日"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NoAnswer, "unknown"),
        (KeyReused, "unknown"),
        (Conflict, "unavailable"),
        (NotReached, "unavailable"),
        (BadRequest, "unavailable"),
    ],
)
async def test_what_became_of_it_without_a_ticket(fake: FakeContext, error: Any, outcome: str) -> None:
    fake.log_in()
    fake.business.errors["file_complaint"] = error("x", receipt("file_complaint", error.outcome, None, None))
    done = await run(FileComplaint(), tracker("file_complaint", slots=GIVEN))
    assert done.slots == {"complaint_outcome": outcome}
    assert done.said == []


async def test_a_slot_that_holds_something_else_files_nothing(fake: FakeContext) -> None:
    fake.log_in()
    done = await run(FileComplaint(), tracker("file_complaint", slots=GIVEN | {"complaint_category": "nonsense"}))
    assert done.slots == {"complaint_outcome": "unknown"}
    assert fake.business.filed == {}


async def test_a_failure_after_it_was_filed_never_says_that_it_was_not(
    fake: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("no such rule")

    monkeypatch.setattr("actions.complaint.due", broken)
    fake.log_in()
    done = await run(FileComplaint(), tracker("file_complaint", slots=GIVEN))
    assert len(fake.business.filed) == 1
    assert done.slots == {"complaint_outcome": "unknown"}
