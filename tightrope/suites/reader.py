"""Reads one test file with the conftest.yml files above it. Everything that is wrong is told at once, each with its line.

The format is Rasa's (reference/testing/test-cases, /e2e/assertions, dialogue-understanding-tests); YAML is read as Rasa reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tightrope.engine.answers import EVENT_KINDS
from tightrope.engine.commands import parse_line
from tightrope.engine.errors import CommandSyntaxError, ProjectError
from tightrope.engine.models import Command, Place, Version
from tightrope.engine.problems import Problems
from tightrope.engine.yamlfile import Map, Seq, read
from tightrope.suites.cases import Case, Expected, FileKind, Stub, TestFile, UserTurn
from tightrope.suites.expectations import PLAIN, ExpectationReader

MOCKED = "mocked_datetime"
_TOP = ("test_cases", "fixtures", "metadata", "stub_custom_actions")
_OTHER_KIND = {
    "commands": "this is a dialogue-understanding test, play it with `tightrope test du`",
    "assertions": "this is an end-to-end test, play it with `tightrope test e2e`",
}
_NAME = re.compile(r"[a-zA-Z_][\w\-]*$")


@dataclass(slots=True)
class Shared:
    """What a file and the conftest.yml above it define for their cases; the nearer one counts."""

    fixtures: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    metadata: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    stubs: dict[str, Stub] | None = None

    def over(self, below: Shared) -> Shared:
        """This one with `below` where it says nothing."""
        stubs = None if self.stubs is None and below.stubs is None else {**(below.stubs or {}), **(self.stubs or {})}
        return Shared({**below.fixtures, **self.fixtures}, {**below.metadata, **self.metadata}, stubs)


def read_test_file(path: Path, root: Path, conftests: Sequence[Path], kind: FileKind) -> TestFile:
    """The cases of a file, named relative to `root`; a file with anything wrong in it has no cases.

    Args:
        conftests: from the outermost folder to the file's own.
    """
    told = Problems()
    shared = Shared()
    for conftest in conftests:
        found = _mapping(conftest, root, told)
        if found is not None:
            reader = _Reader(_name(conftest, root), told, kind)
            shared = reader.shared(found).over(shared)
    name = _name(path, root)
    cases: list[Case] = []
    found = _mapping(path, root, told)
    if found is not None:
        cases = _Reader(name, told, kind).cases(found, shared, path)
    errors = sorted(told.errors)
    problems = tuple(
        f"{problem.file}:{problem.line}: {problem.message}" + (f": {problem.mend}" if problem.mend else "") for problem in errors
    )
    if not problems:
        return TestFile.of(path, name, cases)
    return TestFile(path, name, (), problems, next((problem.line for problem in errors if problem.file == name), 1))


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _mapping(path: Path, root: Path, told: Problems) -> Map | None:
    try:
        return read(path, root, told)
    except ProjectError as error:
        told.add(error)
        return None


class _Reader:
    """One file under way."""

    def __init__(self, file: str, told: Problems, kind: FileKind) -> None:
        self.file = file
        self.kind = kind
        self.told = told
        self.expectations = ExpectationReader(file, told)

    def wrong(self, line: int, message: str, mend: str = "") -> None:
        self.told.error(Place(self.file, line), message, mend)

    # what cases share

    def shared(self, found: Map) -> Shared:
        """`fixtures`, `metadata` and `stub_custom_actions`; a conftest.yml may hold other things, such as the judge's model."""
        return Shared(
            self._named_list(found, "fixtures", self._fixture),
            self._named_list(found, "metadata", self._metadata),
            self._stubs(found["stub_custom_actions"], found.at("stub_custom_actions"))
            if "stub_custom_actions" in found
            else None,
        )

    def _named_list(self, found: Map, key: str, one: Any) -> dict[str, Mapping[str, Any]]:
        listed = found.get(key)
        out: dict[str, Mapping[str, Any]] = {}
        if listed is None:
            return out
        if not isinstance(listed, Seq):
            self.wrong(found.at(key), f"`{key}` must be a list", "begin each name with '- '")
            return out
        for number, item in enumerate(listed):
            if not isinstance(item, Map) or not item:
                self.wrong(listed.item_lines[number], f"each item of `{key}` is a name with what belongs to it")
                continue
            for name, value in item.items():
                if not _NAME.match(name):
                    self.wrong(item.at(name), f"the name {name!r} does not fit", "letters, digits, _ and -, no digit first")
                out[name] = one(name, value, item.at(name))
        return out

    def _fixture(self, name: str, value: Any, line: int) -> Mapping[str, Any]:
        out: dict[str, Any] = {}
        for item in value if isinstance(value, Seq) else [value]:
            if not isinstance(item, Map):
                self.wrong(line, f"the fixture {name!r} must be a list of slot: value")
                return out
            out.update(item)
            if MOCKED in item and _moment(item[MOCKED]) is None:
                self.wrong(item.at(MOCKED), f"{item[MOCKED]!r} is no time", 'write it as "2026-11-20T10:00:00+03:00"')
        return out

    def _metadata(self, name: str, value: Any, line: int) -> Mapping[str, Any]:
        if not isinstance(value, Map):
            self.wrong(line, f"the metadata {name!r} must be a mapping")
            return {}
        return dict(value)

    def _stubs(self, found: Any, line: int) -> dict[str, Stub]:
        out: dict[str, Stub] = {}
        if not isinstance(found, Map):
            self.wrong(line, "`stub_custom_actions` must be a mapping of action names")
            return out
        for name, value in found.items():
            if not isinstance(value, Map):
                self.wrong(found.at(name), f"the stub {name!r} needs `events` and `responses`", "write [] for none")
                continue
            for key in value:
                if key not in {"events", "responses"}:
                    self.wrong(value.at(key), f"a stub has no key {key!r}", "it has events and responses")
            events = self._maps(value, "events")
            for event in events:
                if not isinstance(event.get("event"), str) or event["event"] not in EVENT_KINDS:
                    self.wrong(
                        event.line,
                        f"the stub {name!r} returns the event {event.get('event')!r}",
                        "it is no event that an action returns",
                    )
                elif event["event"] == "slot" and not isinstance(event.get("name"), str):
                    self.wrong(event.line, "a slot event needs the `name` of the slot")
            out[name] = Stub(tuple(events), tuple(self._maps(value, "responses")))
        return out

    def _maps(self, found: Map, key: str) -> list[Map]:
        items = found.get(key) or []
        if not isinstance(items, list) or not all(isinstance(item, Map) for item in items):
            self.wrong(found.at(key), f"`{key}` of a stub must be a list of mappings")
            return []
        return items

    # cases

    def cases(self, found: Map, below: Shared, path: Path) -> list[Case]:
        """All cases of a test file."""
        for key in found:
            if key not in _TOP:
                self.wrong(found.at(key), f"a test file has no key {key!r}", self.expectations.close(key, list(_TOP)))
        own = self.shared(found)
        shared = own.over(below)
        listed = found.get("test_cases")
        if not isinstance(listed, Seq) or not listed:
            self.wrong(found.at("test_cases"), "there is no list `test_cases`")
            return []
        cases: list[Case] = []
        seen: dict[str, int] = {}
        for number, item in enumerate(listed):
            case = self._case(item, listed.item_lines[number], shared, path, seen)
            if case is not None:
                cases.append(case)
        for key in own.stubs or {}:
            owner, mark, _ = key.rpartition("::")
            if mark and owner not in seen:
                stubs: Map = found["stub_custom_actions"]
                self.wrong(stubs.at(key), f"the stub {key!r} names a test case that is not in this file")
        return cases

    def _case(self, item: Any, line: int, shared: Shared, path: Path, seen: dict[str, int]) -> Case | None:
        if not isinstance(item, Map) or not isinstance(item.get("test_case"), str) or not item["test_case"]:
            self.wrong(line, "a test case needs a name", "write '- test_case: the_name'")
            return None
        for key in item:
            if key not in {"test_case", "fixtures", "metadata", "steps"}:
                known = ["fixtures", "metadata", "steps"]
                self.wrong(item.at(key), f"a test case has no key {key!r}", self.expectations.close(key, known))
        name = item["test_case"]
        occurrence = seen.get(name, 0)
        seen[name] = occurrence + 1
        slots: dict[str, Any] = {}
        for fixture in self._names(item, "fixtures"):
            slots.update(self._known(shared.fixtures, fixture, item.at("fixtures"), "fixture"))
        moment = _moment(slots[MOCKED]) if MOCKED in slots else None
        metadata: Mapping[str, Any] = {}
        for label in self._names(item, "metadata"):
            metadata = self._known(shared.metadata, label, item.at("metadata"), "metadata")
        before, turns = self._steps(item, metadata, shared)
        return Case(self.file, path, name, item.line, occurrence, slots, moment, before, turns, _scoped(shared.stubs, name))

    def _names(self, item: Map, key: str) -> list[str]:
        found = item.get(key)
        if found is None:
            return []
        names = found if isinstance(found, Seq) else [found]
        if not all(isinstance(name, str) for name in names):
            self.wrong(item.at(key), f"`{key}` must name what is defined under `{key}`")
            return []
        return list(names)

    def _known(self, defined: Mapping[str, Mapping[str, Any]], name: str, line: int, what: str) -> Mapping[str, Any]:
        if name not in defined:
            hint = self.expectations.close(name, list(defined)) if defined else "none is defined here or in a conftest.yml above"
            self.wrong(line, f"the {what} {name!r} is not defined", hint)
        return defined.get(name, {})

    def _steps(self, item: Map, metadata: Mapping[str, Any], shared: Shared) -> tuple[tuple[Expected, ...], tuple[UserTurn, ...]]:
        steps = item.get("steps")
        before: list[Expected] = []
        turns: list[UserTurn] = []
        plain: list[Expected] = before
        if not isinstance(steps, Seq) or not steps:
            self.wrong(item.at("steps"), f"the test case {item['test_case']!r} has no steps")
            return (), ()

        def close() -> None:
            """A turn without assertions is judged by its plain steps; beside assertions those do not count."""
            if turns and not turns[-1].expected:
                last = turns[-1]
                turns[-1] = UserTurn(last.text, last.line, last.metadata, last.ordered, tuple(plain), last.commands)

        for number, step in enumerate(steps):
            if not isinstance(step, Map):
                self.wrong(steps.item_lines[number], "a step is a mapping", "write '- user: …' or another kind of step")
            elif "user" in step:
                close()
                plain = []
                turns.append(self._user(step, metadata, shared))
            else:
                plain.extend(self._plain(step))
        close()
        if not turns and not before:
            self.wrong(item.at("steps"), f"the test case {item['test_case']!r} has no `user` step")
        return tuple(before), tuple(turns)

    def _plain(self, step: Map) -> list[Expected]:
        kinds = PLAIN if self.kind == "e2e" else ("bot", "utter")
        out: list[Expected] = []
        for key, value in step.items():
            if key not in kinds:
                self.wrong(step.at(key), f"there is no step {key!r}", self.expectations.close(key, ["user", *kinds]))
                continue
            found = self.expectations.plain(key, value, step.at(key))
            out += [found] if found is not None else []
        return out

    def _user(self, step: Map, metadata: Mapping[str, Any], shared: Shared) -> UserTurn:
        known = ("metadata", "assertions", "assertion_order_enabled") if self.kind == "e2e" else ("metadata", "commands")
        for key in step:
            if key not in {"user", *known}:
                hint = _OTHER_KIND.get(key) or self.expectations.close(key, list(known))
                self.wrong(step.at(key), f"a user step has no key {key!r}", hint)
        text = step["user"]
        if not isinstance(text, str):
            self.wrong(step.at("user"), f"what the user says must be text, not {text!r}", "put it into quotes")
            text = str(text)
        for label in self._names(step, "metadata"):
            metadata = {**metadata, **self._known(shared.metadata, label, step.at("metadata"), "metadata")}
        ordered = step.get("assertion_order_enabled", False)
        if not isinstance(ordered, bool):
            self.wrong(step.at("assertion_order_enabled"), "`assertion_order_enabled` is true or false")
        expected = self.expectations.assertions(step["assertions"], step.at("assertions")) if "assertions" in step else ()
        commands = self._commands(step) if self.kind == "du" else ()
        return UserTurn(text, step.at("user"), metadata, ordered is True, expected, commands)

    def _commands(self, step: Map) -> tuple[Command, ...]:
        listed = step.get("commands")
        if "commands" not in step or not isinstance(listed, Seq):
            mend = "write them as a list; [] if nothing can be understood"
            self.wrong(step.at("commands"), "a user step of a dialogue-understanding test needs `commands`", mend)
            return ()
        out: list[Command] = []
        for number, line in enumerate(listed):
            try:
                out.append(any_command(str(line)))
            except CommandSyntaxError as error:
                mend = "a comma inside [ ] splits a command: write the list in lines" if "[" not in str(line) else ""
                self.wrong(listed.item_lines[number], str(error), mend)
        return tuple(out)


_VERSIONS: tuple[Version, ...] = ("v1", "v3", "v2")


def any_command(line: str) -> Command:
    """A command in any of the three texts; v1 is what dialogue-understanding tests use.

    Raises:
        CommandSyntaxError: it is a command in none of them.
    """
    for version in _VERSIONS:
        try:
            return parse_line(line, version)
        except CommandSyntaxError:
            continue
    raise CommandSyntaxError(
        f"{line[:80]!r} is no command; write it as StartFlow(f), SetSlot(s, v), CancelFlow(), Clarify(f, g), …"
    )


def _scoped(stubs: Mapping[str, Stub] | None, case: str) -> Mapping[str, Stub] | None:
    """The stubs as they hold for one case: those under its own name go before."""
    if stubs is None:
        return None
    plain = {key: stub for key, stub in stubs.items() if "::" not in key}
    own = {key.rpartition("::")[2]: stub for key, stub in stubs.items() if key.rpartition("::")[0] == case}
    return {**plain, **own}


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
