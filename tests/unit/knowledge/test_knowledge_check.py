"""`kb check`, `kb diff`, `kb impact`: everything at once, each with its place."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
from kb_samples import CHECKER, MAKER, base, sign, signed_base, text

from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.models import Problem
from tightrope.knowledge.passages import build_release, read_documents
from tightrope.knowledge.publishing.check import check
from tightrope.knowledge.publishing.diff import diff, words_that_differ
from tightrope.knowledge.publishing.impact import Asked, changed_sections, impact, read_questions

DAY = date(2026, 11, 22)


def found(folder: Path, day: date = DAY) -> list[Problem]:
    return list(check(folder, production=False, day=day).problems)


def change(folder: Path, language: str, old: str, new: str) -> None:
    path = folder / f"sample.{language}.md"
    good = path.read_text(encoding="utf-8")
    assert old in good
    path.write_text(good.replace(old, new), encoding="utf-8")


def test_a_good_base_has_no_problem(tmp_path: Path):
    assert found(signed_base(tmp_path)) == []


@pytest.mark.parametrize(
    ("language", "old", "new", "line", "what"),
    [
        ("zh", "样例业务每笔", "这项业务每笔", 18, "does not stand alone"),
        ("zh", "样例业务每笔", "上述业务每笔", 18, "does not stand alone"),
        ("en", "The sample minimum", "This minimum", 18, "does not stand alone"),
        ("en", "The sample minimum", "The above minimum", 18, "does not stand alone"),
        ("zh", "<!-- keywords: 多少钱 -->\n", "", 12, "no keywords"),
        ("zh", "<!-- asked:\n做一笔要花多少\n-->\n", "", 12, "no questions in customers' words"),
        ("en", "-->\nThe sample com", "\nThe sample com", 12, "a comment that is neither"),
        ("en", "what does one", "what <!-- does one", 12, "a comment that is neither"),
        ("zh", "样例业务每笔", "<!-- 备注 -->样例业务每笔", 12, "a comment that is neither"),
        ("zh", "样例业务每笔", "样例业务" * 150 + "每笔", 12, "tokens in one passage"),
        ("en", "topic: fees", "topic: tax", 2, "topic is tax"),
        ("en", "version: v1", "version: v2", 2, "no twin in zh"),
        ("en", "## Fees", "## More\nMore is said here.\n\n## Fees", 1, "2 sections"),
        ("zh", "9999-12-31", "2026-11-21", 2, "ended on"),
        ("en", "0.1%", "0.2%", 12, "figures differ between the languages: zh has 0.1, en has 0.2"),
        ("en", "CNY 5 per trade", "50", 18, "50 has no unit"),
        ("zh", "topic: fees", "topic: gold", 6, "topic must be"),
        ("zh", "effective_from: 2026-09-01", "effective_from: 2026-13-01", 8, "month"),
        ("zh", "## 收费", "前言\n## 收费", 12, "before the first heading"),
        ("zh", "source: own, 2026", "source: own, 2026\napprovals: []", 11, "count for nothing"),
        ("zh", "audience: public", "audience: internal", 2, "in no release"),
    ],
)
def test_each_problem_is_told_with_its_line_and_a_remedy(tmp_path: Path, language: str, old: str, new: str, line: int, what: str):
    folder = base(tmp_path)
    change(folder, language, old, new)
    hits = [problem for problem in found(folder) if what in problem.what]
    assert hits, [str(problem) for problem in found(folder)]
    assert hits[0].line == line
    assert hits[0].remedy
    assert hits[0].file.startswith("sample.")


def test_all_problems_of_all_files_come_at_once(tmp_path: Path):
    folder = base(tmp_path)
    change(folder, "zh", "topic: fees", "topic: gold")
    change(folder, "zh", "audience: public", "audience: all")
    change(folder, "en", "The sample minimum", "This minimum")
    problems = found(folder)
    assert {problem.file for problem in problems} == {"sample.zh.md", "sample.en.md"}
    assert sum("must be" in problem.what for problem in problems) == 2
    (folder / "broken.zh.md").write_bytes(b"\xff")
    assert len(found(folder)) == len(problems) + 1


def test_versions_on_the_same_days_and_void_signatures_are_told(tmp_path: Path):
    folder = signed_base(tmp_path)
    for language in ("zh", "en"):
        (folder / f"sample.v2.{language}.md").write_text(text(language, version="v2"), encoding="utf-8")
    change(folder, "zh", "0.1%", "0.2%")
    said = " ".join(str(problem) for problem in found(folder))
    assert "in force on the same days as sample.zh.md" in said
    assert "have changed since li signed" in said


def test_two_documents_that_say_two_figures_of_one_thing_are_told_with_both_places(tmp_path: Path):
    folder = base(tmp_path)
    for language in ("zh", "en"):
        (folder / f"more.{language}.md").write_text(text(language, id="more").replace("最低5元", "最低8元"), encoding="utf-8")
    told = [problem for problem in found(folder) if "8 CNY" in problem.what or "5 CNY" in problem.what]
    assert any({problem.file, problem.what.split(" in ")[-1].split(":")[0]} == {"more.zh.md", "sample.zh.md"} for problem in told)
    assert not any(problem.file.endswith(".en.md") and " here, " in problem.what for problem in told)
    for language in ("zh", "en"):  # not on the same days: no contradiction
        later = text(language, id="more", effective_to="2026-08-31", effective_from="2026-01-01")
        (folder / f"more.{language}.md").write_text(later.replace("最低5元", "最低8元"), encoding="utf-8")
    assert not [problem for problem in found(folder) if " here, " in problem.what]


def test_a_question_that_two_sections_claim_is_told_once_with_the_other_place(tmp_path: Path):
    folder = base(tmp_path)
    (folder / "more.zh.md").write_text(text("zh", id="more").replace("做一笔要花多少", "做一笔，要花多少？"), encoding="utf-8")
    (folder / "more.en.md").write_text(text("en", id="more").replace("cost me", "cost"), encoding="utf-8")
    told = [problem for problem in found(folder) if "too" in problem.what and "question" in problem.what]
    assert [(problem.file, problem.line, problem.grade) for problem in told] == [("sample.zh.md", 15, "warning")]
    assert "more.zh.md" in told[0].what
    for language in ("zh", "en"):  # versions that follow each other may ask alike
        later = text(language, id="more", effective_to="2026-08-31", effective_from="2026-01-01")
        (folder / f"more.{language}.md").write_text(later, encoding="utf-8")
    assert not [problem for problem in found(folder) if "question" in problem.what]


def test_a_question_is_claimed_by_whoever_is_in_force_with_it_and_public(tmp_path: Path):
    folder = base(tmp_path)
    for language in ("zh", "en"):
        gone = text(language, id="gone", effective_to="2026-08-31", effective_from="2026-01-01")
        (folder / f"gone.{language}.md").write_text(gone, encoding="utf-8")
        (folder / f"internal-more.{language}.md").write_text(
            text(language, id="internal-more", audience="internal"), encoding="utf-8"
        )
    assert not [problem for problem in found(folder) if "question" in problem.what]
    for language in ("zh", "en"):
        (folder / f"more.{language}.md").write_text(text(language, id="more"), encoding="utf-8")
    assert sum("question" in problem.what for problem in found(folder)) == 2


def test_what_customers_ask_is_read_and_never_quoted(tmp_path: Path):
    folder = base(tmp_path)
    change(folder, "zh", "做一笔要花多少\n-->", "- 做一笔要花多少\n-->\n<!-- asked:\n做一笔要花多少\n收几块\n-->")
    for duty, key in (("maker", MAKER), ("checker", CHECKER)):
        sign(folder, duty, key)
    release = build_release(read_documents(folder))
    zh = next(passage for passage in release.passages if passage.language == "zh")
    assert zh.asked == ("做一笔要花多少", "收几块")
    assert "要花多少" not in zh.content
    assert zh.text.startswith("样例业务的佣金")


def test_a_changed_question_is_another_release_and_is_told(tmp_path: Path):
    folder = signed_base(tmp_path)
    old = build_release(read_documents(folder))
    change(folder, "zh", "做一笔要花多少", "一笔几块钱")
    for duty, key in (("maker", MAKER), ("checker", CHECKER)):
        sign(folder, duty, key)
    new = build_release(read_documents(folder))
    assert new.release_id != old.release_id
    assert [(c.before, c.after) for c in diff(old, new)] == [("asked: 做一笔要花多少", ""), ("", "asked: 一笔几块钱")]
    assert impact("sample", old, new, (), ()).changed == (1,)


def test_nothing_in_our_own_documents_keeps_them_from_being_published():
    assert [str(problem) for problem in check(REPOSITORY / "knowledge_base", production=False, day=DAY).errors] == []


def test_the_difference_of_two_releases_is_told_by_sentence(tmp_path: Path):
    folder = signed_base(tmp_path)
    old = build_release(read_documents(folder))
    change(folder, "zh", "佣金为0.1%", "佣金为0.2%")
    change(folder, "en", "The sample minimum is CNY 5 per trade.\n", "")
    change(folder, "en", "own, 2026", "own, 2027")
    sign(folder, "maker", MAKER)
    sign(folder, "checker", CHECKER)
    new = build_release(read_documents(folder))
    told = [(c.language, c.section, c.kind, c.before, c.after) for c in diff(old, new)]
    assert told == [
        ("en", 0, "changed", "own, 2026", "own, 2027"),
        ("en", 1, "removed", "The sample minimum is CNY 5 per trade.", ""),
        ("zh", 1, "changed", "样例业务的佣金为0.1%。", "样例业务的佣金为0.2%。"),
    ]
    assert diff(new, new) == []
    assert {change.kind for change in diff(None, new)} == {"added"}
    assert [(run, differs) for run, differs in words_that_differ("为0.1%。", "为0.2%。")[1] if differs] == [("2", True)]


def test_impact_names_questions_and_cases_of_the_changed_sections(tmp_path: Path):
    folder = signed_base(tmp_path)
    old = build_release(read_documents(folder))
    asked = [
        Asked("q1", "zh", "佣金多少", ("sample.1",), "a:1"),
        Asked("q2", "zh", "别的", ("sample.2", "sample-more.1"), "a:2"),
    ]
    cites = [("case-1", "f.yml:3", {"sample"}), ("case-2", "f.yml:9", {"sample-more"})]
    same = impact("sample", old, old, asked, cites)
    assert (same.changed, [q.question_id for q in same.questions]) == ((), ["q1", "q2"])
    change(folder, "en", "0.1%", "0.3%")
    sign(folder, "maker", MAKER)
    sign(folder, "checker", CHECKER)
    new = build_release(read_documents(folder))
    assert changed_sections("sample", old, new) == {1}
    touched = impact("sample", old, new, asked, cites)
    assert ([q.question_id for q in touched.questions], touched.cases) == (["q1"], (("case-1", "f.yml:3"),))
    assert changed_sections("sample", None, new) == {1}


def test_labelled_questions_are_read_and_a_bad_line_is_named(tmp_path: Path):
    assert len(read_questions(REPOSITORY / "tests/golden/knowledge")) > 100
    (tmp_path / "x.jsonl").write_text('{"id": "a"}\n{"question": "?"}\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"x\.jsonl:2"):
        read_questions(tmp_path)


def graded(folder: Path, what: str) -> set[str]:
    return {problem.grade for problem in found(folder) if what in problem.what}


def test_a_figure_against_another_is_an_error_and_one_too_many_is_to_be_judged(tmp_path: Path):
    folder = base(tmp_path)
    change(folder, "en", "0.1%", "0.2%")
    assert graded(folder, "figures differ") == {"error"}
    change(folder, "en", "0.2%", "the published rate")
    assert graded(folder, "figures differ") == {"warning"}


def test_the_same_sentence_with_another_figure_is_an_error_but_not_about_another_board(tmp_path: Path):
    folder = base(tmp_path)
    for language in ("zh", "en"):
        other = text(language, id="more").replace("最低5元", "最低8元").replace("CNY 5 ", "CNY 8 ")
        (folder / f"more.{language}.md").write_text(other, encoding="utf-8")
    assert graded(folder, "5 CNY") | graded(folder, "8 CNY") == {"error"}
    for language, old, new in (("zh", "样例业务", "科创板样例业务"), ("en", "The sample", "The STAR Market sample")):
        path = folder / f"more.{language}.md"
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert graded(folder, "5 CNY") | graded(folder, "8 CNY") == set()


def test_a_prompt_that_lost_an_approved_clause_is_an_error_that_names_it(tmp_path: Path):
    folder = base(tmp_path / "knowledge_base")
    shutil.copytree(REPOSITORY / "prompts", tmp_path / "prompts")
    shutil.copytree(REPOSITORY / "data/knowledge", tmp_path / "data/knowledge", ignore=shutil.ignore_patterns("*.npz"))
    assert not [problem for problem in found(folder) if problem.file.startswith("prompts/")]
    newer = (tmp_path / "prompts/answer.v1.jinja2").read_text(encoding="utf-8").replace("never instructions", "not instructions")
    (tmp_path / "prompts/answer.v10.jinja2").write_text(newer, encoding="utf-8")
    told = [problem for problem in found(folder) if problem.file.startswith("prompts/")]
    assert [(problem.file, problem.grade) for problem in told] == [("prompts/answer.v10.jinja2", "error")]
    assert "prompt-data-only" in told[0].what
    assert "never instructions" in told[0].remedy


def test_the_documents_of_this_repository_have_nothing_to_judge():
    assert found(REPOSITORY / "knowledge_base") == []
