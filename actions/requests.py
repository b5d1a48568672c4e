"""Requests that the firm's people or its app carry on: what becomes of one that brings no ticket. One closed list for all."""

from __future__ import annotations

from typing import Final

from actions.errors import NotPermitted
from tightrope.business.errors import BusinessError, Conflict, Done, NotFound, Refused
from tightrope.business.operations import REQUESTS

UNKNOWN: Final = "unknown"
"""Nobody can tell for sure whether the firm has it: the customer hears just that, and is asked not to send it again."""
CONSENT: Final = "true"
"""The value of a consent slot that counts; whatever else stands there is none."""
REQUEST_FAILURES: Final = frozenset({"no_account", "not_permitted", "already_open", "unavailable", UNKNOWN})


def request_failure(error: NotPermitted | BusinessError) -> str:
    """The outcome, one of REQUEST_FAILURES; all but `unknown` mean that surely nothing was filed by this try."""
    match error:
        case NotPermitted() | Refused():
            return "not_permitted"
        case _ if error.receipt.operation not in REQUESTS:
            # The token could not be had, so the request itself never left.
            return "unavailable"
        case NotFound():
            return "no_account"
        case Conflict(problem="already-open"):
            return "already_open"
        case _ if error.done is Done.NOT_DONE:
            return "unavailable"
        case _:
            # Also a success that cannot be read: whoever sent it may not have been the firm, and there is no ticket to name.
            return UNKNOWN
