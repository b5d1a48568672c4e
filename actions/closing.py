"""Closing the verified customer's accounts: what keeps them open, and the request for the firm's people. Nothing is closed here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Final

from actions.base import Declaration, DeclaredAction
from actions.deadlines import due
from actions.errors import NotPermitted
from actions.explanations import Explainer, explaining
from actions.failures import FAILURES, failure_of
from actions.requests import CONSENT, REQUEST_FAILURES, request_failure
from actions.turn import Turn
from actions.wording import SHANGHAI, account_title, moment
from actions.words import plain
from tightrope.business.errors import BusinessError, Conflict
from tightrope.business.models import ClosingAccount, ClosureFacts, ClosureReason, Ticket
from tightrope.business.operations import GET_CLOSURE_FACTS, REQUEST_CLOSURE
from tightrope.rules.closing import RULE, AccountFacts, Assessment, HeldProduct, Verdict
from tightrope.rules.text import calendar_day

SCOPE: Final = "closure:request"
SHOWN: Final = frozenset({"closable", "blocked", "undetermined", "open_request"})
CHECKED: Final = SHOWN | FAILURES
REQUESTED: Final = (
    frozenset({"filed", "not_confirmed", "changed", "blocked", "undetermined", "open_request"}) | FAILURES | REQUEST_FAILURES
)
CONFIRMATIONS: Final = ("closure_understood", "closure_confirmed")


@dataclass(frozen=True)
class Checked:
    """The firm's facts with what the rule makes of them."""

    facts: ClosureFacts
    assessment: Assessment


async def check(turn: Turn) -> Checked:
    """Read the facts and judge them; the rule stands in the record.

    Raises:
        NotPermitted, BusinessError: the facts could not be read.
    """
    customer = await turn.customer()
    answer = await turn.fetch(GET_CLOSURE_FACTS, lambda api, token: api.closure_facts(token, customer.customer_id))
    accounts = [rule_facts(account) for account in answer.value.accounts]
    assessment = turn.context.rules.closing.assess(accounts, turn.today)
    for number, account in enumerate(assessment.accounts, 1):
        for finding in account.findings:
            values = {name: _recorded(value) for name, value in finding.values.items()}
            turn.used_rule(
                f"{RULE}.{finding.condition.value}", assessment.version, finding.state.value, {"account": number} | values
            )
    turn.used_rule(
        RULE,
        assessment.version,
        assessment.verdict.value,
        {"accounts": len(assessment.accounts)},
        {"day": turn.today, "accounts": accounts},
    )
    return Checked(answer.value, assessment)


def rule_facts(account: ClosingAccount) -> AccountFacts:
    """The firm's facts of one account in the words of the rule."""
    return AccountFacts(
        standing=account.status.value,
        balance=account.cash.amount,
        currency=account.cash.currency,
        positions=account.positions,
        open_orders=account.open_orders,
        pending_transfers=account.pending_transfers,
        margin_debt=account.margin_debt.amount,
        debt_currency=account.margin_debt.currency,
        products=tuple(HeldProduct(plain(p.name_zh), plain(p.name_en), p.matures_on) for p in account.products),
    )


def outcome_of(checked: Checked) -> str:
    """One of SHOWN, or `no_account`. A request that is already with people goes before everything else."""
    if checked.facts.open_request is not None:
        return "open_request"
    verdict = checked.assessment.verdict
    return "no_account" if verdict is Verdict.NOTHING else verdict.value


def show(turn: Turn, checked: Checked, outcome: str) -> None:
    """Say what was found: an open request with its number, or each account with what keeps it open."""
    language, facts = turn.language, checked.facts
    if facts.open_request is not None:
        turn.say(
            "utter_closure_open_request",
            ticket=facts.open_request.ticket_number,
            filed_on=calendar_day(facts.open_request.created_at.astimezone(SHANGHAI).date(), language),
            due_on=calendar_day(facts.open_request.due_on, language),
        )
        return
    wording = turn.context.rules.closing_wording
    parts = [
        f"{account_title(account, language)}\n{wording.account(found, language)}"
        for account, found in zip(facts.accounts, checked.assessment.accounts, strict=True)
    ]
    turn.say(f"utter_closure_{outcome}", as_of=_as_of(turn, facts.as_of), accounts="\n\n".join(parts))


class CheckClosure(DeclaredAction):
    """Shows whether the accounts can be closed, and each thing that keeps them open with what to do about it."""

    action_name = "action_check_closure"
    declaration = Declaration(
        outcomes=CHECKED,
        sets={"closure_outcome": CHECKED, "last_verdict": frozenset({"closure", None})},
        responses=frozenset({f"utter_closure_{outcome}" for outcome in SHOWN} | {"utter_closure_stale"}),
        envelopes=frozenset({"journey"}),
        calls=frozenset({GET_CLOSURE_FACTS}),
        scope=SCOPE,
        on_error={"closure_outcome": "unavailable"},
    )

    async def perform(self, turn: Turn) -> str:
        try:
            checked = await check(turn)
        except (NotPermitted, BusinessError) as error:
            outcome = failure_of(error, turn, stale="utter_closure_stale")
        else:
            outcome = outcome_of(checked)
        turn.set("closure_outcome", outcome)
        if outcome not in SHOWN:
            turn.set("last_verdict", None)
            return outcome
        show(turn, checked, outcome)
        turn.set("last_verdict", None if outcome == "open_request" else "closure")
        if outcome != "closable":
            turn.tell("journey", journey=turn.journey.id, event="completed")
        return outcome


class RequestClosure(DeclaredAction):
    """Files the request after the customer confirmed twice. Checks once more at that moment: what has changed since stops it."""

    action_name = "action_request_closure"
    declaration = Declaration(
        outcomes=REQUESTED,
        reads=frozenset({"closure_reason", *CONFIRMATIONS}),
        sets={"closure_outcome": REQUESTED},
        responses=frozenset(
            {f"utter_closure_{outcome}" for outcome in SHOWN - {"closable"}} | {"utter_closure_stale", "utter_closure_filed"}
        ),
        envelopes=frozenset({"journey"}),
        calls=frozenset({GET_CLOSURE_FACTS, REQUEST_CLOSURE}),
        scope=SCOPE,
        # It may have broken off after the firm took the request: "nothing was filed" would then be false.
        on_error={"closure_outcome": "unknown"},
    )

    async def perform(self, turn: Turn) -> str:
        # The flow asks twice; nothing else may lead here, whatever path it took.
        confirmed = all(turn.read(slot) == CONSENT for slot in CONFIRMATIONS)
        outcome = await self._request(turn) if confirmed else "not_confirmed"
        turn.set("closure_outcome", outcome)
        return outcome

    @staticmethod
    async def _request(turn: Turn) -> str:
        try:
            checked = await check(turn)
        except (NotPermitted, BusinessError) as error:
            return failure_of(error, turn, stale="utter_closure_stale")
        outcome = outcome_of(checked)
        if outcome in SHOWN - {"closable"}:
            show(turn, checked, outcome)
        if outcome != "closable":
            return outcome
        customer, reason = await turn.customer(), _reason(turn.read("closure_reason"))
        account_ids = [account.account_id for account in checked.facts.accounts]
        try:
            answer = await turn.submit(
                REQUEST_CLOSURE,
                lambda api, token, key: api.request_closure(
                    token, customer.customer_id, account_ids=account_ids, reason=reason, language=turn.language, key=key
                ),
            )
        except (NotPermitted, BusinessError) as error:
            blocked = isinstance(error, Conflict) and error.problem == "closure-blocked"
            return "changed" if blocked else request_failure(error)
        _say_filed(turn, answer.value)
        return "filed"


class ExplainClosure(Explainer):
    """ "Why can my account not be closed?": rules with their sources and the time of the data, read anew."""

    verdict: ClassVar[str] = "closure"
    declaration = explaining("utter_closure_why", calls=frozenset({GET_CLOSURE_FACTS}), scope=SCOPE)

    async def explain(self, turn: Turn) -> str | None:
        checked = await check(turn)
        if checked.assessment.verdict is Verdict.NOTHING:
            return "no_account"
        turn.say(
            "utter_closure_why",
            rules=turn.context.rules.closing_wording.rules(checked.assessment, turn.language),
            as_of=_as_of(turn, checked.facts.as_of),
            version=checked.assessment.version,
        )
        return None


def _say_filed(turn: Turn, ticket: Ticket) -> None:
    day = calendar_day(due(turn, "closing", ticket).answered_by, turn.language)
    turn.say("utter_closure_filed", ticket=ticket.ticket_number, answered_by=day)
    turn.tell("journey", journey=turn.journey.id, event="completed")


def _reason(value: object) -> ClosureReason:
    return ClosureReason(str(value)) if value in set(ClosureReason) else ClosureReason.UNSTATED


def _as_of(turn: Turn, at: datetime) -> str:
    return moment(at, turn.context.clock.now(), turn.language)


def _recorded(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
