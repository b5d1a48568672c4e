"""Subscriptions for new shares of the verified customer: what was allotted, what has to be paid and by when. No advice, no payment."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.errors import NotPermitted
from actions.failures import FAILURES, failure_of
from actions.listing import PAGE_READS, PAGE_SLOTS, PAGES, distinct, leave_mark, mark_left, page_of
from actions.turn import Turn
from actions.wording import SHANGHAI, moment, money
from actions.words import day, quantity, security_title
from tightrope.business.errors import BusinessError
from tightrope.business.models import IpoAllotment, IpoAllotments, IpoStatus
from tightrope.business.operations import LIST_IPO_ALLOTMENTS
from tightrope.rules.code_book import Edition
from tightrope.rules.text import Language

RULE: Final = "ipo_rules"
FORFEITURE: Final = "forfeiture"
VERDICT: Final = "ipo_allotment"
OUTCOMES: Final = frozenset({"told", "more", "empty"}) | FAILURES
_BY_RULE: Final = frozenset({IpoStatus.PAYMENT_DUE, IpoStatus.FORFEITED})
"""States in which the customer has to know what becomes of who does not pay."""


class TellAllotments(DeclaredAction):
    """Says the next page of subscriptions, those with a payment due first; then the rule, where it concerns the customer."""

    action_name = "action_tell_allotments"
    declaration = Declaration(
        outcomes=OUTCOMES,
        reads=PAGE_READS,
        sets={"ipo_outcome": OUTCOMES, "last_verdict": frozenset({VERDICT, None}), **PAGE_SLOTS},
        responses=frozenset({"utter_ipo_list", "utter_ipo_rule", "utter_ipo_changed", "utter_ipo_stale"}),
        envelopes=frozenset({"journey"}),
        calls=frozenset({LIST_IPO_ALLOTMENTS}),
        scope="ipo:read",
        on_error={"ipo_outcome": "unavailable", "last_verdict": None},
    )

    async def perform(self, turn: Turn) -> str:
        outcome = await self._tell(turn)
        turn.set("ipo_outcome", outcome)
        turn.set("last_verdict", VERDICT if outcome in {"told", "more"} else None)
        if outcome in {"told", "empty"}:
            turn.tell("journey", journey=turn.journey.id, event="completed")
        return outcome

    async def _tell(self, turn: Turn) -> str:
        try:
            customer = await turn.customer()
            answer = await turn.fetch(LIST_IPO_ALLOTMENTS, lambda api, token: api.ipo_allotments(token, customer.customer_id))
        except (NotPermitted, BusinessError) as error:
            return failure_of(error, turn, stale="utter_ipo_stale")
        if not distinct(answer.value.items, _key):
            return "unavailable"
        if not answer.value.items:
            return "empty"
        return self._say(turn, answer.value)

    @staticmethod
    def _say(turn: Turn, found: IpoAllotments) -> str:
        now, language = turn.context.clock.now(), turn.language
        edition = turn.context.rules.ipo_rules.on(turn.today)
        # What has to be paid must not stand on a later page. The sort is stable: the firm's order, newest first, stays otherwise.
        items = sorted(found.items, key=lambda item: item.status is not IpoStatus.PAYMENT_DUE)
        page = page_of(items, turn.read("list_page"), _key)
        if page.number > 1 and page.mark != mark_left(turn):
            turn.say("utter_ipo_changed")
            page = page_of(items, None, _key)
        turn.say(
            "utter_ipo_list",
            as_of=moment(found.as_of, now, language),
            places=page.places(language),
            total=str(page.total),
            allotments="\n\n".join(_entry(item, edition, now, language) for item in page.items),
        )
        if any(item.status in _BY_RULE for item in page.items):
            rule = edition.codes[FORFEITURE]
            turn.used_rule(f"{RULE}.{FORFEITURE}", edition.version, "told", {}, {"day": turn.today})
            turn.say(
                "utter_ipo_rule",
                rule=rule.meaning.text(language),
                remedy=rule.remedy.text(language),
                source=edition.source.text(language),
            )
        leave_mark(turn, page.mark)
        if not page.more:
            return "told"
        turn.set("list_page", PAGES[page.number])
        return "more"


def _key(item: IpoAllotment) -> str:
    return str(item.subscription_id)


def _entry(item: IpoAllotment, edition: Edition, now: datetime, language: Language) -> str:
    status = edition.statuses[item.status.value]
    name = security_title(item.security, language)
    colon = ": " if language == "en" else "："
    lines = [f"{name}{colon}{status.title.text(language)}", *_figures(item, now, language)]
    join = " " if language == "en" else ""
    return "\n".join([*lines, join.join((status.meaning.text(language), status.remedy.text(language)))])


def _figures(item: IpoAllotment, now: datetime, language: str) -> list[str]:
    """What was asked for and given, the amount and its deadline, the days that are known."""
    asked, got = quantity(item.quantity, item.security, language), quantity(item.allotted_quantity, item.security, language)
    asked_on = day(item.subscribed_on, now, language)
    english = language == "en"
    lines = [f"Subscribed on {asked_on}: {asked}" if english else f"申购：{asked}（{asked_on}）"]
    if item.status is IpoStatus.SUBSCRIBED:
        result = day(item.result_on, now, language)
        lines.append(f"Result on {result}" if english else f"结果公布日：{result}")
    if item.amount_due is not None:
        price, due = money(item.issue_price, language), money(item.amount_due, language)
        lines.append(f"Allotted: {got} at {price}, {due} in all" if english else f"中签：{got}，发行价 {price}，应缴 {due}")
    if item.status is IpoStatus.PAYMENT_DUE and item.pay_by is not None:
        by = moment(item.pay_by, now, language)
        today = item.pay_by.astimezone(SHANGHAI).date() == now.astimezone(SHANGHAI).date()
        lines.append(f"Pay by: {'today ' if today else ''}{by}" if english else f"缴款截止：{'今天 ' if today else ''}{by}")
    if item.status in {IpoStatus.PAID, IpoStatus.LISTED} and item.listing_on is not None:
        listed = day(item.listing_on, now, language)
        lines.append(f"Listing: {listed}" if english else f"上市日：{listed}")
    return lines
