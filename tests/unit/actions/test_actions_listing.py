"""Pages of a list, and the mark by which a list that has changed is noticed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from account_fakes import FUND, LIQUOR
from hypothesis import given
from hypothesis import strategies as st

from actions.listing import MARKS, PAGE_SIZE, PAGES, PLACES, distinct, mark_of, page_of
from actions.words import day, month, plain, quantity, security_title
from tightrope.business.models import Security
from tightrope.rules.text import calendar_day

IDS = st.lists(st.text("abc123", min_size=1, max_size=6), unique=True, max_size=60)


@given(IDS)
def test_the_pages_together_are_the_list_and_each_names_the_next(ids: list[str]) -> None:
    shown: list[str] = []
    slot: str | None = None
    for number in range(1, len(PAGES) + 1):
        page = page_of(ids, slot, str)
        assert page.number == number
        assert (page.first, page.last) == (len(shown) + 1, len(shown) + len(page.items))
        shown += page.items
        if not page.more:
            break
        slot = PAGES[page.number]
    assert shown == ids[: PAGE_SIZE * len(PAGES)]


@given(IDS, IDS)
def test_a_mark_is_of_the_closed_list_and_follows_the_ids_alone(one: list[str], other: list[str]) -> None:
    assert set(mark_of(one)) <= set(MARKS)
    assert mark_of(one) == mark_of(tuple(one))
    assert page_of(one, None, str).mark == page_of(one, "3", str).mark == mark_of(one)
    if one == other:
        assert mark_of(one) == mark_of(other)


def test_most_changes_of_a_list_change_its_mark() -> None:
    lists = [[f"O{n}" for n in range(start, start + 7)] for start in range(400)]
    stays = sum(mark_of(one) == mark_of(after) for one, after in pairwise(lists))
    assert stays <= 2


def test_ids_are_kept_apart_in_a_mark() -> None:
    assert mark_of(["ab", "c"]) != mark_of(["a", "bc"])


def test_a_list_that_has_become_shorter_shows_its_last_page() -> None:
    assert page_of(["a", "b"], "4", str).items == ("a", "b")


def test_a_page_of_one_names_one_place() -> None:
    assert page_of(["a", "b", "c", "d", "e", "f"], "2", str).places("zh") == "6"
    assert page_of(["a", "b"], None, str).places("zh") == "1–2"
    assert page_of(["a", "b"], None, str).places("en") == "1 to 2"


def test_an_empty_list_has_an_empty_page() -> None:
    page = page_of([], None, str)
    assert (page.items, page.more, page.total, page.at("first")) == ((), False, 0, None)


def test_a_place_beyond_the_page_is_nothing() -> None:
    page = page_of(["a", "b"], None, str)
    assert [page.at(place) for place in PLACES] == ["a", "b", None, None, None]


def test_no_more_is_offered_than_pages_can_be_named() -> None:
    assert not page_of([str(n) for n in range(200)], PAGES[-1], str).more


def test_an_entry_that_stands_twice_is_noticed() -> None:
    assert distinct(["a", "b"], str)
    assert not distinct(["a", "a"], str)


@pytest.mark.parametrize(
    ("code", "market", "zh", "en"),
    [
        ("609233", "sse", "1,200 股", "1,200 shares"),
        ("599001", "sse", "1,200 份", "1,200 units"),
        ("159001", "szse", "1,200 份", "1,200 units"),
        ("113001", "sse", "1,200 张", "1,200 bonds"),
        ("127001", "szse", "1,200 张", "1,200 bonds"),
        ("309188", "szse", "1,200 股", "1,200 shares"),
        ("899010", "bse", "1,200 股", "1,200 shares"),
        ("50001", "hk", "1,200 股", "1,200 shares"),
    ],
)
def test_a_quantity_has_the_unit_of_its_security(code: str, market: str, zh: str, en: str) -> None:
    security = Security(code=code, market=market, name_zh="示例", name_en="Sample")  # type: ignore[arg-type]
    assert quantity(1200, security, "zh") == zh
    assert quantity(1200, security, "en") == en


def test_one_is_singular_in_english() -> None:
    assert quantity(1, LIQUOR, "en") == "1 share"
    assert quantity(0, FUND, "en") == "0 units"


def test_a_name_with_signs_of_markdown_stays_as_it_is_in_the_chat() -> None:
    starred = Security(code="609001", market="sse", name_zh="*ST示例", name_en="*ST [Sample](x)")
    assert security_title(starred, "zh") == "＊ST示例（609001）"
    assert not set("*[]`_<>") & set(plain("*ST [x](http://y) `a` _b_ <c>"))


def test_days_have_their_year_only_when_it_is_another() -> None:
    now = datetime(2026, 12, 31, 17, 0, tzinfo=UTC)  # 1 January 2027 in Shanghai
    assert (day(date(2027, 1, 5), now, "zh"), day(date(2027, 1, 5), now, "en")) == ("1月5日", "5 Jan")
    assert (day(date(2026, 12, 30), now, "zh"), day(date(2026, 12, 30), now, "en")) == ("2026年12月30日", "30 Dec 2026")
    assert (calendar_day(date(2027, 1, 5), "zh"), calendar_day(date(2027, 1, 5), "en")) == ("2027年1月5日", "5 Jan 2027")
    assert (month(date(2026, 10, 1), "zh"), month(date(2026, 10, 1), "en")) == ("2026年10月", "Oct 2026")
