"""Statements on request: which kind, which period, a fresh consent. The document goes to the app and never into the chat."""

from __future__ import annotations

from typing import Any, Final

from actions.base import Declaration, DeclaredAction
from actions.errors import NotPermitted
from actions.requests import CONSENT, REQUEST_FAILURES, request_failure
from actions.turn import Turn
from actions.wording import moment
from actions.words import day, month
from tightrope.business.errors import BusinessError
from tightrope.business.models import StatementKind
from tightrope.business.operations import REQUEST_STATEMENT
from tightrope.rules.dates import add_months
from tightrope.rules.statement_periods import Period, PeriodRefused
from tightrope.rules.text import calendar_day

RULE: Final = "statement_period"
KINDS: Final = {
    StatementKind.ACCOUNT_STATEMENT: ("对账单", "account statement"),
    StatementKind.TRADE_CONFIRMATIONS: ("交割单", "trade confirmations"),
    StatementKind.ASSET_CERTIFICATE: ("资产证明", "certificate of assets"),
    StatementKind.TAX_SUMMARY: ("年度税务汇总", "yearly tax summary"),
}
YEARS: Final = {"last_year": 1, "year_before": 2}
"""Values of the slot `statement_year`, and how many years ago that is."""
MONTHS_OFFERED: Final = 3
READS: Final = frozenset({"statement_kind", "statement_month", "statement_year"})
PERIODS: Final = frozenset({"possible", "not_begun", "too_old", "unreadable", "unavailable"})
OUTCOMES: Final = frozenset({"filed"}) | REQUEST_FAILURES


def _chosen(turn: Turn) -> dict[str, Any]:
    """`month` as the customer gave it, or `years_ago`."""
    if turn.read("statement_kind") == StatementKind.TAX_SUMMARY:
        return {"years_ago": YEARS.get(str(turn.read("statement_year")), 0)}
    return {"month": str(turn.read("statement_month"))}


def _period(turn: Turn) -> Period:
    """The period that the customer chose.

    Raises:
        PeriodRefused: no document can be asked for over it.
    """
    rules, today, chosen = turn.context.rules.statements, turn.today, _chosen(turn)
    return rules.month(chosen["month"], today) if "month" in chosen else rules.year(chosen["years_ago"], today)


def _title(turn: Turn, period: Period) -> str:
    """`2026年10月对账单` or `account statement for Oct 2026`."""
    kind = KINDS[StatementKind(turn.read("statement_kind"))][1 if turn.language == "en" else 0]
    whole_year = period.first.month != period.last.month
    if turn.language == "en":
        return f"{kind} for {period.first.year if whole_year else month(period.first, 'en')}"
    return f"{period.first.year}年{kind}" if whole_year else f"{month(period.first, 'zh')}{kind}"


class AskStatementMonth(DeclaredAction):
    """Which month: the last finished ones on buttons; any other can be typed."""

    action_name = "action_ask_statement_month"
    declaration = Declaration(
        outcomes=frozenset({"asked"}), reads=frozenset({"statement_kind"}), responses=frozenset({"utter_statement_which_month"})
    )

    async def perform(self, turn: Turn) -> str:
        first, language = turn.today.replace(day=1), turn.language
        offered = [add_months(first, -back) for back in range(1, MONTHS_OFFERED + 1)]
        buttons = [{"title": month(one, language), "payload": f"/SetSlots(statement_month={one:%Y-%m})"} for one in offered]
        kind = KINDS[StatementKind(turn.read("statement_kind"))][1 if language == "en" else 0]
        turn.say("utter_statement_which_month", buttons=buttons, kind=kind)
        return "asked"


class AskStatementYear(DeclaredAction):
    """Which year: those that have ended."""

    action_name = "action_ask_statement_year"
    declaration = Declaration(outcomes=frozenset({"asked"}), responses=frozenset({"utter_statement_which_year"}))

    async def perform(self, turn: Turn) -> str:
        this, english = turn.today.year, turn.language == "en"
        titles = {value: str(this - ago) if english else f"{this - ago}年" for value, ago in YEARS.items()}
        buttons = [{"title": title, "payload": f"/SetSlots(statement_year={value})"} for value, title in titles.items()]
        turn.say("utter_statement_which_year", buttons=buttons)
        return "asked"


class CheckStatementPeriod(DeclaredAction):
    """Whether a document can be asked for over the period."""

    action_name = "action_check_statement_period"
    declaration = Declaration(
        outcomes=PERIODS, reads=READS, sets={"statement_period": PERIODS}, on_error={"statement_period": "unavailable"}
    )

    async def perform(self, turn: Turn) -> str:
        try:
            _period(turn)
            found = "possible"
        except PeriodRefused as refused:
            found = refused.reason
        given = {"day": turn.today, **_chosen(turn)}
        turn.used_rule(RULE, turn.context.rules.statements.version(turn.today), found, {}, given)
        turn.set("statement_period", found)
        return found


class AskStatementConsent(DeclaredAction):
    """Says what would be asked for and where it goes, and asks for consent to just that."""

    action_name = "action_ask_statement_consent"
    declaration = Declaration(outcomes=frozenset({"asked"}), reads=READS, responses=frozenset({"utter_statement_consent"}))

    async def perform(self, turn: Turn) -> str:
        period = _period(turn)
        turn.say(
            "utter_statement_consent",
            document=_title(turn, period),
            first_day=calendar_day(period.first, turn.language),
            last_day=calendar_day(period.last, turn.language),
        )
        return "asked"


class RequestStatement(DeclaredAction):
    """Files the request with the consent just given."""

    action_name = "action_request_statement"
    declaration = Declaration(
        outcomes=OUTCOMES | {"declined"},
        reads=READS | {"statement_consent"},
        sets={"statement_outcome": OUTCOMES | {"declined"}},
        responses=frozenset({"utter_statement_filed"}),
        envelopes=frozenset({"journey"}),
        calls=frozenset({REQUEST_STATEMENT}),
        scope="statements:request",
        on_error={"statement_outcome": "unknown"},
    )

    async def perform(self, turn: Turn) -> str:
        outcome = await self._file(turn) if turn.read("statement_consent") == CONSENT else "declined"
        turn.set("statement_outcome", outcome)
        if outcome in {"filed", "declined"}:
            turn.tell("journey", journey=turn.journey.id, event="completed")
        return outcome

    @staticmethod
    async def _file(turn: Turn) -> str:
        period, language = _period(turn), turn.language
        wanted: dict[str, Any] = {
            "kind": StatementKind(turn.read("statement_kind")),
            "first_day": period.first,
            "last_day": period.last,
            "language": language,
        }
        try:
            customer = await turn.customer()
            answer = await turn.submit(
                REQUEST_STATEMENT,
                lambda api, token, key: api.request_statement(token, customer.customer_id, **wanted, key=key),
            )
        except (NotPermitted, BusinessError) as error:
            return request_failure(error)
        ticket, now = answer.value, turn.context.clock.now()
        turn.say(
            "utter_statement_filed",
            document=_title(turn, period),
            ticket=ticket.ticket_number,
            created_at=moment(ticket.created_at, now, language),
            due_on=day(ticket.due_on, now, language),
        )
        return "filed"
