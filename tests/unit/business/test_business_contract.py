"""The client, the contract and everybody who names a scope agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tightrope.business import operations
from tightrope.business.activity import IpoStatus, OrderStatus, RejectionCode, TransferFailure, TransferKind
from tightrope.business.operations import LIST_TRADING_DAYS, MAX_AGE, REQUESTS, SCOPES
from tightrope.business.tickets import ClosureReason, ComplaintCategory, ComplaintWish, ContactField, StatementKind, TicketStatus
from tightrope.identity.models import SCOPES as GRANTED
from tightrope.sandbox.identity.models import BUSINESS_SCOPES

CONTRACT = yaml.safe_load((Path(__file__).parents[3] / "contracts/business.openapi.yaml").read_text(encoding="utf-8"))
OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    item["operationId"]: (verb, item) for path in CONTRACT["paths"].values() for verb, item in path.items()
}
SCHEMAS = CONTRACT["components"]["schemas"]


def test_each_operation_needs_the_one_scope_that_the_client_asks_for():
    needed = {name: scopes["customerToken"] for name, (_, item) in OPERATIONS.items() for scopes in item["security"] if scopes}
    assert needed == {name: [scope] for name, scope in SCOPES.items()}
    assert set(OPERATIONS) - set(needed) == {LIST_TRADING_DAYS}


def test_the_scopes_that_are_granted_are_those_of_the_contract():
    known = CONTRACT["components"]["securitySchemes"]["customerToken"]["flows"]["authorizationCode"]["scopes"]
    assert set(known) == set(SCOPES.values()) == set(GRANTED) == set(BUSINESS_SCOPES)
    assert len(set(GRANTED)) == len(GRANTED)


def test_what_leaves_something_behind_is_a_post_with_a_key_and_a_ticket():
    assert {name for name, (verb, _) in OPERATIONS.items() if verb != "get"} == REQUESTS
    for name in REQUESTS:
        verb, item = OPERATIONS[name]
        assert verb == "post"
        assert {"$ref": "#/components/parameters/IdempotencyKey"} in item["parameters"]
        assert item["responses"]["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Ticket"}


def test_every_read_says_how_old_it_may_be_and_no_request_does():
    assert set(MAX_AGE) == set(OPERATIONS) - REQUESTS


def test_codes_and_states_are_those_of_the_contract():
    for schema, words in (
        (SCHEMAS["RejectionCode"], RejectionCode),
        (SCHEMAS["OrderStatus"], OrderStatus),
        (SCHEMAS["TransferFailure"], TransferFailure),
        (SCHEMAS["Transfer"]["properties"]["kind"], TransferKind),
        (SCHEMAS["IpoStatus"], IpoStatus),
        (SCHEMAS["StatementRequest"]["properties"]["kind"], StatementKind),
        (SCHEMAS["ClosureRequest"]["properties"]["reason"], ClosureReason),
        (SCHEMAS["ContactChangeRequest"]["properties"]["field"], ContactField),
        (SCHEMAS["Complaint"]["properties"]["category"], ComplaintCategory),
        (SCHEMAS["Complaint"]["properties"]["wish"], ComplaintWish),
        (SCHEMAS["Ticket"]["properties"]["status"], TicketStatus),
    ):
        assert set(schema["enum"]) == {str(word.value) for word in words}


def test_a_code_that_the_contract_does_not_know_reads_as_other():
    assert RejectionCode("something_new") is RejectionCode.OTHER
    assert TransferFailure("something_new") is TransferFailure.OTHER


def test_every_operation_of_the_contract_has_its_name():
    names = {value for name, value in vars(operations).items() if name.isupper() and isinstance(value, str)}
    assert set(OPERATIONS) == names
