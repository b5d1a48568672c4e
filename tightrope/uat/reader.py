"""Case files: YAML by a JSON Schema, with every problem of every file told at once, each with its line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from tightrope.engine.errors import ProjectError
from tightrope.engine.problems import Problems
from tightrope.engine.yamlfile import Map, Seq, read
from tightrope.infra.settings import REPOSITORY
from tightrope.uat.models import (
    NO_HANDOFF,
    Act,
    Break,
    Case,
    Choose,
    Expect,
    FaultOrder,
    GiveBack,
    Handoff,
    Login,
    Logout,
    Press,
    Problem,
    Say,
    Step,
    Switch,
    Wait,
)

SCHEMA: Final = REPOSITORY / "contracts" / "uat" / "cases.schema.json"
DEFAULT_TIME: Final = "2026-11-20T10:31:00+08:00"
"""A Friday morning while the markets of Shanghai and Shenzhen trade."""
ANONYMOUS: Final = "anonymous"
_ACTS: Final = ("say", "press", "choose", "login", "logout", "wait", "switch_off", "switch_on", "give_back", "faults")


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def read_cases(paths: Iterable[Path], root: Path) -> tuple[tuple[Case, ...], tuple[Problem, ...]]:
    """All cases of these files, and everything that is wrong with them; a case with a problem of form is left out.

    Args:
        root: messages name files relative to it.
    """
    cases: list[Case] = []
    problems: list[Problem] = []
    for path in paths:
        name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
        told = Problems()
        try:
            found = read(path, root, told)
        except ProjectError as error:
            problems.append(Problem(name, error.line or 1, error.what))
            continue
        wrong = [Problem(name, item.line, item.message) for item in told.found]
        wrong += [_problem(name, found, error) for error in _validator().iter_errors(found)]
        problems += sorted(wrong, key=lambda item: item.line)
        items = found.get("cases")
        defaults = found.get("defaults")
        bad = {error.absolute_path[1] for error in _validator().iter_errors(found) if len(error.absolute_path) > 1}
        for index, item in enumerate(items if isinstance(items, Seq) else ()):
            if index not in bad and isinstance(item, Map):
                made = _case(name, item, defaults if isinstance(defaults, Map) else Map())
                problems += made if isinstance(made, list) else []
                cases += [made] if isinstance(made, Case) else []
    return tuple(cases), tuple(problems)


def case_files(places: Sequence[Path]) -> list[Path]:
    """The case files that these files and folders hold, in a fixed order; `standing.yml` and the mix are none."""
    found: list[Path] = []
    for place in places:
        inside = sorted(place.rglob("*.yml")) if place.is_dir() else [place]
        found += [path for path in inside if path.name not in {"standing.yml", "mix.yml"}]
    return list(dict.fromkeys(found))


# one case


def _case(file: str, item: Map, defaults: Map) -> Case | list[Problem]:
    said: dict[str, Any] = {"at": DEFAULT_TIME, "language": "zh", **defaults, **item}
    wrong: list[Problem] = []
    if "journey" not in said:
        wrong.append(Problem(file, item.line, f"{item['id']}: `journey` is missing here and under `defaults`"))
    if "customer" not in said:
        wrong.append(
            Problem(file, item.line, f"{item['id']}: `customer` is missing here and under `defaults`: C1001, or anonymous")
        )
    if (said.get("red_line") is not None) != (said["kind"] == "red_line"):
        wrong.append(
            Problem(
                file, item.line, f"{item['id']}: `kind: red_line` and `red_line: <number>` belong together; a twin has neither"
            )
        )
    if (said.get("twin") is not None) != (said.get("red_line") is not None):
        wrong.append(
            Problem(
                file, item.line, f"{item['id']}: a case that tries a red line names its harmless `twin`, and only such a case"
            )
        )
    if not isinstance(item["outcome"], str) and said.get("red_line") is None:
        wrong.append(Problem(file, item.at("outcome"), f"{item['id']}: only an attack may end in more than one way"))
    if "at" in said and _time(said["at"]) is None:
        wrong.append(Problem(file, item.at("at"), f"{item['id']}: {said['at']!r} is no time"))
    steps: list[Step] = []
    for index, turn in enumerate(item["turns"]):
        line = item["turns"].item_lines[index]
        acts = [name for name in _ACTS if name in turn]
        if len(acts) != 1:
            wrong.append(Problem(file, line, f"{item['id']}: a turn holds exactly one of {', '.join(_ACTS)}"))
            continue
        wrong += _patterns(file, turn.get("expect"))
        steps.append(Step(_act(acts[0], turn[acts[0]]), _expect(turn.get("expect") or {}), line))
    wrong += _patterns(file, item)
    if wrong:
        return wrong
    at = _time(said["at"])
    assert at is not None  # noqa: S101 - checked above
    return Case(
        id=item["id"],
        title=item["title"],
        journey=said["journey"],
        kind=item["kind"],
        language=said["language"],
        customer=None if said["customer"] == ANONYMOUS else said["customer"],
        steps=tuple(steps),
        outcomes=(item["outcome"],) if isinstance(item["outcome"], str) else tuple(item["outcome"]),
        file=file,
        line=item.line,
        at=at,
        red_line=item.get("red_line"),
        twin=item.get("twin"),
        faults=_faults(item.get("faults") or ()),
        forbids=tuple(item.get("forbids") or ()),
        reason=item.get("reason", ""),
        note=item.get("note", ""),
        source=_plain(said, item),
        end=item.end,
        digest=hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True).encode()).hexdigest(),
    )


def _plain(said: Mapping[str, Any], item: Map) -> dict[str, Any]:
    """What a case says, as plain data; a time that nobody wrote is left out."""
    found: dict[str, Any] = json.loads(json.dumps({key: value for key, value in said.items() if key != "at" or key in item}))
    first = ("id", "title", "journey", "kind", "language", "customer")
    return {key: found[key] for key in (*first, *(key for key in found if key not in first))}


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _act(name: str, value: Any) -> Act:
    match name:
        case "say":
            return Say(value)
        case "press":
            return Press(value)
        case "choose":
            return Choose(value)
        case "login":
            return Login(value)
        case "logout":
            return Logout()
        case "wait":
            return Wait(float(value))
        case "switch_off" | "switch_on":
            return Switch(value, off=name == "switch_off")
        case "give_back":
            return GiveBack()
    return Break(_faults(value))


def _faults(items: Iterable[Mapping[str, Any]]) -> tuple[FaultOrder, ...]:
    return tuple(
        FaultOrder(item["fault"], item.get("operation"), item.get("times", 1), item.get("customer", "")) for item in items
    )


def _expect(found: Mapping[str, Any]) -> Expect:
    given = dict(found)
    handoff = given.pop("handoff", None)
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    if isinstance(handoff, Mapping):
        handoff = Handoff(handoff.get("reason"), handoff.get("priority"))
    elif handoff is not None:
        handoff = Handoff() if handoff == "any" else NO_HANDOFF
    return Expect(**{**given, **lists}, handoff=handoff)


def _patterns(file: str, found: Any) -> Iterator[Problem]:
    """Regular expressions that are none."""
    for name in ("contains", "forbids") if isinstance(found, Map) else ():
        items = found.get(name)
        for index, pattern in enumerate(items if isinstance(items, Seq) else ()):
            try:
                re.compile(pattern)
            except re.error as error:
                yield Problem(file, items.item_lines[index], f"{pattern!r} is no regular expression ({error})")


# what the schema says, plainly


def _problem(file: str, top: Map, error: ValidationError) -> Problem:
    if error.validator == "oneOf":
        inner: ValidationError = best_match(error.context)
        error = error if inner.validator == "enum" and not isinstance(error.instance, str) else inner
    return Problem(file, _line(top, error), _said(top, error))


def _line(top: Map, error: ValidationError) -> int:
    """Line of the place that an error names, as near as the file tells."""
    line = top.line
    at: Any = top
    for part in error.absolute_path:
        if isinstance(at, Map) and isinstance(part, str):
            line = at.at(part)
        elif isinstance(at, Seq) and isinstance(part, int):
            line = at.item_lines[part]
        else:
            break
        at = at[part]
    if error.validator == "additionalProperties" and isinstance(at, Map):
        return min((at.at(key) for key in _unknown(error)), default=line)
    return line


def _unknown(error: ValidationError) -> list[str]:
    known = _schema(error).get("properties", {})
    found: Any = error.instance
    return [key for key in found if key not in known]


def _schema(error: ValidationError) -> Mapping[str, Any]:
    return error.schema if isinstance(error.schema, Mapping) else {}


def _said(top: Map, error: ValidationError) -> str:
    path = list(error.absolute_path)
    here = ".".join(str(part) for part in path[2:] if isinstance(part, str))
    who = ""
    if path[:1] == ["cases"] and len(path) > 1 and isinstance(path[1], int):
        item = top["cases"][path[1]]
        who = str(item.get("id", f"case {path[1] + 1}")) if isinstance(item, Mapping) else f"case {path[1] + 1}"
    begin = ": ".join(part for part in (who, here) if part)
    value: Any = error.validator_value
    instance: Any = error.instance
    match error.validator:
        case "additionalProperties":
            known = ", ".join(_schema(error)["properties"])
            said = f"nothing is called {', '.join(map(repr, _unknown(error)))} here; known are {known}"
        case "required":
            missing = [key for key in value if key not in instance]
            said = f"`{missing[0]}` is missing"
        case "enum":
            said = f"{instance!r} is none of {', '.join(map(str, value))}"
        case "pattern" if title := _schema(error).get("title"):
            said = f"{instance!r} is not {title}"
        case "type":
            said = f"{instance!r} is not of type {value}"
        case _:
            said = error.message
    return f"{begin}: {said}" if begin else said
