"""The closed set of commands: read from Rasa's texts (v1, v2, v3) and from button payloads, written as Rasa's command objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

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
    Version,
)

MAX_PAIRS = 10
_NAME = r"[A-Za-z_][\w\-]*"
_FLOW = r"[A-Za-z0-9_][\w\-]*"
"""The id of a flow, which may begin with a digit."""
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
    return tuple(word for word in re.split(r"[\s,\"'`]+", text.strip()) if word)


_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], Command]]
_AROUND = r"[\"'`]?"
_END = r"[\"'`]*[.;]?$"


def _rules(*rules: tuple[str, Callable[[re.Match[str]], Command]], flags: re.RegexFlag = re.NOFLAG) -> tuple[_Rule, ...]:
    return tuple((re.compile(pattern, flags), make) for pattern, make in rules)


def _worded(search: str) -> tuple[_Rule, ...]:
    """The forms that v2 and v3 share; a model that writes a command with a capital means it all the same."""
    return _rules(
        (rf"start flow {_AROUND}({_FLOW}){_END}", lambda m: StartFlow(m[1])),
        (rf"set slot {_AROUND}({_NAME}){_AROUND} (.+)$", lambda m: SetSlot(m[1], _value(m[2]))),
        (rf"cancel flow{_END}", lambda _m: CancelFlow()),
        (rf"disambiguate flows?((?:[\s,\"'`]+[\w\-]+)*){_END}", lambda m: Clarify(_options(m[1]))),
        (rf"repeat message{_END}", lambda _m: RepeatBotMessages()),
        (rf"skip question{_END}", lambda _m: SkipQuestion()),
        (rf"{search}{_END}", lambda _m: KnowledgeAnswer()),
        (rf"offtopic reply{_END}", lambda _m: ChitChat()),
        flags=re.IGNORECASE,
    )


_TABLE: dict[Version, tuple[_Rule, ...]] = {
    "v3": _worded("search and reply"),
    "v2": _worded("provide info"),
    "v1": _rules(
        (rf"StartFlow\(\s*{_AROUND}({_FLOW}){_AROUND}\s*\){_END}", lambda m: StartFlow(m[1])),
        (rf"SetSlot\(\s*{_AROUND}({_NAME}){_AROUND}\s*,(.*)\){_END}", lambda m: SetSlot(m[1], _value(m[2]))),
        (rf"CancelFlow\(\){_END}", lambda _m: CancelFlow()),
        (rf"Clarify\((.*)\){_END}", lambda m: Clarify(_options(m[1]))),
        (rf"SearchAndReply\(\){_END}", lambda _m: KnowledgeAnswer()),
        (rf"ChitChat\(\){_END}", lambda _m: ChitChat()),
        (rf"SkipQuestion\(\){_END}", lambda _m: SkipQuestion()),
        (rf"RepeatLastBotMessages\(\){_END}", lambda _m: RepeatBotMessages()),
    ),
}
_LEAD = re.compile(r"[\W\d]{0,12}")
"""Numbering, bullets, quotes and the like before a command."""
_FENCE = re.compile(r"\s*```\w*\s*$")


def parse_line(line: str, version: Version = "v3") -> Command:
    """One command; what models put around one is overlooked: numbering, bullets, quotes, a full stop, capitals (v2, v3).

    The set is closed: words before or after a command make the line none.

    Raises:
        CommandSyntaxError: the line is none of this version's commands.
    """
    line = line.strip()
    begins = _LEAD.match(line)
    at = begins.end() if begins else 0
    quotes = line[len(line[:at].rstrip("\"'`")) : at]
    end = len(line) - len(quotes) if quotes and line.endswith(quotes[::-1]) else len(line)
    for pattern, make in _TABLE[version]:
        found = pattern.match(line, at, end)
        if found is not None:
            return make(found)
    raise CommandSyntaxError(f"no command of {version}: {line[:80]!r}")


def parse_text(text: str, version: Version = "v3") -> tuple[tuple[Command, ...], tuple[str, ...]]:
    """Commands of a text with one a line, and the lines that are none."""
    commands: list[Command] = []
    refused: list[str] = []
    for line in text.splitlines():
        if not line.strip() or _FENCE.match(line):
            continue
        try:
            commands.append(parse_line(line, version))
        except CommandSyntaxError:
            refused.append(line.strip())
    return tuple(commands), tuple(refused)


_PAYLOAD = re.compile(r"/SetSlots\((.*)\)$", re.DOTALL)
_INTENT = re.compile(r"/([^\W\d][\w\-+.]*)(?:@(0(?:\.\d+)?|1(?:\.0+)?))?\s*(\{.*\})?$", re.DOTALL)
_START = re.compile(rf"/StartFlow\(({_FLOW})\)$")


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
