"""Margin trading eligibility of the verified customer, and why. Rules decide (tightrope/rules/margin.py); this enables nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from actions.base import Declaration, DeclaredAction
from actions.errors import NotPermitted
from actions.explanations import Explainer, explaining
from actions.failures import FAILURES, failure_of
from actions.turn import Turn
from actions.wording import moment
from tightrope.business.errors import BusinessError
from tightrope.business.models import MarginFacts as FirmFacts
from tightrope.business.operations import GET_MARGIN_FACTS
from tightrope.rules.margin import RULE, Assessment, MarginFacts, Verdict

VERDICTS = frozenset(verdict.value for verdict in Verdict)
OUTCOMES = VERDICTS | FAILURES


@dataclass(frozen=True)
class _Checked:
    assessment: Assessment
    as_of: datetime


async def _check(turn: Turn) -> _Checked:
    """The assessment of the customer's facts.

    Raises:
        NotPermitted, BusinessError: the facts could not be read.
    """
    customer = await turn.customer()
    answer = await turn.fetch(GET_MARGIN_FACTS, lambda api, token: api.margin_facts(token, customer.customer_id))
    facts = rule_facts(answer.value)
    assessment = turn.context.rules.margin.assess(facts, turn.today)
    for finding in assessment.findings:
        turn.used_rule(
            f"{RULE}.{finding.condition.value}",
            assessment.version,
            finding.state.value,
            {name: _recorded(value) for name, value in finding.values.items()},
        )
    turn.used_rule(
        RULE,
        assessment.version,
        assessment.verdict.value,
        {"margin_enabled": facts.margin_enabled},
        {"day": turn.today, "facts": facts},
    )
    return _Checked(assessment, answer.value.as_of)


def rule_facts(facts: FirmFacts) -> MarginFacts:
    """The firm's facts in the words of the rule."""
    return MarginFacts(
        customer_tier=facts.customer_tier.value,
        risk_level=facts.risk_level,
        risk_assessed_on=facts.risk_assessed_on,
        risk_disclosure_signed_on=facts.risk_disclosure_signed_on,
        funds_account_standing=facts.funds_account_standing.value,
        first_trade_on=facts.first_trade_on,
        average_assets=facts.average_assets_20d.amount,
        currency=facts.average_assets_20d.currency,
        margin_enabled=facts.margin_account_status == "open",
    )


def _recorded(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


class CheckMarginEligibility(DeclaredAction):
    """Checks every condition and says each one's state, basis and remedy."""

    action_name = "action_check_margin_eligibility"
    declaration = Declaration(
        outcomes=OUTCOMES,
        sets={"margin_outcome": OUTCOMES, "last_verdict": frozenset({RULE, None})},
        responses=frozenset({f"utter_margin_{verdict}" for verdict in VERDICTS} | {"utter_margin_stale"}),
        envelopes=frozenset({"journey"}),
        calls=frozenset({GET_MARGIN_FACTS}),
        scope="eligibility:read",
        on_error={"margin_outcome": "unavailable"},
    )

    async def perform(self, turn: Turn) -> str:
        try:
            checked = await _check(turn)
        except (NotPermitted, BusinessError) as error:
            failure = failure_of(error, turn, stale="utter_margin_stale")
            turn.set("margin_outcome", failure)
            turn.set("last_verdict", None)
            return failure
        verdict = checked.assessment.verdict
        as_of = moment(checked.as_of, turn.context.clock.now(), turn.language)
        if verdict is Verdict.ALREADY_ENABLED:
            turn.say("utter_margin_already_enabled", as_of=as_of)
        else:
            turn.say(
                f"utter_margin_{verdict.value}",
                as_of=as_of,
                total=str(len(checked.assessment.findings)),
                met=str(checked.assessment.met),
                conditions=turn.context.rules.margin_wording.conditions(checked.assessment, turn.language),
            )
        turn.set("margin_outcome", verdict.value)
        turn.set("last_verdict", RULE)
        turn.tell("journey", journey=turn.journey.id, event="completed")
        return verdict.value


class ExplainMarginEligibility(Explainer):
    """The rules by source with the conditions that rest on each, the time of the data and the version of the thresholds."""

    verdict = RULE
    declaration = explaining("utter_margin_why", calls=frozenset({GET_MARGIN_FACTS}), scope="eligibility:read")

    async def explain(self, turn: Turn) -> str | None:
        checked = await _check(turn)
        turn.say(
            "utter_margin_why",
            rules=turn.context.rules.margin_wording.rules(checked.assessment, turn.language),
            as_of=moment(checked.as_of, turn.context.clock.now(), turn.language),
            version=checked.assessment.version,
        )
        return None
