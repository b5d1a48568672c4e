"""Profiles of an export: the names held against the registry that OpenTelemetry publishes, the numbers against OCSF's own arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.semconv._incubating.attributes import (
    error_attributes,
    gen_ai_attributes,
    host_attributes,
    service_attributes,
)

from tightrope.audit.export.profiles import lines
from tightrope.audit.models import Entry, Place

REGISTRY = {
    value
    for module in (gen_ai_attributes, error_attributes, service_attributes, host_attributes)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str)
}
CALL = {
    "model": "qwen2.5-14b@sha256:ab12",
    "request_id": "cmpl-1",
    "finish_reason": "stop",
    "outcome": "done",
    "parameters": {"temperature": 0, "top_p": 1, "max_tokens": 64, "seed": 7},
    "usage": {"prompt_tokens": 812, "completion_tokens": 9, "total_tokens": 821},
    "messages": [{"role": "system", "content": "rules"}, {"role": "user", "content": "今天怎么样"}],
    "output": "start flow check_balance",
}
PAYLOAD = {
    "understanding": {"models": [CALL]},
    "envelopes": [
        {
            "rules": [{"rule": "margin_eligibility", "version": "2023.1", "verdict": "refused", "inputs": {"level": "C2"}}],
            "guards": [{"guard": "numbers", "verdict": "pass"}],
            "passages": [{"passage_id": "fees@3#2", "score": 8123, "used": True}],
        }
    ],
}


def entry(payload: dict[str, Any] | None, *, event: str = "gateway:turn:made", facts: dict[str, Any] | None = None) -> Entry:
    leaf = {
        "ts": "2026-05-04T01:02:03.000Z",
        "conv": "0b7f2b9e-0000-4000-8000-000000000001",
        "build": "0.1.0",
        "host": "worker-1",
        "release": "r-0123456789abcdef",
        "facts": facts or {},
    }
    at = datetime(2026, 5, 4, 1, 2, 3, tzinfo=UTC)
    return Entry(UUID(int=1), Place(2026, 17), at, event, 3, leaf, payload, None)


def test_every_name_of_ours_is_in_opentelemetry_s_registry() -> None:
    told = list(lines("otel-genai", entry(PAYLOAD)))
    assert [line["event_name"] for line in told] == [
        "gen_ai.client.inference.operation.details",
        *["gen_ai.evaluation.result"] * 3,
    ]
    names = {name for line in told for name in (*line["attributes"], *line["resource"])}
    assert len(names) > 15
    ours = {"tightrope.audit.place", "tightrope.audit.record"}  # under our own name, as the conventions ask
    assert names - REGISTRY == ours


def test_values_from_closed_lists_are_on_opentelemetry_s_lists() -> None:
    attributes = next(lines("otel-genai", entry(PAYLOAD)))["attributes"]
    assert attributes["gen_ai.operation.name"] in {item.value for item in gen_ai_attributes.GenAiOperationNameValues}
    assert attributes["gen_ai.provider.name"] in {item.value for item in gen_ai_attributes.GenAiProviderNameValues}
    assert attributes["gen_ai.usage.input_tokens"] == 812
    assert attributes["gen_ai.input.messages"] == [{"role": "user", "parts": [{"type": "text", "content": "今天怎么样"}]}]


@pytest.mark.parametrize("payload", [None, {}, {"understanding": "x", "envelopes": [1]}, {"understanding": {"models": {"a": 1}}}])
def test_a_record_without_model_or_of_another_shape_gives_no_events(payload: dict[str, Any] | None) -> None:
    assert list(lines("otel-genai", entry(payload))) == []
    assert len(list(lines("ocsf", entry(payload)))) == 1


def test_ocsf_s_type_is_class_and_activity_and_failures_are_failures() -> None:
    told = next(lines("ocsf", entry(PAYLOAD)))
    assert told["type_uid"] == told["class_uid"] * 100 + told["activity_id"]
    assert told["class_uid"] // 1000 == told["category_uid"]
    assert told["activity_name"] == "gateway:turn:made"  # activity 99 (Other) must carry a name
    assert told["message_context"]["total_tokens"] == 821
    assert (told["status_id"], told["severity_id"]) == (1, 1)
    failed = next(lines("ocsf", entry({}, event="gateway:turn:failed")))
    assert (failed["status_id"], failed["severity_id"]) == (2, 3)


OCSF_NAMES = {
    "": {
        "activity_id", "activity_name", "actor", "ai_model", "api", "category_uid", "class_uid", "message_context", "metadata", "severity_id",
        "src_endpoint", "status_id", "time", "type_uid", "unmapped",
    },
    "actor": {"app_name", "user"},
    "actor.user": {"name"},
    "ai_model": {"ai_provider", "name", "version"},
    "api": {"operation", "service"},
    "api.service": {"name", "version"},
    "message_context": {"ai_role_id", "application", "completion_tokens", "prompt_tokens", "total_tokens", "uid"},
    "message_context.application": {"name"},
    "metadata": {"correlation_uid", "log_name", "product", "profiles", "sequence", "uid", "version"},
    "metadata.product": {"name", "vendor_name", "version"},
    "src_endpoint": {"hostname"},
}  # fmt: skip
"""Of the class `api_activity` with the profile `ai_operation` and its objects, looked up in OCSF's schema (github.com/ocsf/ocsf-schema, 1.9.0-dev of
July 2026): a name that is not there belongs under `unmapped`."""


def names(at: str, told: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(at, name) for name in told]
    for name, value in told.items():
        if isinstance(value, dict) and name != "unmapped":
            found += names(f"{at}.{name}".lstrip("."), value)
    return found


@pytest.mark.parametrize("payload", [PAYLOAD, {"who": "somebody"}, None], ids=["model", "person", "destroyed"])
def test_every_name_stands_in_ocsf_s_schema_and_none_is_empty(payload: dict[str, Any] | None) -> None:
    told = next(lines("ocsf", entry(payload)))
    assert [(at, name) for at, name in names("", told) if name not in OCSF_NAMES[at]] == []
    assert {"actor", "api", "src_endpoint", "metadata", "time", "severity_id"} <= told.keys()  # what the class requires
    assert None not in told["metadata"].values()
