"""The files of the conformance suite: `cases/<section>-<topic>.yml`, read strictly, so that a misspelt key never passes for an expectation.

A file has `section` (of the reference, rasa-calm.md), `title`, perhaps a `project` and `actions` that its cases share, and `cases`:

    id:       unique; the pytest id
    source:   {section, line, says}: a line of the reference below a heading of that section, and the rule in our own words
    project:  {config, domain, flows, endpoints} merged over the shared one: flows, slots and responses by name, lists are appended,
              null takes out; or {files: {path: text}} for files as written (the line numbers are then those of the text)
    actions:  what a custom action answers: {events, responses, slots: {name: value}}, `fails`, or a list of answers, one a call;
              the last of a list is given for good. The names are added to the domain
    strict:   true: a payload counts only if a button offered it (the engine's strict_payloads); false unless given
    cap:      the cap on predictions, the engine's own unless given
    options:  how an operator runs the project (Options in engine/models.py)
    flawed:   words of each error that the check reports of this project; without it the check must report none
    turns:    see TURN and EXPECT; or, for what is decided when files are read,
    condition: with `holds`, a list of {slots, is}, in place of turns: a condition of conditions, tried as the branch of a flow and as the
              condition of a response
    loaded:   attributes of the Project (engine/models.py) that the files give
    env:      variables of the environment while the files are read
    refused:  {line, words, file}: the check reports an error there. `line` is a number, or a text that this line holds, or a list of
              such texts of which it holds one. A map of the project is written as YAML with one key a line
    warned:   the same for a warning
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tightrope.engine.yamlfile import read

CASES = Path(__file__).parent / "cases"

TURN = {"say", "press", "commands", "advance", "channel", "metadata", "release", "expect"}
"""`say` a text (a payload begins with /), `press` a button by its title,
`commands` v3 lines that understanding makes of the text; `advance` minutes that pass before; `channel`, `metadata` of the message;
`release` a project laid over the case's own from this turn on."""

EXPECT = {
    "replies", "includes", "buttons", "slots", "not_slots", "stack", "events", "no_events", "ran", "kept", "problems",
    "sees", "prompt",
    "flow_started", "flow_completed", "flow_cancelled", "flow_resumed", "flow_interrupted",
}  # fmt: skip
"""Of this turn. `replies` all messages: an exact text, an `utter_` name, or a map of {text, utter, buttons, custom, image, attachment};
`includes` some of them in order; `buttons` titles, or maps, of all messages; `slots` values now; `not_slots` names that are not set now;
`stack` flow ids from bottom to top; `events` partial events in order, others between them; `no_events` partial events that are not
there; `ran` custom actions in order; `sees` per action what its request carried of the tracker, the last time in this turn; `prompt` variables
that a prompt template is given now; `kept` the commands applied, as v3 lines; `problems` words of each problem reported (none unless
given); `flow_…` flow ids in order, patterns left out."""

_FILE = {"section", "title", "project", "actions", "cases"}
_CASE = {
    "id", "source", "project", "actions", "strict", "cap", "options", "flawed", "turns", "condition", "holds", "loaded", "env", "refused", "warned",
}  # fmt: skip
_PROJECT = {"config", "domain", "flows", "endpoints", "files"}
_PLACE = {"line", "words", "file"}
_ANSWER = {"events", "responses", "slots"}
FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the reference says it."""

    section: str
    line: int
    says: str


@dataclass(frozen=True, slots=True)
class Case:
    """One sentence of the reference, made into behaviour."""

    id: str
    file: str
    source: Source
    project: Mapping[str, Any]
    actions: Mapping[str, list[Any]]
    turns: tuple[Mapping[str, Any], ...]
    loaded: Mapping[str, Any] | None
    env: Mapping[str, str]
    refused: Mapping[str, Any] | None
    warned: Mapping[str, Any] | None
    flawed: tuple[str, ...] = ()
    strict: bool = False
    cap: int | None = None
    options: Mapping[str, bool] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """Every file of the project: path to text."""
        out = dict(self.project.get("files") or {})
        config = {"recipe": "default.v1", "language": "en", **(self.project.get("config") or {})}
        domain = dict(self.project.get("domain") or {})
        if self.actions:
            domain["actions"] = [*(domain.get("actions") or ()), *self.actions]
        made = {
            "config.yml": config,
            "endpoints.yml": self.project.get("endpoints"),
            "domain.yml": {"version": "3.1", **domain},
            "data/flows.yml": {"flows": self.project["flows"]} if self.project.get("flows") else None,
        }
        for path, found in made.items():
            if found is not None and path not in out:
                out[path] = "".join(f"{line}\n" for line in block(found))
        return out


def block(found: Any) -> list[str]:
    """A map or list as lines of YAML, one key a line, texts quoted as in JSON: what is read back is what was given."""
    if isinstance(found, Mapping) and found:
        out: list[str] = []
        for key, value in found.items():
            name = key if re.fullmatch(r"[A-Za-z]\w*", key) and key not in {"null", "true", "false"} else json.dumps(key)
            inner = block(value)
            if isinstance(value, Mapping | list) and value:
                out += [f"{name}:", *(f"  {line}" for line in inner)]
            else:
                out.append(f"{name}: {inner[0]}")
        return out
    if isinstance(found, list) and found:
        return [("- " if at == 0 else "  ") + line for item in found for at, line in enumerate(block(item))]
    return [json.dumps(found, ensure_ascii=False)]


@dataclass(slots=True)
class _Reader:
    file: str
    where: str = ""
    found: list[Case] = field(default_factory=list)

    def wrong(self, what: str) -> ValueError:
        return ValueError(f"{self.file}: {self.where}: {what}")

    def keys(self, found: Any, allowed: set[str], what: str) -> Mapping[str, Any]:
        if not isinstance(found, Mapping):
            raise self.wrong(f"{what} must be a mapping")
        if unknown := set(found) - allowed:
            raise self.wrong(f"{what} has the unknown keys {sorted(unknown)}; known are {sorted(allowed)}")
        return found

    def read(self, found: Mapping[str, Any]) -> None:
        self.where = "file"
        self.keys(found, _FILE, "the file")
        shared = self.keys(found.get("project") or {}, _PROJECT, "project")
        for number, raw in enumerate(found["cases"]):
            self.where = f"case {raw.get('id') or number}"
            self.keys(raw, _CASE, "a case")
            if "holds" in raw:
                raw = probe(raw)  # noqa: PLW2901
            source = self.keys(raw["source"], {"section", "line", "says"}, "source")
            self.found.append(
                Case(
                    id=raw["id"],
                    file=self.file,
                    source=Source(str(source["section"]), source["line"], source["says"]),
                    project=merged(shared, self.keys(raw.get("project") or {}, _PROJECT, "project")),
                    actions=self.answers({**(found.get("actions") or {}), **(raw.get("actions") or {})}),
                    turns=tuple(self.turn(turn) for turn in raw.get("turns") or ()),
                    loaded=raw.get("loaded"),
                    env=raw.get("env") or {},
                    refused=self.place(raw, "refused"),
                    warned=self.place(raw, "warned"),
                    flawed=tuple(raw.get("flawed") or ()),
                    strict=raw.get("strict", False),
                    cap=raw.get("cap"),
                    options=raw.get("options") or {},
                )
            )
            if not any(raw.get(key) for key in ("turns", "loaded", "refused", "warned")):
                raise self.wrong("nothing is expected: give turns, loaded, refused or warned")

    def place(self, raw: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
        if key not in raw:
            return None
        found = self.keys(raw[key], _PLACE, key)
        if not {"line", "words"} <= set(found):
            raise self.wrong(f"{key} needs line and words")
        return found

    def turn(self, found: Any) -> Mapping[str, Any]:
        turn = self.keys(found, TURN, "a turn")
        self.keys(turn.get("expect") or {}, EXPECT, "expect")
        self.keys(turn.get("release") or {}, _PROJECT, "release")
        if not set(turn) & {"say", "press", "commands"}:
            raise self.wrong("a turn needs one of say, press, commands")
        return turn

    def answers(self, found: Mapping[str, Any]) -> dict[str, list[Any]]:
        out: dict[str, list[Any]] = {}
        for name, answer in found.items():
            out[name] = answer if isinstance(answer, list) and answer else [answer]
            for one in out[name]:
                if one != FAILS:
                    self.keys(one or {}, _ANSWER, f"the answer of {name}")
        return out


def probe(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The flow and the turns that try a condition: an action sets the slots of a row, a branch and a response tell what holds."""
    text, rows = raw["condition"], raw["holds"]
    names = {name for row in rows for name in row["slots"]}
    say = {"yes": [{"action": "utter_yes", "next": "again"}], "no": [{"action": "utter_no", "next": "again"}]}
    steps = [
        {"action": "action_given", "next": [{"if": text, "then": say["yes"]}, {"else": say["no"]}]},
        {"id": "again", "action": "utter_either"},
    ]
    project = {
        "domain": {
            "responses": {
                "utter_yes": [{"text": "yes"}],
                "utter_no": [{"text": "no"}],
                "utter_either": [{"condition": text, "text": "yes"}, {"text": "no"}],
            }
        },
        "flows": {"probe": {"description": "tries a condition", "run_pattern_completed": False, "steps": steps}},
    }
    words = ["yes" if row["is"] else "no" for row in rows]
    return {
        **{key: value for key, value in raw.items() if key not in {"condition", "holds"}},
        "project": merged(raw.get("project") or {}, project),
        "actions": {"action_given": [{"slots": {**dict.fromkeys(sorted(names)), **row["slots"]}} for row in rows]},
        "turns": [{"commands": "start flow probe", "expect": {"replies": [word, word]}} for word in words],
    }


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`: a flow, slot or response replaces the one of its name, other maps merge, lists are appended, null takes out."""
    out: dict[str, Any] = dict(base)
    for key, value in over.items():
        if value is None:
            out.pop(key, None)
        elif key in {"flows", "slots", "responses", "files"}:
            entries = {**(out.get(key) or {}), **value}
            out[key] = {name: entry for name, entry in entries.items() if entry is not None}
        elif isinstance(value, Mapping) and isinstance(out.get(key), Mapping):
            out[key] = merged(out[key], value)
        elif isinstance(value, list) and isinstance(out.get(key), list):
            out[key] = [*out[key], *value]
        else:
            out[key] = value
    return out


@cache
def all_cases() -> tuple[Case, ...]:
    """Every case of every file.

    Raises:
        ValueError: a file has an unknown key or lacks one; names the file and the case.
    """
    return tuple(_all())


def _all() -> Iterator[Case]:
    for path in sorted(CASES.glob("*.yml")):
        yield from cases_of(path.name, read(path, CASES))


def cases_of(name: str, found: Mapping[str, Any]) -> list[Case]:
    """The cases of one file.

    Raises:
        ValueError: a key is unknown or missing; names the file and the case.
    """
    if not name.startswith(f"{found['section']}-"):
        raise ValueError(f"{name}: the name of a file begins with its section, here {found['section']}-")
    reader = _Reader(name)
    reader.read(found)
    return reader.found
