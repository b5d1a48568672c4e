"""Which verdicts can be explained, and by whom. A journey that gives a verdict sets `last_verdict` and has its explainer here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import Declaration, DeclaredAction
from actions.calculators import ExplainGrowth, ExplainMarginInterest, ExplainTradingCost
from actions.closing import ExplainClosure
from actions.explanations import OUTCOMES, Explainer
from actions.margin import ExplainMarginEligibility
from actions.margin_ratio import ExplainMarginRatio
from actions.options import ExplainOptionsEligibility
from actions.record_reasons import ExplainAllotments, ExplainOrderStatus, ExplainRiskAssessment, ExplainTransferStatus
from actions.trading_calendar import ExplainTradingCalendar
from actions.turn import Turn

_ALL: Final[tuple[type[Explainer], ...]] = (
    ExplainMarginEligibility,
    ExplainOptionsEligibility,
    ExplainMarginRatio,
    ExplainTradingCost,
    ExplainMarginInterest,
    ExplainGrowth,
    ExplainTradingCalendar,
    ExplainClosure,
    ExplainOrderStatus,
    ExplainTransferStatus,
    ExplainAllotments,
    ExplainRiskAssessment,
)
EXPLAINERS: Final[Mapping[str, type[Explainer]]] = {explainer.verdict: explainer for explainer in _ALL}
"""By the value of `last_verdict`. To add one: a subclass of Explainer in the journey's module, its verdict in the domain, and its name here."""


def scope_of_verdict(verdict: object) -> str | None:
    """What the grant must hold before the verdict may be explained; None: open to everybody, as is "there is nothing to explain"."""
    explainer = EXPLAINERS.get(str(verdict))
    return explainer.declaration.scope if explainer else None


class ExplainVerdict(DeclaredAction):
    """Hands "why?" to the explainer of the last verdict, which runs under its own declaration; this one declares what all of them may do."""

    action_name = "action_explain_verdict"
    declaration = Declaration(
        outcomes=OUTCOMES,
        reads=frozenset().union(*(explainer.declaration.reads for explainer in EXPLAINERS.values())),
        sets={"explanation_outcome": OUTCOMES},
        responses=frozenset().union(*(explainer.declaration.responses for explainer in EXPLAINERS.values())),
        envelopes=frozenset({"journey"}),
        calls=frozenset().union(*(explainer.declaration.calls for explainer in EXPLAINERS.values())),
        on_error={"explanation_outcome": "unavailable"},
    )

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[dict[str, Any]]:
        explainer = EXPLAINERS.get(str(tracker.slots.get("last_verdict")))
        if explainer is None:
            return await super().run(dispatcher, tracker, domain)
        return await explainer().run(dispatcher, tracker, domain)

    async def perform(self, turn: Turn) -> str:  # noqa: ARG002
        raise LookupError("no verdict to explain")
