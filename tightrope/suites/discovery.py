"""Which files and cases are asked for: files, folders, `file.yml::case name`; and the conftest.yml that hold for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from tightrope.engine.errors import ProjectError
from tightrope.engine.yamlfile import read
from tightrope.suites.cases import Case, FileKind, TestFile
from tightrope.suites.errors import SuiteError
from tightrope.suites.reader import read_test_file

DEFAULTS: dict[FileKind, tuple[str, ...]] = {
    "e2e": ("tests/e2e_test_cases.yml", "e2e_tests", "tests/e2e"),
    "du": ("dialogue_understanding_tests", "tests/dialogue_understanding_tests"),
}
"""Where tests lie when no path is given: the first of these that exists in the project."""

_SUFFIXES = {".yml", ".yaml"}
_TEST_KEYS = {"test_cases", "fixtures", "stub_custom_actions"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The files to play, and of each only the cases that were asked for. `top` is the folder given, for matching names."""

    files: tuple[TestFile, ...]
    tops: tuple[Path, ...]

    @property
    def cases(self) -> list[Case]:
        """All cases, in the order of the files."""
        return [case for file in self.files for case in file.cases]


def choose(paths: Sequence[str], project: Path, kind: FileKind) -> Chosen:
    """Read what the paths name. Relative paths are looked for here first, then in the project.

    Raises:
        SuiteError: a path does not exist, holds no test, or names a case that its file does not have.
    """
    root = project.resolve()
    wanted: dict[Path, set[str] | None] = {}
    tops: list[Path] = []
    given = (
        {path: _split(path, root) for path in paths} if paths else {name: (root / name, None) for name in _default(root, kind)}
    )
    for text, (path, name) in given.items():
        found = [path] if path.is_file() else sorted(_tests(path))
        if not found:
            raise SuiteError(f"{text}: there is no test file in this folder")
        tops.append(path if path.is_dir() else path.parent)
        for file in found:
            names = wanted.setdefault(file, set())
            if name is None:
                wanted[file] = None
            elif names is not None:
                names.add(name)
    files = []
    for file, only in wanted.items():
        top = next(top for top in tops if file.is_relative_to(top))
        files.append(_only(read_test_file(file, root, list(_conftests(file, root, top)), kind), only))
    return Chosen(tuple(files), tuple(tops))


def _default(root: Path, kind: FileKind) -> list[str]:
    for name in DEFAULTS[kind]:
        if (root / name).exists():
            return [name]
    raise SuiteError(f"no path was given and {root} has none of {', '.join(DEFAULTS[kind])}; name a file or a folder with tests")


def _split(text: str, root: Path) -> tuple[Path, str | None]:
    name, mark, case = text.partition("::")
    for base in (Path.cwd(), root):
        path = (base / name).resolve()
        if path.exists():
            if mark and not path.is_file():
                raise SuiteError(f"{text}: before :: there must be a file, {name} is a folder")
            return path, case if mark else None
    raise SuiteError(f"{name}: there is no such file or folder, neither here nor in {root}")


def _tests(folder: Path) -> Iterator[Path]:
    """Files of a folder that hold tests, or look as if they were meant to."""
    for path in folder.rglob("*"):
        if path.suffix not in _SUFFIXES or path.stem == "conftest" or not path.is_file():
            continue
        try:
            if not _TEST_KEYS & read(path, folder).keys():
                continue
        except ProjectError:
            pass  # its problem is told when it is read as a test file
        yield path


def _conftests(file: Path, root: Path, top: Path) -> Iterator[Path]:
    """conftest.yml of every folder from the project's, or else from the given one, down to the file's."""
    start = root if file.is_relative_to(root) else top
    for folder in reversed([found for found in file.parents if found.is_relative_to(start)]):
        for suffix in (".yml", ".yaml"):
            if (folder / f"conftest{suffix}").is_file():
                yield folder / f"conftest{suffix}"


def _only(file: TestFile, names: set[str] | None) -> TestFile:
    if names is None or file.problems:
        return file
    known = {case.name for case in file.cases}
    for name in sorted(names - known):
        near = get_close_matches(name, sorted(known), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(known))}"
        raise SuiteError(f"{file.name} has no test case {name!r}; {hint}")
    return replace(file, cases=tuple(case for case in file.cases if case.name in names))
