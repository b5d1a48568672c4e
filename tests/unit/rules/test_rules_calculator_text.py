"""Words for every step and every refusal in both languages; each line of the wording is used, and figures are shown as computed."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from test_rules_calendar import CALENDAR, DAYS
from test_rules_growth import RULES as GROWTH
from test_rules_growth import lump, saving
from test_rules_margin_account import ACCOUNTS, account
from test_rules_margin_account import RULES as MARGIN
from test_rules_options import GOOD
from test_rules_options import RULES as OPTIONS
from test_rules_trading_costs import RULES as COSTS
from test_rules_trading_costs import TRADES, cost

import tightrope.rules
from tightrope.rules.calculator_text import CalculatorWording
from tightrope.rules.figures import Computation
from tightrope.rules.growth import Frequency, Timing
from tightrope.rules.margin_account import Account
from tightrope.rules.models import RuleDataError, RuleRefusal, Term
from tightrope.rules.text import Language, percent
from tightrope.rules.trading_costs import Order, Side, Trade

FOLDER = Path(tightrope.rules.__file__).parent / "data"
DATA: dict[str, Any] = yaml.safe_load((FOLDER / "calculator_wording.yml").read_text(encoding="utf-8"))
WORDING = CalculatorWording(DATA)
TODAY = date(2026, 11, 20)
LANGUAGES: tuple[Language, ...] = ("zh", "en")


def in_both(computation: Computation) -> str:
    texts = [WORDING.explanation(computation, language) for language in LANGUAGES]
    for language, text in zip(LANGUAGES, texts, strict=True):
        assert "{" not in text
        assert "None" not in text
        assert text.splitlines()[-1].startswith(DATA["labels"]["source"][language])
        assert computation.version in WORDING.basis(computation, language)
        assert all(source.text(language) in WORDING.basis(computation, language) for source in computation.sources)
    return "\n".join(texts)


def every_kind_of_step() -> list[Computation]:
    found = [cost(market, side.value, "10.00", 1000).computation for market in COSTS.markets for side in Side]
    found.append(cost("hk_connect", "buy", "10.01", 1000).computation)
    found.append(cost("hk_connect", "buy", "100.00", 100_000, date(2024, 5, 2)).computation)
    found.append(cost("sse", "buy", "100.00", 100_000).computation)
    found.append(MARGIN.interest(Decimal(100000), date(2026, 11, 1), TODAY).computation)
    for figures in (
        ("0", "200000", "100000"),
        ("200000", "1", "100000"),
        ("0", "1", "100000"),
        ("1", "1", "0"),
        ("0", "4", "1"),
        ("0", "140", "100"),
    ):
        found.append(MARGIN.ratio(account(*figures), TODAY).computation)
    found.append(lump("1", "0.05", 10).computation)
    found += [saving("1", "0.05", 10, frequency, timing).computation for frequency in Frequency for timing in Timing]
    found += [CALENDAR.day(market, day).computation for market in CALENDAR.markets for day in DAYS]
    found += [COSTS.rates(market, TODAY) for market in COSTS.markets]
    found.append(COSTS.cost(Order("sse", Side.BUY, Decimal(100_000), TODAY)).computation)
    found += [MARGIN.rate_in_force(TODAY), GROWTH.formulas()]
    found += [CALENDAR.on_file(market) for market in CALENDAR.markets]
    found += [CALENDAR.settlement(market, TODAY).computation for market in CALENDAR.markets]
    return found


def test_every_step_has_words_and_no_word_is_left_over() -> None:
    used: set[tuple[str, str]] = set()
    for computation in every_kind_of_step():
        in_both(computation)
        used |= {(computation.rule, step.name) for step in computation.steps}
    assert used == {(rule, name) for rule, steps in DATA["steps"].items() for name in steps}


@given(trade=TRADES)
def test_there_are_words_for_any_trade(trade: Trade) -> None:
    found = COSTS.cost(trade)
    text = in_both(found.computation)
    assert f"{found.total:,.2f}" in text


@given(found=ACCOUNTS)
def test_there_are_words_for_any_account(found: Account) -> None:
    in_both(MARGIN.ratio(found, TODAY).computation)


def test_a_sale_shows_how_each_fee_came_about() -> None:
    assert WORDING.explanation(cost("sse", "sell", "12.30", 1000).computation, "zh").splitlines() == [
        "成交金额：12.30 × 1,000 = 12,300.00 元",
        "佣金：12,300.00 × 0.025% = 3.075，低于最低收费，按 5.00 元收取",
        "印花税：12,300.00 × 0.05% = 6.15 元",
        "过户费：12,300.00 × 0.001% = 0.123，四舍五入到分为 0.12 元",
        "经手费：0.00341%，已包含在佣金内，不另收",
        "证券交易监管费：0.002%，已包含在佣金内，不另收",
        "费用合计：11.27 元",
        "卖出到账：12,300.00 − 11.27 = 12,288.73 元",
        "公开费率核对至 2025年6月30日；佣金按公司标准费率估算，您的实际费率以 App“我的 → 费率”为准。",
        "依据：公司佣金标准、财政部、税务总局公告2023年第39号、中国结算过户费通知（2022年）、沪深交易所经手费通知（2023年）、证券交易监管费收费标准",
    ]


def test_an_account_below_its_line_shows_what_to_do() -> None:
    text = WORDING.steps(MARGIN.ratio(account("0", "120000", "100000"), TODAY).computation, "en")
    assert "Maintenance ratio: 120,000.00 ÷ 100,000.00 = 120% (rounded down to a hundredth of a percent)" in text
    assert (
        "Below the warning line of 150%: adding collateral of CNY 30,000.00, or repaying CNY 20,000.00 with other money" in text
    )


def refusals() -> list[RuleRefusal]:
    found = []
    for ask in (
        lambda: cost("nasdaq", "buy", "1", 1),
        lambda: cost("sse", "buy", "10", 100, date(2020, 1, 1)),
        lambda: cost("sse", "buy", "NaN", 1),
        lambda: cost("sse", "buy", "0", 1),
        lambda: cost("sse", "buy", "1.00001", 1),
        lambda: MARGIN.interest(Decimal(1), TODAY, date(2026, 1, 1)),
        lambda: MARGIN.interest(Decimal(1), date(2020, 1, 1), TODAY),
        lambda: MARGIN.ratio(account("1", "1", "1"), date(2020, 1, 1)),
        lambda: GROWTH.lump_sum(Decimal(1), "BTC", yearly_rate=Decimal(0), months=12, frequency=Frequency.YEARLY),
        lambda: lump("1", "6", 1),
        lambda: GROWTH.lump_sum(Decimal(1), "CNY", yearly_rate=Decimal(0), months=18, frequency=Frequency.YEARLY),
        lambda: lump("1", "0.05", 999),
        lambda: saving("0", "0.05", 9, Frequency.MONTHLY, Timing.END),
        lambda: CALENDAR.day("hk", date(2027, 1, 1)),
        lambda: CALENDAR.settlement("sse", date(2026, 10, 1)),
        lambda: OPTIONS.assess(GOOD, 4, TODAY),
        lambda: OPTIONS.assess(GOOD, 1, date(2020, 1, 1)),
    ):
        with pytest.raises(RuleRefusal) as refusal:
            ask()
        found.append(refusal.value)
    found.append(RuleRefusal("not_a_date", input=Term("repayment_day")))  # raised where a typed day is read
    return found


def test_every_refusal_has_words_and_no_word_is_left_over() -> None:
    found = refusals()
    for refusal in found:
        for language in LANGUAGES:
            assert "{" not in WORDING.refusal(refusal, language)
    assert {refusal.reason for refusal in found} == set(DATA["refusals"])


def test_a_rate_out_of_bounds_is_named_in_percent() -> None:
    with pytest.raises(RuleRefusal) as refusal:
        lump("1", "6", 1)
    assert WORDING.refusal(refusal.value, "zh") == "年利率须在 -50% 至 100% 之间，收到的是 600%。"


def test_a_year_that_is_not_published_is_said_in_plain_words() -> None:
    with pytest.raises(RuleRefusal) as refusal:
        CALENDAR.next_trading_day("sse", date(2026, 12, 31))
    assert WORDING.refusal(refusal.value, "zh") == (
        "上海证券交易所 2027 年的交易日历暂未收录（已收录 2024 至 2026 年），请以交易所公告为准。"
    )


def test_the_callers_precision_never_reaches_the_words() -> None:
    computation = cost("sse", "sell", "987.654", 123_456).computation
    expected = in_both(computation)
    with localcontext() as context:
        context.prec = 3
        assert in_both(computation) == expected


def test_every_input_with_bounds_and_every_market_has_a_name() -> None:
    names = {*COSTS.markets, *CALENDAR.markets}
    for rule in ("trading_costs", "margin_account", "growth"):
        names |= set(yaml.safe_load((FOLDER / f"{rule}.yml").read_text(encoding="utf-8"))["bounds"])
    assert names <= set(DATA["terms"])


def test_the_calculators_say_what_the_public_documents_say() -> None:
    knowledge = Path(tightrope.rules.__file__).parents[2] / "knowledge_base"
    fees = (knowledge / "trading-fees.zh.md").read_text(encoding="utf-8")
    items = cost("sse", "sell", "10.00", 1000).items
    for rate in (percent(item.rate) for item in items):
        assert f"成交金额的{rate}" in fees
    assert "每笔最低5元" in fees
    assert {item.name for item in items if item.included} == {"handling_fee", "regulatory_fee"}
    margin = (knowledge / "margin-interest.zh.md").read_text(encoding="utf-8")
    assert f"融资年利率为{percent(MARGIN.interest(Decimal(1), TODAY, TODAY).periods[0].rate)}" in margin
    assert "再除以360" in margin
    ratio = MARGIN.ratio(account("1", "1", "1"), TODAY)
    assert f"警戒线为{percent(ratio.warning.line)}，平仓线为{percent(ratio.liquidation.line)}" in margin


@pytest.mark.parametrize("group", ["terms", "labels", "refusals", "steps"])
def test_missing_parts_of_the_wording_are_refused_at_the_start(group: str) -> None:
    with pytest.raises(RuleDataError):
        CalculatorWording({name: part for name, part in DATA.items() if name != group})
    data = deepcopy(DATA)
    entries = data[group] if group != "steps" else data[group]["growth"]
    del next(iter(entries.values()))["en"]
    with pytest.raises(RuleDataError):
        CalculatorWording(data)


def test_a_missing_line_or_figure_is_an_error_of_the_data() -> None:
    computation = lump("1", "0.05", 1).computation
    data = deepcopy(DATA)
    del data["steps"]["growth"]["gain"]
    with pytest.raises(RuleDataError, match="gain"):
        CalculatorWording(data).steps(computation, "zh")
    data = deepcopy(DATA)
    data["steps"]["growth"]["gain"]["zh"] = "{nothing}"
    with pytest.raises(RuleDataError, match="nothing"):
        CalculatorWording(data).steps(computation, "zh")
    del data["terms"]["CNY"]
    with pytest.raises(RuleDataError, match="CNY"):
        CalculatorWording(data).steps(computation, "en")
