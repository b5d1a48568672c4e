"""Each fault on each read, through the real client: it says what happened, once per order, and only to whom it was ordered for."""

from __future__ import annotations

from typing import Any

import pytest

from tightrope.business.errors import BusinessError, InvalidAnswer, NoAnswer, Refused, Stale
from tightrope.business.operations import SCOPES
from tightrope.sandbox.brokerage.faults import Fault, inconsistent

pytestmark = pytest.mark.integration

BASE = "http://127.0.0.1:8100/brokerage"
ALL = " ".join(dict.fromkeys(SCOPES.values()))
READS = {
    "list_accounts": ("accounts", "C1012"),
    "get_balance": ("balance", "A1012-2"),
    "list_positions": ("positions", "A1012-1"),
    "list_orders": ("orders", "C1012"),
    "list_transfers": ("transfers", "C1012"),
    "list_ipo_allotments": ("ipo_allotments", "C1012"),
    "get_margin_eligibility_facts": ("margin_facts", "C1012"),
    "get_options_eligibility_facts": ("options_facts", "C1012"),
    "get_closure_facts": ("closure_facts", "C1012"),
    "get_margin_account": ("margin_account", "C1012"),
    "get_risk_profile": ("risk_profile", "C1012"),
    "get_contact_details": ("contact_details", "C1012"),
}
EXPECTED: dict[Fault, type[BusinessError]] = {
    Fault.ERROR_500: NoAnswer,
    Fault.LOST_ANSWER: NoAnswer,
    Fault.STALE: Stale,
    Fault.GARBAGE: InvalidAnswer,
    Fault.INCONSISTENT: InvalidAnswer,
}


async def order(world, **fault: Any) -> None:
    admin = world.settings.secret("sandbox_admin_token").get_secret_value()
    answer = await world.http.post(f"{BASE}/_sandbox/faults", json=fault, headers={"Authorization": f"Bearer {admin}"})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("fault", EXPECTED)
async def test_a_fault_comes_once_and_the_next_answer_is_good(world, operation: str, fault: Fault):
    name, owner = READS[operation]
    bearer = world.forged(sub="C1012", scope=ALL)
    await order(world, customer="C1012", operation=operation, fault=fault)
    with pytest.raises(EXPECTED[fault]) as caught:
        await getattr(world.business, name)(bearer, owner)
    assert caught.value.receipt.operation == operation
    assert (await getattr(world.business, name)(bearer, owner)).receipt.outcome == "ok"


@pytest.mark.parametrize("operation", READS)
async def test_a_fault_never_hides_a_refusal(world, operation: str):
    name, owner = READS[operation]
    await order(world, customer="C1001", operation=operation, fault="inconsistent", times=3)
    with pytest.raises(Refused):
        await getattr(world.business, name)(world.forged(sub="C1001", scope=ALL), owner)


async def test_whoever_is_no_admin_cannot_forget_requests(world):
    for headers in ({}, {"Authorization": f"Bearer {world.forged(scope=ALL)}"}):
        assert (await world.http.delete(f"{BASE}/_sandbox/requests", headers=headers)).status_code == 401


def test_an_inconsistent_answer_is_another_object():
    answer = {"customer_id": "C1001", "items": [{"filled_quantity": 1, "quantity": 5}]}
    assert inconsistent(answer)["items"][0]["filled_quantity"] == 6
    assert answer["items"][0]["filled_quantity"] == 1
