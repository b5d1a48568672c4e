"""Each case of `cases/` is one sentence of rasa-calm.md, played through the pure core or decided when its files are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from case_files import Case, all_cases
from player import covers, play, write

from tightrope.engine.check import Problem, check
from tightrope.engine.loader import load_project


def _params(wanted: list[Case]) -> list[object]:
    return [pytest.param(case, id=case.id) for case in wanted]


@pytest.mark.parametrize("case", _params([case for case in all_cases() if case.turns]))
def test_the_engine_plays_it_so(case: Case, tmp_path: Path):
    play(case, tmp_path)
    _no_fault(case, tmp_path)


@pytest.mark.parametrize("case", _params([case for case in all_cases() if case.refused or case.warned]))
def test_the_check_says_so(case: Case, tmp_path: Path):
    found = check(write(case, tmp_path))
    for severity, wanted in (("error", case.refused), ("warning", case.warned)):
        if wanted is not None:
            fits = [one for one in found if one.severity == severity and _stands(one, wanted, case)]
            said = "\n".join(str(one) for one in found)
            assert fits, f"{case.id} (rasa-calm.md:{case.source.line}): no {severity} with {dict(wanted)} among\n{said}"
    if case.refused is None:
        assert [one for one in found if one.severity == "error"] == []


@pytest.mark.parametrize("case", _params([case for case in all_cases() if case.loaded]))
def test_the_project_is_read_so(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for variable, setting in case.env.items():
        monkeypatch.setenv(variable, setting)
    project = load_project(write(case, tmp_path))
    assert case.loaded is not None
    for name, value in case.loaded.items():
        is_ = getattr(project, name)
        assert covers(value, list(is_) if isinstance(is_, tuple) else is_), (
            f"{case.id} (rasa-calm.md:{case.source.line}): {name} is {is_!r}"
        )
    _no_fault(case, tmp_path)


def _stands(problem: Problem, wanted: object, case: Case) -> bool:
    assert isinstance(wanted, dict)
    file, line = wanted.get("file", "data/flows.yml"), wanted["line"]
    if problem.file != file or wanted["words"].casefold() not in str(problem).casefold():
        return False
    text = case.files()[file].splitlines()[problem.line - 1]
    return (
        problem.line == line if isinstance(line, int) else any(one in text for one in ([line] if isinstance(line, str) else line))
    )


def _no_fault(case: Case, root: Path) -> None:
    """What can be played has no error in the check, but those that the case is about."""
    found = [str(one) for one in check(root) if one.severity == "error"]
    missing = [words for words in case.flawed if not any(words in one for one in found)]
    surprising = [one for one in found if not any(words in one for words in case.flawed)]
    assert (missing, surprising) == ([], []), f"{case.id} (rasa-calm.md:{case.source.line})"
