"""What an auditor is told of one record: what was said, and how it came about. Pure; render.py gives it colour.

It knows the payloads that the gateway writes (`gateway:turn:made`) and falls back on the bare fields for all else, so that no record is
shown empty and none breaks the page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tightrope.audit.models import Entry, Event, JsonObject
from tightrope.audit.wording import event_title, labels

_SPEAKERS = {
    Event.CUSTOMER_MESSAGE_RECEIVED: "customer",
    Event.CUSTOMER_BUTTON_PRESSED: "customer",
    Event.CUSTOMER_ATTACHMENT_RECEIVED: "customer",
    Event.AGENT_MESSAGE_RECEIVED: "agent",
    Event.AGENT_ATTACHMENT_RECEIVED: "agent",
    Event.AGENT_NOTE_RECEIVED: "note",
    Event.SYSTEM_MESSAGE_RECEIVED: "system",
    Event.MESSAGE_EDITED: "system",
    Event.BOT_MESSAGE_SENT: "bot",
}

_HIDDEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff\\ud800-\\udfff]"
)


def visible(text: str) -> str:
    """The text with control and direction characters shown as `<1b>`: what a customer wrote must not steer the reader's terminal."""
    return _HIDDEN.sub(lambda found: f"<{ord(found[0]):02x}>", text)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the trail."""

    label: str
    text: str
    style: str = ""
    strong: bool = False


def said(entry: Entry, language: str) -> Iterator[tuple[str, str, list[str]]]:
    """What was said by a record: speaker, text, small marks (buttons, sources)."""
    words, payload = labels(language), entry.payload or {}
    if entry.event == Event.MESSAGE_DELETED:
        yield "system", words["deleted"], []
        return
    speaker = _SPEAKERS.get(Event(entry.event)) if entry.event in set(Event) else None
    if speaker is not None:
        yield speaker, _text(payload) or words["no_text"], _message_marks(entry, payload, words)
    if entry.event in {Event.TURN_MADE, Event.TURN_FAILED}:
        yield from _sent(payload)


def trail(entry: Entry, language: str) -> Iterator[Line]:
    """How it came about, line by line, ending with the record's place in the chain."""
    words, payload = labels(language), entry.payload or {}
    facts: JsonObject = entry.leaf.get("facts", {}) if entry.leaf else {}
    if entry.event in {Event.TURN_MADE, Event.TURN_FAILED}:
        yield Line("●", f"{words['turn'].format(n=entry.turn)} · {event_title(entry.event, language)}", "bold")
        yield from _turn(payload, facts, words)
    else:
        yield Line("●", event_title(entry.event, language), "bold")
        yield from _plain(payload, facts, spoken=any(True for _ in said(entry, language)))
    if entry.problem:
        yield Line(words["problem"], entry.problem, "bold red", strong=True)
    place = str(entry.place) if entry.place else words["not_sealed"]
    yield Line(words["sealed_as"], f"{place} · {entry.record_id} · {entry.event}", "dim" if entry.place else "yellow")


def _text(payload: JsonObject) -> str:
    for name in ("text", "content", "title", "said"):
        value = payload.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _message_marks(entry: Entry, payload: JsonObject, words: dict[str, str]) -> list[str]:
    marks = [words["edited"]] if entry.event == Event.MESSAGE_EDITED else []
    for attachment in _objects(payload.get("attachments")):
        kind, digest = attachment.get("file_type") or attachment.get("type") or "", str(attachment.get("sha256") or "")[:12]
        marks.append(f"⎘ {words['attachment']} {kind} {digest}".rstrip())
    return marks


def _sent(payload: JsonObject) -> Iterator[tuple[str, str, list[str]]]:
    for item in [*_objects(payload.get("sent")), *_objects(payload.get("replies"))]:
        body = item.get("body")
        body = body if isinstance(body, dict) else item
        if item.get("kind", "message") not in {"message", "note"}:
            continue
        buttons = [*_objects(item.get("offers")), *_objects(item.get("buttons"))]
        marks = [f"[{button.get('title')}]" for button in buttons if button.get("title")]
        marks += [f"〔{c.get('n', '')} {c.get('title', '')}〕" for c in _objects(item.get("citations"))]
        private = item.get("kind") == "note" or body.get("private") is True
        text = _text(body)
        if text or marks:
            yield ("note" if private else "bot"), text, marks


def _turn(payload: JsonObject, facts: JsonObject, words: dict[str, str]) -> Iterator[Line]:
    yield _identity(payload, facts, words)
    if facts.get("decision"):
        failed = f" · {words['failure']}: {facts['failure']}" if facts.get("failure") else ""
        yield Line(words["decision"], f"{facts['decision']}{failed}", "red" if failed else "")
    yield from _understood(payload, words)
    steps = list(_steps(payload))
    if steps:
        yield Line(words["flow"], " → ".join(steps))
    for envelope in _objects(payload.get("envelopes")):
        yield from _envelope(envelope, words)
    took = [
        f"{name.removesuffix('_ms')} {facts[name]} ms"
        for name in ("latency_ms", "assistant_ms")
        if isinstance(facts.get(name), int)
    ]
    if took:
        yield Line(words["latency"], " · ".join(took), "dim")


def _identity(payload: JsonObject, facts: JsonObject, words: dict[str, str]) -> Line:
    identity = payload.get("identity")
    if isinstance(identity, dict):
        acr = identity.get("acr") or facts.get("acr")
        level = f" · {words['level']} {acr}" if acr else ""
        return Line(words["identity"], f"{words['verified']} · {identity.get('customer_id')}{level}", "green")
    return Line(words["identity"], words["anonymous"], "yellow")


def _understood(payload: JsonObject, words: dict[str, str]) -> Iterator[Line]:
    shown = [
        " ".join(str(value) for value in command.values() if value is not None) for command in _objects(payload.get("commands"))
    ]
    understanding = payload.get("understanding")
    understanding = understanding if isinstance(understanding, dict) else {}
    source = understanding.get("source")
    detail = f" · {words['by']} {source}" if source else ""
    if understanding.get("rule"):
        detail += f" ({understanding['rule']})"
    yield Line(words["commands"], (", ".join(shown) or words["none"]) + detail)
    yield from _models(understanding, words)


def _models(part: JsonObject, words: dict[str, str]) -> Iterator[Line]:
    for call in _objects(part.get("models")):
        how = f"{call.get('prompt_id')} → {call.get('outcome')} · {call.get('milliseconds')} ms"
        yield Line(f"  {words['model']}", f"{call.get('model')} · {how}", "" if call.get("outcome") == "done" else "yellow")


def visited(payload: JsonObject) -> Iterator[tuple[str, str]]:
    """Flow and step of every event of a turn that names them, in order; empty where it names only one."""
    for event in _objects(payload.get("events")):
        metadata = event.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        flow = event.get("flow_id") or metadata.get("flow_id") or metadata.get("active_flow")
        step = event.get("step_id") or metadata.get("step_id")
        yield str(flow or ""), str(step or "")


def _steps(payload: JsonObject) -> Iterator[str]:
    last = None
    for place in visited(payload):
        name = "/".join(part for part in place if part)
        if name and name != last:
            last = name
            yield name


def _envelope(envelope: JsonObject, words: dict[str, str]) -> Iterator[Line]:
    kind = envelope.get("kind")
    if kind == "evidence":
        yield Line(words["action"], f"{envelope.get('action')} → {envelope.get('outcome')}")
        for call in _objects(envelope.get("calls")):
            digest = str(call.get("sha256") or "")[:12]
            yield Line(
                f"  {words['call']}",
                f"{call.get('operation')} → {call.get('outcome')} · {words['as_of']} {call.get('as_of')} · {digest}",
            )
        for rule in _objects(envelope.get("rules")):
            inputs = json.dumps(rule.get("inputs"), ensure_ascii=False)
            good = str(rule.get("verdict")) in {"met", "eligible", "pass", "passed", "true", "True"}
            yield Line(
                f"  {words['rule']}",
                f"{rule.get('rule')} {rule.get('version')} → {rule.get('verdict')} {inputs}",
                "green" if good else "",
            )
        for passage in _objects(envelope.get("passages")):
            used = words["used"] if passage.get("used") else words["not_used"]
            text = f"{passage.get('passage_id')} · {words['score']} {passage.get('score')} · {used}"
            yield Line(f"  {words['passage']}", text, "" if passage.get("used") else "dim")
        for guard in _objects(envelope.get("guards")):
            yield from _guard(guard, words)
        yield from _models(envelope, words)
    elif kind == "handoff":
        yield Line(words["handoff"], f"{envelope.get('reason')} · {envelope.get('priority')}", "magenta")
    elif kind == "login":
        yield Line(words["login"], ", ".join(str(scope) for scope in envelope.get("scopes") or []), "yellow")
    elif kind == "journey":
        why = f" · {envelope['why']}" if envelope.get("why") else ""
        yield Line(words["flow"], f"{envelope.get('journey')} · {envelope.get('event')}{why}")


def _guard(guard: JsonObject, words: dict[str, str]) -> Iterator[Line]:
    """A guard's verdict, and under it what it refused, which was never sent."""
    refused = guard.get("verdict") != "passed"
    why = f" · {guard['reason']}" if guard.get("reason") else ""
    yield Line(f"  {words['guard']}", f"{guard.get('guard')} → {guard.get('verdict')}{why}", "yellow" if refused else "")
    for item in _objects(guard.get("refused")):
        detail = f" ({item['detail']})" if item.get("detail") else ""
        yield Line("", f"✗ {item.get('text')} · {item.get('reason')}{detail}", "yellow")


def _plain(payload: JsonObject, facts: JsonObject, *, spoken: bool) -> Iterator[Line]:
    hidden = {"text", "content", "said", "attachments"} if spoken else set()
    for name, value in [*facts.items(), *payload.items()]:
        if name in hidden or value in (None, "", [], {}):
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield Line(f"  {name}", text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


_LONGEST = 240


def _objects(value: Any) -> Iterable[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
