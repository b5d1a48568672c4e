"""The invented securities that sandbox and understanding share: every name leads to one of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

SECURITIES = json.loads((Path(__file__).parents[3] / "data/understanding/securities.json").read_text(encoding="utf-8"))[
    "securities"
]
CODES = {"sse": r"(609|599|909)\d{3}", "szse": r"309\d{3}", "bse": r"899\d{3}", "hk": r"39\d{3}"}
"""Ranges in which no exchange had issued a code when the file was written."""


@pytest.mark.parametrize("security", SECURITIES, ids=lambda item: item["code"])
def test_a_security_has_a_code_of_its_market_and_names_in_both_languages(security):
    assert re.fullmatch(CODES[security["market"]], security["code"])
    assert security["kind"] in {"share", "etf", "ipo"}
    assert re.search(r"[\u4e00-\u9fff]", security["zh"])
    assert security["en"].isascii()


def test_no_code_name_or_alias_leads_to_two_securities():
    names = [name.casefold() for item in SECURITIES for name in (item["code"], item["zh"], item["en"], *item["aliases"])]
    assert sorted(names) == sorted(set(names))


def test_the_markets_are_those_of_the_rules():
    import yaml

    calendar = yaml.safe_load(
        (Path(__file__).parents[3] / "tightrope/rules/data/trading_calendar.yml").read_text(encoding="utf-8")
    )
    assert {item["market"] for item in SECURITIES} <= set(calendar["markets"])
