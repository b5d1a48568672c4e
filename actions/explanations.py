"""What an explanation of a verdict is: "why?" is answered with the rule, the time of the data and its source; a person is always offered.

No figure is kept in a slot, so an explainer reads the facts anew, with the scope of the journey that gave the verdict.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Final

from actions.base import Declaration, DeclaredAction
from actions.errors import NotPermitted
from actions.failures import FAILURES, failure_of
from actions.turn import Turn
from tightrope.business.errors import BusinessError

EXPLAINED: Final = "explained"
OUTCOMES: Final = frozenset({EXPLAINED}) | FAILURES
STALE: Final = "utter_explanation_stale"


def explaining(
    *responses: str, calls: frozenset[str] = frozenset(), scope: str | None = None, reads: frozenset[str] = frozenset()
) -> Declaration:
    """The declaration of an explainer.

    Args:
        responses: what it says when it explains.
        calls: operations of the business API that bring the facts again.
        scope: that of the journey that gave the verdict; None: open to everybody.
        reads: slots beside `last_verdict`.
    """
    return Declaration(
        outcomes=OUTCOMES,
        reads=frozenset({"last_verdict"}) | reads,
        sets={"explanation_outcome": OUTCOMES},
        responses=frozenset({*responses, STALE}),
        envelopes=frozenset({"journey"}),
        calls=calls,
        scope=scope,
        on_error={"explanation_outcome": "unavailable"},
    )


class Explainer(DeclaredAction):
    """Explains one verdict. Subclasses give `verdict`, `declaration` (by `explaining`) and `explain`, and stand in verdicts.py."""

    action_name = "action_explain_verdict"
    verdict: ClassVar[str]
    """The value of the slot `last_verdict` that it explains."""

    @abstractmethod
    async def explain(self, turn: Turn) -> str | None:
        """Say rule, data time and source; None when that is done, or one of FAILURES (a stale answer being worded already).

        Raises:
            NotPermitted, BusinessError: the facts could not be read.
        """

    async def perform(self, turn: Turn) -> str:
        try:
            outcome = await self.explain(turn) or EXPLAINED
        except (NotPermitted, BusinessError) as error:
            outcome = failure_of(error, turn, stale=STALE)
        turn.set("explanation_outcome", outcome)
        if outcome == EXPLAINED:
            turn.tell("journey", journey=turn.journey.id, event="completed")
        return outcome
