"""Coverage by flow step and by command: the numbers, Rasa's files, and the table on the console."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

import pytest
import yaml
from report_samples import NOT_RUN, bot, case, suite, turn
from rich.cells import cell_len
from rich.console import Console

from tightrope.suites.coverage import measure, percent, print_coverage, totals, write_coverage
from tightrope.suites.report_histogram import histogram

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def project(tmp_path):
    return bot(tmp_path / "bot")


@pytest.fixture
def report(project):
    asked = ("pattern_collect_information", project.flows["pattern_collect_information"].first)
    good = turn(visited=(("buy", "ticker"), ("buy", "ask"), ("buy", "done"), asked))
    again = turn(visited=(("buy", "ticker"),), commands=("set slot ticker 600519 A", "offtopic reply"))
    bad = turn(
        visited=(("buy", "ask"), ("buy", "sorry"), ("gone", "x")), commands=("cancel flow", "disambiguate flows buy greet")
    )
    return suite(case("buys", "passed", good, again), case("sorry", "failed", bad), NOT_RUN)


def by_flow(coverage):
    return {found.flow.id: (found.covered, found.steps, [step.id for step in found.missing]) for found in coverage.flows}


class TestMeasuring:
    def test_steps_are_counted_apart_for_passed_and_failed_cases_and_together(self, report, project):
        found = measure(report, project)
        assert by_flow(found.passed) == {
            "buy": (3, 4, ["sorry"]),
            "greet": (0, 1, ["hello"]),
            "pattern_chitchat": (0, 1, ["chat"]),
        }
        assert by_flow(found.failed)["buy"] == (2, 4, ["ticker", "done"])
        assert by_flow(found.run)["buy"] == (4, 4, [])
        assert (found.passed.cases, found.failed.cases, found.run.cases) == (1, 1, 2)
        assert totals(found.passed.flows) == (3, 6)

    def test_best_covered_first_and_own_patterns_behind_equal_flows(self, report, project):
        assert [found.flow.id for found in measure(report, project).passed.flows] == ["buy", "greet", "pattern_chitchat"]

    def test_built_in_patterns_are_told_apart_and_an_overridden_one_is_the_project_s(self, report, project):
        found = measure(report, project).passed
        builtin = {flow.flow.id for flow in found.builtin}
        assert "pattern_chitchat" not in builtin
        assert "pattern_collect_information" in builtin
        assert not builtin & {flow.flow.id for flow in found.flows}

    def test_a_case_that_was_not_run_covers_nothing(self, project):
        visited = turn(visited=(("greet", "hello"),))
        found = measure(suite(case("x", "not_run", visited)), project)
        assert totals(found.run.flows) == (0, 6)
        assert set(found.run.commands.values()) == {0}

    def test_every_documented_command_is_counted_also_with_none(self, report, project):
        found = measure(report, project)
        assert found.passed.commands == {
            "StartFlow": 1, "SetSlot": 1, "CancelFlow": 0, "Clarify": 0, "KnowledgeAnswer": 0, "ChitChat": 1,
            "SkipQuestion": 0, "RepeatBotMessages": 0, "CannotHandle": 0, "Error": 0,
        }  # fmt: skip
        assert (found.failed.commands["CancelFlow"], found.failed.commands["Clarify"]) == (1, 1)

    def test_a_command_that_is_not_known_is_counted_as_other(self, project):
        found = measure(suite(case("x", "passed", turn(commands=("start flows", "=cmd()", "cannot handle", "error")))), project)
        assert (found.passed.commands["other"], found.passed.commands["CannotHandle"], found.passed.commands["Error"]) == (
            2,
            1,
            1,
        )

    def test_of_no_steps_nothing_is_covered(self):
        assert [percent(*pair) for pair in ((0, 0), (1, 3), (3, 3))] == ["0.00%", "33.33%", "100.00%"]

    def test_missing_steps_that_follow_each_other_are_one_stretch(self, project):
        found = {flow.flow.id: flow for flow in measure(suite(), project).passed.flows}
        assert (found["buy"].lines, found["buy"].stretches) == ("6-7, 8-16, 13-15, 17-18", "6-18")
        done = measure(suite(case("x", "passed", turn(visited=(("buy", "ask"), ("buy", "done"))))), project)
        assert next(flow.stretches for flow in done.passed.flows if flow.flow.id == "buy") == "6-7, 17-18"


class TestFiles:
    def test_flow_tables_have_rasa_s_columns_a_total_and_the_lines_of_missing_steps(self, report, project, tmp_path):
        write_coverage(report, project, tmp_path / "a" / "b")
        text = (tmp_path / "a" / "b" / "coverage_report_for_passed_tests.csv").read_text(encoding="utf-8")
        assert text.splitlines() == [
            "Flow Name,Coverage,Num Steps,Missing Steps,Line Numbers",
            "data/flows.yml::buy,75.00%,4,1,[17-18]",
            "data/flows.yml::greet,0.00%,1,1,[22-23]",
            "data/flows.yml::pattern_chitchat,0.00%,1,1,[27-28]",
            "Total,50.00%,6,3,",
        ]
        failed = list(csv.reader(io.StringIO((tmp_path / "a" / "b" / "coverage_report_for_failed_tests.csv").read_text())))
        assert failed[1] == ["data/flows.yml::buy", "50.00%", "4", "2", "[6-7, 13-15]"]

    def test_every_file_is_there_and_says_what_was_measured(self, report, project, tmp_path):
        assert write_coverage(report, project, tmp_path / "c") == measure(report, project)
        assert sorted(path.name for path in (tmp_path / "c").iterdir()) == sorted(
            [
                f"{name}_for_{word}_tests.csv"
                for name in ("coverage_report", "pattern_coverage", "commands_histogram")
                for word in ("passed", "failed")
            ]
            + [f"commands_histogram_for_{word}_tests.svg" for word in ("passed", "failed")]
            + ["passed.yml", "failed.yml"]
        )
        rows = (tmp_path / "c" / "commands_histogram_for_passed_tests.csv").read_text().splitlines()
        assert rows[:4] == ["Command,Count", "StartFlow,1", "SetSlot,1", "ChitChat,1"]
        assert "pattern_collect_information" in (tmp_path / "c" / "pattern_coverage_for_passed_tests.csv").read_text()

    def test_lists_name_each_case_and_its_place(self, report, project, tmp_path):
        write_coverage(report, project, tmp_path)
        passed = yaml.safe_load((tmp_path / "passed.yml").read_text(encoding="utf-8"))
        assert passed == {"test_cases": [{"file": "tests/e2e/buy.yml", "test_case": "buys", "line": 4, "occurrence": 0}]}
        assert [c["test_case"] for c in yaml.safe_load((tmp_path / "failed.yml").read_text())["test_cases"]] == ["sorry"]

    def test_a_run_replaces_the_files_of_the_run_before(self, report, project, tmp_path):
        write_coverage(report, project, tmp_path)
        write_coverage(suite(), project, tmp_path)
        assert yaml.safe_load((tmp_path / "failed.yml").read_text()) == {"test_cases": []}
        assert "Total,0.00%,6,6," in (tmp_path / "coverage_report_for_failed_tests.csv").read_text()

    def test_names_that_no_encoding_takes_do_not_stop_the_report(self, project, tmp_path):
        report = suite(case("\ud800 - [x]: {y} # 注\x1b\n", "passed", turn(commands=("\ud800",)), file="\ud800.yml"))
        write_coverage(report, project, tmp_path)
        assert "注" in (tmp_path / "passed.yml").read_text(encoding="utf-8")
        assert "\x1b" not in (tmp_path / "passed.yml").read_text(encoding="utf-8")


class TestHistogram:
    def test_bars_are_as_long_as_the_counts_and_each_is_named(self):
        root = ElementTree.fromstring(histogram("Commands", [("StartFlow", 8), ("SetSlot", 2), ("Clarify", 0)]))
        bars = [float(bar.get("width", "")) for bar in root.findall(f"{SVG}rect")[1:]]
        assert bars == [400.0, 100.0, 0.0]
        assert [text.text for text in root.findall(f"{SVG}text")] == [
            "Commands",
            "StartFlow",
            "8",
            "SetSlot",
            "2",
            "Clarify",
            "0",
        ]

    def test_no_counts_at_all_is_still_a_picture(self):
        assert ElementTree.fromstring(histogram("none", [])).find(f"{SVG}title").text == "none"

    def test_a_name_can_add_nothing_to_the_picture(self):
        evil = "<script>alert(1)</script>\x00&\"'"
        root = ElementTree.fromstring(histogram(evil, [(evil, 1)]))
        assert {element.tag for element in root.iter()} == {f"{SVG}{tag}" for tag in ("svg", "title", "style", "rect", "text")}


def console_text(found, width: int) -> str:
    out = io.StringIO()
    print_coverage(Console(file=out, width=width, color_system=None, legacy_windows=False), found)
    return out.getvalue()


class TestConsole:
    def test_flows_missing_lines_total_and_built_in_patterns(self, report, project):
        lines = [" ".join(line.split()) for line in console_text(measure(report, project), 100).splitlines()]
        assert "flow coverage steps missing in failed at lines" in lines
        assert "buy 75.00% 4 1 1 17-18" in lines
        assert "greet 0.00% 1 1 22-23" in lines
        assert "Total 50.00% 6 3 1" in lines
        assert any(line.startswith("Built-in patterns: 1 of ") for line in lines)

    def test_without_failed_cases_there_is_no_column_for_them(self, report, project):
        text = console_text(measure(suite(report.cases[0]), project), 100)
        assert "in failed" not in text

    @pytest.mark.parametrize("width", [60, 80, 100])
    def test_no_line_is_wider_than_the_window(self, report, project, width):
        assert max(map(cell_len, console_text(measure(report, project), width).splitlines())) <= width
