"""The rules of an evidence envelope, run again from what they were given; the result is written as actions write it, to be compared byte for byte.

Each function gives the items of one run: the findings first, then the rule itself. A rule that actions note anew needs its line in `RUNS`; a test
holds every rule of every action to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml

import tightrope.rules
from tightrope.rules import (
    closing,
    deadlines,
    growth,
    margin,
    margin_account,
    options,
    risk_levels,
    trading_calendar,
    trading_costs,
)
from tightrope.rules.code_book import CodeBook
from tightrope.rules.eligibility import Finding
from tightrope.rules.figures import Computation
from tightrope.rules.given import restored
from tightrope.rules.models import Percent
from tightrope.rules.statement_periods import PeriodRefused, StatementRules

Item = dict[str, Any]
Given = Mapping[str, Any]


class NotHere(LookupError):
    """A rule that this code cannot run again: another release's, or one whose record lacks what it was given."""


class RuleBook:
    """The rules of a release, read from its own data when they are first asked for."""

    def __init__(self, folder: Path | None = None) -> None:
        """Args:
        folder: of the data files; by default the one beside the rules' own code.
        """
        self._folder = folder or Path(tightrope.rules.__file__).parent / "data"
        self._made: dict[str, Any] = {}

    def __call__(self, kind: Callable[[Any], Any], name: str) -> Any:
        """The rule of this kind over the data file `name`.

        Raises:
            RuleDataError: the file is not what its rule needs.
            OSError: there is no such file.
        """
        if name not in self._made:
            self._made[name] = kind(yaml.safe_load((self._folder / name).read_text(encoding="utf-8")))
        return self._made[name]


@dataclass(frozen=True, slots=True)
class Rerun:
    """An envelope's rules, as they were written and as they come out now; `unknown` names those that could not be run."""

    recorded: tuple[Item, ...]
    again: tuple[Item, ...]
    unknown: tuple[str, ...]


def rerun(envelope: Mapping[str, Any], book: RuleBook) -> Rerun:
    """Run all rules of an evidence envelope again."""
    recorded: list[Item] = []
    again: list[Item] = []
    unknown: list[str] = []
    findings: list[Item] = []
    for item in envelope.get("rules") or []:
        bare = {name: value for name, value in item.items() if name != "given"}
        findings.append(bare)
        if "given" not in item:
            continue
        try:
            made = [*_run(item, book)]
        except NotHere as error:
            unknown.append(str(error))
        except Exception as error:  # a rule that raises where it once decided is a difference, and has to be shown as one
            recorded.extend(findings)
            again.append({"rule": item["rule"], "error": f"{type(error).__name__}: {error}"})
        else:
            recorded.extend(findings)
            again.extend(made)
        findings = []
    unknown.extend(f"{item['rule']}: what it was given is not in the record" for item in findings)
    return Rerun(tuple(recorded), tuple(again), tuple(unknown))


def _run(item: Item, book: RuleBook) -> Iterator[Item]:
    name = str(item["rule"])
    run = RUNS.get(name) or RUNS.get(name.partition(".")[0])
    if run is None:
        raise NotHere(f"{name}: this program does not know the rule")
    return run(book, item["given"], name)


def _item(rule: str, version: str, verdict: str, inputs: Mapping[str, Any]) -> Item:
    return {"rule": rule, "version": version, "verdict": verdict, "inputs": dict(inputs)}


def _text(value: Any) -> str:
    if isinstance(value, Percent):
        return str(value.fraction)
    return value.isoformat() if isinstance(value, date) else str(value)


def _day(given: Given) -> date:
    return date.fromisoformat(given["day"])


def _findings(rule: str, version: str, findings: Sequence[Finding], **more: Any) -> Iterator[Item]:
    for finding in findings:
        values = {name: _text(value) for name, value in finding.values.items()}
        yield _item(f"{rule}.{finding.condition.value}", version, finding.state.value, {**more, **values})


def _margin(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    facts = restored(margin.MarginFacts, given["facts"])
    found = book(margin.MarginRules, "margin.yml").assess(facts, _day(given))
    yield from _findings(name, found.version, found.findings)
    yield _item(name, found.version, found.verdict.value, {"margin_enabled": facts.margin_enabled})


def _options(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    facts, level = restored(options.OptionsFacts, given["facts"]), given["level"]
    found = book(options.OptionsRules, "options.yml").assess(facts, level, _day(given))
    yield from _findings(name, found.version, found.findings)
    yield _item(name, found.version, found.verdict.value, {"level": str(level), "enabled_level": str(facts.enabled_level)})


def _closing(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    accounts = [restored(closing.AccountFacts, account) for account in given["accounts"]]
    found = book(closing.ClosingRules, "closing.yml").assess(accounts, _day(given))
    for number, account in enumerate(found.accounts, 1):
        yield from _findings(name, found.version, account.findings, account=number)
    yield _item(name, found.version, found.verdict.value, {"accounts": len(found.accounts)})


def _ratio(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    account = restored(margin_account.Account, given["account"])
    found = book(margin_account.MarginAccountRules, "margin_account.yml").ratio(account, _day(given))
    lines = {"line_warning": str(found.warning.line.fraction), "line_liquidation": str(found.liquidation.line.fraction)}
    yield _item(name, found.computation.version, found.standing.value, lines)


def _computed(name: str, computation: Computation, verdict: str, **inputs: Any) -> Iterator[Item]:
    yield _item(name, computation.version, verdict, {key: _text(value) for key, value in inputs.items()})


def _interest(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    first, last = date.fromisoformat(given["borrowed_on"]), date.fromisoformat(given["repaid_on"])
    rules = book(margin_account.MarginAccountRules, "margin_account.yml")
    found = rules.interest(Decimal(given["principal"]), first, last)
    return _computed(name, found.computation, "computed", principal=found.principal, days=found.days)


def _cost(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    kind = trading_costs.Trade if "price" in given["order"] else trading_costs.Order
    order: Any = restored(kind, given["order"])
    found = book(trading_costs.TradingCosts, "trading_costs.yml").cost(order)
    return _computed(name, found.computation, "computed", market=given["market"], side=order.side.value, amount=found.amount)


def _growth(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    amount, rate, months = Decimal(given["amount"]), Decimal(given["yearly_rate"]), given["months"]
    rules = book(growth.GrowthRules, "growth.yml")
    found = rules.of_kind(given["kind"], amount, yearly_rate=rate, months=months)
    return _computed(name, found.computation, given["kind"], amount=amount, yearly_rate=rate, months=months)


def _calendar(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    found = book(trading_calendar.TradingCalendar, "trading_calendar.yml").day(given["market"], _day(given))
    return _computed(name, found.computation, found.kind.value, market=given["market"], day=_day(given))


def _deadline(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    calendar = book(trading_calendar.TradingCalendar, "trading_calendar.yml")
    rules = book(deadlines.ServiceDeadlines, "service_deadlines.yml")
    allowed = rules.due(name.partition(".")[2], datetime.fromisoformat(given["created_at"]), calendar)
    verdict = "kept" if date.fromisoformat(given["due_on"]) <= allowed.answered_by else "firm_names_a_later_day"
    yield _item(name, allowed.version, verdict, {"due_on": given["due_on"], "answered_by": allowed.answered_by.isoformat()})


def _statement(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    rules, day = book(StatementRules, "statements.yml"), _day(given)
    try:
        _ = rules.month(given["month"], day) if "month" in given else rules.year(given["years_ago"], day)
        verdict = "possible"
    except PeriodRefused as refused:
        verdict = refused.reason
    yield _item(name, rules.version(day), verdict, {})


def _codes(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    edition = book(CodeBook, f"{name}.yml").on(_day(given))
    verdict = "explained" if edition.codes.get(given["code"]) else "unknown_code"
    yield _item(name, edition.version, verdict, {"status": given["status"], "code": given["code"]})


def _told(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    file, _, code = name.partition(".")
    edition = book(CodeBook, f"{file}.yml").on(_day(given))
    yield _item(name, edition.version, "told" if code in edition.codes else "unknown_code", {})


def _risk(book: RuleBook, given: Given, name: str) -> Iterator[Item]:
    edition = book(CodeBook, "risk_levels.yml").on(_day(given))
    verdict = risk_levels.standing(date.fromisoformat(given["valid_until"]), _day(given))
    yield _item(name, edition.version, verdict, {"level": given["level"], "valid_until": given["valid_until"]})


RUNS: Final[Mapping[str, Callable[[RuleBook, Given, str], Iterator[Item]]]] = {
    margin.RULE: _margin,
    options.RULE: _options,
    closing.RULE: _closing,
    margin_account.RATIO: _ratio,
    margin_account.INTEREST: _interest,
    trading_costs.RULE: _cost,
    growth.RULE: _growth,
    trading_calendar.RULE: _calendar,
    deadlines.RULE: _deadline,
    risk_levels.RULE: _risk,
    "statement_period": _statement,
    "order_codes": _codes,
    "transfer_codes": _codes,
    "ipo_rules": _told,
}
"""By the rule's name as the record has it, or by its part before the first full stop."""
