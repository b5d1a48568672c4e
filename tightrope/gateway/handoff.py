"""Handing a conversation to a person: what the agent gets to read, pure.

The note holds what the agent needs to go on without asking again, and nothing that Chatwoot must not keep: no account figures, no
identity numbers, no slot that an account filled. Conversation attributes are readable by the customer, so nothing goes there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tightrope.gateway.models import Language, OutboxDraft
from tightrope.gateway.replies import escape_markdown, harmless
from tightrope.gateway.wording import say

_LONG_NUMBER = re.compile(r"\d[\d\s-]{5,}\d[Xx]?")
_QUOTE = 160

HANDOFF_JOURNEY = "talk_to_agent"
MAX_GIVEN = 12
MAX_SOURCES = 4

_REASONS = {
    "request": "客户要求人工 · the customer asked for a person",
    "complaint": "投诉 · complaint",
    "distress": "客户可能处于困境，请立即联系 · possible distress, please attend at once",
    "coercion": "客户可能正受他人胁迫或操控，请立即联系 · possibly coerced or controlled by somebody, please attend at once",
    "vulnerable": "客户可能需要特别照顾，请优先、耐心接待 · possibly vulnerable, please attend first and with patience",
    "fraud": "客户报告诈骗或账户被盗，请立即处理 · fraud or a stolen account reported, please act at once",
    "failures": "连续两次未能理解 · not understood twice in a row",
    "error": "系统故障 · system failure",
    "switch": "自动应答已停用 · the automated assistant is switched off",
    "identity": "身份未能确认 · identity could not be confirmed",
    "content": "无法处理的内容（图片、文件、语音等） · content that only a person can read",
}


@dataclass(frozen=True)
class Situation:
    """What the note is made of.

    Attributes:
        said: the customer's own last words, newest last.
        data: slot name -> value that the customer gave in the journey.
        sources: titles of the documents shown.
    """

    reason: str
    priority: str
    language: Language
    verified: bool
    journey: str | None
    step: str | None
    said: list[str] = field(default_factory=list)
    data: dict[str, str] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    record: str = ""


def masked(text: str) -> str:
    """Text without identity, card, phone or account numbers: every run of seven or more digits becomes `***` and its last two digits."""
    return _LONG_NUMBER.sub(lambda m: "***" + re.sub(r"\D", "", m.group())[-2:], text)


def note(situation: Situation) -> str:
    """The private note, bilingual so that any agent of the firm can read it."""
    lines = [
        f"**{say('note_title', 'zh')} {say('note_title', 'en')}**",
        f"- 原因 Reason: {_REASONS[situation.reason]}",
        f"- 身份 Identity: {'已验证 · verified' if situation.verified else '未验证 · not verified'}",
        f"- 语言 Language: {'中文' if situation.language == 'zh' else 'English'}",
    ]
    if situation.journey:
        lines.append(f"- 流程 Journey: `{situation.journey}`" + (f", step `{situation.step}`" if situation.step else ""))
    for name, value in sorted(situation.data.items()):
        lines.append(f"- 客户提供 Given: {escape_markdown(name)} = {escape_markdown(masked(value))[:_QUOTE]}")
    for said in situation.said[-3:]:
        lines.append(f"- 客户原话 Said: “{escape_markdown(masked(said)[:_QUOTE])}”")
    for title in situation.sources:
        lines.append(f"- 已出示来源 Source shown: {escape_markdown(title)}")
    lines.append(f"- 记录 Record: `{situation.record}`")
    return harmless("\n".join(lines))


def drafts(situation: Situation) -> tuple[list[OutboxDraft], list[OutboxDraft]]:
    """The calls before and after the messages of the turn: note, label, priority; then open (which notifies the agents)."""
    before = [
        OutboxDraft("note", {"content": note(situation), "private": True, "content_type": "text"}, even_if_held=True),
        OutboxDraft("labels", {"add": ["bot-handoff", f"reason-{situation.reason}"]}, even_if_held=True),
    ]
    if situation.priority != "normal":
        before.append(OutboxDraft("priority", {"priority": situation.priority}, even_if_held=True))
    return before, [OutboxDraft("open", {"status": "open"}, even_if_held=True)]


def remembered(
    context: dict[str, Any], *, journey: str | None, events: list[dict[str, Any]], sources: list[str]
) -> dict[str, Any]:
    """The session's context after one more turn: what the agent will want to know. The way to a person is no journey to tell of."""
    later = dict(context)
    if journey is not None and journey != HANDOFF_JOURNEY:
        later |= {"journey": journey, "step": last_step(events, journey)}
    elif (known := context.get("journey")) and (step := last_step(events, known)):
        # An answer to a journey's question: no action says that it goes on.
        later["step"] = step
    data = {**context.get("data", {}), **given_data(events)}
    shown = [*context.get("sources", []), *(s for s in sources if s not in context.get("sources", []))]
    return later | {"data": dict(list(data.items())[-MAX_GIVEN:]), "sources": shown[-MAX_SOURCES:]}


def last_step(events: list[dict[str, Any]], journey: str) -> str | None:
    """The step at which a turn left a journey: where it ended, or where it stands on the stack."""
    for event in reversed(events):
        if event.get("event") == "stack":
            for patch in _json(event.get("update")):
                frames = patch.get("value") if isinstance(patch, dict) else None
                for frame in frames if isinstance(frames, list) else [frames]:
                    if isinstance(frame, dict) and frame.get("flow_id") == journey:
                        return str(frame.get("step_id"))
        elif event.get("flow_id") == journey and event.get("step_id"):
            return str(event["step_id"])
    return None


def _json(update: Any) -> list[Any]:
    try:
        read = json.loads(update) if isinstance(update, str) else update
    except ValueError:
        return []
    return read if isinstance(read, list) else []


def given_data(events: list[dict[str, Any]]) -> dict[str, str]:
    """What the customer gave in this turn: slots set by commands of their own messages, never what an action set."""
    given: dict[str, str] = {}
    for event in events:
        if event.get("event") != "user":
            continue
        for command in (event.get("parse_data") or {}).get("commands") or []:
            name, value = command.get("name") or command.get("slot"), command.get("value")
            if command.get("command") == "set slot" and isinstance(name, str) and isinstance(value, str | int | float | bool):
                given[name] = str(value)
    given.pop("handoff_reason", None)
    return given
