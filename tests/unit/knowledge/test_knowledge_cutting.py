"""Cutting long sections and tables (reference, B1)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tightrope.knowledge.cutting import count_tokens, pieces

TABLE = "单位：元\n| 项目 | 标准 |\n| --- | --- |\n" + "\n".join(f"| 项目{n} | {n} |" for n in range(60))


def test_a_short_section_is_one_passage():
    assert pieces("第一句。\n第二句。") == ["第一句。\n第二句。"]


def test_a_table_is_cut_between_rows_and_repeats_unit_and_header():
    made = pieces(TABLE, 100)
    assert len(made) > 1
    assert all(piece.startswith("单位：元\n| 项目 | 标准 |\n| --- | --- |\n| 项目") for piece in made)
    assert [row for piece in made for row in piece.split("\n")[3:]] == TABLE.split("\n")[3:]
    assert all(count_tokens(piece) <= 100 for piece in made)


def test_a_list_of_conditions_is_never_cut_from_its_head_nor_within():
    conditions = "须同时满足以下条件：\n" + "\n".join(f"{n}. 第{n}个条件，内容很长很长很长很长很长。" for n in range(1, 8))
    made = pieces("一段说明文字。" * 10 + "\n" + conditions + "\n" + "另一段说明文字。" * 10, 60)
    assert conditions in made


@given(
    st.lists(
        st.sampled_from(["甲乙丙丁戊己庚辛。", "1. 先做这个。", "2. 再做那个。", "- item", "| a | b |", "说明："]), max_size=30
    )
)
def test_no_line_is_lost_or_changed(lines: list[str]):
    body = "\n".join(lines)
    assert [line for piece in pieces(body, 20) for line in piece.split("\n") if line] == [line for line in lines if line]
