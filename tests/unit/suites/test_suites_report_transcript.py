"""A case as text: sides beside each other, Chinese by its width, and nothing in it that steers a terminal."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import BROKEN, CONFIRM, FAILED, NOT_RUN, case, expectation, turn
from rich.cells import cell_len
from rich.console import Console

from tightrope.suites.text import differences, segments, visible, wrap
from tightrope.suites.transcript import bot_lines, failing_case, slots_set, styled_case, title, why


def on_console(report, width: int, color: str | None = None) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=color, force_terminal=color is not None, legacy_windows=False).print(
        styled_case(report, width)
    )
    return out.getvalue()


class TestWhatIsTold:
    @pytest.mark.parametrize(
        "words",
        [
            "✗ buys_and_asks  tests/e2e/buy.yml:4  0.25 s",
            "    6 customer  买入10手贵州茅台，手续费是多少？",
            "      commands  start flow buy\n                set slot quantity 10",
            "      slots     quantity = 10.0\n                ticker = empty",
            "      bot       请确认：",
            "[是] /SetSlots(sure=true)",
            'custom: {"envelope": {"kind": "handoff"}}',
            "    8 ✗ bot_uttered",
            "    9 ✗ slot_was_set\n        the slot was emptied",
            "   10 – generative_response_is_relevant  not run: needs a model as judge",
            "      ✓ 1 met",
            "   12 pressed   /SetSlots(sure=true)",
            "      problem   prediction cap: too many actions",
        ],
    )
    def test_transcript_commands_slots_and_each_expectation_that_was_not_met(self, words):
        assert words in failing_case(FAILED, 100)

    def test_expected_and_actual_stand_side_by_side_and_the_bar_is_straight(self):
        lines = failing_case(FAILED, 80).splitlines()
        barred = [line for line in lines if "│" in line]
        assert {cell_len(line[: line.index("│")]) for line in barred} == {8 + 35 - 1 + 1}
        left = "".join(line.split("│")[0].strip() for line in barred)
        right = "".join(line.split("│")[1].strip() for line in barred)
        assert "text_matches: 按万分之三收取" in left
        assert "万分之二点五收取" in right
        assert "nothing like it" in right

    def test_in_a_narrow_window_one_stands_under_the_other(self):
        text = failing_case(FAILED, 50)
        assert "│" not in text
        assert re.search(r"expected\n +text_matches: 按万分之三收取\n +actual\n +text: 请确认", text)

    def test_a_case_that_broke_or_was_not_run_says_why(self):
        assert failing_case(BROKEN, 80).endswith("\n  stub action_x answers with no list of events")
        assert "– needs_voice" in failing_case(NOT_RUN, 80)
        assert "\n  excluded: voice only\n" in failing_case(NOT_RUN, 80)

    def test_the_start_of_a_session_has_no_customer(self):
        text = failing_case(case("a", "failed", turn("", line=3, opening=True)), 80)
        assert "\n    3 the session starts\n" in text
        assert "customer" not in text

    def test_why_a_case_failed_in_one_line(self):
        wrong = expectation("failed", kind="commands", expected="start flow a\n\nset slot  b 1", actual="", line=3)
        assert why(case("a", "failed", turn(expectations=(wrong,))), 99) == (
            "commands in line 3: expected start flow a; set slot b 1, got nothing like it"
        )
        assert why(FAILED, 40) == "bot_uttered in line 8 (and 1 more): exp…"
        assert why(BROKEN, 200) == BROKEN.reason
        assert why(case("a", "failed"), 200) == "it failed and says no reason"

    def test_equal_names_are_told_apart(self):
        assert [title(case(occurrence=n)) for n in (0, 1)] == ["buys", "buys (2)"]

    def test_a_slot_that_changed_twice_is_told_once_with_its_last_value(self):
        events = tuple({"event": "slot", "name": n, "value": v} for n, v in (("a", 1), ("b", "x"), ("a", True)))
        assert slots_set(turn(events=events)) == [("a", "true"), ("b", '"x"')]

    def test_every_part_of_a_reply_is_shown(self):
        reply = {
            "text": "",
            "image": "http://x/i.png",
            "attachment": {"type": "file"},
            "buttons": [{"title": "A", "payload": "/a"}, {}],
        }
        assert bot_lines(reply) == [
            ("text", ""),
            ("button", "[A] /a"),
            ("button", "[]"),
            ("image", "http://x/i.png"),
            ("attachment", '{"type": "file"}'),
        ]


class TestColours:
    def test_the_words_in_colour_are_the_plain_words(self):
        coloured = on_console(FAILED, 90, "standard")
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).rstrip("\n") == failing_case(FAILED, 90)

    def test_what_differs_is_marked_and_what_is_the_same_is_not(self):
        report = case("a", "failed", turn(expectations=(expectation("failed", expected="费率万分之三", actual="费率万分之五"),)))
        marked = re.findall(r"\x1b\[1;7;3[12]m([^\x1b]*)", on_console(report, 80, "standard"))
        assert marked == ["三", "五"]


class TestAttacks:
    EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m[bold red]x[/bold red] \u202egnp.exe\u202c a\u200bb\rc\x00\ud800\ufffe\U0001fffe\u2028"

    def test_nothing_that_was_written_steers_the_terminal(self):
        everywhere = case(
            self.EVIL,
            "failed",
            turn(
                self.EVIL,
                commands=(self.EVIL,),
                replies=(
                    {"text": self.EVIL, "buttons": [{"title": self.EVIL, "payload": self.EVIL}], "custom": {"a": self.EVIL}},
                ),
                events=({"event": "slot", "name": self.EVIL, "value": self.EVIL},),
                expectations=tuple(
                    expectation(status, kind=self.EVIL, expected=self.EVIL, actual=self.EVIL, reason=self.EVIL)
                    for status in ("failed", "not_run")
                ),
                problems=(self.EVIL,),
            ),
            file=self.EVIL,
            reason=self.EVIL,
        )
        text = failing_case(everywhere, 80)
        assert set(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2028\ud800-\udfff\ufffe\uffff]", text)) == set()
        assert on_console(everywhere, 80).rstrip("\n") == text
        assert "[bold red]x[/bold red]" in text
        assert "\\u202egnp.exe" in text
        text.encode()

    def test_what_cannot_be_seen_is_written_out(self):
        assert visible("a\u200bb\x1b\r\n\tc\ud800\U0001fffe\r") == "a\\u200bb\\x1b\n    c\\ud800\\U0001fffe\\x0d"

    def test_emoji_keep_their_joiners(self):
        assert visible("👩‍💻 ok") == "👩‍💻 ok"


SIGNS = st.text(alphabet=st.sampled_from("ab1 .,（）。，中国万\n\u3000\u00a0😀-_/="), max_size=60)


class TestWrapping:
    @given(SIGNS, st.integers(2, 30))
    @settings(max_examples=300, deadline=None)
    def test_no_line_is_too_wide_and_no_sign_is_lost(self, text, width):
        lines = [text[start:end] for start, end in wrap(text, width)]
        assert all(cell_len(line) <= width for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace("\n", "").replace(" ", "")

    @given(SIGNS, SIGNS, st.integers(40, 120))
    @settings(max_examples=100, deadline=None)
    def test_no_line_of_a_case_is_too_wide(self, one, other, width):
        failed = expectation("failed", kind=one or "x", expected=one, actual=other, reason=other)
        report = case(one, "failed", turn(one, expectations=(failed,), commands=(other,)), reason=other)
        assert max(map(cell_len, failing_case(report, width).splitlines())) <= width

    @pytest.mark.parametrize(
        ("text", "width", "lines"),
        [
            ("买入（600519）吗", 8, ["买入（60", "0519）吗"]),
            ("合计 1,688.00 元", 10, ["合计", "1,688.00", "元"]),
            ("你好，世界。", 5, ["你", "好，", "世", "界。"]),
            ("a b", 80, ["a b"]),
            ("a\n\nb", 80, ["a", "", "b"]),
            ("", 80, [""]),
            ("a bcdefgh", 4, ["a bc", "defg", "h"]),
            ("abcdefgh", 3, ["abc", "def", "gh"]),
        ],
    )
    def test_where_lines_break(self, text, width, lines):
        assert [text[start:end] for start, end in wrap(text, width)] == lines


class TestDifferences:
    @pytest.mark.parametrize(
        ("left", "right", "marked"),
        [
            ("utter_ask_a now", "utter_ask_b now", (["utter_ask_a"], ["utter_ask_b"])),
            ("费率万分之三", "费率万分之二点五", (["三"], ["二点五"])),
            ("abc", "xyz", ([], [])),
            ("same", "", ([], [])),
            ("same", "same", ([], [])),
        ],
    )
    def test_whole_words_and_single_chinese_characters(self, left, right, marked):
        masks = differences(left, right)
        found = tuple(
            [part for part, differs in segments(text, mask) if differs] for text, mask in zip((left, right), masks, strict=True)
        )
        assert found == marked

    def test_very_long_texts_are_not_compared(self):
        assert not any(differences("a b " * 600, "a c " * 600)[0])

    @given(SIGNS, SIGNS)
    @settings(max_examples=100, deadline=None)
    def test_a_mask_covers_its_text_and_what_is_unmarked_is_the_same_on_both_sides(self, left, right):
        masks = differences(left, right)
        assert [len(mask) for mask in masks] == [len(left), len(right)]
        if any(masks[0]) or any(masks[1]):
            same = ["".join(p for p, d in segments(t, m) if not d) for t, m in zip((left, right), masks, strict=True)]
            assert same[0] == same[1]

    def test_the_confirmation_of_the_sample_is_compared(self):
        assert any(differences(CONFIRM, CONFIRM.replace("二点五", "三"))[0])
