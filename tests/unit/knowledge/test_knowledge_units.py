"""What is quoted together: no condition of a list without the others, no rule without its exception."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.compose.units import units
from tightrope.knowledge.passages import load_release, split_sentences


def groups(text: str) -> list[list[int]]:
    return sorted({tuple(sorted(unit)) for unit in units(text)})  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("甲。乙。", [(0,), (1,)]),
        ("条件如下：\n1. 满二十岁。\n2. 满六个月。\n其余见公告。", [(0, 1, 2), (3,)]),
        ("- 甲。\n- 乙。\n- 丙。", [(0, 1, 2)]),
        ("1. 甲。乙。\n2. 丙。", [(0, 1, 2)]),
        ("可以办理。但是未成年人除外。其他事项另行通知。", [(0, 1, 2)]),
        ("可以办理。除下列情形外，免费。", [(0, 1)]),
        ("You may apply. However, minors may not. Fees apply.", [(0, 1), (2,)]),
        ("Bring these:\n- passport\n- form\nCome early.", [(0, 1, 2), (3,)]),
        ("Fees apply. Thistle is a plant.", [(0,), (1,)]),
        ("", []),
    ],
)
def test_units(text: str, expected: list[tuple[int, ...]]) -> None:
    assert groups(text) == expected


@examples(deadline=None)
@given(st.text("甲乙。但是\n1.- A:;. ", max_size=60))
def test_units_are_a_partition_into_neighbours(text: str) -> None:
    found = units(text)
    assert len(found) == len(split_sentences(text))
    for at, unit in enumerate(found):
        assert at in unit
        assert sorted(unit) == list(range(min(unit), max(unit) + 1))
        assert all(found[other] == unit for other in unit)


def test_the_lists_of_the_knowledge_base_stay_whole() -> None:
    lists = 0
    for passage in load_release(REPOSITORY / "knowledge_base").passages:
        items = [line for line in passage.text.split("\n") if line.startswith(("1. ", "2. ", "3. "))]
        if len(items) == 3:
            lists += 1
            at = split_sentences(passage.text).index(split_sentences(items[0])[0])
            others = {split_sentences(passage.text).index(split_sentences(item)[0]) for item in items}
            assert others <= units(passage.text)[at], passage.passage_id
    assert lists
