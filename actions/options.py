"""Options eligibility of the verified customer at a level, and why. Rules decide (tightrope/rules/options.py); this enables nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.calculations import recorded
from actions.errors import NotPermitted
from actions.explanations import Explainer, explaining
from actions.failures import FAILURES, failure_of
from actions.turn import Turn
from actions.wording import moment
from tightrope.business.errors import BusinessError
from tightrope.business.models import OptionsFacts as FirmFacts
from tightrope.business.operations import GET_OPTIONS_FACTS
from tightrope.rules.options import LEVELS, RULE, Assessment, OptionsFacts, Verdict

VERDICTS: Final = frozenset(verdict.value for verdict in Verdict)
OUTCOMES: Final = VERDICTS | FAILURES
SLOT_LEVELS: Final = {f"level_{level}": level for level in LEVELS}
"""Slot value -> level of the rule."""


@dataclass(frozen=True)
class _Checked:
    assessment: Assessment
    facts: OptionsFacts
    as_of: datetime


async def _check(turn: Turn, level: int) -> _Checked:
    """The assessment of the customer's facts for a level.

    Raises:
        NotPermitted, BusinessError: the facts could not be read.
    """
    customer = await turn.customer()
    answer = await turn.fetch(GET_OPTIONS_FACTS, lambda api, token: api.options_facts(token, customer.customer_id))
    facts = rule_facts(answer.value)
    assessment = turn.context.rules.options.assess(facts, level, turn.today)
    for finding in assessment.findings:
        turn.used_rule(
            f"{RULE}.{finding.condition.value}",
            assessment.version,
            finding.state.value,
            {name: recorded(value) for name, value in finding.values.items()},
        )
    inputs = {"level": str(level), "enabled_level": str(facts.enabled_level)}
    given = {"day": turn.today, "level": level, "facts": facts}
    turn.used_rule(RULE, assessment.version, assessment.verdict.value, inputs, given)
    return _Checked(assessment, facts, answer.value.as_of)


def rule_facts(facts: FirmFacts) -> OptionsFacts:
    """The firm's facts in the words of the rule."""
    average = facts.average_assets_20d
    return OptionsFacts(
        customer_tier=facts.customer_tier.value,
        risk_level=facts.risk_level,
        risk_assessed_on=facts.risk_assessed_on,
        risk_disclosure_signed_on=facts.risk_disclosure_signed_on,
        funds_account_standing=facts.funds_account_standing.value,
        account_opened_on=facts.account_opened_on,
        average_assets=average.amount if average else None,
        currency=average.currency if average else "",
        margin_enabled=facts.margin_account_status == "open",
        traded_financial_futures=facts.traded_financial_futures,
        knowledge_level=facts.knowledge_level,
        simulated_level=facts.simulated_level,
        bad_record=facts.bad_record,
        enabled_level=facts.enabled_level,
    )


def level_name(turn: Turn, level: int) -> str:
    """`二级`, `level 2`."""
    return turn.context.rules.calculators.term(f"level_{level}", turn.language)


class CheckOptionsEligibility(DeclaredAction):
    """Checks every condition of the level that was asked for and says each one's state, basis and remedy."""

    action_name = "action_check_options_eligibility"
    declaration = Declaration(
        outcomes=OUTCOMES,
        reads=frozenset({"options_level"}),
        sets={
            "options_outcome": OUTCOMES,
            "last_verdict": frozenset({RULE, None}),
            "verdict_subject": frozenset(SLOT_LEVELS),
        },
        responses=frozenset({f"utter_options_{verdict}" for verdict in VERDICTS} | {"utter_options_stale"}),
        envelopes=frozenset({"journey"}),
        calls=frozenset({GET_OPTIONS_FACTS}),
        scope="eligibility:read",
        on_error={"options_outcome": "unavailable", "last_verdict": None},
    )

    async def perform(self, turn: Turn) -> str:
        slot = str(turn.read("options_level"))
        level = SLOT_LEVELS[slot]
        try:
            checked = await _check(turn, level)
        except (NotPermitted, BusinessError) as error:
            failure = failure_of(error, turn, stale="utter_options_stale")
            turn.set("options_outcome", failure)
            turn.set("last_verdict", None)
            return failure
        verdict = checked.assessment.verdict
        self._say(turn, checked, level)
        turn.set("options_outcome", verdict.value)
        turn.set("last_verdict", RULE)
        turn.set("verdict_subject", slot)
        turn.tell("journey", journey=turn.journey.id, event="completed")
        return verdict.value

    @staticmethod
    def _say(turn: Turn, checked: _Checked, level: int) -> None:
        as_of = moment(checked.as_of, turn.context.clock.now(), turn.language)
        name, assessment = level_name(turn, level), checked.assessment
        if assessment.verdict is Verdict.ALREADY_ENABLED:
            enabled = level_name(turn, checked.facts.enabled_level)
            turn.say("utter_options_already_enabled", as_of=as_of, level=name, enabled=enabled)
            return
        turn.say(
            f"utter_options_{assessment.verdict.value}",
            as_of=as_of,
            level=name,
            total=str(len(assessment.findings)),
            met=str(assessment.met),
            conditions=turn.context.rules.options_wording.conditions(assessment, turn.language),
        )


class ExplainOptionsEligibility(Explainer):
    """The rules by source with the conditions that rest on each, for the level that was checked."""

    verdict = RULE
    declaration = explaining(
        "utter_options_why",
        calls=frozenset({GET_OPTIONS_FACTS}),
        scope="eligibility:read",
        reads=frozenset({"verdict_subject"}),
    )

    async def explain(self, turn: Turn) -> str | None:
        level = SLOT_LEVELS[str(turn.read("verdict_subject"))]
        checked = await _check(turn, level)
        turn.say(
            "utter_options_why",
            level=level_name(turn, level),
            rules=turn.context.rules.options_wording.rules(checked.assessment, turn.language),
            as_of=moment(checked.as_of, turn.context.clock.now(), turn.language),
            version=checked.assessment.version,
        )
        return None
