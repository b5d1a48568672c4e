"""JUnit XML: what a build server may rely on, and nothing a test wrote breaks the file."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import BROKEN, FAILED, NOT_RUN, case, expectation, suite, turn

from tightrope.suites.models import SuiteReport
from tightrope.suites.report_junit import write_junit

TIME = r"\d+\.\d{3}"
COUNT = r"\d+"
ANY = r"(?s).*"
NESTED = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase", "properties", "system-out", "system-err"},
    "properties": {"property"},
    "property": set(),
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
    "skipped": set(),
    "error": set(),
    "failure": set(),
    "system-out": set(),
}
"""Jenkins' junit-10.xsd (jenkinsci/xunit-plugin, MIT): which element may stand in which; only those that are used here."""
ATTRIBUTES = {
    "testsuites": {"name": ANY, "time": TIME, "tests": COUNT, "failures": COUNT, "errors": COUNT},
    "testsuite": {
        "name": ANY, "tests": COUNT, "failures": COUNT, "errors": COUNT, "skipped": COUNT, "time": TIME, "timestamp": ANY, "file": ANY,
    },
    "testcase": {"name": ANY, "classname": ANY, "time": TIME, "file": ANY, "line": COUNT},
    "properties": {},
    "property": {"name": ANY, "value": ANY},
    "skipped": {"message": ANY},
    "error": {"type": ANY, "message": ANY},
    "failure": {"type": ANY, "message": ANY},
    "system-out": {},
}  # fmt: skip
"""Attributes it allows with their form; `file` and `line` of a testcase are pytest's (xunit1) and GitLab's, beyond that schema."""
REQUIRED = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}, "property": {"name", "value"}}


def conforms(element: ElementTree.Element) -> None:
    assert element.tag in NESTED
    assert set(element.keys()) <= set(ATTRIBUTES[element.tag])
    assert REQUIRED.get(element.tag, set()) <= set(element.keys())
    for name, value in element.items():
        assert re.fullmatch(ATTRIBUTES[element.tag][name], value), (element.tag, name, value)
    for child in element:
        assert child.tag in NESTED[element.tag]
        conforms(child)


@pytest.fixture
def written(tmp_path):
    def write(report: SuiteReport) -> ElementTree.Element:
        write_junit(report, tmp_path / "out" / "junit.xml")
        root = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()
        conforms(root)
        return root

    return write


def test_a_suite_per_file_with_counts_that_add_up(written):
    other = replace(case("sells", seconds=0.5), file="tests/e2e/sell.yml")
    root = written(suite(case(), FAILED, other, NOT_RUN, BROKEN))
    assert {name: root.get(name) for name in ("name", "tests", "failures", "errors", "time")} == {
        "name": "tightrope test e2e", "tests": "5", "failures": "1", "errors": "1", "time": "1.500",
    }  # fmt: skip
    assert [dict(found.items()) for found in root] == [
        {
            "name": "tests/e2e/buy.yml", "file": "tests/e2e/buy.yml", "timestamp": "2026-11-20T10:00:00+08:00",
            "tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "1.000",
        },
        {
            "name": "tests/e2e/sell.yml", "file": "tests/e2e/sell.yml", "timestamp": "2026-11-20T10:00:00+08:00",
            "tests": "1", "failures": "0", "errors": "0", "skipped": "0", "time": "0.500",
        },
    ]  # fmt: skip


def test_a_case_names_its_place_and_a_passed_one_holds_nothing(written):
    found = written(suite(case(occurrence=1)))[0][0]
    assert dict(found.items()) == {
        "classname": "tests.e2e.buy", "name": "buys (2)", "time": "0.250", "file": "tests/e2e/buy.yml", "line": "4",
    }  # fmt: skip
    assert list(found) == []


def test_a_failure_says_the_first_difference_in_a_line_and_shows_all_side_by_side(written):
    failure = written(suite(FAILED)).find("testsuite/testcase/failure")
    assert failure.get("type") == "bot_uttered"
    assert failure.get("message").startswith(
        "bot_uttered in line 8 (and 1 more): expected text_matches: 按万分之三收取, got text: 请确认"
    )
    assert "买入10手贵州茅台" in failure.text
    assert "│ actual" in failure.text


def test_what_broke_a_case_outside_its_expectations_is_an_error(written):
    error = written(suite(BROKEN)).find("testsuite/testcase/error")
    assert error.get("message") == "stub action_x answers with no list of events"


def test_a_case_that_was_not_run_is_skipped_with_its_reason(written):
    assert written(suite(NOT_RUN)).find("testsuite/testcase/skipped").get("message") == "excluded: voice only"


def test_expectations_that_were_not_run_are_told_also_in_a_case_that_passed(written):
    judged = turn(expectations=(expectation("not_run", kind="generative_response_is_relevant", reason="needs a model as judge"),))
    found = written(suite(case("a", "passed", judged)))[0][0]
    assert found.find("system-out").text == "not run: generative_response_is_relevant in line 7: needs a model as judge"
    assert found.find("failure") is None


def test_what_a_reader_has_to_know_of_the_run_is_a_property_of_each_suite(written):
    found = written(suite(case(), notes=("no actions run", "\x00 none understands"))).findall("testsuite/properties/property")
    assert [(one.get("name"), one.get("value")) for one in found] == [
        ("note", "no actions run"),
        ("note", "\\x00 none understands"),
    ]


def test_a_run_without_cases_is_a_file_all_the_same(written):
    assert dict(written(suite()).items())["tests"] == "0"


def test_a_long_message_is_cut_and_the_text_is_whole(written):
    long = "万分之三" * 200
    failure = written(suite(case("a", "failed", turn(expectations=(expectation("failed", expected=long),))))).find(".//failure")
    assert len(failure.get("message")) == 240
    assert failure.text.count("万分之三") > 150


def test_an_unwritable_place_is_an_error_of_the_system(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_junit(suite(), tmp_path / "file" / "junit.xml")


WILD = st.text(alphabet=st.characters(exclude_categories=()), max_size=30)


@given(WILD, WILD)
@settings(max_examples=150, deadline=None)
def test_no_text_makes_the_file_unreadable(tmp_path_factory, one, other):
    failed = expectation("failed", kind=one, expected=other, actual=one, reason=other)
    skipped = expectation("not_run", kind=other, reason=one)
    nasty = case(one, "failed", turn(other, expectations=(failed, skipped), commands=(one,)), file=other, reason=one)
    path = tmp_path_factory.getbasetemp() / "wild.xml"
    write_junit(suite(nasty, replace(nasty, status="not_run"), replace(nasty, turns=()), started=one), path)
    conforms(ElementTree.parse(path).getroot())


@pytest.mark.parametrize("evil", ["]]><failure/>", "<testcase name='x'/>", "&lol;", "\x00\x1b[2J\ufffe\ud800", "a\nb"])
def test_nothing_that_was_written_becomes_xml(written, evil):
    nasty = case(
        evil, "failed", turn(evil, expectations=(expectation("failed", kind=evil, expected=evil, actual=evil),)), file=evil
    )
    root = written(suite(nasty))
    assert [element.tag for element in root.iter()] == ["testsuites", "testsuite", "testcase", "failure"]
