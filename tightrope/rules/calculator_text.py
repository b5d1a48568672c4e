"""Puts the approved wording of `data/calculator_wording.yml` around computations and refusals. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from tightrope.rules.figures import Computation
from tightrope.rules.models import Months, Percent, RuleDataError, RuleRefusal, Term, Value
from tightrope.rules.text import Language, amount, calendar_day, length_of_time, percent


class CalculatorWording:
    """The wording, read and checked: every line stands in both languages."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of `data/calculator_wording.yml`.

        Raises:
            RuleDataError: a part or a language is missing.
        """
        self._data = data
        try:
            groups = [data["terms"], data["labels"], data["refusals"], data["phrases"], *data["steps"].values()]
            for group in groups:
                for key, texts in group.items():
                    if not (isinstance(texts["zh"], str) and isinstance(texts["en"], str)):
                        raise TypeError(f"{key} is no text")
        except (KeyError, TypeError, AttributeError) as error:
            raise RuleDataError(f"calculator wording: {error!r}") from error

    def steps(self, computation: Computation, language: Language) -> str:
        """How the result came about, a line a step.

        Raises:
            RuleDataError: the wording has no line for a step, or the line quotes what the step does not hold.
        """
        steps = self._data["steps"].get(computation.rule, {})
        return "\n".join(self._line(steps, step.name, step.values, language) for step in computation.steps)

    def basis(self, computation: Computation, language: Language) -> str:
        """Where the rule stands written, in full, and the version of the data, for "why?"."""
        lines = [self._data["labels"]["basis"][language], *(f"• {source.text(language)}" for source in computation.sources)]
        return "\n".join([*lines, self._data["labels"]["version"][language].format(version=computation.version)])

    def explanation(self, computation: Computation, language: Language) -> str:
        """Steps, then the sources in short, in one line.

        Raises:
            RuleDataError: as for `steps`.
        """
        label = self._data["labels"]["source"][language]
        return f"{self.steps(computation, language)}\n{label}{self.sources(computation, language)}"

    def sources(self, computation: Computation, language: Language) -> str:
        """The sources in short, in one line."""
        return ("、" if language == "zh" else "; ").join(source.short_text(language) for source in computation.sources)

    def term(self, name: str, language: Language) -> str:
        """A word of the domain, a market or a weekday say.

        Raises:
            RuleDataError: there is no such word.
        """
        try:
            return str(self._data["terms"][name][language])
        except KeyError as error:
            raise RuleDataError(f"calculator wording: no term {error}") from error

    def phrase(self, name: str, language: Language, **values: str) -> str:
        """What the customer gave, in words.

        Raises:
            RuleDataError: there is no such phrase, or it quotes something else.
        """
        return self._line(self._data["phrases"], name, values, language)

    def refusal(self, refusal: RuleRefusal, language: Language) -> str:
        """Why there is no answer, and what the customer can do.

        Raises:
            RuleDataError: the wording has no line for the reason.
        """
        return self._line(self._data["refusals"], refusal.reason, refusal.values, language)

    def _line(self, group: Mapping[str, Any], name: str, values: Mapping[str, Value], language: Language) -> str:
        try:
            return str(group[name][language].format(**{key: self._shown(value, language) for key, value in values.items()}))
        except KeyError as error:
            raise RuleDataError(f"calculator wording: {name} ({language}) has no {error}") from error

    def _shown(self, value: Value, language: Language) -> str:
        if isinstance(value, Term):
            return str(self._data["terms"][value.name][language])
        if isinstance(value, Decimal):
            return amount(value)
        if isinstance(value, Percent):
            return percent(value)
        if isinstance(value, Months):
            return length_of_time(value, language)
        if isinstance(value, date):
            return calendar_day(value, language)
        return f"{value:,}" if isinstance(value, int) else value
