"""What the calculators share: the customer's figures read exactly, a rule's refusal in words, and the outcome that the flow branches on.

They are open to everybody and make no business call. The customer's figures stand in slots; every figure of a result comes from tightrope/rules.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Final

from actions.base import Declaration, DeclaredAction
from actions.turn import Turn
from tightrope.rules.figures import Computation
from tightrope.rules.models import Percent, RuleRefusal, Term, Value
from tightrope.rules.text import calendar_day

SHOWN: Final = "shown"
REFUSED: Final = "refused"
REFUSED_TERM: Final = "refused_term"
"""The length of time, or a day, is what the rule refuses."""
OUTCOMES: Final = frozenset({SHOWN, REFUSED, REFUSED_TERM, "unavailable"})
_OF_TIME: Final = frozenset({"wrong_order", "not_a_date", "year_unknown", "no_whole_years", "before_first_entry"})
_TIMES: Final = frozenset({Term("days"), Term("months")})
REFUSAL: Final = "utter_calculation_refused"
WHY: Final = "utter_calculation_why"


def calculating(
    verdict: str, *responses: str, reads: frozenset[str], about: frozenset[str] = frozenset(), refusal: str = REFUSAL
) -> Declaration:
    """The declaration of a calculator whose result `verdict` can be explained.

    Args:
        verdict: the value that `last_verdict` gets.
        responses: what it says when there is a result.
        reads: the slots with what the customer gave.
        about: what `verdict_subject` may get, for the explanation.
        refusal: what it says when the rule has no answer.
    """
    return Declaration(
        outcomes=frozenset({SHOWN, REFUSED, REFUSED_TERM}),
        reads=reads,
        sets={"calculation_outcome": OUTCOMES, "last_verdict": frozenset({verdict, None})}
        | ({"verdict_subject": about} if about else {}),
        responses=frozenset({*responses, refusal}),
        envelopes=frozenset({"journey"}),
        on_error={"calculation_outcome": "unavailable", "last_verdict": None},
    )


class Calculator(DeclaredAction):
    """Computes from what the customer gave. Subclasses give `verdict`, `declaration` (by `calculating`) and `calculate`."""

    verdict: ClassVar[str]
    refusal: ClassVar[str] = REFUSAL

    @abstractmethod
    async def calculate(self, turn: Turn) -> None:
        """Compute and say the result.

        Raises:
            RuleRefusal: the rule has no answer to these figures.
        """

    async def perform(self, turn: Turn) -> str:
        try:
            await self.calculate(turn)
        except RuleRefusal as refusal:
            outcome = REFUSED_TERM if refusal.reason in _OF_TIME or refusal.values.get("input") in _TIMES else REFUSED
            turn.say(self.refusal, reason=turn.context.rules.calculators.refusal(refusal, turn.language))
            turn.set("calculation_outcome", outcome)
            turn.set("last_verdict", None)
            return outcome
        turn.set("calculation_outcome", SHOWN)
        turn.set("last_verdict", self.verdict)
        turn.tell("journey", journey=turn.journey.id, event="completed")
        return SHOWN


def figure(turn: Turn, slot: str, name: str) -> Decimal:
    """What the customer gave, exactly as typed: a float slot holds the shortest decimal that stands for it.

    Args:
        name: the input as the wording of refusals calls it.

    Raises:
        RuleRefusal: it is missing or no number.
    """
    value = turn.read(slot)
    try:
        if value is None or isinstance(value, bool):
            raise InvalidOperation
        return Decimal(str(value))
    except InvalidOperation:
        raise RuleRefusal("not_a_number", input=Term(name)) from None


def whole(turn: Turn, slot: str, name: str) -> int:
    """A count that the customer gave.

    Raises:
        RuleRefusal: it is missing, no number, or not whole.
    """
    value = figure(turn, slot, name)
    if not value.is_finite() or value != value.to_integral_value():
        raise RuleRefusal("too_many_decimals", input=Term(name), decimals=0)
    return int(value)


def calendar_date(turn: Turn, slot: str, name: str) -> date:
    """A day that the customer gave.

    Raises:
        RuleRefusal: it is missing or no day.
    """
    try:
        return date.fromisoformat(str(turn.read(slot)))
    except ValueError:
        raise RuleRefusal("not_a_date", input=Term(name)) from None


def shown(turn: Turn, computation: Computation) -> dict[str, str]:
    """`steps` and `sources` of a result, as its response quotes them."""
    wording, language = turn.context.rules.calculators, turn.language
    return {"steps": wording.steps(computation, language), "sources": wording.sources(computation, language)}


def say_why(turn: Turn, subject: str, computation: Computation) -> None:
    """Say which rules a result rests on, as of today, with their sources and the version of the data.

    Args:
        subject: a term of the wording.
    """
    wording, language = turn.context.rules.calculators, turn.language
    turn.say(
        WHY,
        subject=wording.term(subject, language),
        day=calendar_day(turn.today, language),
        rules=wording.steps(computation, language),
        basis=wording.basis(computation, language),
    )


def record(turn: Turn, computation: Computation, verdict: str, inputs: Mapping[str, Value], given: Mapping[str, Any]) -> None:
    """Note for the record which rule computed what from which figures; `given` as of `Turn.used_rule`."""
    shown_inputs = {name: recorded(value) for name, value in inputs.items()}
    turn.used_rule(computation.rule, computation.version, verdict, shown_inputs, given)


def recorded(value: Value | None) -> str:
    """A figure as the record holds it."""
    if isinstance(value, Percent):
        return str(value.fraction)
    return value.isoformat() if isinstance(value, date) else str(value)
