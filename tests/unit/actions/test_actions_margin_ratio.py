"""The maintenance ratio: exactly on a line and one cent below it, what the contract says there, failures, and why."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from actions_fakes import NOW, FakeContext, margin_account, receipt, run, tracker

from actions.margin_ratio import CheckMarginRatio
from actions.verdicts import ExplainVerdict
from tightrope.business.errors import BusinessError, NoAnswer, NotFound, Refused, Stale
from tightrope.business.models import MarginCall
from tightrope.business.operations import GET_MARGIN_ACCOUNT


def on(language: str = "zh", **slots: Any) -> Any:
    return tracker("check_margin_ratio", language=language, slots=slots)


async def checked(fake: FakeContext, securities: str, language: str = "zh", **changes: Any) -> Any:
    fake.log_in("margin:read")
    fake.business.credit = margin_account(securities=securities, **changes)
    return await run(CheckMarginRatio(), on(language))


@pytest.mark.parametrize(
    ("securities", "ratio", "words"),
    [
        ("300000.01", "300%", "当前高于提取线 300%"),
        ("300000.00", "300%", "当前不低于警戒线"),
        ("150000.00", "150%", "当前不低于警戒线，不需要追加担保物"),
        ("149999.99", "149.99%", "当前低于警戒线 150%，不低于平仓线 130%"),
        ("130000.00", "130%", "当前低于警戒线 150%，不低于平仓线 130%"),
        ("129999.99", "129.99%", "当前低于平仓线 130%，须在 2 个交易日内"),
        ("0.00", "0%", "公司有权强制平仓"),
    ],
)
async def test_exactly_on_a_line_is_not_below_it_and_one_cent_less_is(
    fake: FakeContext, securities: str, ratio: str, words: str
) -> None:
    done = await checked(fake, securities)
    message = done.message("utter_ratio")
    assert message["ratio"] == ratio
    assert words in message["steps"]
    assert done.slots == {"ratio_outcome": "told", "last_verdict": "margin_ratio"}


async def test_distances_to_both_lines_are_named(fake: FakeContext) -> None:
    steps = (await checked(fake, "200000.00")).message("utter_ratio")["steps"]
    assert "距警戒线 150%：在负债不变时，担保物市值再下跌 50,000.00 元（证券市值的 25%）即达到" in steps
    assert "距平仓线 130%：在负债不变时，担保物市值再下跌 70,000.00 元（证券市值的 35%）即达到" in steps
    below = (await checked(fake, "120000.00", "en")).message("utter_ratio")["steps"]
    assert "adding collateral of CNY 30,000.00, or repaying CNY 20,000.00" in below


async def test_account_time_and_sources_are_named(fake: FakeContext) -> None:
    message = (await checked(fake, "200000.00")).message("utter_ratio")
    assert (message["account"], message["as_of"]) == ("信用账户 ••••2002", "10:31")
    assert "公司融资融券合同" in message["sources"]


async def test_without_debt_there_is_no_ratio(fake: FakeContext) -> None:
    done = await checked(fake, "200000.00", financed="0.00")
    assert done.said == ["utter_ratio_no_debt"]
    assert done.slots == {"ratio_outcome": "no_debt", "last_verdict": "margin_ratio"}


async def test_the_firms_own_call_is_told_with_its_deadline(fake: FakeContext) -> None:
    call = MarginCall(called_on=date(2026, 11, 19), restore_by=NOW + timedelta(days=1))
    done = await checked(fake, "120000.00", margin_call=call)
    assert done.message("utter_ratio_called") | {"called_on": "2026年11月19日", "restore_by": "11月21日 10:31"} == done.message(
        "utter_ratio_called"
    )


async def test_figures_are_kept_only_in_what_the_rule_was_given(fake: FakeContext) -> None:
    done = await checked(fake, "123456.78")
    (rule,) = done.evidence["rules"]
    assert rule.pop("given")["account"]["securities"] == "123456.78", "the record has to tell what was decided from"
    assert "123456.78" not in str(done.events) + str(done.evidence)
    assert (rule["rule"], rule["verdict"]) == ("maintenance_ratio", "below_liquidation")


async def test_an_account_in_another_currency_is_for_a_person(fake: FakeContext) -> None:
    done = await checked(fake, "200000.00", currency="HKD")
    assert done.slots == {"ratio_outcome": "unavailable", "last_verdict": None}
    assert done.said == []


async def test_a_figure_beyond_all_bounds_is_no_ratio(fake: FakeContext) -> None:
    done = await checked(fake, "1000000000000.00")
    assert done.slots == {"ratio_outcome": "unavailable", "last_verdict": None}


@pytest.mark.parametrize(("kind", "outcome"), [(Refused, "not_permitted"), (NotFound, "no_account"), (NoAnswer, "unavailable")])
async def test_each_failure_has_its_outcome(fake: FakeContext, kind: type[BusinessError], outcome: str) -> None:
    fake.log_in("margin:read")
    fake.business.errors[GET_MARGIN_ACCOUNT] = kind("x", receipt(GET_MARGIN_ACCOUNT, "x", 500, None))
    done = await run(CheckMarginRatio(), on(last_verdict="margin_ratio"))
    assert done.slots == {"ratio_outcome": outcome, "last_verdict": None}


async def test_an_old_account_shows_no_ratio_but_its_time(fake: FakeContext) -> None:
    fake.log_in("margin:read")
    fake.business.errors[GET_MARGIN_ACCOUNT] = Stale("old", receipt(GET_MARGIN_ACCOUNT, "stale", 200, NOW - timedelta(days=1)))
    assert (await run(CheckMarginRatio(), on("en"))).message("utter_ratio_stale")["as_of"] == "19 Nov 10:31"


@pytest.mark.parametrize("scope", ["accounts:read", "eligibility:read"])
async def test_another_scope_reads_nothing(fake: FakeContext, scope: str) -> None:
    fake.log_in(scope)
    assert (await run(CheckMarginRatio(), on())).slots["ratio_outcome"] == "not_permitted"
    assert fake.business.asked == []


async def test_why_gives_formula_contract_and_time(fake: FakeContext) -> None:
    fake.log_in("margin:read")
    done = await run(ExplainVerdict(), tracker("explain_verdict", slots={"last_verdict": "margin_ratio"}))
    message = done.message("utter_ratio_why")
    assert "200,000.00 ÷ 100,000.00 = 200%" in message["rules"]
    assert "规则数据版本" in message["basis"]
    assert message["as_of"] == "10:31"


async def test_why_of_an_account_in_another_currency_is_for_a_person(fake: FakeContext) -> None:
    fake.log_in("margin:read")
    fake.business.credit = margin_account(currency="USD")
    done = await run(ExplainVerdict(), tracker("explain_verdict", slots={"last_verdict": "margin_ratio"}))
    assert done.slots == {"explanation_outcome": "unavailable"}


WORDS_OF_ADVICE = ("建议", "应当卖", "可以买", "should", "recommend", "advise")


@pytest.mark.parametrize("securities", ["400000.00", "200000.00", "140000.00", "100000.00"])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_where_the_account_stands_is_told_without_advice(fake: FakeContext, securities: str, language: str) -> None:
    steps = (await checked(fake, securities, language)).message("utter_ratio")["steps"]
    assert not any(word in steps for word in WORDS_OF_ADVICE)
