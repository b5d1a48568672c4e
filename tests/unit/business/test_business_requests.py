"""Requests of the business API's client against a scripted firm: repeated once with the same key, and honest about what is not known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.business.basics import Answer
from tightrope.business.client import BusinessClient
from tightrope.business.errors import (
    BadRequest,
    BusinessError,
    Conflict,
    Done,
    InvalidAnswer,
    KeyReused,
    NoAnswer,
    NotReached,
    Refused,
)
from tightrope.business.tickets import ClosureReason, ComplaintCategory, ComplaintWish, ContactField, StatementKind, Ticket
from tightrope.infra.clock import FixedClock
from tightrope.infra.http import OutboundRefused

NOW = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
KEY = "k" * 64
Step = Callable[[httpx.Request], httpx.Response]


def ticket(**changes: Any) -> dict[str, Any]:
    return {
        "customer_id": "C1001",
        "ticket_number": "TS-20261120-1001",
        "kind": "complaint",
        "status": "received",
        "created_at": "2026-11-20T10:31:00+08:00",
        "due_on": "2026-12-11",
    } | changes


class Firm:
    """Answers by a script, and keeps what it was sent."""

    def __init__(self, *steps: Step) -> None:
        self._steps: Iterator[Step] = iter(steps)
        self.seen: list[httpx.Request] = []
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url="http://firm/brokerage")
        self.client = BusinessClient(http, FixedClock(NOW))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return next(self._steps)(request)

    async def complain(self, key: str = KEY, text: str = "等了三天没有人回电话") -> Answer[Ticket]:
        return await self.client.file_complaint(
            "the-token",
            "C1001",
            category=ComplaintCategory.SERVICE,
            text=text,
            wish=ComplaintWish.CALL_BACK,
            language="zh",
            key=key,
        )


def says(status: int, body: Any) -> Step:
    return lambda request: httpx.Response(status, json=body)


def problem(status: int, name: str) -> Step:
    return says(status, {"type": f"https://tightrope.invalid/problems/{name}", "title": "x", "status": status})


def breaks(kind: type[Exception]) -> Step:
    def raising(request: httpx.Request) -> httpx.Response:
        raise kind("broken")

    return raising


DONE = says(201, ticket())
LOST = (
    breaks(httpx.ReadTimeout),
    breaks(httpx.RemoteProtocolError),
    problem(500, "internal"),
    problem(409, "request-in-progress"),
)


async def test_a_complaint_goes_once_with_its_key_and_brings_a_ticket():
    firm = Firm(DONE)
    answer = await firm.complain()
    assert answer.value.ticket_number == "TS-20261120-1001"
    assert answer.value.due_on == date(2026, 12, 11)
    assert answer.as_of == datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
    (sent,) = firm.seen
    assert (sent.method, sent.url.path) == ("POST", "/brokerage/v1/customers/C1001/complaints")
    assert sent.headers["idempotency-key"] == KEY
    assert sent.headers["authorization"] == "Bearer the-token"
    assert json.loads(sent.content) == {
        "category": "service",
        "text": "等了三天没有人回电话",
        "wish": "call_back",
        "language": "zh",
    }


@pytest.mark.parametrize("lost", LOST)
async def test_an_unknown_outcome_is_repeated_with_the_same_key_and_the_same_bytes(lost: Step):
    firm = Firm(lost, DONE)
    assert (await firm.complain()).value.kind == "complaint"
    first, second = firm.seen
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.content == second.content


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(
    "second",
    [
        *LOST,
        breaks(httpx.ConnectError),
        problem(401, "invalid-token"),
        problem(403, "not-permitted"),
        problem(400, "bad-request"),
        problem(409, "already-open"),
        problem(422, "idempotency-key-reused"),
        problem(503, "keys-unavailable"),
    ],
)
async def test_after_a_lost_answer_no_refusal_says_that_it_was_not_done(lost: Step, second: Step):
    firm = Firm(lost, second)
    with pytest.raises(NoAnswer) as caught:
        await firm.complain()
    assert caught.value.done is Done.UNKNOWN
    assert caught.value.receipt.outcome == "unavailable"
    assert len(firm.seen) == 2


async def test_a_repetition_that_brings_a_broken_body_was_surely_done():
    firm = Firm(LOST[0], says(201, {"nonsense": True}))
    with pytest.raises(InvalidAnswer) as caught:
        await firm.complain()
    assert caught.value.done is Done.DONE


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (problem(401, "invalid-token"), Refused),
        (problem(403, "not-permitted"), Refused),
        (problem(400, "bad-request"), BadRequest),
        (problem(413, "too-large"), BadRequest),
        (problem(409, "already-open"), Conflict),
        (problem(409, "closure-blocked"), Conflict),
        (problem(409, "a-rule-of-next-year"), Conflict),
    ],
)
async def test_a_refusal_at_once_is_surely_not_done_and_not_repeated(first: Step, kind: type[BusinessError]):
    firm = Firm(first)
    with pytest.raises(kind) as caught:
        await firm.complain()
    assert caught.value.done is Done.NOT_DONE
    assert len(firm.seen) == 1


async def test_a_key_that_the_firm_has_with_another_body_says_that_something_was_filed():
    firm = Firm(problem(422, "idempotency-key-reused"))
    with pytest.raises(KeyReused) as caught:
        await firm.complain()
    assert caught.value.done is Done.UNKNOWN
    assert caught.value.receipt.status == 422
    assert len(firm.seen) == 1


@pytest.mark.parametrize("content", [b"<html>", b"", b'["no problem at all"]', b'{"title": "Conflict"}'])
async def test_a_conflict_that_names_no_reason_is_no_refusal_and_is_repeated(content: bytes):
    def without_reason(request: httpx.Request) -> httpx.Response:
        return httpx.Response(409, content=content)

    assert (await Firm(without_reason, DONE).complain()).value.kind == "complaint"
    with pytest.raises(NoAnswer):
        await Firm(without_reason, without_reason).complain()


async def test_a_conflict_names_its_problem():
    with pytest.raises(Conflict) as caught:
        await Firm(problem(409, "closure-blocked")).complain()
    assert caught.value.problem == "closure-blocked"


async def test_no_connection_twice_is_surely_not_done():
    firm = Firm(breaks(httpx.ConnectError), breaks(httpx.ConnectTimeout))
    with pytest.raises(NotReached) as caught:
        await firm.complain()
    assert caught.value.done is Done.NOT_DONE


async def test_a_lost_answer_after_a_failed_connection_is_repeated_as_any_other():
    firm = Firm(breaks(httpx.ConnectError), LOST[0], DONE)
    assert (await firm.complain()).value.status == "received"
    assert len({request.headers["idempotency-key"] for request in firm.seen}) == 1


async def test_a_host_off_the_allow_list_is_not_tried_again():
    firm = Firm(breaks(OutboundRefused))
    with pytest.raises(NotReached):
        await firm.complain()
    assert len(firm.seen) == 1


@pytest.mark.parametrize(
    "body", [ticket(kind="closure"), ticket(customer_id="C1002"), ticket(created_at="2026-11-20T10:31:00"), ticket(due_on=None)]
)
async def test_a_ticket_of_another_kind_or_customer_is_not_believed(body: dict[str, Any]):
    with pytest.raises(InvalidAnswer) as caught:
        await Firm(says(201, body)).complain()
    assert caught.value.done is Done.DONE


@pytest.mark.parametrize("key", ["", "short", "k" * 129, "k" * 20 + "\n", "k" * 20 + " ", "钥" * 20])
async def test_what_is_no_key_is_not_sent(key: str):
    firm = Firm()
    with pytest.raises(BadRequest):
        await firm.complain(key=key)
    assert not firm.seen


@given(st.text(max_size=600))
async def test_any_text_travels_whole_or_not_at_all(text: str):
    firm = Firm(DONE)
    try:
        await firm.complain(text=text)
    except BusinessError:
        assert not firm.seen
        return
    assert json.loads(firm.seen[0].content)["text"] == text


async def test_half_a_character_is_not_sent():
    firm = Firm()
    with pytest.raises(BadRequest):
        await firm.complain(text="broken \ud800 emoji")
    assert not firm.seen


async def test_each_request_says_what_the_contract_asks_for():
    firm = Firm(says(201, ticket(kind="statement")), says(201, ticket(kind="closure")), says(201, ticket(kind="contact_change")))
    api = firm.client
    await api.request_statement(
        "t",
        "C1001",
        kind=StatementKind.TRADE_CONFIRMATIONS,
        first_day=date(2026, 10, 1),
        last_day=date(2026, 10, 31),
        language="en",
        account_id="A1001-1",
        key=KEY,
    )
    await api.request_closure(
        "t", "C1001", account_ids=["A1001-2", "A1001-1"], reason=ClosureReason.UNSTATED, language="zh", key=KEY
    )
    await api.request_contact_change("t", "C1001", field=ContactField.MOBILE, language="zh", key=KEY)
    bodies = [json.loads(request.content) for request in firm.seen]
    assert bodies == [
        {
            "kind": "trade_confirmations",
            "from": "2026-10-01",
            "to": "2026-10-31",
            "language": "en",
            "delivery": "app",
            "account_id": "A1001-1",
        },
        {"account_ids": ["A1001-1", "A1001-2"], "reason": "unstated", "language": "zh"},
        {"field": "mobile", "language": "zh"},
    ]
