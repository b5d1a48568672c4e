"""What the sandbox's model says: a script reads the prompt as a model would (the lines of JSON in it) and fills the schema that it was given.

`reader` answers as well as counting shared words can; it is a stand-in for the protocol, not for a model's quality.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

Messages = Sequence[Mapping[str, Any]]
Schema = Mapping[str, Any]
_WORD: Final = re.compile(r"[a-z]{3,}|[\u4e00-\u9fff](?=([\u4e00-\u9fff]))")
_SHARED: Final = 2
"""Shared words from which a sentence is taken for an answer."""


class Script(Protocol):
    """The output for a conversation under a constraint (None: there is none)."""

    def __call__(self, messages: Messages, schema: Schema | None) -> str: ...


def records(messages: Messages) -> list[dict[str, Any]]:
    """The lines of JSON in the last message: how this project's prompts give passages, flows and questions."""
    found = []
    for line in str(messages[-1].get("content", "")).splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def numbered(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The numbered sentences, each with title and section of its passage as `about`."""
    found, about = [], ""
    for one in given:
        if "passage" in one:
            about = f"{one.get('title')} {one.get('section')}"
        elif {"id", "text"} <= one.keys():
            found.append({**one, "about": about})
    return found


def words(text: str) -> set[str]:
    """Words of English, pairs of characters of Chinese."""
    return {match[0] + (match[1] or "") for match in _WORD.finditer(text.lower())}


def reader(messages: Messages, schema: Schema | None) -> str:
    """Quotes the sentences that share most words with the question, or chooses the command whose meaning does; refuses where none shares enough."""
    given = records(messages)
    if commands := listed(schema):
        return _compact({"command": _likest(given, commands)})
    question = words(" ".join(str(one["question"]) for one in given if "question" in one))
    shared = {one["id"]: len(question & words(f"{one['text']} {one['about']}")) for one in numbered(given)}
    best = sorted((one for one in numbered(given) if shared[one["id"]] >= _SHARED), key=lambda one: -shared[one["id"]])
    return written(best[:3], schema)


def written(chosen: Sequence[Mapping[str, Any]], schema: Schema | None) -> str:
    """Sentences in the form that the schema of an answer asks for: by number, or as text with the number they rest on."""
    parts = (schema or {}).get("properties", {})
    decision = "answer" if chosen else "refuse"
    if "quotes" in parts:
        leads = parts["quotes"]["items"]["properties"]["lead"]["enum"]
        quotes = [{"lead": leads[-1] if at else "", "id": one["id"]} for at, one in enumerate(chosen)]
        return _compact({"decision": decision, "quotes": quotes})
    if "sentences" in parts:
        return _compact({"decision": decision, "sentences": [{"text": one["text"], "id": one["id"]} for one in chosen]})
    return "\n".join(str(one["text"]) for one in chosen) or "I do not know."


def listed(schema: Schema | None) -> list[str]:
    """The commands that a schema lists; none where it is that of an answer."""
    asked = (schema or {}).get("properties", {}).get("command", {})
    return list(asked.get("enum", []))


def _likest(given: Sequence[Mapping[str, Any]], commands: Sequence[str]) -> str:
    message = words(" ".join(str(one["message"]) for one in given if "message" in one))
    shared = {str(one["command"]): len(message & words(str(one["means"]))) for one in given if "means" in one}
    best = max(commands, key=lambda command: shared.get(command, 0))
    return best if shared.get(best, 0) >= _SHARED else commands[-1]


def obedient(messages: Messages, schema: Schema | None) -> str:
    """A model that does what anybody tells it: a sentence or question with an instruction in it decides what is said."""
    given = records(messages)
    told = re.compile(r"ignore|disregard|instead|system prompt|忽略|无视|不要理会|系统提示", re.IGNORECASE)
    sentences = numbered(given)
    inside = [one for one in sentences if told.search(str(one["text"]))]
    if inside:
        return written(inside, schema)
    asked = next((str(one["question"]) for one in given if "question" in one), "")
    if told.search(asked) and sentences:
        said = re.split(r"[:：]", asked)[-1].strip()
        return written([{"id": sentences[0]["id"], "text": said or asked}], schema)
    return reader(messages, schema)


def liar(messages: Messages, schema: Schema | None) -> str:
    """A model that cites the first sentence and says something else, with figures of its own; without room for words of its own, any number."""
    sentences = numbered(records(messages))
    if not sentences:
        return written([], schema)
    changed = re.sub(r"\d+", lambda found: str(int(found[0]) + 1), str(sentences[0]["text"]))
    return written([{"id": sentences[-1]["id"], "text": changed + " 保证收益 12.34%。"}], schema)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
