"""The sandbox's routes, scopes and request bodies are those of the contract, word for word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tightrope.sandbox.brokerage.api import FACTS, LISTS, MAX_BODY_BYTES, REQUESTS
from tightrope.sandbox.brokerage.requests import KEY, KINDS
from tightrope.sandbox.brokerage.service import MARKETS

CONTRACT = yaml.safe_load((Path(__file__).parents[3] / "contracts/business.openapi.yaml").read_text(encoding="utf-8"))
OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    item["operationId"]: (path, item) for path, verbs in CONTRACT["paths"].items() for item in verbs.values()
}
SCHEMAS = CONTRACT["components"]["schemas"]


def test_each_operation_has_the_contracts_path_and_scope():
    served = {name: (listed.path, listed.scope) for name, listed in (LISTS | REQUESTS).items()}
    served |= {name: (path, scope) for name, (path, scope, _) in FACTS.items()}
    written = {
        name: (path, item["security"][0]["customerToken"][0]) for name, (path, item) in OPERATIONS.items() if item["security"]
    }
    assert served == written


@pytest.mark.parametrize("operation", KINDS)
def test_a_body_has_the_contracts_fields_and_words(operation: str):
    reference = OPERATIONS[operation][1]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    written = SCHEMAS[reference.rsplit("/", 1)[-1]]
    ours = KINDS[operation].body.model_json_schema()
    assert set(ours["properties"]) == set(written["properties"])
    assert set(ours["required"]) == set(written["required"])
    assert ours["additionalProperties"] is written["additionalProperties"] is False
    for name, given in written["properties"].items():
        field = SCHEMAS[given["$ref"].rsplit("/", 1)[-1]] if "$ref" in given else given
        if "enum" in field:
            assert set(ours["properties"][name]["enum"]) == set(field["enum"]), name
        for limit in ("minLength", "maxLength", "minItems", "maxItems"):
            assert ours["properties"][name].get(limit) == field.get(limit), (name, limit)


@pytest.mark.parametrize("operation", KINDS)
def test_a_ticket_is_of_a_kind_and_in_a_state_that_the_contract_knows(operation: str):
    ticket = SCHEMAS["Ticket"]["properties"]
    assert KINDS[operation].kind in ticket["kind"]["enum"]
    assert KINDS[operation].status in ticket["status"]["enum"]


def test_limits_are_those_that_the_contract_states():
    assert f"^{KEY.pattern}$" == CONTRACT["components"]["parameters"]["IdempotencyKey"]["schema"]["pattern"]
    assert set(MARKETS) == set(SCHEMAS["Market"]["enum"])
    assert f"{MAX_BODY_BYTES // 1024} KiB" in CONTRACT["info"]["description"]
