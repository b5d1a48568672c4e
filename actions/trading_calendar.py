"""Trading days, half days and settlement, as the exchanges published them. Years that they have not published are refused."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.calculations import WHY, Calculator, calculating, calendar_date, record, say_why, shown
from actions.explanations import Explainer, explaining
from actions.turn import Turn
from tightrope.rules.figures import Computation, each_once
from tightrope.rules.models import RuleRefusal, Value
from tightrope.rules.text import calendar_day
from tightrope.rules.trading_calendar import TradingDay

MARKETS: Final = frozenset({"mainland", "hk", "hk_connect"})
"""Markets of the rules that a customer can choose."""
REFUSAL: Final = "utter_calendar_refused"


class CheckTradingCalendar(Calculator):
    """What a day is for a market, its sessions and when a trade of it settles; of a closed day, the next trading day."""

    action_name = "action_check_trading_calendar"
    verdict = "trading_calendar"
    refusal = REFUSAL
    declaration = calculating(
        "trading_calendar",
        "utter_trading_day_open",
        "utter_trading_day_closed",
        "utter_trading_day_closed_end_of_file",
        reads=frozenset({"calendar_market", "calendar_day"}),
        about=MARKETS,
        refusal=REFUSAL,
    )

    async def calculate(self, turn: Turn) -> None:
        market, asked = str(turn.read("calendar_market")), calendar_date(turn, "calendar_day", "calendar_day")
        found = turn.context.rules.calendar.day(market, asked)
        if found.is_open:
            self._say_open(turn, found)
        else:
            self._say_closed(turn, found)
        turn.set("verdict_subject", market)
        inputs: dict[str, Value] = {"market": market, "day": asked}
        record(turn, found.computation, found.kind.value, inputs, inputs)

    @staticmethod
    def _say_open(turn: Turn, found: TradingDay) -> None:
        rules, language = turn.context.rules, turn.language
        said = shown(turn, found.computation)
        try:
            settlement = rules.calendar.settlement(found.market, found.day).computation
        except RuleRefusal as refusal:
            # The day is known and the one of its settlement lies in a year that is not published.
            turn.say(
                "utter_trading_day_open",
                lines=said["steps"],
                settlement=rules.calculators.refusal(refusal, language),
                sources=said["sources"],
            )
            return
        both = Computation(settlement.rule, settlement.version, (), each_once([*found.computation.sources, *settlement.sources]))
        turn.say(
            "utter_trading_day_open",
            lines=said["steps"],
            settlement=rules.calculators.steps(settlement, language),
            sources=rules.calculators.sources(both, language),
        )

    @staticmethod
    def _say_closed(turn: Turn, found: TradingDay) -> None:
        rules, language = turn.context.rules, turn.language
        said = shown(turn, found.computation)
        try:
            following = rules.calendar.next_trading_day(found.market, found.day)
        except RuleRefusal:
            turn.say("utter_trading_day_closed_end_of_file", lines=said["steps"], sources=said["sources"])
            return
        turn.say(
            "utter_trading_day_closed",
            lines=said["steps"],
            next_day=calendar_day(following.day, language),
            next_weekday=rules.calculators.term(f"weekday_{following.day.weekday()}", language),
            sources=said["sources"],
        )


class AskCalendarDay(DeclaredAction):
    """The question for the day; its buttons name today and tomorrow."""

    action_name = "action_ask_calendar_day"
    declaration = Declaration(outcomes=frozenset({"asked"}), responses=frozenset({"utter_calendar_day"}), evidence=False)

    async def perform(self, turn: Turn) -> str:
        first = turn.today
        turn.say(
            "utter_calendar_day",
            buttons=[
                _button(turn, day, names)
                for day, names in ((first, ("今天", "Today")), (first + timedelta(days=1), ("明天", "Tomorrow")))
            ],
        )
        return "asked"


def _button(turn: Turn, day: date, names: tuple[str, str]) -> dict[str, str]:
    shown_day = calendar_day(day, turn.language)
    title = f"{names[1]} ({shown_day})" if turn.language == "en" else f"{names[0]}（{shown_day}）"
    return {"title": title, "payload": f"/SetSlots(calendar_day={day.isoformat()})"}


class ExplainTradingCalendar(Explainer):
    """Which years are on file, and the publications that say so."""

    verdict = CheckTradingCalendar.verdict
    declaration = explaining(WHY, reads=frozenset({"verdict_subject"}))

    async def explain(self, turn: Turn) -> str | None:
        market = str(turn.read("verdict_subject"))
        say_why(turn, market, turn.context.rules.calendar.on_file(market))
        return None
