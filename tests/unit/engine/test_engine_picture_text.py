"""Widths, line breaks and conditions in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.engine.picture_text import WORDS, clean, readable, width, wrap


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ('slots.journey_access is "allowed"', "journey_access = allowed"),
        ("slots.x is null", "x is not given"),
        ("slots.x is not null and slots.x >= 18", "x is given and x ≥ 18"),
        ("slots.x != null", "x is given"),
        ("slots.x == null or slots.y <= 2", "x is not given or y ≤ 2"),
        ("not context.is_reset_only", "not is_reset_only"),
        ("slots.x is not 'a b'", "x ≠ 'a b'"),
        ("slots.x != 'a'", "x ≠ a"),
        ("slots.a AND NOT slots.b", "a and not b"),
        ("slots.is_not_null is true", "is_not_null = true"),
        ("slots.order contains 'is null and not or'", "order contains 'is null and not or'"),
        ("slots.x matches '(?i)^none$'", "x matches '(?i)^none$'"),
        ("slots.{{context.collect}} is not null", "slots.{{context.collect}} is not null"),
        ("True", "True"),
    ],
)
def test_a_condition_in_words(condition: str, words: str) -> None:
    assert readable(condition, "en") == words


def test_a_condition_in_chinese() -> None:
    assert readable("slots.年龄 is null and not slots.b", "zh") == "年龄 未提供 且 非 b"


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()


def test_chinese_characters_are_an_em_wide_and_marks_over_letters_nothing() -> None:
    assert width("中文") == pytest.approx(2.1)
    assert width("e\u0301") == width("e")
    assert width("iiii") < width("mmmm")


@given(st.text(max_size=80), st.floats(3.0, 30.0), st.integers(1, 4), st.booleans())
def test_wrapped_lines_fit_and_lose_nothing_but_what_an_ellipsis_stands_for(
    text: str, limit: float, lines: int, mono: bool
) -> None:
    found = wrap(text, limit, lines=lines, mono=mono)
    assert 1 <= len(found) <= lines
    # A mark that must not begin a line may stand over the limit.
    assert all(width(line, mono=mono) <= limit + 1.4 for line in found)
    squeezed = "".join(clean(text).split())
    joined = "".join("".join(found).split())
    assert joined == squeezed or (joined.endswith("…") and squeezed.startswith(joined[:-1]))


def test_text_that_is_cut_says_so() -> None:
    assert wrap("one two three four five", 6.0, lines=2)[-1].endswith("…")


def test_a_line_breaks_at_spaces_between_chinese_characters_and_after_marks_of_a_long_name() -> None:
    assert wrap("journey_access = login_required", 17.0, lines=3) == ["journey_access =", "login_required"]
    assert wrap("可用资金可取资金", 4.3, lines=9) == ["可用资金", "可取资金"]
    assert wrap("utter_balance_not_permitted", 15.0, lines=9, mono=True) == ["utter_balance_not_", "permitted"]


def test_no_line_begins_with_a_closing_mark_or_ends_with_an_opening_one() -> None:
    assert wrap("你好，世界", 2.2, lines=9) == ["你好，", "世界"]
    assert wrap("看看“余额", 3.0, lines=9) == ["看看", "“余额"]


@given(st.text())
def test_cleaned_text_may_stand_in_xml_and_hides_nothing(text: str) -> None:
    assert all(c in "\t\n\r" or c >= " " for c in clean(text))
    assert not set(clean(text)) & set("\u202e\u2066\u200b\ufffe\ud800")
