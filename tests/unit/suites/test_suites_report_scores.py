"""Scores of dialogue understanding: what counts as right, missing and unexpected, and how it is told."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import bot, case, expectation, suite, turn
from rich.cells import cell_len
from rich.console import Console

from tightrope.suites.report_html import render_html
from tightrope.suites.scores import Score, pair, paired, print_scores, score, shown, write_scores
from tightrope.suites.transcript import failing_case


def understood(expected: str, actual: str, status: str = "failed"):
    return expectation(status, kind="commands", expected=expected, actual=actual)


def run(*expectations, **fields):
    return suite(case("du", "failed", turn(expectations=tuple(expectations))), kind="du", **fields)


@pytest.fixture
def report():
    return run(
        understood("start flow buy\nset slot ticker A\nset slot count 3", "set slot ticker B\nstart flow buy"),
        understood("start flow buy", "start flow buy", "passed"),
        understood("cancel flow", "start flow sell\nsearch and reply"),
        understood("disambiguate flows", "disambiguate flows buy sell", "passed"),
        understood("start flow buy", "start flow buy", "not_run"),
        expectation(kind="utter", expected="start flow never", actual=""),
    )


class TestPairing:
    @pytest.mark.parametrize(
        ("expected", "actual", "rows"),
        [
            (["a", "b"], ["b", "a"], [("a", "a"), ("b", "b")]),
            (["set slot x 1"], ["set slot x 2"], [("set slot x 1", "set slot x 2")]),
            (
                ["set slot x 1", "start flow f"],
                ["set slot y 1", "set slot x 2", "start flow f"],
                [("start flow f", "start flow f"), ("set slot x 1", "set slot x 2"), (None, "set slot y 1")],
            ),
            (["cancel flow"], [], [("cancel flow", None)]),
            ([], ["cancel flow"], [(None, "cancel flow")]),
            (["start flow f", "start flow f"], ["start flow f"], [("start flow f", "start flow f"), ("start flow f", None)]),
            (["disambiguate flows"], ["disambiguate flows a b"], [("disambiguate flows", "disambiguate flows a b")]),
            (["disambiguate flows a b"], ["disambiguate flows b a"], [("disambiguate flows a b", "disambiguate flows b a")]),
        ],
    )
    def test_same_commands_share_a_row_whatever_their_order_then_those_of_one_kind(self, expected, actual, rows):
        assert pair(expected, actual) == rows

    def test_a_clarification_of_any_flows_takes_only_what_no_other_needs(self):
        rows = pair(["disambiguate flows", "disambiguate flows a b"], ["disambiguate flows a b", "disambiguate flows c d"])
        assert rows == [("disambiguate flows", "disambiguate flows c d"), ("disambiguate flows a b", "disambiguate flows a b")]

    @given(*[st.lists(st.sampled_from(["start flow a", "set slot s 1", "set slot s 2", "cancel flow", "odd"]), max_size=6)] * 2)
    @settings(max_examples=200, deadline=None)
    def test_every_command_stands_in_exactly_one_row(self, expected, actual):
        rows = pair(expected, actual)
        assert sorted(left for left, _ in rows if left) == sorted(expected)
        assert sorted(right for _, right in rows if right) == sorted(actual)

    def test_a_reader_sees_the_rows(self):
        found = understood("start flow buy\nset slot ticker A", "set slot ticker B\nstart flow buy\ncancel flow")
        assert paired(found) == ("start flow buy\nset slot ticker A\n", "start flow buy\nset slot ticker B\ncancel flow")
        text = failing_case(run(found).cases[0], 100)
        rows = [[side.strip() for side in line.split("│")] for line in text.splitlines() if "│" in line]
        assert rows[1:] == [["start flow buy"] * 2, ["set slot ticker A", "set slot ticker B"], ["", "cancel flow"]]

    def test_other_kinds_of_expectations_are_left_as_they_are(self):
        assert paired(expectation(expected="b\na", actual="a\nb")) == ("b\na", "a\nb")


class TestScores:
    def test_right_missing_and_unexpected_are_counted_by_kind(self, report):
        found = score(report)
        assert found.commands == (
            Score("StartFlow", 2, 1, 0),
            Score("SetSlot", 0, 1, 2),
            Score("CancelFlow", 0, 0, 1),
            Score("Clarify", 1, 0, 0),
            Score("KnowledgeAnswer", 0, 1, 0),
        )
        assert found.total == Score("all commands", 3, 3, 3)
        assert (found.understood, found.messages) == (2, 4)

    def test_precision_recall_and_f1(self):
        one = Score("x", right=2, unexpected=1, missing=2)
        assert (one.support, one.precision, one.recall, one.f1) == (4, 2 / 3, 0.5, pytest.approx(4 / 7))

    def test_what_cannot_be_measured_is_none_and_told_as_a_dash(self):
        one = Score("x", right=0, unexpected=0, missing=1)
        assert (one.precision, one.recall, one.f1) == (None, 0.0, 0.0)
        assert Score("x", 0, 1, 0).recall is None
        assert shown(None) == "–"

    def test_only_a_perfect_share_reads_one(self):
        assert [shown(share) for share in (1.0, 0.9999, 0.29, 2 / 3, 0.0)] == ["1.00", "0.99", "0.29", "0.66", "0.00"]

    def test_a_run_without_commands_has_no_scores(self):
        assert score(suite(case())).commands == ()
        assert score(suite()).total.f1 is None


class TestTold:
    def test_as_csv(self, report, tmp_path):
        assert write_scores(report, tmp_path / "new" / "scores.csv") == score(report)
        rows = list(csv.reader(io.StringIO((tmp_path / "new" / "scores.csv").read_text(encoding="utf-8"))))
        assert rows[0] == ["Command", "Expected", "Right", "Missing", "Unexpected", "Precision", "Recall", "F1"]
        assert rows[1] == ["StartFlow", "2", "2", "0", "1", "0.66", "1.00", "0.80"]
        assert rows[-1] == ["all commands", "6", "3", "3", "3", "0.50", "0.50", "0.50"]

    @pytest.mark.parametrize("width", [80, 100])
    def test_on_the_console(self, report, width):
        out = io.StringIO()
        print_scores(Console(file=out, width=width, color_system=None, legacy_windows=False), score(report))
        lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
        assert "SetSlot 2 0 2 1 0.00 0.00 0.00" in lines
        assert lines[-1] == "2 of 4 messages understood completely"
        assert max(map(cell_len, out.getvalue().splitlines())) <= width

    def test_on_the_page(self, report, tmp_path):
        text = render_html(report, bot(tmp_path / "bot"))
        assert "<th>SetSlot</th><td>2</td><td>0</td><td>2</td><td>1</td><td>0.00</td>" in text
        assert "2 of 4 messages were understood completely" in text
        assert 'id="commands"' not in text
        assert 'id="scores"' not in render_html(suite(case()), bot(tmp_path / "other"))
