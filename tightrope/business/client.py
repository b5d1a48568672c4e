"""The client of the firm's business API: reads, and requests for the firm's people, each with a receipt (contracts/business.openapi.yaml).

There is no method that places, changes or cancels an order, moves money, or changes an account.
"""

from __future__ import annotations

from tightrope.business.reads_facts import FactReads
from tightrope.business.reads_lists import ListReads
from tightrope.business.requests import Requests


class BusinessClient(ListReads, FactReads, Requests):
    """Typed calls to the firm's systems for one customer's token at a time.

    `BusinessClient(http, clock, timeout=…)`; see `tightrope.business.wire.Wire`.
    """
