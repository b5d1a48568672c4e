"""A new journey as files: what `tightrope flows new` writes, planned whole before anything is written.

What is written follows from the project, not from its name: a gate where the project has action_begin_journey, lines for understanding where it
has data/understanding/, words in each language that config.yml names. Any other CALM project gets Rasa's own files and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tightrope.business.operations import SCOPES
from tightrope.engine.errors import ProjectError
from tightrope.engine.models import Project
from tightrope.engine.yamlfile import parse

Kind = Literal["information", "question", "private"]
GATE = "action_begin_journey"
_ID = re.compile(r"[a-z][a-z0-9_]{1,58}[a-z0-9]")
_NAME = re.compile(r"[\w ,，、()（）'’/·?？&+\-]{2,60}")
_HAN = re.compile(r"[\u3400-\u9fff]")
_RESERVED = frozenset({"search", "out_of_scope", "none", "end", "start", "restart", "session_start", "session_end"})
LANGUAGES = {"zh": "chinese", "en": "english"}
_TEXTS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "answer": "【待填写】{name}：请在这里写下经批准的答复。",
        "question": "【待填写】{name}：请在这里写下要问客户的问题。",
        "first": "【待填写】{name}：选择第一项后的答复。",
        "second": "【待填写】{name}：选择第二项后的答复。",
        "first_title": "第一项",
        "second_title": "第二项",
    },
    "en": {
        "answer": "[To be written] {name}: put the approved answer here.",
        "question": "[To be written] {name}: put the question to the customer here.",
        "first": "[To be written] {name}: the answer after the first choice.",
        "second": "[To be written] {name}: the answer after the second choice.",
        "first_title": "The first",
        "second_title": "The second",
    },
}
_LINES: Mapping[str, tuple[str, ...]] = {
    "zh": ("{}", "我想{}", "帮我{}", "请帮我{}", "我要{}", "能帮我{}吗", "我想{}，怎么弄", "可以在这里{}吗", "麻烦您{}一下", "你好，我要{}"),
    "en": (
        "{}", "I want to {}", "please {}", "can you {}?", "I would like to {}", "help me {}", "could you {} for me", "I need to {}",
        "{} please", "can I {} here?",
    ),
}  # fmt: skip


class ScaffoldRefused(ValueError):
    """Nothing was written; `reasons` says all that is in the way."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons = reasons
        super().__init__("; ".join(reasons))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A journey to begin. `english` is its name in English where the project has English beside its own language."""

    id: str
    name: str
    english: str | None = None
    kind: Kind = "information"
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Files to write, by path below the project's folder, with what each is for; `changed` are files that are there and get an addition."""

    files: Mapping[str, tuple[str, str]]
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    lines_at: str | None = None
    e2e_at: str = ""


def plan(root: Path, project: Project, wanted: Wanted) -> Plan:
    """What a new journey needs in this project.

    Raises:
        ScaffoldRefused: something is in the way.
    """
    reasons = list(_refusals(project, wanted))
    if reasons:
        raise ScaffoldRefused(reasons)
    folder = "data/flows" if (root / "data" / "flows").is_dir() else "data"
    tests = next((name for name in ("e2e_tests", "tests/e2e") if (root / name).is_dir()), "e2e_tests")
    e2e = f"{tests}/{wanted.id}.yml"
    values = _values(project, wanted) | {"path": e2e}
    domain = _render("domain", values)
    files = {f"{folder}/{wanted.id}.yml": (_render("flow", values), "the flow")}
    changed: dict[str, tuple[str, str]] = {}
    place = _domain_place(root, wanted.id)
    if place is None:
        changed["domain.yml"] = (_added((root / "domain.yml").read_text(encoding="utf-8"), domain), "its responses were added")
    else:
        files[place] = (domain, "its responses" + (" and slot" if wanted.kind == "question" else ""))
    lines_at = None
    if (root / "data" / "understanding").is_dir():
        lines_at = f"data/understanding/{wanted.id}.jsonl"
        files[lines_at] = (_lines(values["names"]), "what customers say")
    files[e2e] = (_render("e2e", values), "a test a language")
    there = [name for name in files if (root / name).exists()]
    if there:
        raise ScaffoldRefused([f"{name} is there already: nothing was written" for name in there])
    return Plan(files, changed, lines_at, e2e)


def write(root: Path, planned: Plan) -> None:
    """Write the plan, whole or not at all.

    Raises:
        OSError: something could not be written; what had been written was taken away again.
    """
    before = {name: (root / name).read_bytes() for name in planned.changed}
    made: list[Path] = []
    try:
        for name, (text, _) in planned.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as out:
                made.append(path)
                out.write(text)
        for name, (text, _) in planned.changed.items():
            (root / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError:
        for path in made:
            path.unlink(missing_ok=True)
        for name, content in before.items():
            if (root / name).read_bytes() != content:
                (root / name).write_bytes(content)
        raise


def _refusals(project: Project, wanted: Wanted) -> Iterator[str]:
    if not _ID.fullmatch(wanted.id):
        yield f"{wanted.id!r} is no id: 3 to 60 of a-z, 0-9 and _, beginning with a letter, as check_branch_hours"
    elif wanted.id in _RESERVED or wanted.id.startswith(("pattern_", "utter_", "action_", "validate_")):
        yield f"{wanted.id!r} is a reserved name"
    elif wanted.id in project.flows:
        place = project.flows[wanted.id].place
        yield f"the flow {wanted.id!r} is there already ({place.file}:{place.line})"
    yield from _taken(project, wanted)
    yield from _name(project, "--name", wanted.name)
    if project.language.startswith("zh") and not _HAN.search(wanted.name):
        yield "--name is the name in Chinese, this project's language"
    yield from _english(project, wanted)
    yield from _login(project, wanted)


def _name(project: Project, option: str, name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name) or name.strip() != name:
        yield f"{option} {name!r}: 2 to 60 letters, figures, spaces and plain punctuation"
    for flow in project.flows.values():
        if not flow.is_pattern and name in {flow.name, *flow.translated_names.values()}:
            yield f"{option} {name!r} is the name of the flow {flow.id!r}"


def _english(project: Project, wanted: Wanted) -> Iterator[str]:
    if project.language.startswith("en") or "en" not in project.languages:
        if wanted.english:
            yield f"this project speaks {', '.join(project.languages)}: give the name with --name alone"
    elif not wanted.english:
        yield "--english is needed: this project speaks English as well"
    else:
        yield from _name(project, "--english", wanted.english)
        if _HAN.search(wanted.english):
            yield f"--english {wanted.english!r} is not English"


def _login(project: Project, wanted: Wanted) -> Iterator[str]:
    if wanted.kind != "private":
        if wanted.scope:
            yield "--scope belongs to --kind private"
        return
    lacking = [what for what in (GATE, "action_ask_login_state") if what not in project.actions]
    if lacking:
        yield f"a private journey needs {' and '.join(lacking)}, which this project does not have"
    elif wanted.scope not in SCOPES.values():
        yield f"a private journey needs --scope, one of {', '.join(sorted(set(SCOPES.values())))}"


def _taken(project: Project, wanted: Wanted) -> Iterator[str]:
    """Responses and slots that the new journey would define and that exist."""
    choice = f"{wanted.id}_choice"
    ends = ("answer",) if wanted.kind != "question" else ("first", "second")
    responses = [f"utter_{wanted.id}_{end}" for end in ends] + ([f"utter_ask_{choice}"] if wanted.kind == "question" else [])
    for name in responses:
        if name in project.responses:
            yield f"the response {name!r} is there already ({project.responses[name].place.file})"
    if wanted.kind == "question" and choice in project.slots:
        yield f"the slot {choice!r} is there already ({project.slots[choice].place.file})"


def _values(project: Project, wanted: Wanted) -> dict[str, object]:
    """What the templates are filled with."""
    language, others = project.language, project.languages[1:]
    names = {language: wanted.name, **dict.fromkeys(others, wanted.english or wanted.name)}
    english = wanted.english or wanted.name
    texts = {
        code: {key: text.format(name=name) for key, text in _TEXTS["zh" if code.startswith("zh") else "en"].items()}
        for code, name in names.items()
    }
    gated = GATE in project.actions and "journey_access" in project.slots
    shown = english if english == wanted.name else f"{english} ({wanted.name})"
    return {
        "id": wanted.id,
        "name": wanted.name,
        "names": names,
        "kind": wanted.kind,
        "scope": wanted.scope,
        "gated": gated,
        "language": language,
        "codes": [language, *others],
        "translations": {code: names[code] for code in others},
        "description": f"The customer wants to {shown}. Write here how customers call it, and what it is not for.",
        "texts": texts,
        "languages": {code: LANGUAGES.get(code[:2], code.replace("-", "_")) for code in names},
        "metadata": bool(others),
        "stubs": [*project.every_turn, *([GATE] if gated else [])],
    }


def _render(template: str, values: Mapping[str, object]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # noqa: S701 - YAML, every text quoted
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    return environment.get_template(f"{template}.yml.jinja2").render(values).strip("\n") + "\n"


def _lines(names: object) -> str:
    assert isinstance(names, dict)  # noqa: S101 - see _values
    return "".join(
        json.dumps({"text": text.format(name), "lang": code}, ensure_ascii=False) + "\n"
        for code, name in names.items()
        for text in _LINES.get(code, ())
    )


def _domain_place(root: Path, flow_id: str) -> str | None:
    """A new file in the domain folder; None for a project whose domain is one file."""
    if (root / "domain.yml").is_file():
        return None
    return f"domain/flows/{flow_id}.yml" if (root / "domain" / "flows").is_dir() else f"domain/{flow_id}.yml"


def _added(before: str, more: str) -> str:
    """A domain file with the sections of `more` put in at the head of its own; all else stays as it is, to the letter.

    Raises:
        ScaffoldRefused: the file is written in a way that cannot be added to safely.
    """
    after = before
    for section in ("slots", "responses"):
        block = re.search(rf"^{section}:\n((?:[ ].*\n|\n)+)", more, re.MULTILINE)
        if block is None:
            continue
        body = block[1].rstrip("\n") + "\n"
        found = re.search(rf"^{section}:[ ]*(?:#.*)?\n", after, re.MULTILINE)
        if found is None:
            after = after.rstrip("\n") + f"\n\n{section}:\n{body}"
            continue
        indent = re.match(r"(?:[ ]*(?:#.*)?\n)*([ ]+)\S", after[found.end() :])
        extra = " " * (len(indent[1]) - 2) if indent else ""
        after = (
            after[: found.end()]
            + "".join(extra + line if line.strip() else line for line in body.splitlines(True))
            + after[found.end() :]
        )
    try:
        old, new, wanted = parse(before, "domain.yml"), parse(after, "domain.yml"), parse(more, "domain.yml")
        good = all(
            new.get(key) == {**(wanted.get(key) or {}), **(old.get(key) or {})} for key in ("slots", "responses") if key in wanted
        )
        good = good and {k: v for k, v in new.items() if k not in wanted} == {k: v for k, v in old.items() if k not in wanted}
    except ProjectError:
        good = False
    if not good:
        raise ScaffoldRefused(
            ["domain.yml is written in a way that nothing can be added to safely: put the domain into a folder domain/"]
        )
    return after
