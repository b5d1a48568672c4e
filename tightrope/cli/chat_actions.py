"""Custom actions in the terminal chat: stubs of a file, or whatever the author says that they return; all of it kept for the recording."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tightrope.engine.errors import ActionFailed, ProjectError
from tightrope.engine.models import Project
from tightrope.engine.state import Event, State
from tightrope.engine.turn import RunsActions
from tightrope.engine.yamlfile import Map, read

HELP = """What it returns, one a line; an empty line ends:
  slot NAME VALUE       sets a slot
  utter NAME k=v ...    says a response of the domain, with its variables
  say TEXT              says a text
  fail                  the action fails
  {"events": ...}       or Rasa's JSON
An empty line at once: nothing, or the same as the last time."""

Answer = dict[str, list[dict[str, Any]]]


@dataclass(slots=True)
class Remembering:
    """Keeps what each action gave, in order."""

    inner: RunsActions
    given: list[tuple[str, list[Any], list[Any]]] = field(default_factory=list)

    async def run(self, name: str, state: State, events: list[Event]) -> tuple[list[Any], list[Any]]:
        """As the inner one.

        Raises:
            ActionFailed: as the inner one.
        """
        found, responses = await self.inner.run(name, state, events)
        self.given.append((name, found, responses))
        return found, responses


class Stubs:
    """Actions of a file's `stub_custom_actions`, as e2e tests have them; what it does not name goes on to `otherwise`."""

    def __init__(self, stubs: Mapping[str, Answer], otherwise: RunsActions) -> None:
        self._stubs = stubs
        self._otherwise = otherwise

    async def run(self, name: str, state: State, events: list[Event]) -> tuple[list[Any], list[Any]]:
        """Events and responses of the stub.

        Raises:
            ActionFailed: what runs the others failed.
        """
        stub = self._stubs.get(name)
        if stub is None:
            return await self._otherwise.run(name, state, events)
        return [dict(event) for event in stub["events"]], [dict(response) for response in stub["responses"]]


def read_stubs(path: Path) -> dict[str, Answer]:
    """The stubs that hold for every case of a file.

    Raises:
        ProjectError: the file is no YAML, or holds no stubs of Rasa's form.
        OSError: it cannot be read.
    """
    found = read(path, path.parent).get("stub_custom_actions")
    if not isinstance(found, Map):
        raise ProjectError("there is no `stub_custom_actions` with a stub for each action", file=str(path), line=1)
    out: dict[str, Answer] = {}
    for name, stub in found.items():
        if "::" in name:
            continue
        if not isinstance(stub, Map) or not all(_mappings(stub.get(key) or []) for key in ("events", "responses")):
            raise ProjectError(
                f"the stub of {name} needs `events` and `responses`, both lists", file=str(path), line=found.at(name)
            )
        out[name] = {key: [dict(item) for item in stub.get(key) or []] for key in ("events", "responses")}
    return out


def _mappings(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(item, dict) for item in found)


class Asked:
    """Asks the author what an action returns.

    Args:
        ask: shows a prompt and gives a line.
        tell: shows a text.
    """

    def __init__(self, project: Project, ask: Callable[[str], str], tell: Callable[[str], None]) -> None:
        self._project = project
        self._ask = ask
        self._tell = tell
        self._before: dict[str, Answer] = {}

    async def run(self, name: str, _state: State, _events: list[Event]) -> tuple[list[Any], list[Any]]:
        """What the author says; an action that runs at every turn is asked about once.

        Raises:
            ActionFailed: the author says that it fails.
        """
        before = self._before.get(name)
        if before is None or name not in self._project.every_turn:
            before = self._asked(name, before)
            self._before[name] = before
        return [dict(event) for event in before["events"]], [dict(response) for response in before["responses"]]

    def _asked(self, name: str, before: Answer | None) -> Answer:
        first = "as before" if before is not None else "nothing"
        self._tell(f"The action {name} runs. What does it return? (empty line: {first}; ? for help)")
        answer: Answer = {"events": [], "responses": []}
        empty = True
        while True:
            line = self._ask(f"  {name}> ").strip()
            if not line:
                return before if empty and before is not None else answer
            if line == "?":
                self._tell(HELP)
                continue
            if line == "fail":
                raise ActionFailed(name, "the author let it fail")
            try:
                self._take(line, answer)
                empty = False
            except ValueError as error:
                self._tell(f"  {error}")

    def _take(self, line: str, answer: Answer) -> None:
        """Add one line to an answer.

        Raises:
            ValueError: it is none of what can be said; says why.
        """
        if line.startswith("{"):
            _json(line, answer)
            return
        verb, _, rest = line.partition(" ")
        rest = rest.strip()
        if verb == "slot" and rest:
            name, _, text = rest.replace("=", " ", 1).partition(" ") if " " not in rest.split("=", 1)[0] else rest.partition(" ")
            answer["events"].append({"event": "slot", "name": name, "value": self._value(name, text.strip())})
        elif verb == "utter" and rest:
            name, *pairs = rest.split()
            if name not in self._project.responses:
                raise ValueError(f"there is no response {name!r} in the domain")
            if not all("=" in pair for pair in pairs):
                raise ValueError("after the response stand variables as name=value")
            answer["responses"].append({"response": name, **dict(pair.split("=", 1) for pair in pairs)})
        elif verb == "say" and rest:
            answer["responses"].append({"text": rest})
        else:
            raise ValueError("not understood; ? for help")

    def _value(self, name: str, text: str) -> Any:
        slot = self._project.slots.get(name)
        if slot is None:
            raise ValueError(f"there is no slot {name!r} in the domain")
        if text in {"", "null", "None"}:
            return None
        if slot.type == "bool":
            if text.lower() not in {"true", "false"}:
                raise ValueError(f"the slot {name} is true or false")
            return text.lower() == "true"
        if slot.type == "float":
            try:
                return float(text)
            except ValueError:
                raise ValueError(f"the slot {name} takes a number") from None
        if slot.type in {"list", "any"}:
            try:
                return json.loads(text)
            except ValueError:
                if slot.type == "list":
                    raise ValueError(f"the slot {name} takes a list as JSON") from None
        return text


def _json(line: str, answer: Answer) -> None:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from None
    lists = {key: found.get(key, []) for key in ("events", "responses")}
    if not found.keys() <= lists.keys() or not all(_mappings(items) for items in lists.values()):
        raise ValueError('Rasa\'s JSON has "events" and "responses", lists of objects')
    for key, items in lists.items():
        answer[key].extend(items)
