"""Lines on a terminal, Chinese and English."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tightrope.cli.wrapped import Wrapped, breaks


def shown(text: Text | str, indent: int = 0, *, width: int = 20, hang: int = 0) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(Wrapped(text, indent, hang=hang))
    return out.getvalue().splitlines()


def test_a_chinese_sentence_begins_beside_its_bullet_and_hangs_below():
    lines = shown("- 创业板的权限需要分别申请，科创板也一样。", 2, hang=2)
    assert lines == ["  - 创业板的权限需", "    要分别申请，科创", "    板也一样。"]


def test_a_closing_sign_does_not_begin_a_line_and_an_opening_one_does_not_end_it():
    lines = shown("一二三四五六七八九十，一二三四五六七八（九）一二三四五六七八九（十）")
    assert len(lines) > 3
    assert all(line[0] not in "，。）" and line[-1] not in "（" for line in lines)


def test_english_words_stay_whole_unless_they_are_longer_than_a_line():
    assert shown("one account in one market") == ["one account in one", "market"]
    assert shown("x" * 45) == ["x" * 20, "x" * 20, "x" * 5]


def test_styles_survive_the_break():
    out = io.StringIO()
    text = Text("佣金").append("百分之零点零二五每笔最低五元", style="red")
    Console(file=out, width=12, force_terminal=True, color_system="standard").print(Wrapped(text))
    assert out.getvalue().count("\x1b[31m") >= 2


@given(st.text(st.sampled_from("ab ，。（）中文字12%"), max_size=80), st.integers(10, 30))
def test_nothing_is_lost_and_no_line_is_too_long(text: str, width: int):
    starts = [0, *breaks(text, width), len(text)]
    assert starts == sorted(starts)
    lines = [text[a:b] for a, b in pairwise(starts)]
    assert "".join(lines) == text
    assert all(cell_len(line.rstrip()) <= width for line in lines)


@pytest.mark.parametrize("text", ["", " ", "中"])
def test_short_texts_are_one_line(text: str):
    assert breaks(text, 10) == []
