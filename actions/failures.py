"""What becomes of a journey that reads the firm's systems when the answer does not come: one closed list for all."""

from __future__ import annotations

from typing import Final

from actions.errors import NotPermitted
from actions.turn import Turn
from actions.wording import moment
from tightrope.business.errors import BusinessError, NotFound, Refused, Stale

FAILURES: Final = frozenset({"no_account", "stale", "not_permitted", "unavailable"})


def failure_of(error: NotPermitted | BusinessError, turn: Turn, *, stale: str) -> str:
    """The outcome, one of FAILURES.

    Args:
        stale: the response that says from when the data is; said here, since only the error knows the time.
    """
    match error:
        case NotPermitted() | Refused():
            return "not_permitted"
        case NotFound():
            return "no_account"
        case Stale() if error.receipt.as_of is not None:
            turn.say(stale, as_of=moment(error.receipt.as_of, turn.context.clock.now(), turn.language))
            return "stale"
        case _:
            return "unavailable"
