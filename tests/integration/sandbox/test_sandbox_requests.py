"""Requests at the sandbox: once per key however often and however many at a time, with every fault and every refusal."""

from __future__ import annotations

import asyncio
import json
import secrets
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tightrope.business.client import BusinessClient
from tightrope.business.errors import BadRequest, Conflict, InvalidAnswer, NoAnswer, Refused
from tightrope.business.operations import SCOPES
from tightrope.business.tickets import ClosureReason, ComplaintCategory, ComplaintWish, ContactField, StatementKind
from tightrope.sandbox.brokerage import api as brokerage_api
from tightrope.sandbox.brokerage.days import SHANGHAI, answered_by
from tightrope.sandbox.catalogue import CUSTOMERS

pytestmark = pytest.mark.integration

BASE = "http://127.0.0.1:8100/brokerage"
COMPLAINT = {"category": "fees", "text": "佣金比约定的高", "wish": "correction", "language": "zh"}


def key() -> str:
    return secrets.token_hex(32)


def token(world, customer_id: str = "C1001", scope: str | None = None) -> str:
    return world.forged(sub=customer_id, scope=scope or " ".join(SCOPES.values()))


async def post(
    world, path: str, body: Any, *, idempotency: str | None = None, customer: str = "C1001", **headers: str
) -> httpx.Response:
    sent = {"Authorization": f"Bearer {token(world, customer)}", "Content-Type": "application/json"} | headers
    if idempotency is not None:
        sent["Idempotency-Key"] = idempotency
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await world.http.post(f"{BASE}/v1/customers/{customer}/{path}", content=content, headers=sent)


async def order(world, **fault: Any) -> None:
    admin = world.settings.secret("sandbox_admin_token").get_secret_value()
    answer = await world.http.post(f"{BASE}/_sandbox/faults", json=fault, headers={"Authorization": f"Bearer {admin}"})
    assert answer.status_code == 201, answer.text


async def count(world, idempotency: str) -> int:
    async with world.app.state.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) AS found FROM brokerage.ticket WHERE idempotency_key = %s", (idempotency,)
        )
        return (await cursor.fetchone())["found"]


@pytest.fixture(autouse=True)
async def _nothing_filed(world):
    admin = world.settings.secret("sandbox_admin_token").get_secret_value()
    answer = await world.http.delete(f"{BASE}/_sandbox/requests", headers={"Authorization": f"Bearer {admin}"})
    assert answer.status_code == 200


async def complain(world, idempotency: str, client: BusinessClient | None = None):
    return await (client or world.business).file_complaint(
        token(world),
        "C1001",
        category=ComplaintCategory.FEES,
        text="佣金比约定的高",
        wish=ComplaintWish.CORRECTION,
        language="zh",
        key=idempotency,
    )


async def test_the_same_key_and_body_bring_the_same_bytes_and_one_ticket(world):
    once = key()
    first = await post(world, "complaints", COMPLAINT, idempotency=once)
    assert first.status_code == 201
    world.clock.advance(3600)
    reordered = dict(reversed(COMPLAINT.items()))
    again = await post(world, "complaints", json.dumps(reordered, indent=2).encode(), idempotency=once)
    assert (again.status_code, again.content) == (201, first.content)
    assert await count(world, once) == 1


async def test_the_same_key_with_another_body_is_refused_and_changes_nothing(world):
    once = key()
    first = await post(world, "complaints", COMPLAINT, idempotency=once)
    other = await post(world, "complaints", COMPLAINT | {"text": "另一件事"}, idempotency=once)
    assert other.status_code == 422
    assert other.json()["type"].endswith("/idempotency-key-reused")
    assert (await post(world, "complaints", COMPLAINT, idempotency=once)).content == first.content


async def test_a_key_belongs_to_its_customer_and_its_operation(world):
    once = key()
    numbers = {
        (await post(world, "complaints", COMPLAINT, idempotency=once, customer=c)).json()["ticket_number"]
        for c in ("C1001", "C1002")
    }
    change = await post(world, "contact-change-requests", {"field": "email", "language": "zh"}, idempotency=once)
    assert change.status_code == 201
    assert len(numbers | {change.json()["ticket_number"]}) == 3


async def test_twenty_at_once_with_one_key_have_one_effect(world):
    once = key()
    answers = await asyncio.gather(*(post(world, "complaints", COMPLAINT, idempotency=once) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await count(world, once) == 1


async def test_twenty_at_once_with_twenty_keys_open_one_closure(world):
    free = next(item for item in CUSTOMERS if item.case_en == "closing: nothing stands in the way")
    body = {"account_ids": [free.accounts[0].account_id], "reason": "not_trading", "language": "zh"}
    answers = await asyncio.gather(
        *(post(world, "closure-requests", body, idempotency=key(), customer=free.customer_id) for _ in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 19]
    assert all(answer.json()["type"].endswith("/already-open") for answer in answers if answer.status_code == 409)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(st.sampled_from(["a" * 16, "b" * 16, "c" * 16]), min_size=1, max_size=6),
    texts=st.lists(st.sampled_from(["一", "二"]), min_size=6, max_size=6),
)
async def test_any_sequence_of_requests_keeps_the_first_body_of_each_key(world, keys: list[str], texts: list[str]):
    run = secrets.token_hex(8)
    first: dict[str, tuple[str, bytes]] = {}
    for name, text in zip(keys, texts, strict=False):
        answer = await post(world, "complaints", COMPLAINT | {"text": text}, idempotency=name + run)
        if name not in first:
            assert answer.status_code == 201
            first[name] = (text, answer.content)
        elif first[name][0] == text:
            assert answer.content == first[name][1]
        else:
            assert answer.status_code == 422
    assert len({content for _, content in first.values()}) == len(first)


async def test_an_answer_lost_after_the_work_is_found_again_by_the_client(world):
    once = key()
    await order(world, customer="C1001", operation="file_complaint", fault="lost_answer")
    answer = await complain(world, once)
    assert answer.value.ticket_number.startswith("TS-")
    assert await count(world, once) == 1


async def test_a_failure_before_the_work_leaves_nothing_and_the_repetition_does_it(world):
    once = key()
    await order(world, customer="C1001", operation="file_complaint", fault="error_500")
    assert (await post(world, "complaints", COMPLAINT, idempotency=once)).status_code == 500
    assert await count(world, once) == 0
    await order(world, customer="C1001", operation="file_complaint", fault="error_500")
    await complain(world, once)
    assert await count(world, once) == 1


@pytest.mark.parametrize(("fault", "left"), [("lost_answer", 1), ("error_500", 0)])
async def test_when_both_attempts_fail_the_client_does_not_know_and_says_so(world, fault: str, left: int):
    once = key()
    await order(world, customer="C1001", operation="file_complaint", fault=fault, times=2)
    with pytest.raises(NoAnswer) as caught:
        await complain(world, once)
    assert caught.value.done.value == "unknown"
    assert await count(world, once) == left


async def test_a_time_out_of_the_client_does_not_undo_the_work(world, monkeypatch):
    monkeypatch.setattr(brokerage_api, "TIMEOUT_SECONDS", 1.0)
    once = key()
    hasty = BusinessClient(httpx.AsyncClient(transport=world.wires, base_url=BASE), world.clock, timeout=0.5)
    await order(world, customer="C1001", operation="file_complaint", fault="timeout")
    answer = await complain(world, once, hasty)
    assert answer.value.kind == "complaint"
    assert await count(world, once) == 1


@pytest.mark.parametrize("fault", ["garbage", "inconsistent"])
async def test_an_answer_that_cannot_be_read_was_surely_done(world, fault: str):
    once = key()
    await order(world, customer="C1001", operation="file_complaint", fault=fault)
    with pytest.raises(InvalidAnswer) as caught:
        await complain(world, once)
    assert caught.value.done.value == "surely done"
    assert await count(world, once) == 1


async def test_a_closing_that_is_blocked_is_refused_by_the_firm_itself(world):
    blocked = [item for item in CUSTOMERS if item.group == "closing" and "left" in item.case_en]
    assert len(blocked) >= 5
    for item in blocked:
        accounts = [account.account_id for account in item.accounts]
        with pytest.raises(Conflict) as caught:
            await world.business.request_closure(
                token(world, item.customer_id),
                item.customer_id,
                account_ids=accounts,
                reason=ClosureReason.COSTS,
                language="zh",
                key=key(),
            )
        assert caught.value.problem == "closure-blocked"


async def test_an_open_request_shows_in_the_facts_and_a_second_is_refused(world):
    free = next(item for item in CUSTOMERS if item.case_en == "closing: nothing stands in the way")
    bearer, who = token(world, free.customer_id), free.customer_id
    assert (await world.business.closure_facts(bearer, who)).value.open_request is None
    filed = await world.business.request_closure(
        bearer, who, account_ids=[free.accounts[0].account_id], reason=ClosureReason.MOVING_AWAY, language="zh", key=key()
    )
    assert (await world.business.closure_facts(bearer, who)).value.open_request == filed.value
    seeded = next(item for item in CUSTOMERS if item.requests and item.requests[0].kind == "closure")
    assert (
        await world.business.closure_facts(token(world, seeded.customer_id), seeded.customer_id)
    ).value.open_request is not None


async def test_a_contact_change_waits_for_the_customer_in_the_app(world):
    filed = await world.business.request_contact_change(
        token(world), "C1001", field=ContactField.MOBILE, language="zh", key=key()
    )
    assert filed.value.status == "waiting_for_customer"
    with pytest.raises(Conflict) as caught:
        await world.business.request_contact_change(token(world), "C1001", field=ContactField.MOBILE, language="zh", key=key())
    assert caught.value.problem == "already-open"
    await world.business.request_contact_change(token(world), "C1001", field=ContactField.EMAIL, language="zh", key=key())
    assert (await world.business.contact_details(token(world), "C1001")).value.open_request is not None


async def test_a_statement_of_the_future_or_of_too_long_is_refused(world):
    today = world.clock.now().astimezone(SHANGHAI).date()

    async def ask(first: int, last: int, account: str | None = None) -> Any:
        return await world.business.request_statement(
            token(world),
            "C1001",
            kind=StatementKind.ACCOUNT_STATEMENT,
            first_day=today - timedelta(days=first),
            last_day=today - timedelta(days=last),
            language="zh",
            account_id=account,
            key=key(),
        )

    assert (await ask(365, 0)).value.due_on > today
    for first, last in ((366, 0), (0, 1), (5, -1)):
        with pytest.raises(BadRequest):
            await ask(first, last)
    with pytest.raises(Refused):
        await ask(10, 0, "A1002-1")


async def test_people_answer_by_the_day_that_the_published_deadline_allows(world):
    now = world.clock.now()
    assert (await complain(world, key())).value.due_on == answered_by("complaint", now)
    free = [item for item in CUSTOMERS if item.case_en == "closing: nothing stands in the way"][-1]
    body = {"account_ids": [free.accounts[0].account_id], "reason": "not_trading", "language": "zh"}
    closing = await post(world, "closure-requests", body, idempotency=key(), customer=free.customer_id)
    assert closing.json()["due_on"] == answered_by("closure", now).isoformat()
