"""Trading costs, margin interest and compound growth, computed from what the customer gives. No login, no business call, no advice."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.calculations import (
    WHY,
    Calculator,
    calculating,
    calendar_date,
    figure,
    record,
    say_why,
    shown,
    whole,
)
from actions.explanations import Explainer, explaining
from actions.turn import Turn
from actions.wording import money_of
from tightrope.rules.dates import add_months
from tightrope.rules.figures import exactly
from tightrope.rules.models import Months, Percent, Value
from tightrope.rules.text import calendar_day, length_of_time, percent
from tightrope.rules.trading_costs import Order, Side, Trade

MARKETS: Final = {"a_share": "sse", "bse": "bse", "fund": "fund", "hk_connect": "hk_connect"}
"""Slot value -> market of the rules. Shanghai and Shenzhen charge the same (a test holds the rules to it)."""
TERMS: Final = (("days", 30), ("months", 3), ("months", 6))
"""The lengths of a loan that buttons offer."""


class CalculateTradingCost(Calculator):
    """What a trade costs at the rates of today, item by item."""

    action_name = "action_calculate_trading_cost"
    verdict = "trading_cost"
    declaration = calculating(
        "trading_cost",
        "utter_trading_cost_buy",
        "utter_trading_cost_sell",
        reads=frozenset({"trade_market", "trade_side", "trade_amount", "trade_price", "trade_quantity"}),
        about=frozenset(MARKETS),
    )

    async def calculate(self, turn: Turn) -> None:
        rules, language = turn.context.rules, turn.language
        market, side = str(turn.read("trade_market")), Side(turn.read("trade_side"))
        order = self._order(turn, MARKETS[market], side)
        found = rules.costs.cost(order)
        turn.say(
            f"utter_trading_cost_{side.value}",
            (),
            market=rules.calculators.term(market, language),
            day=calendar_day(found.trade.day, language),
            amount=money_of(found.amount, found.currency, language),
            total=money_of(found.total, found.currency, language),
            net=money_of(found.net, found.currency, language),
            **shown(turn, found.computation),
        )
        turn.set("verdict_subject", market)
        record(
            turn,
            found.computation,
            "computed",
            {"market": market, "side": side.value, "amount": found.amount},
            {"market": market, "order": order},
        )

    @staticmethod
    def _order(turn: Turn, market: str, side: Side) -> Trade | Order:
        """The trade by price and quantity where the customer gave either, else by its amount."""
        if turn.read("trade_price") is None and turn.read("trade_quantity") is None:
            return Order(market, side, figure(turn, "trade_amount", "amount"), turn.today)
        price, quantity = figure(turn, "trade_price", "price"), whole(turn, "trade_quantity", "quantity")
        return Trade(market, side, price, quantity, turn.today)


class CalculateMarginInterest(Calculator):
    """Interest on a loan that begins today and is repaid on the day given."""

    action_name = "action_calculate_margin_interest"
    verdict = "margin_interest"
    declaration = calculating("margin_interest", "utter_margin_interest", reads=frozenset({"interest_amount", "interest_until"}))

    async def calculate(self, turn: Turn) -> None:
        language, borrowed_on = turn.language, turn.today
        repaid_on = calendar_date(turn, "interest_until", "repayment_day")
        principal = figure(turn, "interest_amount", "principal")
        found = turn.context.rules.margin_account.interest(principal, borrowed_on, repaid_on)
        turn.say(
            "utter_margin_interest",
            (),
            principal=money_of(found.principal, found.currency, language),
            borrowed_on=calendar_day(borrowed_on, language),
            repaid_on=calendar_day(repaid_on, language),
            days=f"{found.days:,}",
            interest=money_of(found.amount, found.currency, language),
            **shown(turn, found.computation),
        )
        given = {"principal": principal, "borrowed_on": borrowed_on, "repaid_on": repaid_on}
        record(turn, found.computation, "computed", {"principal": found.principal, "days": found.days}, given)


class AskInterestUntil(DeclaredAction):
    """The question for the day of repayment; its buttons name the days."""

    action_name = "action_ask_interest_until"
    declaration = Declaration(
        outcomes=frozenset({"asked"}), responses=frozenset({"utter_interest_until"}), envelopes=frozenset(), evidence=False
    )

    async def perform(self, turn: Turn) -> str:
        first, buttons = turn.today, []
        for unit, count in TERMS:
            day = first + timedelta(days=count) if unit == "days" else add_months(first, count)
            names = {"days": (f"{count}天", f"{count} days"), "months": (f"{count}个月", f"{count} months")}[unit]
            length = names[1] if turn.language == "en" else names[0]
            shown_day = calendar_day(day, turn.language)
            title = f"{length} ({shown_day})" if turn.language == "en" else f"{length}（{shown_day}）"
            buttons.append({"title": title, "payload": f"/SetSlots(interest_until={day.isoformat()})"})
        turn.say("utter_interest_until", buttons=buttons)
        return "asked"


class CalculateCompoundGrowth(Calculator):
    """What a sum or regular saving becomes at the customer's own assumed rate."""

    action_name = "action_calculate_compound_growth"
    verdict = "growth"
    declaration = calculating(
        "growth", "utter_growth", reads=frozenset({"growth_kind", "growth_amount", "growth_rate", "growth_term"})
    )

    async def calculate(self, turn: Turn) -> None:
        language, kind = turn.language, str(turn.read("growth_kind"))
        with exactly():
            rate = figure(turn, "growth_rate", "yearly_rate") / 100
        months, amount = whole(turn, "growth_term", "months"), figure(turn, "growth_amount", "principal")
        found = turn.context.rules.growth.of_kind(kind, amount, yearly_rate=rate, months=months)
        turn.say(
            "utter_growth",
            (),
            given=turn.context.rules.calculators.phrase(kind, language, amount=money_of(amount, found.currency, language)),
            rate=percent(Percent(rate)),
            term=length_of_time(Months(months), language),
            value=money_of(found.value, found.currency, language),
            paid_in=money_of(found.paid_in, found.currency, language),
            gain=money_of(found.gain, found.currency, language),
            **shown(turn, found.computation),
        )
        inputs: dict[str, Value] = {"amount": amount, "yearly_rate": rate, "months": months}
        record(turn, found.computation, kind, inputs, {"kind": kind, **inputs})


class ExplainTradingCost(Explainer):
    """The rates of the market in force today, each with the day from which it holds and its source."""

    verdict = CalculateTradingCost.verdict
    declaration = explaining(WHY, reads=frozenset({"verdict_subject"}))

    async def explain(self, turn: Turn) -> str | None:
        market = str(turn.read("verdict_subject"))
        say_why(turn, market, turn.context.rules.costs.rates(MARKETS[market], turn.today))
        return None


class ExplainMarginInterest(Explainer):
    """The margin rate in force and how a day's interest comes about."""

    verdict = CalculateMarginInterest.verdict
    declaration = explaining(WHY)

    async def explain(self, turn: Turn) -> str | None:
        say_why(turn, "margin_interest", turn.context.rules.margin_account.rate_in_force(turn.today))
        return None


class ExplainGrowth(Explainer):
    """The formulas; the rate was the customer's own assumption."""

    verdict = CalculateCompoundGrowth.verdict
    declaration = explaining(WHY)

    async def explain(self, turn: Turn) -> str | None:
        say_why(turn, "growth", turn.context.rules.growth.formulas())
        return None
