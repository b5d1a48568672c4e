"""What a turn's record says: facts for the clear leaf, everything else for the encrypted payload. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tightrope.audit.models import Event, RecordDraft
from tightrope.gateway.wording import say

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
        "message_id": turn.inbound["message_id"],
        "decided": turn.decision,
        "epoch": turn.conversation["epoch"],
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
        "guards": sorted({f"{g['guard']}:{g['verdict']}" for e in result.envelopes for g in e.get("guards") or []}),
        "calls": [f"{c['operation']}={c['outcome']}" for e in result.envelopes for c in e.get("calls") or []],
        "steps": None if result.steps is None else len(result.steps),
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
        "decided": _decided(turn),
        "events": result.events,
        "steps": steps_told(result.events) if result.steps is None else result.steps,
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


def _decided(turn: OpenTurn) -> dict[str, Any]:
    """Why the assistant and no person answers: what the event said of the conversation, and that nobody held it."""
    seen = turn.inbound["body"].get("seen") or {}
    return {
        "by": "bot",
        "why": turn.decision,
        "held_by": turn.conversation["held_by"],
        "status": seen.get("status"),
        "assignee": seen.get("assignee_type"),
    }


def steps_told(events: Iterable[dict[str, Any]]) -> list[list[str]]:
    """The flow steps that tracker events name, as [flow, step]: fewer than ran, for an assistant that does not tell all of them."""
    steps: list[list[str]] = []
    for event in events:
        if event.get("flow_id") and event.get("step_id"):
            place = [str(event["flow_id"]), str(event["step_id"])]
            if not steps or steps[-1] != place:
                steps.append(place)
    return steps


def disclosure(turn: OpenTurn, epoch: int) -> RecordDraft:
    """That this session was told that it talks to an automated assistant, and in which words."""
    text = say("disclosure", turn.language)
    facts = {"lang": turn.language, "epoch": epoch, "text_sha256": hashlib.sha256(text.encode()).hexdigest()}
    return RecordDraft(
        Event.DISCLOSURE_SHOWN, turn.conversation["conversation_id"], turn=turn.number, facts=facts, payload={"text": text}
    )
