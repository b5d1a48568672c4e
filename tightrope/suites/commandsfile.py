"""Commands for the turns of a suite, in place of understanding: `--commands FILE`.

    - file: e2e_tests/happy_path/transfer.yml     # matched by the end of the path
      test_case: the customer transfers money
      occurrence: 0                               # tells equal names in one file apart; 0 when left out
      turns:
        - index: 0                                # user turns of the case, from 0
          commands: [start flow transfer_money, set slot amount 50]
        - index: 1
          payload: true                           # goes in as pressed on a button
          commands: [set slot confirmed True]
    - file: transfer.yml
      test_case: another
      excluded: needs a search engine             # reported as not run

Keys that are not known here are ignored. An empty list of commands means that nothing was understood.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

from tightrope.engine.commands import parse_payload
from tightrope.engine.errors import CommandSyntaxError, ProjectError
from tightrope.engine.models import Command, SetSlot
from tightrope.engine.turn import Understood
from tightrope.engine.yamlfile import Map, Seq, value
from tightrope.suites.cases import Case, TestFile
from tightrope.suites.discovery import Chosen
from tightrope.suites.errors import CannotPlay, SuiteError
from tightrope.suites.reader import any_command


@dataclass(frozen=True, slots=True)
class GivenTurn:
    """What a turn means. Without commands a pressed button means what its text says."""

    commands: tuple[Command, ...] | None
    pressed: bool
    place: str


@dataclass(frozen=True, slots=True)
class GivenCase:
    """One entry: what its turns mean, by index, or why it is not to be run. `problems` keep it from being played."""

    file: str
    name: str
    occurrence: int
    place: str
    turns: Mapping[int, GivenTurn] = field(default_factory=dict)
    excluded: str = ""
    problems: tuple[str, ...] = ()

    def turn(self, index: int, text: str) -> Understood | None:
        """What the turn means; None when nothing is given for it.

        Raises:
            CannotPlay: the entry has a problem.
        """
        if self.problems:
            raise CannotPlay("; ".join(self.problems))
        given = self.turns.get(index)
        if given is None:
            return None
        commands = given.commands
        if commands is None:
            try:
                commands = parse_payload(text)
            except CommandSyntaxError as error:
                raise CannotPlay(f"{given.place}: no commands are given, and the text is no payload: {error}") from None
        if given.pressed:
            commands = tuple(_pressed(command) for command in commands)
        return Understood(commands, {"source": "given"}, given.pressed)


def _pressed(command: Command) -> Command:
    return replace(command, extractor="SetSlots") if isinstance(command, SetSlot) else command


class CommandsFile:
    """The entries of a commands file that fit the chosen cases.

    `notes` says what a reader of the results has to know: entries that fit nothing, and how indexes were read.
    """

    def __init__(self, name: str, given: Mapping[tuple[Path, str, int], GivenCase], notes: tuple[str, ...]) -> None:
        self.name = name
        self.notes = notes
        self._given = given

    def of(self, case: Case) -> GivenCase | None:
        """The entry of a case."""
        return self._given.get((case.path, case.name, case.occurrence))


def read_commands(path: Path, chosen: Chosen, project: Path) -> CommandsFile:
    """Read a commands file for the cases that were chosen.

    Raises:
        SuiteError: it is missing, no YAML, or no list of entries.
    """
    try:
        found = value(path.read_text(encoding="utf-8-sig"), str(path))
    except OSError as error:
        raise SuiteError(f"{path}: the commands file cannot be read: {error.strerror}") from None
    except (ProjectError, UnicodeDecodeError) as error:
        raise SuiteError(f"the commands file cannot be read: {error}") from None
    if isinstance(found, Map):
        found = next((item for item in found.values() if isinstance(item, Seq)), None)
    if not isinstance(found, Seq):
        raise SuiteError(f"{path}: a commands file is a list of {{file, test_case, turns: [{{index, commands}}]}}")
    entries, notes = [], []
    for number, item in enumerate(found):
        place = f"{path.name}:{found.item_lines[number]}"
        if not isinstance(item, Map) or not isinstance(item.get("file"), str) or item.get("test_case") is None:
            notes.append(f"{place}: the entry is ignored: it needs `file` and `test_case`")
        else:
            entries.append(_entry(item, place, path.name))
    entries, told = _from_zero(entries, chosen, path.name)
    given, more = _attached(entries, chosen, project)
    return CommandsFile(path.name, given, (*notes, *told, *more))


def _entry(item: Map, place: str, file: str) -> GivenCase:
    turns: dict[int, GivenTurn] = {}
    problems: list[str] = []
    excluded = item.get("excluded")
    listed = item.get("turns") or Seq()
    if not isinstance(listed, Seq):
        problems.append(f"{place}: `turns` must be a list of {{index, commands}}")
        listed = Seq()
    for number, turn in enumerate(listed):
        at = f"{file}:{listed.item_lines[number]}"
        if not isinstance(turn, Map) or not isinstance(turn.get("index"), int) or isinstance(turn["index"], bool):
            problems.append(f"{at}: a turn needs `index`, a number")
        elif turn["index"] in turns:
            problems.append(f"{at}: the index {turn['index']} stands here twice")
        else:
            turns[turn["index"]] = GivenTurn(_commands(turn, at, problems), turn.get("payload") is True, at)
    occurrence = item.get("occurrence", 0)
    if not isinstance(occurrence, int) or isinstance(occurrence, bool):
        problems.append(f"{place}: `occurrence` must be a number from 0")
        occurrence = 0
    reason = "" if excluded is None or excluded is False else "excluded" if excluded is True else str(excluded)
    return GivenCase(item["file"], str(item["test_case"]).strip(), occurrence, place, turns, reason, tuple(problems))


def _commands(turn: Map, place: str, problems: list[str]) -> tuple[Command, ...] | None:
    listed: Any = turn.get("commands")
    if listed is None and turn.get("payload") is True:
        return None
    lines = listed.splitlines() if isinstance(listed, str) else listed if isinstance(listed, Seq) else None
    if lines is None:
        problems.append(f"{place}: a turn needs `commands`, a list; [] when nothing was understood")
        return ()
    out = []
    for line in lines:
        try:
            out.append(any_command(str(line)))
        except CommandSyntaxError:
            problems.append(f'{place}: {str(line)!r} is no command; write it as "start flow f", "set slot s v", …')
    return tuple(out)


# which entry belongs to which case


def _fits(entry: GivenCase, file: TestFile) -> bool:
    """Whether the end of one path is the other: an entry may name less than the path from the project, or more."""
    wanted = [part for part in PurePosixPath(entry.file.replace("\\", "/")).parts if part not in {".", "/"}]
    whole, short = list(file.path.parts), list(PurePosixPath(file.name).parts)
    return bool(wanted) and (whole[-len(wanted) :] == wanted or wanted[-len(short) :] == short)


def _files(entry: GivenCase, chosen: Chosen) -> list[TestFile]:
    """Files that an entry may mean, the nearest meaning alone if there is one."""
    found = [file for file in chosen.files if _fits(entry, file)]
    names = {entry.file, entry.file.removeprefix("./")}
    exact = [file for file in found if file.name in names or any(str(top / entry.file) == str(file.path) for top in chosen.tops)]
    with_case = [file for file in found if (entry.name, entry.occurrence) in file.known]
    both = [file for file in exact if file in with_case]
    return next((group for group in (both, with_case, exact) if len(group) == 1), found)


def _attached(
    entries: list[GivenCase], chosen: Chosen, project: Path
) -> tuple[dict[tuple[Path, str, int], GivenCase], tuple[str, ...]]:
    given: dict[tuple[Path, str, int], GivenCase] = {}
    notes: list[str] = []
    for entry in entries:
        files = _files(entry, chosen)
        if len(files) > 1:
            names = ", ".join(file.name for file in files)
            notes.append(f"{entry.place}: the entry is ignored: {entry.file} may be {names}; name more of the path")
        elif not files:
            if not _elsewhere(entry, project):
                notes.append(f"{entry.place}: there is no test file {entry.file}")
        elif (entry.name, entry.occurrence) in files[0].known:
            key = (files[0].path, entry.name, entry.occurrence)
            if key in given:
                notes.append(f"{entry.place}: the entry is ignored: {given[key].place} gives commands for the same test case")
            else:
                given[key] = entry
        elif not files[0].problems:
            notes.append(f"{entry.place}: {_unknown(entry, files[0])}")
    return given, tuple(notes)


def _unknown(entry: GivenCase, file: TestFile) -> str:
    times = sum(name == entry.name for name, _ in file.known)
    if times:
        return f"{file.name} has the test case {entry.name!r} only {times} time(s); occurrence {entry.occurrence} counts from 0"
    near = get_close_matches(entry.name, sorted({name for name, _ in file.known}), n=1)
    return f"{file.name} has no test case {entry.name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _elsewhere(entry: GivenCase, project: Path) -> bool:
    """Whether the project has such a file that was not asked for."""
    name = PurePosixPath(entry.file.replace("\\", "/")).name
    return any(_fits(entry, TestFile(path, path.relative_to(project).as_posix(), (), ())) for path in project.rglob(name))


# how indexes count


def _lengths(entries: list[GivenCase], chosen: Chosen) -> Iterator[tuple[GivenCase, int | None]]:
    """Each entry with the number of user turns of its case."""
    for entry in entries:
        lengths = [
            len(case.turns)
            for file in _files(entry, chosen)
            for case in file.cases
            if (case.name, case.occurrence) == (entry.name, entry.occurrence)
        ]
        yield entry, lengths[0] if lengths else None


def _from_zero(entries: list[GivenCase], chosen: Chosen, file: str) -> tuple[list[GivenCase], list[str]]:
    """Entries with indexes that count from 0, what is beyond the case's turns told as a problem of the entry.

    A file that counts from 1 is read so, and that is said, if it cannot be meant otherwise: no turn has index 0, some index is just
    beyond its case's last turn, and counted from 1 all of them fit.
    """
    lengths = list(_lengths(entries, chosen))
    used = [(index, length) for entry, length in lengths if length is not None for index in entry.turns]
    everywhere = [index for entry in entries for index in entry.turns]
    notes: list[str] = []
    shift = 0
    if everywhere and 0 not in everywhere:
        if any(index >= length for index, length in used) and all(1 <= index <= length for index, length in used):
            shift = 1
            notes.append(
                f"{file} counts turns from 1: none has index 0 and some would lie beyond their case. It is read that way"
            )
        else:
            notes.append(f"{file} gives no commands for any first turn: no turn has index 0. Indexes count from 0")
    out: list[GivenCase] = []
    for entry, length in lengths:
        turns = {index - shift: turn for index, turn in entry.turns.items()}
        beyond = [index for index in turns if length is not None and not 0 <= index < length]
        told = tuple(
            f"{turns[index].place}: there is no turn {index}; the case has {length} user turns, counted from 0"
            for index in beyond
        )
        out.append(replace(entry, turns=turns, problems=entry.problems + told))
    return out, notes
