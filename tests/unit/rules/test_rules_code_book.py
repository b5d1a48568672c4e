"""Code books: every word of the firm's contract is explained in both languages, editions are dated, and nothing is guessed."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

import tightrope.rules
from tightrope.business.models import IpoStatus, OrderStatus, RejectionCode, TransferFailure
from tightrope.rules.code_book import CodeBook, Explanation
from tightrope.rules.models import RuleDataError

DATA = Path(tightrope.rules.__file__).parent / "data"
BOOKS = ("order_codes", "transfer_codes", "ipo_rules", "risk_levels")
TODAY = date(2026, 11, 20)


def read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DATA / f"{name}.yml").read_text(encoding="utf-8"))
    return loaded


def explanations(name: str) -> list[Explanation]:
    edition = CodeBook(read(name)).on(TODAY)
    return [*edition.statuses.values(), *edition.codes.values()]


def test_every_state_and_code_of_the_contract_is_explained_and_nothing_else() -> None:
    orders, transfers, shares = (CodeBook(read(name)).on(TODAY) for name in BOOKS[:3])
    assert orders.statuses.keys() == {status.value for status in OrderStatus}
    assert orders.codes.keys() == {code.value for code in RejectionCode} - {"other"}
    assert transfers.statuses.keys() == {"processing", "completed", "failed", "cancelled"}
    assert transfers.codes.keys() == {code.value for code in TransferFailure} - {"other"}
    assert shares.statuses.keys() == {status.value for status in IpoStatus}
    assert shares.codes.keys() == {"forfeiture"}
    assert CodeBook(read("risk_levels")).on(TODAY).statuses.keys() == {"C1", "C2", "C3", "C4", "C5", "lowest"}


def test_a_code_that_the_contract_leaves_open_is_not_explained() -> None:
    assert "other" not in CodeBook(read("order_codes")).on(TODAY).codes
    assert "other" not in CodeBook(read("transfer_codes")).on(TODAY).codes


@pytest.mark.parametrize("name", BOOKS)
def test_the_words_are_in_their_language_and_end_as_sentences(name: str) -> None:
    for item in explanations(name):
        for words in (item.title, item.meaning, item.remedy):
            assert re.search(r"[\u4e00-\u9fff]", words.zh) or words.zh in {"C1"}
            assert not re.search(r"[\u4e00-\u9fff]", words.en)
        for words in (item.meaning, item.remedy):
            assert words.zh.endswith("。"), words.zh
            assert words.en.endswith("."), words.en
        assert not item.title.zh.endswith("。")
        assert not item.title.en.endswith(".")


@pytest.mark.parametrize("name", BOOKS)
def test_no_words_promise_or_advise(name: str) -> None:
    for item in explanations(name):
        both = " ".join((item.meaning.zh, item.remedy.zh, item.meaning.en, item.remedy.en))
        assert not re.search(r"保证(?!金)|一定会|建议(?:买|卖)|推荐|guarantee|we recommend|you should buy", both), both


def test_the_edition_in_force_on_the_day_applies() -> None:
    data = read("order_codes")
    later = deepcopy(data["editions"][0]) | {"version": "2027.1", "effective_from": date(2027, 1, 4)}
    later["codes"] = {}
    book = CodeBook(data | {"editions": [later, *data["editions"]]})
    assert book.on(date(2027, 1, 3)).version == data["editions"][0]["version"]
    assert book.on(date(2027, 1, 4)).version == "2027.1"
    assert book.on(date(2027, 1, 4)).codes == {}
    assert [edition.version for edition in book.editions] == [data["editions"][0]["version"], "2027.1"]


def test_a_day_before_the_book_begins_is_refused() -> None:
    with pytest.raises(RuleDataError, match="no edition"):
        CodeBook(read("order_codes")).on(date(2000, 1, 1))


def broken(path: str, value: Any) -> dict[str, Any]:
    data = deepcopy(read("order_codes"))
    *way, last = path.split(".")
    at: Any = data
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("book", None),
        ("source", None),
        ("source.short_en", None),
        ("source.zh", "  "),
        ("editions", []),
        ("editions.0.version", None),
        ("editions.0.effective_from", "2026-01-01"),
        ("editions.0.statuses", None),
        ("editions.0.codes", "none"),
        ("editions.0.statuses.filled.remedy", None),
        ("editions.0.statuses.filled.title.en", None),
        ("editions.0.statuses.filled.meaning.zh", ""),
        ("editions.0.statuses.filled.meaning.zh", 7),
        ("editions.0.statuses.filled.note", {"zh": "一", "en": "one"}),
        ("editions.0.statuses.filled.meaning.place a new order", True),
        ("editions.0.statuses.filled.meaning.zh", "已成交 {quantity}。"),
    ],
)
def test_a_broken_book_is_refused_when_it_is_read(path: str, value: Any) -> None:
    with pytest.raises(RuleDataError):
        CodeBook(broken(path, value))


def test_a_code_without_quotes_that_yaml_reads_as_a_number_is_refused() -> None:
    data = read("order_codes")
    data["editions"][0]["codes"][7781] = data["editions"][0]["codes"]["insufficient_funds"]
    with pytest.raises(RuleDataError, match="quotes"):
        CodeBook(data)


def test_two_editions_of_one_day_are_refused() -> None:
    data = read("order_codes")
    with pytest.raises(RuleDataError, match="begin on one day"):
        CodeBook(data | {"editions": data["editions"] * 2})
