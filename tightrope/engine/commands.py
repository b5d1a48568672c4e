"""The closed set of commands: read from Rasa's texts (v1, v2, v3) and from button payloads, written as Rasa's command objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import orjson

from tightrope.engine.errors import CommandSyntaxError
from tightrope.engine.mappings import Entity, MappingError, read_entities
from tightrope.engine.models import (
    CancelFlow,
    CannotHandle,
    ChitChat,
    Clarify,
    Command,
    Fail,
    Intent,
    KnowledgeAnswer,
    RepeatBotMessages,
    SetSlot,
    SkipQuestion,
    StartFlow,
    TriggerPattern,
)

Version = Literal["v1", "v2", "v3"]
MAX_PAIRS = 10
_NAME = r"[A-Za-z_][\w\-]*"
_NULLS = {"None", "null", "undefined"}


def _unquote(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def _value(text: str) -> str | None:
    value = _unquote(text)
    return None if value in _NULLS else value


def _options(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s,]+", text.strip()) if word)


_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], Command]]


def _rules(*rules: tuple[str, Callable[[re.Match[str]], Command]]) -> tuple[_Rule, ...]:
    return tuple((re.compile(pattern), make) for pattern, make in rules)


_WORDED = (
    (rf"start flow ({_NAME})$", lambda m: StartFlow(m[1])),
    (rf"set slot ({_NAME}) (.+)$", lambda m: SetSlot(m[1], _value(m[2]))),
    (r"cancel flow$", lambda _m: CancelFlow()),
    (r"disambiguate flows?((?:[\s,]+[\w\-]+)*)$", lambda m: Clarify(_options(m[1]))),
    (r"repeat message$", lambda _m: RepeatBotMessages()),
    (r"skip question$", lambda _m: SkipQuestion()),
)
_TABLE: dict[Version, tuple[_Rule, ...]] = {
    "v3": _rules(*_WORDED, (r"search and reply$", lambda _m: KnowledgeAnswer()), (r"offtopic reply$", lambda _m: ChitChat())),
    "v2": _rules(*_WORDED, (r"provide info$", lambda _m: KnowledgeAnswer()), (r"offtopic reply$", lambda _m: ChitChat())),
    "v1": _rules(
        (rf"StartFlow\(\s*({_NAME})\s*\)$", lambda m: StartFlow(m[1])),
        (rf"SetSlot\(\s*({_NAME})\s*,\s*(.*?)\s*\)$", lambda m: SetSlot(m[1], _value(m[2]))),
        (r"CancelFlow\(\)$", lambda _m: CancelFlow()),
        (r"Clarify\((.*)\)$", lambda m: Clarify(_options(m[1]))),
        (r"SearchAndReply\(\)$", lambda _m: KnowledgeAnswer()),
        (r"ChitChat\(\)$", lambda _m: ChitChat()),
        (r"SkipQuestion\(\)$", lambda _m: SkipQuestion()),
        (r"RepeatLastBotMessages\(\)$", lambda _m: RepeatBotMessages()),
    ),
}


def parse_line(line: str, version: Version = "v3") -> Command:
    """One command.

    Raises:
        CommandSyntaxError: the line is none of this version's commands.
    """
    line = line.strip()
    for pattern, make in _TABLE[version]:
        found = pattern.match(line)
        if found is not None:
            return make(found)
    raise CommandSyntaxError(f"no command of {version}: {line[:80]!r}")


def parse_text(text: str, version: Version = "v3") -> tuple[tuple[Command, ...], tuple[str, ...]]:
    """Commands of a text with one a line, and the lines that are none."""
    commands: list[Command] = []
    refused: list[str] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            commands.append(parse_line(line, version))
        except CommandSyntaxError:
            refused.append(line.strip())
    return tuple(commands), tuple(refused)


_PAYLOAD = re.compile(r"/SetSlots\((.*)\)$", re.DOTALL)
_INTENT = re.compile(r"/([^\W\d][\w\-+.]*)(?:@(0(?:\.\d+)?|1(?:\.0+)?))?\s*(\{.*\})?$", re.DOTALL)
_START = re.compile(rf"/StartFlow\(({_NAME})\)$")


def parse_payload(text: str) -> tuple[Command, ...]:
    """Commands of a button payload: `/SetSlots(a=1, b=2)`, at most ten pairs, `/intent{"entity": "value"}`, or our own `/StartFlow(f)`.

    Raises:
        CommandSyntaxError: it has another form, says why.
    """
    start = _START.match(text)
    if start is not None:
        return (StartFlow(start[1]),)
    found = _PAYLOAD.match(text)
    if found is None:
        return (_intent(text),)
    pairs = [pair.strip() for pair in found[1].split(",")] if found[1].strip() else []
    if not pairs or len(pairs) > MAX_PAIRS:
        raise CommandSyntaxError(f"a payload has 1 to {MAX_PAIRS} pairs, this one has {len(pairs)}")
    commands: list[Command] = []
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not re.fullmatch(_NAME, name.strip()) or any(mark in value for mark in "()"):
            raise CommandSyntaxError(f"the pair {pair[:40]!r} is not name=value")
        commands.append(SetSlot(name.strip(), _value(value), "SetSlots"))
    return tuple(commands)


def _intent(text: str) -> Intent:
    found = _INTENT.match(text)
    if found is None:
        raise CommandSyntaxError("not of the form /SetSlots(name=value, …) or /intent{…}")
    try:
        entities = read_entities(orjson.loads(found[3])) if found[3] else ()
    except (orjson.JSONDecodeError, MappingError) as error:
        raise CommandSyntaxError(f"the entities of {text[:40]!r} cannot be read: {error}") from None
    return Intent(found[1], entities, float(found[2] or 1.0))


def as_dict(command: Command) -> dict[str, Any]:
    """The command object of a user event's `parse_data.commands`."""
    match command:
        case StartFlow(flow):
            return {"command": "start flow", "flow": flow}
        case SetSlot(name, value, extractor):
            return {"command": "set slot", "name": name, "value": value, "extractor": extractor}
        case Clarify(options):
            return {"command": "clarify", "options": list(options)}
        case CannotHandle(reason):
            return {"command": "cannot handle", "reason": reason}
        case Fail(error_type, info):
            return {"command": "error", "error_type": error_type, "info": dict(info)}
        case Intent(name, entities, confidence):
            return {"command": "intent", "name": name, "confidence": confidence, "entities": [entity_dict(e) for e in entities]}
        case TriggerPattern(pattern):
            return {"command": pattern.removeprefix("pattern_").replace("_", " ")}
    return {"command": _NAMES[type(command)]}


def entity_dict(entity: Entity) -> dict[str, Any]:
    """An entity as it stands in a user event's `parse_data.entities`."""
    out = {"entity": entity.name, "value": entity.value}
    return {**out, **{key: found for key, found in (("role", entity.role), ("group", entity.group)) if found is not None}}


_NAMES: Mapping[type, str] = {
    CancelFlow: "cancel flow",
    KnowledgeAnswer: "knowledge",
    ChitChat: "chitchat",
    SkipQuestion: "skip question",
    RepeatBotMessages: "repeat bot messages",
}


def as_line(command: Command) -> str:
    """The command in v3 text; engine-made ones as their names."""
    return dict_line(as_dict(command))


def dict_line(found: Mapping[str, Any]) -> str:
    """As `as_line`, of a command object that `as_dict` wrote."""
    match found:
        case {"command": "start flow", "flow": flow}:
            return f"start flow {flow}"
        case {"command": "set slot", "name": name, "value": value}:
            return f"set slot {name} {value}"
        case {"command": "clarify", "options": options}:
            return " ".join(("disambiguate flows", *options))
        case {"command": "intent", "name": name}:
            return f"intent {name}"
    return _LINES.get(found["command"], str(found["command"]))


_LINES = {"knowledge": "search and reply", "chitchat": "offtopic reply", "repeat bot messages": "repeat message"}
