"""Many faults at once are all told, whatever a file holds the check itself never fails, and real projects give no false alarm."""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path

import pytest
import yaml
from engine_clinic import CLINIC, COMMON, DOMAIN, FLOWS, PATTERNS, VISITS, clinic, edit, error, planted, warning

from tightrope.engine.check import Problem, check
from tightrope.infra.settings import REPOSITORY

MANY = [
    error(VISITS, "collect: place_of_pain", "collect: place_of_pian", "- id: where", "unknown-slot", "'place_of_pian'"),
    error(VISITS, "action: utter_not_booked", "action: utter_no_booking", "- id: drop", "unknown-response", "'utter_no_booking'"),
    error(FLOWS, "link: pattern_human_handoff", "link: reception", "- id: hand_over", "unknown-flow", "'reception'"),
    error(DOMAIN, "payload: /SetSlots(reason=pain)", "payload: /SetSlots(reason=ache)", "reason=ache", "payload", "does not take 'ache'"),
    error(COMMON, "- text: We are open from eight to six.", "- text: We are open, {nobody}.", (FLOWS, "- id: tell"), "placeholder", "{nobody}"),
    error(PATTERNS, "", "  pattern_of_mine:\n    steps: [{action: utter_hours}]\n", "pattern_of_mine", "reserved-name", "pattern_of_mine"),
    error(DOMAIN, "min_value: 1\n", "min_value: one\n", "min_value: one", "slot", "must be a number"),
    warning(VISITS, "          - else: say\n", "          - if: slots.visit_number = 7\n            then: say\n", "- id: really", "no-else",
            "the flow ends here"),
]  # fmt: skip


def test_faults_are_all_told_at_once_each_with_its_file_and_line(tmp_path):
    root = clinic(tmp_path)
    for fault in MANY:
        found = planted(root, fault)
    for fault in MANY:
        file = fault.at[0] if isinstance(fault.at, tuple) else fault.file
        assert any(p.code == fault.code and p.file == file and fault.says in p.message for p in found), fault
    assert [(p.file, p.line) for p in found] == sorted((p.file, p.line) for p in found)


def test_two_faults_of_one_flow_s_form_are_both_told(tmp_path):
    root = clinic(tmp_path)
    edit(root, FLOWS, "collect: phone\n", "colect: phone\n")
    edit(root, FLOWS, "link: pattern_human_handoff\n", "lnk: pattern_human_handoff\n")
    edit(root, VISITS, "        next: find\n", "        nxt: find\n")
    edit(root, VISITS, "next: thank\n", "next: thanks\n")
    assert sorted((p.file, p.line) for p in check(root) if p.code == "flow-file") == [
        (FLOWS, 16),
        (FLOWS, 37),
        (VISITS, 32),
        (VISITS, 53),
    ]


def test_our_own_project_gives_no_problem():
    assert [str(p) for p in check(REPOSITORY)] == []


FOREIGN = [Path(name) for name in os.environ.get("FOREIGN_PROJECTS", "").split(os.pathsep) if name]
"""Folders of public CALM projects: they may be read and are never part of this repository."""


@pytest.mark.skipif(not FOREIGN, reason="FOREIGN_PROJECTS names no folders of other projects")
@pytest.mark.parametrize("root", FOREIGN, ids=lambda root: root.name)
def test_real_projects_of_others_give_no_error(root):
    assert [str(p) for p in check(root) if p.severity == "error"] == []


ODD = [
    None,
    True,
    5,
    1.5,
    "x",
    "{{",
    [],
    {},
    [1],
    ["x"],
    [None],
    [[]],
    {"a": 1},
    {"if": 1},
    [{"a": None}],
    {"steps": "x"},
    -(10**30),
]


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Where every part of a file is."""
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, (*path, number))
    return found


def put(value: object, path: tuple, odd: object) -> object:
    """The same with something odd in one place."""
    if not path:
        return odd
    made = copy.deepcopy(value)
    at = made
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = odd
    return made


@pytest.mark.parametrize("name", [VISITS, FLOWS, PATTERNS, DOMAIN, COMMON, "config.yml", "endpoints.yml"])
def test_whatever_stands_in_a_file_the_check_only_tells_of_it(tmp_path, name):
    """Each part of each file becomes each odd thing in turn; the lines that are told must exist."""
    root = clinic(tmp_path)
    whole = yaml.safe_load((CLINIC / name).read_text(encoding="utf-8"))
    where = places(whole)
    for number, path in enumerate(where):
        for odd in (ODD[number % len(ODD)], ODD[(number * 7 + 3) % len(ODD)]):
            text = yaml.safe_dump(put(whole, path, odd), allow_unicode=True)
            (root / name).write_text(text, encoding="utf-8")
            for problem in check(root):
                assert isinstance(problem, Problem)
                assert problem.line >= 1, (path, odd, str(problem))
                if problem.file == name:
                    assert problem.line <= len(text.splitlines()) + 1, (path, odd, str(problem))


def test_a_project_whose_folder_has_another_name_for_it_is_told_of_by_short_paths(tmp_path):
    root = clinic(tmp_path)
    edit(root, VISITS, "collect: day", "collect: nothing")
    link = tmp_path / "link"
    link.symlink_to(root)
    assert [p.file for p in check(link) if p.severity == "error"] == [VISITS]
    shutil.rmtree(root / "data")
    assert all(not p.file.startswith("/") for p in check(root))
