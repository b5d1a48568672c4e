"""Requests that the firm's people or its app carry on: what becomes of one that brings no ticket. One closed list for all."""

from __future__ import annotations

from typing import Final

from actions.errors import NotPermitted
from tightrope.business.errors import BusinessError, Conflict, Done, NotFound, Refused

UNKNOWN: Final = "unknown"
"""Nobody knows whether the firm has it: the customer hears just that, and is not asked to try again."""
CONSENT: Final = "true"
"""The value of a consent slot that counts; whatever else stands there is none."""
REQUEST_FAILURES: Final = frozenset({"no_account", "not_permitted", "already_open", "unavailable", UNKNOWN})


def request_failure(error: NotPermitted | BusinessError) -> str:
    """The outcome, one of REQUEST_FAILURES; `unavailable` means that surely nothing was filed."""
    match error:
        case NotPermitted() | Refused():
            return "not_permitted"
        case NotFound():
            return "no_account"
        case Conflict(problem="already-open"):
            return "already_open"
        case _ if error.done is Done.NOT_DONE:
            return "unavailable"
        case _:
            # A success that cannot be read (InvalidAnswer) was surely done, and still there is no ticket to name.
            return UNKNOWN
