"""What a turn's record says: facts for the clear leaf, everything else for the encrypted payload. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tightrope.gateway.turns import Made, OpenTurn


def commands_of(events: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The commands of a turn and what the understanding server said of itself."""
    for event in events:
        if event.get("event") == "user":
            parsed = event.get("parse_data") or {}
            return list(parsed.get("commands") or []), dict(parsed.get("understanding") or {})
    return [], {}


def _model_calls(understanding: dict[str, Any], envelopes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls of a language model, for commands and for answers; envelopes are held to their schema, a foreign understanding server is not."""
    told = understanding.get("models")
    own = [call for call in told if isinstance(call, dict)] if isinstance(told, list) else []
    return own + [call for envelope in envelopes for call in envelope.get("models") or []]


def turn_facts(turn: OpenTurn, made: Made) -> dict[str, Any]:
    """Facts without personal data: decision, versions, verdict codes, counts, times in ms."""
    result = made.result
    commands, understanding = commands_of(result.events)
    outcomes = [f"{e['action']}:{e['outcome']}" for e in result.envelopes if e["kind"] == "evidence"]
    return {
        "decision": "failed" if made.failure else ("wording" if turn.wording is not None else "answered"),
        "failure": made.failure,
        "cause": turn.inbound["kind"],
        "attempt": turn.attempt,
        "lang": turn.language,
        "label": "automated",
        "disclosed": made.disclosed,
        "verified": turn.binding is not None,
        "acr": turn.binding.acr if turn.binding else None,
        "commands": [str(c.get("command")) for c in commands],
        "flows": sorted({str(c["flow"]) for c in commands if c.get("flow")}),
        "source": understanding.get("source"),
        "journey": result.journey,
        "outcomes": outcomes,
        "rules": sorted({f"{r['rule']}:{r['version']}={r['verdict']}" for e in result.envelopes for r in e.get("rules") or []}),
        "passages": sorted({p["passage_id"] for e in result.envelopes for p in e.get("passages") or [] if p["used"]}),
        "models": [f"{m.get('prompt_id')}:{m.get('outcome')}" for m in _model_calls(understanding, result.envelopes)],
        "handoff": result.handoff["reason"] if result.handoff else None,
        "latency_ms": round(made.latency * 1000),
        "assistant_ms": round(made.seconds * 1000),
    }


def turn_payload(turn: OpenTurn, made: Made) -> dict[str, Any]:
    """Everything that led to the reply: words, commands, flow steps, actions, evidence, and what goes out."""
    result = made.result
    commands, understanding = commands_of(result.events)
    return {
        "turn_sha256": hashlib.sha256(turn.turn_id.encode()).hexdigest(),
        "sender_id": turn.sender_id,
        "said": turn.text,
        "caused_by": str(turn.inbound["record_id"]) if turn.inbound["record_id"] else None,
        "identity": None
        if turn.binding is None
        else {"customer_id": turn.binding.customer_id, "acr": turn.binding.acr, "binding": str(turn.binding.id)},
        "commands": commands,
        "understanding": understanding,
        "events": result.events,
        "engine": result.making,
        "envelopes": result.envelopes,
        "sent": [
            {
                "kind": d.kind,
                "bot": d.bot,
                "body": d.body,
                "offers": [{"title": o.title, "payload": o.payload} for _, o in d.offers],
            }
            for d in made.drafts
        ],
    }
