"""The request to close accounts: facts once more, filed once, and never called not filed when nobody knows."""

from __future__ import annotations

from typing import Any

import pytest
from actions_fakes import FakeContext, cny, receipt, run, tracker
from request_fakes import closing_account

from actions.closing import CheckClosure, RequestClosure
from tightrope.business.errors import BadRequest, Conflict, InvalidAnswer, KeyReused, NoAnswer, NotReached, Refused

CONFIRMED = {"closure_understood": "true", "closure_confirmed": "true"}


@pytest.mark.parametrize("slot", CONFIRMED)
@pytest.mark.parametrize("value", [None, "false", "yes"])
async def test_without_both_confirmations_the_firm_is_asked_nothing(fake: FakeContext, slot: str, value: str | None) -> None:
    fake.log_in()
    done = await run(RequestClosure(), tracker("close_account", slots=CONFIRMED | {slot: value}))
    assert done.slots == {"closure_outcome": "not_confirmed"}
    assert fake.business.asked == []


async def test_a_request_is_filed_under_one_key_and_names_ticket_and_day(fake: FakeContext) -> None:
    fake.log_in()
    for _ in range(2):
        done = await run(RequestClosure(), tracker("close_account", slots=CONFIRMED | {"closure_reason": "costs"}))
    assert list(fake.business.filed.values()) == [{"account_ids": ["A1"], "reason": "costs", "language": "zh"}]
    assert done.slots == {"closure_outcome": "filed"}
    assert done.message("utter_closure_filed")["ticket"] == "XH-20261120-0042"


async def test_a_cent_that_came_in_between_files_nothing(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.closing = (closing_account(cash=cny("0.01")),)
    done = await run(RequestClosure(), tracker("close_account", slots=CONFIRMED))
    assert done.slots == {"closure_outcome": "blocked"}
    assert fake.business.filed == {}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NoAnswer, "unknown"),
        (InvalidAnswer, "unknown"),
        (KeyReused, "unknown"),
        (Conflict, "unavailable"),
        (NotReached, "unavailable"),
        (BadRequest, "unavailable"),
        (Refused, "not_permitted"),
    ],
)
async def test_what_became_of_a_request_without_a_ticket(fake: FakeContext, error: Any, outcome: str) -> None:
    fake.log_in()
    fake.business.errors["request_closure"] = error("x", receipt("request_closure", error.outcome, None, None))
    done = await run(RequestClosure(), tracker("close_account", slots=CONFIRMED))
    assert done.slots == {"closure_outcome": outcome}
    assert done.said == []


async def test_a_failure_after_it_was_filed_never_says_that_nothing_was(
    fake: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("no such rule")

    monkeypatch.setattr("actions.closing.due", broken)
    fake.log_in()
    done = await run(RequestClosure(), tracker("close_account", slots=CONFIRMED))
    assert len(fake.business.filed) == 1
    assert done.slots == {"closure_outcome": "unknown"}


@pytest.mark.parametrize("action", [CheckClosure(), RequestClosure()])
async def test_without_a_grant_the_firm_is_asked_nothing(fake: FakeContext, action: Any) -> None:
    done = await run(action, tracker("close_account", slots=CONFIRMED))
    assert done.slots["closure_outcome"] == "not_permitted"
    assert fake.business.asked == []
