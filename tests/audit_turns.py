"""Turns as the gateway records them, for tests of index and export: facts and payload come from the gateway's own functions, verdicts from the rules."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

from tightrope.audit.models import Event, RecordDraft
from tightrope.gateway.models import Offer, OutboxDraft, Reply, TurnResult
from tightrope.gateway.summary import turn_facts, turn_payload

NAME = "林晓雯"
PHONE = "13800138000"
IDENTITY = "11010519491231002X"
CARD = "6222020200112233"
BALANCE = "826,437.51"
CUSTOMER = "C1001"
SECRETS = (NAME, PHONE, IDENTITY, CARD, BALANCE, CUSTOMER)
"""What a masked export must not hold of the demo customer."""


def message(conversation: str, text: str, **changes: Any) -> RecordDraft:
    """A customer's message as the gateway's intake records it."""
    payload = {
        "content": text,
        "content_type": "text",
        "message_type": "incoming",
        "private": False,
        "created_at": 1,
        "sender": {"id": 12, "type": "contact", "name": NAME},
        "attachments": [],
        "seen": {"status": "pending", "assignee_type": None},
    }
    return RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, conversation, facts={"message_id": 9}, payload=payload | changes)


def agent_message(conversation: str, text: str, agent: int = 7) -> RecordDraft:
    """A person's reply."""
    payload = {
        "content": text,
        "message_type": "outgoing",
        "sender": {"id": agent, "type": "user", "name": "王工"},
        "attachments": [],
    }
    return RecordDraft(Event.AGENT_MESSAGE_RECEIVED, conversation, facts={"message_id": 10}, payload=payload)


def turn(
    conversation: str,
    number: int,
    result: TurnResult,
    *,
    customer: str | None = None,
    text: str = "我能开通融资融券吗",
    failure: str | None = None,
) -> RecordDraft:
    """A turn, with facts and payload made as `Turns` makes them."""
    binding = SimpleNamespace(customer_id=customer, acr="2", id="b-1") if customer else None
    asked = SimpleNamespace(
        turn_id=f"turn-{conversation}-{number}",
        number=number,
        attempt=1,
        sender_id=f"cw-{conversation}-e1",
        language="zh",
        conversation={"conversation_id": conversation, "epoch": 1, "held_by": None, "turn_count": number},
        inbound={"kind": "message", "body": {}, "message_id": 9, "record_id": None},
        binding=binding,
        text=text,
        wording=None,
        decision="ask",
    )
    drafts = [
        OutboxDraft(
            "message",
            {"content": reply.text, "private": False},
            bot=True,
            offers=tuple((f"tr:{i}", o) for i, o in enumerate(reply.offers)),
        )
        for reply in result.replies
    ]
    if not hasattr(result, "steps"):
        result.steps = None
    made = SimpleNamespace(result=result, drafts=drafts, failure=failure, latency=0.12, seconds=0.08, disclosed=False)
    return RecordDraft(
        Event.TURN_FAILED if failure else Event.TURN_MADE,
        conversation,
        customer,
        number,
        turn_facts(asked, made),  # type: ignore[arg-type]
        turn_payload(asked, made),  # type: ignore[arg-type]
    )


def _user(flow: str) -> dict[str, Any]:
    understanding = {"source": "rule", "rule": "margin_open", "candidates": [], "threshold": 5000, "classifier": "ab" * 32}
    return {
        "event": "user",
        "text": "…",
        "parse_data": {"commands": [{"command": "start flow", "flow": flow}], "understanding": understanding},
    }


def margin(
    today: date, assessed_on: date, *, level: str = "C4", average: str = "826437.51", text: str | None = None
) -> TurnResult:
    """A margin eligibility check, decided by the real rule on `today`, recorded as actions/margin.py records it."""
    from decimal import Decimal
    from pathlib import Path

    import yaml

    from actions.margin import _recorded
    from tightrope import rules
    from tightrope.rules.margin import RULE, MarginFacts, MarginRules

    data = yaml.safe_load((Path(rules.__file__).parent / "data" / "margin.yml").read_text(encoding="utf-8"))
    facts = MarginFacts(
        "retail", level, assessed_on, assessed_on, "normal", date(2019, 3, 1), Decimal(average), "CNY", margin_enabled=False
    )
    assessment = MarginRules(data).assess(facts, today)
    told: list[dict[str, Any]] = [
        {
            "rule": f"{RULE}.{f.condition.value}",
            "version": assessment.version,
            "verdict": f.state.value,
            "inputs": {name: _recorded(value) for name, value in f.values.items()},
        }
        for f in assessment.findings
    ]
    told.append(
        {"rule": RULE, "version": assessment.version, "verdict": assessment.verdict.value, "inputs": {"margin_enabled": False}}
    )
    envelopes = [
        {"v": 1, "kind": "journey", "journey": "check_margin_eligibility", "event": "started"},
        {
            "v": 1,
            "kind": "evidence",
            "action": "action_check_margin_eligibility",
            "outcome": assessment.verdict.value,
            "calls": [
                {
                    "operation": "getMarginFacts",
                    "outcome": "done",
                    "status": 200,
                    "as_of": "2026-05-04T10:31:00+08:00",
                    "sha256": "cd" * 32,
                }
            ],
            "rules": told,
        },
        {"v": 1, "kind": "journey", "journey": "check_margin_eligibility", "event": "completed"},
    ]
    events = [
        _user("check_margin_eligibility"),
        {"event": "flow_started", "flow_id": "check_margin_eligibility"},
        {"event": "bot", "text": "…", "metadata": {"utter_action": f"utter_margin_{assessment.verdict.value}"}},
    ]
    said = (
        text
        or f"您目前{'可以' if assessment.verdict.value == 'eligible' else '不能'}开通融资融券。近20个交易日日均资产 {BALANCE} 元。"
    )
    return TurnResult([Reply(said, (Offer("为什么?", "/x"),))], envelopes, events=events)


def cited(document: str, version: str, *, used: bool = True, text: str = "佣金最低5元。[1]") -> TurnResult:
    """An answer from knowledge, as actions/knowledge.py records it."""
    passage = {
        "passage_id": f"{document}.{version}.zh.2",
        "document_id": document,
        "version": version,
        "score": 8123,
        "sha256": "ab" * 32,
        "used": used,
    }
    model = {
        "outcome": "done",
        "prompt_id": "answer.v1",
        "prompt_sha256": "ab" * 32,
        "template_sha256": "ab" * 32,
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "佣金多少"}],
        "parameters": {"temperature": 0},
        "model": "qwen2.5-14b-instruct@3f9c",
        "fingerprint": "fp-1",
        "request_id": "q-1",
        "output": '{"sentences":[1]}',
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 812, "completion_tokens": 9},
        "milliseconds": 812,
        "detail": "",
    }
    envelopes: list[dict[str, Any]] = [
        {
            "v": 1,
            "kind": "evidence",
            "action": "action_search",
            "outcome": "answered" if used else "nothing",
            "passages": [passage],
            "models": [model],
        }
    ]
    if used:
        item = {
            "n": 1,
            "document_id": document,
            "version": version,
            "language": "zh",
            "title": "佣金",
            "section": "",
            "effective_from": "2026-01-01",
        }
        envelopes.append(
            {"v": 1, "kind": "citations", "items": [item | {"passage_id": passage["passage_id"], "sha256": "ab" * 32}]}
        )
    return TurnResult(
        [Reply(text)], envelopes, events=[{"event": "user", "parse_data": {"commands": [], "understanding": {"source": "none"}}}]
    )
