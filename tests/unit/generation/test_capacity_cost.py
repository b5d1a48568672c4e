"""Monthly cost: every row of the worked examples."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.generation.capacity.cost import monthly
from tightrope.generation.capacity.figures import books, read_costs

BOOKS = {one.id: one for one in books()}


def test_every_row_of_the_reference_firm() -> None:
    cost = monthly(BOOKS["reference-firm"])
    assert {row.name: amount for row, amount in cost.rows} == {
        "GPUs, over 36 months": 21_000,
        "Hosts": 8_000,
        "Storage": 6_000,
        "Network": 5_000,
        "Licences": 10_000,
        "People": 80_000,
    }
    assert (cost.total, cost.saved, cost.net) == (130_000, 375_000, 245_000)


def test_the_small_firm_pays_400_to_1500() -> None:
    assert monthly(BOOKS["small-firm-low"]).total == 400
    assert monthly(BOOKS["small-firm-high"]).total == 1_500


def test_a_ninth_gpu_needs_a_second_host() -> None:
    book = BOOKS["reference-firm"]
    assert monthly(book, 9).total - monthly(book, 8).total == Decimal("2625") + 8_000


@settings(deadline=None)
@given(st.sampled_from(list(BOOKS.values())), st.integers(0, 500), st.integers(0, 50))
def test_more_gpus_never_cost_less(book, count, more) -> None:
    assert monthly(book, count + more).total >= monthly(book, count).total
    assert sum(amount for _, amount in monthly(book, count).rows) == monthly(book, count).total


def test_fewer_than_no_gpus_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        monthly(BOOKS["reference-firm"], -1)


def test_a_file_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="lack"):
        read_costs('{"books": [{}]}')
