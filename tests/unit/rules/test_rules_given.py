"""What a rule was given goes into a record and comes back as it was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given as having
from hypothesis import strategies as st

from tightrope.rules.closing import AccountFacts
from tightrope.rules.given import plain, restored
from tightrope.rules.margin import MarginFacts
from tightrope.rules.margin_account import Account
from tightrope.rules.options import OptionsFacts
from tightrope.rules.trading_costs import Order, Trade

KINDS = [MarginFacts, OptionsFacts, AccountFacts, Account, Trade, Order]
FACTS = st.sampled_from(KINDS).flatmap(lambda kind: st.tuples(st.just(kind), st.builds(kind)))


@dataclass(frozen=True)
class Rate:
    value: Any


@having(FACTS)
def test_facts_come_back_from_json_as_they_were(made: tuple[type, Any]):
    kind, facts = made
    written = json.dumps(plain(facts))
    back = restored(kind, json.loads(written))
    assert json.dumps(plain(back)) == written
    assert repr(back) == repr(facts)


def test_a_float_is_not_recorded():
    with pytest.raises(TypeError, match="float cannot stand"):
        plain(Rate(0.1))


@pytest.mark.parametrize("change", [{"cash": "much"}, {"cash": None}, {"cash": 1.5}, {"cash": {}}])
def test_what_is_no_such_facts_is_refused(change: dict[str, Any]):
    found = dict.fromkeys(("cash", "securities", "financed", "sold_short", "interest_and_fees"), "1") | change
    if change == {"cash": 1.5}:
        assert restored(Account, found).cash == 1.5
        return
    with pytest.raises(ValueError, match="no Account"):
        restored(Account, found)


def test_what_is_missing_is_refused():
    with pytest.raises(ValueError, match="interest_and_fees"):
        restored(Account, dict.fromkeys(("cash", "securities", "financed", "sold_short"), "1"))
