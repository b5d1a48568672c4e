"""The maintenance ratio of the customer's margin account, how far it is from its lines, and what the contract says there. No advice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.calculations import shown
from actions.errors import NotPermitted
from actions.explanations import Explainer, explaining
from actions.failures import FAILURES, failure_of
from actions.turn import Turn
from actions.wording import masked_account, moment
from tightrope.business.errors import BusinessError
from tightrope.business.models import MarginAccount
from tightrope.business.operations import GET_MARGIN_ACCOUNT
from tightrope.rules.margin_account import Account, MaintenanceRatio, Standing
from tightrope.rules.text import calendar_day, percent

VERDICT: Final = "margin_ratio"
OUTCOMES: Final = frozenset({"told", "no_debt"}) | FAILURES


@dataclass(frozen=True)
class _Checked:
    account: MarginAccount
    ratio: MaintenanceRatio
    as_of: datetime


async def _check(turn: Turn) -> _Checked | None:
    """The account with its ratio; None where its currency is not that of the rule, so that a person has to look.

    Raises:
        NotPermitted, BusinessError: the account could not be read.
        RuleRefusal: a figure is out of bounds.
    """
    customer = await turn.customer()
    answer = await turn.fetch(GET_MARGIN_ACCOUNT, lambda api, token: api.margin_account(token, customer.customer_id))
    found, rules = answer.value, turn.context.rules.margin_account
    if found.currency != rules.currency:
        return None
    account = rule_account(found)
    ratio = rules.ratio(account, turn.today)
    inputs = {"line_warning": str(ratio.warning.line.fraction), "line_liquidation": str(ratio.liquidation.line.fraction)}
    computation = ratio.computation
    turn.used_rule(computation.rule, computation.version, ratio.standing.value, inputs, {"day": turn.today, "account": account})
    return _Checked(found, ratio, found.as_of)


def rule_account(found: MarginAccount) -> Account:
    """The firm's account in the words of the rule."""
    return Account(
        cash=found.cash.amount,
        securities=found.securities.amount,
        financed=found.financed.amount,
        sold_short=found.sold_short.amount,
        interest_and_fees=found.interest_and_fees.amount,
    )


class CheckMarginRatio(DeclaredAction):
    """Says ratio, distances to both lines, what may be taken out, and what the contract says where the account stands."""

    action_name = "action_check_margin_ratio"
    declaration = Declaration(
        outcomes=OUTCOMES,
        sets={"ratio_outcome": OUTCOMES, "last_verdict": frozenset({VERDICT, None})},
        responses=frozenset({"utter_ratio", "utter_ratio_no_debt", "utter_ratio_called", "utter_ratio_stale"}),
        envelopes=frozenset({"journey"}),
        calls=frozenset({GET_MARGIN_ACCOUNT}),
        scope="margin:read",
        on_error={"ratio_outcome": "unavailable", "last_verdict": None},
    )

    async def perform(self, turn: Turn) -> str:
        try:
            checked = await _check(turn)
        except (NotPermitted, BusinessError) as error:
            return self._end(turn, failure_of(error, turn, stale="utter_ratio_stale"), verdict=None)
        if checked is None:
            return self._end(turn, "unavailable", verdict=None)
        self._say(turn, checked)
        turn.tell("journey", journey=turn.journey.id, event="completed")
        return self._end(turn, "no_debt" if checked.ratio.standing is Standing.NO_DEBT else "told", verdict=VERDICT)

    @staticmethod
    def _end(turn: Turn, outcome: str, *, verdict: str | None) -> str:
        turn.set("ratio_outcome", outcome)
        turn.set("last_verdict", verdict)
        return outcome

    @staticmethod
    def _say(turn: Turn, checked: _Checked) -> None:
        now, language = turn.context.clock.now(), turn.language
        account = masked_account("margin", checked.account.number_masked, language)
        as_of, said = moment(checked.as_of, now, language), shown(turn, checked.ratio.computation)
        if checked.ratio.ratio is None:
            turn.say("utter_ratio_no_debt", account=account, as_of=as_of, steps=said["steps"])
            return
        ratio = percent(checked.ratio.ratio)
        turn.say("utter_ratio", account=account, as_of=as_of, ratio=ratio, steps=said["steps"], sources=said["sources"])
        call = checked.account.margin_call
        if call is not None:
            turn.say(
                "utter_ratio_called",
                called_on=calendar_day(call.called_on, language),
                restore_by=moment(call.restore_by, now, language),
            )


class ExplainMarginRatio(Explainer):
    """The formula with the account's figures, the lines of the contract, and the publications."""

    verdict = VERDICT
    declaration = explaining("utter_ratio_why", calls=frozenset({GET_MARGIN_ACCOUNT}), scope="margin:read")

    async def explain(self, turn: Turn) -> str | None:
        checked = await _check(turn)
        if checked is None:
            return "unavailable"
        wording, language = turn.context.rules.calculators, turn.language
        turn.say(
            "utter_ratio_why",
            rules=wording.steps(checked.ratio.computation, language),
            basis=wording.basis(checked.ratio.computation, language),
            as_of=moment(checked.as_of, turn.context.clock.now(), turn.language),
        )
        return None
