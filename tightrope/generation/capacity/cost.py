"""Monthly cost of an installation by a firm's prices."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from math import ceil
from typing import Final

from tightrope.generation.capacity.models import Cost, CostBook, CostRow

_CENT: Final = Decimal("0.01")


def monthly(book: CostBook, gpus: int | None = None) -> Cost:
    """Cost of `gpus` GPUs with their hosts and all else; without a number, of the GPUs that the firm has in use.

    Raises:
        ValueError: a negative number.
    """
    count = book.gpus_in_use if gpus is None else gpus
    if count < 0:
        raise ValueError("there are at least 0 GPUs")
    hosts = ceil(count / book.gpus_per_host)
    rows = tuple((row, _of(row, count, hosts)) for row in book.rows)
    total = sum((amount for _, amount in rows), Decimal(0))
    saved = book.saved.monthly if book.saved else Decimal(0)
    return Cost(rows, total, saved, saved - total)


def _of(row: CostRow, gpus: int, hosts: int) -> Decimal:
    units = {"gpu": gpus, "host": hosts, "installation": 1, "person": row.persons}[row.per]
    return (row.price * units / row.months).quantize(_CENT, ROUND_HALF_UP)
