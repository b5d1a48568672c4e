"""What the suite claims of itself: every case stands on a line of the reference, none is there twice, no section is forgotten."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from case_files import FAILS, Case, all_cases

_AT = "shared/reference/rasa-calm.md"
REFERENCE = next((above / _AT for above in Path(__file__).parents if (above / _AT).is_file()), None)
_DOCS = Path(__file__).parents[2] / "docs" / "engine.md"
_HEADING = re.compile(r"^#{2,3} (\d+(?:\.\d+)?)\.? ")
_WORD = re.compile(r"[^\W\d]\w*|\d[\w.]*")
_PREFIX = re.compile(r"^(utter_ask_|utter_|action_ask_|action_|validate_|pattern_)(.+)$")


def test_ids_are_unique_and_say_what_they_are():
    twice = [name for name, count in Counter(case.id for case in all_cases()).items() if count > 1]
    unfit = [case.id for case in all_cases() if not re.fullmatch(r"[a-z0-9_]+", case.id)]
    assert (twice, unfit) == ([], [])


def test_the_documentation_claims_no_case_that_is_not_there():
    held = Counter(case.source.section for case in all_cases())
    table = _DOCS.read_text(encoding="utf-8").partition("## Conformance")[2]
    claimed = {row[1]: int(row[2]) for row in re.finditer(r"^\| (\d+(?:\.\d+)?) [^|]*\| (\d+) \|$", table, re.MULTILINE)}
    assert {section: count for section, count in claimed.items() if held[section] < count} == {}
    assert set(held) - set(claimed) == set(), "sections that the table of docs/engine.md does not list"
    assert sum(held.values()) >= 250


def test_every_case_stands_in_a_file_of_its_section():
    apart = [case.id for case in all_cases() if not f"{case.source.section}.".startswith(case.file.partition("-")[0] + ".")]
    assert apart == []


def test_every_case_names_a_line_of_the_reference(capsys: pytest.CaptureFixture[str]):
    if REFERENCE is None:
        why = f"NOT CHECKED: the source lines of {len(all_cases())} conformance cases, for {_AT} is not beside this checkout"
        with capsys.disabled():
            sys.stdout.write(f"\n{why}\n")
        pytest.skip(why)
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    section_of: list[str] = []
    for line in lines:
        heading = _HEADING.match(line)
        section_of.append(heading[1] if heading else section_of[-1] if section_of else "")
    wrong = [
        f"{case.file}: {case.id}: line {case.source.line} is "
        + (f"in section {section_of[case.source.line - 1]}" if 0 < case.source.line <= len(lines) else "no line")
        for case in all_cases()
        if not 0 < case.source.line <= len(lines)
        or section_of[case.source.line - 1] != case.source.section
        or not lines[case.source.line - 1].strip()
    ]
    assert wrong == []


def test_no_two_cases_are_the_same_up_to_names():
    seen: dict[str, str] = {}
    same = []
    for case in all_cases():
        first = seen.setdefault(_shape(case), case.id)
        if first != case.id:
            same.append(f"{case.id} is {first} in other words")
    assert same == []


def _shape(case: Case) -> str:
    """The case with each name replaced by the order in which it first comes; what the engine or the format gives a meaning stays."""
    place = [{key: value for key, value in (one or {}).items() if key != "words"} for one in (case.refused, case.warned)]
    whole = [
        case.files(),
        case.actions,
        [dict(turn) for turn in case.turns],
        case.strict,
        case.cap,
        dict(case.options),
        place,
        case.loaded,
    ]
    numbers: dict[str, str] = {}

    def rename(found: re.Match[str]) -> str:
        word = found[0]
        if word in _MEANINGFUL or word[0].isdigit():
            return word
        parts = _PREFIX.match(word)
        if parts:
            return parts[1] + numbers.setdefault(parts[2], f"n{len(numbers)}")
        return numbers.setdefault(word, f"n{len(numbers)}")

    return _WORD.sub(rename, json.dumps(whole, ensure_ascii=False))


_MEANINGFUL = frozenset((Path(__file__).parent / "meaningful_words.txt").read_text(encoding="utf-8").split()) | {FAILS}
