"""The verified customer's risk assessment: level, days, what it allows in general. Nothing here says how to answer it."""

from __future__ import annotations

from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.errors import NotPermitted
from actions.failures import FAILURES, failure_of
from actions.turn import Turn
from actions.wording import moment
from tightrope.business.errors import BusinessError
from tightrope.business.models import RiskProfile
from tightrope.business.operations import GET_RISK_PROFILE
from tightrope.rules.risk_levels import RULE, standing
from tightrope.rules.text import calendar_day

VERDICT: Final = "risk_assessment"
STATES: Final = frozenset({"valid", "expiring", "expired", "never_assessed"})
OUTCOMES: Final = STATES | FAILURES


class TellRiskAssessment(DeclaredAction):
    """Says how the assessment stands today."""

    action_name = "action_tell_risk_assessment"
    declaration = Declaration(
        outcomes=OUTCOMES,
        sets={"risk_outcome": OUTCOMES, "last_verdict": frozenset({VERDICT, None})},
        responses=frozenset({f"utter_risk_{state}" for state in STATES} | {"utter_risk_stale"}),
        envelopes=frozenset({"journey"}),
        calls=frozenset({GET_RISK_PROFILE}),
        scope="risk:read",
        on_error={"risk_outcome": "unavailable", "last_verdict": None},
    )

    async def perform(self, turn: Turn) -> str:
        outcome = await self._tell(turn)
        turn.set("risk_outcome", outcome)
        turn.set("last_verdict", VERDICT if outcome in STATES - {"never_assessed"} else None)
        if outcome in STATES:
            turn.tell("journey", journey=turn.journey.id, event="completed")
        return outcome

    async def _tell(self, turn: Turn) -> str:
        try:
            customer = await turn.customer()
            answer = await turn.fetch(GET_RISK_PROFILE, lambda api, token: api.risk_profile(token, customer.customer_id))
        except (NotPermitted, BusinessError) as error:
            return failure_of(error, turn, stale="utter_risk_stale")
        return self._say(turn, answer.value)

    @staticmethod
    def _say(turn: Turn, profile: RiskProfile) -> str:
        now = turn.context.clock.now()
        today, language = turn.today, turn.language
        as_of = moment(profile.as_of, now, language)
        if profile.risk_level is None or profile.risk_assessed_on is None or profile.valid_until is None:
            turn.say("utter_risk_never_assessed", as_of=as_of)
            return "never_assessed"
        if profile.risk_assessed_on > today:
            return "unavailable"
        edition = turn.context.rules.risk_levels.on(today)
        # The lowest category is C1 and nothing else: any other level with it would be two contradictory statements of the firm.
        if profile.lowest_tolerance and profile.risk_level != "C1":
            return "unavailable"
        level = edition.statuses["lowest" if profile.lowest_tolerance else profile.risk_level]
        state = standing(profile.valid_until, today)
        inputs = {"level": profile.risk_level, "valid_until": profile.valid_until.isoformat()}
        turn.used_rule(RULE, edition.version, state, inputs, {"day": today} | inputs)
        shown = {
            "as_of": as_of,
            "level": level.title.text(language),
            "assessed_on": calendar_day(profile.risk_assessed_on, language),
            "valid_until": calendar_day(profile.valid_until, language),
        }
        if state == "expired":
            turn.say("utter_risk_expired", (), **shown)
            return state
        words = {"allows": level.meaning.text(language), "beyond": level.remedy.text(language)}
        if state == "expiring":
            turn.say("utter_risk_expiring", (), days=str((profile.valid_until - today).days), **shown, **words)
        else:
            turn.say("utter_risk_valid", (), **shown, **words)
        return state
