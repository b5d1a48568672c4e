"""Reads the rule data that actions need from tightrope/rules/data/, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

import tightrope.rules
from tightrope.rules.calculator_text import CalculatorWording
from tightrope.rules.closing import ClosingRules
from tightrope.rules.closing_text import ClosingWording
from tightrope.rules.code_book import CodeBook
from tightrope.rules.deadlines import ServiceDeadlines
from tightrope.rules.growth import GrowthRules
from tightrope.rules.margin import MarginRules
from tightrope.rules.margin_account import MarginAccountRules
from tightrope.rules.margin_text import MarginWording
from tightrope.rules.options import OptionsRules
from tightrope.rules.options_text import OptionsWording
from tightrope.rules.statement_periods import StatementRules
from tightrope.rules.trading_calendar import TradingCalendar
from tightrope.rules.trading_costs import TradingCosts

FOLDER: Final = Path(tightrope.rules.__file__).parent / "data"


SUPPORT_LINES: Final = ("counselling", "police", "medical", "anti_fraud", "regulator")


@dataclass(frozen=True)
class SupportLine:
    """A public line whom anybody can call, in one language."""

    name: str
    number: str
    hours: str


@dataclass(frozen=True)
class RuleData:
    """Rules with their thresholds and wording."""

    margin: MarginRules
    margin_wording: MarginWording
    options: OptionsRules
    options_wording: OptionsWording
    costs: TradingCosts
    margin_account: MarginAccountRules
    growth: GrowthRules
    calendar: TradingCalendar
    calculators: CalculatorWording
    closing: ClosingRules
    closing_wording: ClosingWording
    complaint_words: Mapping[str, Mapping[str, Mapping[str, str]]]
    """`categories` and `wishes`, then by value and language."""
    deadlines: ServiceDeadlines
    support: Mapping[str, Mapping[str, SupportLine]]
    """By language, then by the names of SUPPORT_LINES."""
    order_codes: CodeBook
    transfer_codes: CodeBook
    ipo_rules: CodeBook
    risk_levels: CodeBook
    statements: StatementRules


def _read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def load_rule_data() -> RuleData:
    """Read and check all rule data.

    Raises:
        RuleDataError: a file is not what its rule needs.
    """
    return RuleData(
        margin=MarginRules(_read("margin.yml")),
        margin_wording=MarginWording(_read("margin_wording.yml")),
        options=OptionsRules(_read("options.yml")),
        options_wording=OptionsWording(_read("options_wording.yml")),
        costs=TradingCosts(_read("trading_costs.yml")),
        margin_account=MarginAccountRules(_read("margin_account.yml")),
        growth=GrowthRules(_read("growth.yml")),
        calendar=TradingCalendar(_read("trading_calendar.yml")),
        calculators=CalculatorWording(_read("calculator_wording.yml")),
        closing=ClosingRules(_read("closing.yml")),
        closing_wording=ClosingWording(_read("closing_wording.yml")),
        complaint_words=_read("complaint_wording.yml"),
        deadlines=ServiceDeadlines(_read("service_deadlines.yml")),
        support=_support_lines(_read("support_lines.yml")["lines"]),
        order_codes=CodeBook(_read("order_codes.yml")),
        transfer_codes=CodeBook(_read("transfer_codes.yml")),
        ipo_rules=CodeBook(_read("ipo_rules.yml")),
        risk_levels=CodeBook(_read("risk_levels.yml")),
        statements=StatementRules(_read("statements.yml")),
    )


def _support_lines(lines: Mapping[str, Any]) -> dict[str, dict[str, SupportLine]]:
    return {
        language: {
            name: SupportLine(lines[name]["name"][language], str(lines[name]["number"]), lines[name]["hours"][language])
            for name in SUPPORT_LINES
        }
        for language in ("zh", "en")
    }
