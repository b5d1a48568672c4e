"""Records in other people's field names, for their tools: OpenTelemetry GenAI events and OCSF. Pure; never the record itself (docs/auditors.md, Profiles).

Both are copies that leave things out; a line names the place of the record it was made from, and that one can be verified.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tightrope.audit.export.models import Profile
from tightrope.audit.models import Entry, JsonObject

FILES: dict[Profile, str] = {"otel-genai": "otel-genai.jsonl", "ocsf": "ocsf.jsonl"}

OCSF_VERSION = "1.9.0"
_API_ACTIVITY, _APPLICATION, _OTHER = 6003, 6, 99
_STOPS = {"stop": "stop", "length": "length", "content_filter": "content_filter"}


def lines(profile: Profile, entry: Entry) -> Iterator[JsonObject]:
    """What a record is in a profile; nothing where the profile has no word for it."""
    yield from (_otel(entry) if profile == "otel-genai" else _ocsf(entry))


def _otel(entry: Entry) -> Iterator[JsonObject]:
    """Events of the semantic conventions for generative AI (open-telemetry/semantic-conventions-genai, in development, read in November 2026)."""
    payload = entry.payload or {}
    for call in calls_of(payload):
        usage, parameters = _object(call.get("usage")), _object(call.get("parameters"))
        messages = [item for item in call.get("messages") or [] if isinstance(item, dict)]
        attributes: JsonObject = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",  # the protocol, as the conventions have it for compatible servers
            "gen_ai.conversation.id": entry.leaf.get("conv"),
            "gen_ai.request.model": call.get("model"),
            "gen_ai.response.model": call.get("model"),
            "gen_ai.response.id": call.get("request_id") or None,
            "gen_ai.response.finish_reasons": [call["finish_reason"]] if call.get("finish_reason") else None,
            "gen_ai.usage.input_tokens": usage.get("prompt_tokens"),
            "gen_ai.usage.output_tokens": usage.get("completion_tokens"),
            "gen_ai.request.temperature": parameters.get("temperature"),
            "gen_ai.request.top_p": parameters.get("top_p"),
            "gen_ai.request.max_tokens": parameters.get("max_tokens"),
            "gen_ai.request.seed": parameters.get("seed"),
            "gen_ai.system_instructions": [_part(m) for m in messages if m.get("role") == "system"] or None,
            "gen_ai.input.messages": [{"role": "user", "parts": [_part(m)]} for m in messages if m.get("role") != "system"]
            or None,
            "gen_ai.output.messages": [
                {
                    "role": "assistant",
                    "parts": [{"type": "text", "content": call.get("output")}],
                    "finish_reason": _STOPS.get(str(call.get("finish_reason")), "error"),
                }
            ],
            "error.type": None if call.get("outcome") == "done" else call.get("outcome"),
        }
        yield _event(entry, "gen_ai.client.inference.operation.details", attributes)
    for name, label, score, why in _verdicts(payload):
        attributes = {
            "gen_ai.evaluation.name": name,
            "gen_ai.evaluation.score.label": label,
            "gen_ai.evaluation.score.value": score,
            "gen_ai.evaluation.explanation": why,
        }
        yield _event(entry, "gen_ai.evaluation.result", attributes)


def _event(entry: Entry, name: str, attributes: JsonObject) -> JsonObject:
    leaf = entry.leaf
    kept = {key: value for key, value in attributes.items() if value is not None}
    return {
        "timestamp": leaf.get("ts"),
        "event_name": name,
        "severity_number": 5,
        "attributes": kept | {"tightrope.audit.place": str(entry.place), "tightrope.audit.record": str(entry.record_id)},
        "resource": {"service.name": "tightrope", "service.version": leaf.get("build"), "host.name": leaf.get("host")},
    }


def _ocsf(entry: Entry) -> Iterator[JsonObject]:
    """API Activity (class 6003) with the profile `ai_operation` (OCSF 1.9.0), one for each record."""
    leaf, payload = entry.leaf, entry.payload or {}
    facts = _object(leaf.get("facts"))
    calls = calls_of(payload)
    failed = bool(facts.get("failure")) or entry.event.endswith((":failed", ":refused"))
    told: JsonObject = {
        "metadata": {
            "version": OCSF_VERSION,
            "profiles": ["ai_operation"] if calls else [],
            "uid": str(entry.record_id),
            "log_name": "tightrope-audit",
            "sequence": entry.place.index if entry.place else None,
            "product": {"name": "Tightrope", "vendor_name": "Tightrope", "version": leaf.get("build")},
            "correlation_uid": leaf.get("conv"),
        },
        "time": int(entry.at.timestamp() * 1000),
        "category_uid": _APPLICATION,
        "class_uid": _API_ACTIVITY,
        "activity_id": _OTHER,
        "activity_name": entry.event,
        "type_uid": _API_ACTIVITY * 100 + _OTHER,
        "severity_id": 3 if failed else 1,
        "status_id": 2 if failed else 1,
        "actor": {"app_name": "tightrope", **({"user": {"name": payload["who"]}} if isinstance(payload.get("who"), str) else {})},
        "api": {"operation": entry.event, "service": {"name": "tightrope", "version": leaf.get("release")}},
        "src_endpoint": {"hostname": leaf.get("host")},
        "unmapped": {"place": str(entry.place), "turn": entry.turn, "release": leaf.get("release"), "facts": facts},
    }
    if calls:
        last = calls[-1]
        name, _, version = str(last.get("model")).partition("@")
        usage = _object(last.get("usage"))
        told["ai_model"] = {
            "name": name,
            "ai_provider": "Internal",
            **({"version": version} if version else {}),
        }
        told["message_context"] = {
            "uid": leaf.get("conv"),
            "ai_role_id": 2,
            "application": {"name": "tightrope"},
            **{
                key: usage[key]
                for key in ("prompt_tokens", "completion_tokens", "total_tokens")
                if isinstance(usage.get(key), int)
            },
        }
        told["unmapped"]["stop_reason"] = last.get("finish_reason") or last.get("outcome")
    yield told


def calls_of(payload: JsonObject) -> list[JsonObject]:
    """Every call of a language model that a record tells of."""
    found = list(_objects(_object(payload.get("understanding")).get("models")))
    for envelope in _objects(payload.get("envelopes")):
        found.extend(_objects(envelope.get("models")))
    return found


def _verdicts(payload: JsonObject) -> Iterator[tuple[str, str, float | None, str | None]]:
    for envelope in _objects(payload.get("envelopes")):
        for rule in _objects(envelope.get("rules")):
            why = json.dumps(rule.get("inputs"), ensure_ascii=False, sort_keys=True)
            yield f"{rule.get('rule')}@{rule.get('version')}", str(rule.get("verdict")), None, why
        for guard in _objects(envelope.get("guards")):
            yield str(guard.get("guard")), str(guard.get("verdict")), None, None
        for passage in _objects(envelope.get("passages")):
            score = passage.get("score")
            label = "used" if passage.get("used") else "not_used"
            yield f"retrieval:{passage.get('passage_id')}", label, score / 10_000 if isinstance(score, int) else None, None


def _part(message: JsonObject) -> JsonObject:
    return {"type": "text", "content": message.get("content")}


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
